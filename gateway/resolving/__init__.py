"""From (task, URL) to a source of bytes."""
