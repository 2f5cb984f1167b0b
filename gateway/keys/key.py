"""An API key: who calls, what they may do, and the token that stands for them."""

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
    """Somebody who may call the API.

    Attributes:
        name: what the operator calls them.
        scopes: the calls that are open to them.
        per_minute: how many calls in a minute; 0 for no limit.
        per_day: how many calls in a day of UTC; 0 for no limit.
    """

    name: str
    scopes: frozenset[str] = frozenset(SCOPES)
    per_minute: int = 0
    per_day: int = 0

    def check(self, scope: Scope) -> None:
        """See to it that the key opens the calls of a scope.

        Raises:
            ScopeMissing: it does not.
        """
        if scope not in self.scopes:
            raise ScopeMissing(scope)


def new_token() -> str:
    """Make a token: a prefix that people and secret scanners know, and 256 random bits."""
    return "gw_" + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What is kept in a token's place: its SHA-256, in hexadecimal.

    A slow hash protects passwords, which can be guessed one after the other; among 2**256 tokens nobody guesses, and
    a fast hash costs a call nothing.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
