"""Sources: files at origins and in our own storage, and how they are opened."""
