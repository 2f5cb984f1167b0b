"""What is kept, and where: in this process for now."""
