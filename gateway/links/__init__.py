"""Signed, expiring permission to download. Applications that share the secret import from here."""

from gateway.links.link import FieldFault, Link, Mode
from gateway.links.signer import LinkSigner

__all__ = ["FieldFault", "Link", "LinkSigner", "Mode"]
