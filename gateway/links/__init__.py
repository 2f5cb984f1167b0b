"""Signed, expiring permission to download. Applications that share the secret import from here."""

from gateway.links.link import FieldFault, Link, Mode
from gateway.links.signed import LinkSigner

__all__ = ["FieldFault", "Link", "LinkSigner", "Mode"]
