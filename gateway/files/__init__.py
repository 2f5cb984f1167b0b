"""Values that describe a file: byte range, metadata, media type."""
