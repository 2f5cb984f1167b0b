"""What delivery promises under trouble, tried in a few minutes and printed as a table."""
