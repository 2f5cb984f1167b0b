"""Plain values that describe a file: byte range, metadata, media type."""
