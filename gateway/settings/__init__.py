"""The settings of the gateway."""

from gateway.settings.model import PREFIX, RELATIVE_LINKS, Bucket, Settings, make_printable, variable

__all__ = ["PREFIX", "RELATIVE_LINKS", "Bucket", "Settings", "make_printable", "variable"]
