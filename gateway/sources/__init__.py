"""Where a file's bytes are, and how they are opened."""
