"""An API key: its name, scopes, limits and token."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Literal, get_args

from gateway.errors import ScopeMissing

Scope = Literal["download-url", "links", "records"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
TOKEN = re.compile(r"gw_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, without its token.

    Attributes:
        per_minute: maximum calls per minute; 0 for no limit.
        per_day: maximum calls per UTC day; 0 for no limit.
    """

    name: str
    scopes: frozenset[str] = frozenset(SCOPES)
    per_minute: int = 0
    per_day: int = 0

    def require_scope(self, scope: Scope) -> None:
        """Check that the key has a scope.

        Raises:
            ScopeMissing: it does not have it.
        """
        if scope not in self.scopes:
            raise ScopeMissing(scope)


def new_token() -> str:
    """Generate a token: a prefix for secret scanners, and 256 random bits."""
    return "gw_" + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """The SHA-256 of a token in hexadecimal, which is stored instead of the token.

    A slow password hash is not needed: tokens have 256 random bits.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
