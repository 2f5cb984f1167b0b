"""A browser-facing download gateway: a signed link becomes a download."""

__version__ = "0.1.0"
