"""Signed, expiring download links. Applications that share the secret key import from here."""

from gateway.links.link import FieldFault, Link, Mode
from gateway.links.signer import LinkSigner

__all__ = ["FieldFault", "Link", "LinkSigner", "Mode"]
