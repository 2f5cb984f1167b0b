"""Documents that are the same for every visitor: their bytes are made once, and sent with a validator."""

import gzip
import hashlib
from dataclasses import dataclass
from typing import Self

from flask import Response, request

_DIGITS = 16  # of the SHA-256, in hexadecimal
_LEAST_SAVED = 0.9  # a coding that leaves more than this share of the bytes is not worth a header


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes of a document, and the same bytes compressed.

    Attributes:
        digest: the beginning of the SHA-256 of ``body``, the same on every machine.
        gzipped: ``body`` under the content coding gzip; None where that saves nothing.
    """

    body: bytes
    content_type: str
    digest: str
    gzipped: bytes | None

    @classmethod
    def of(cls, body: bytes | str, content_type: str) -> Self:
        """Make a document of its bytes, or of its text, which is sent as UTF-8."""
        if isinstance(body, str):
            body = body.encode()
        gzipped = gzip.compress(body, mtime=0)
        saves = len(gzipped) < _LEAST_SAVED * len(body)
        return cls(body, content_type, hashlib.sha256(body).hexdigest()[:_DIGITS], gzipped if saves else None)

    def respond(self, cache_control: str) -> Response:
        """Answer the current request with the document, or with 304 where the visitor has it already (RFC 9110 13.1.2).

        The compressed bytes bear a weak tag: one strong tag may not name two sequences of bytes (RFC 9110 8.8.3.3).
        """
        coded = self.gzipped is not None and request.accept_encodings.quality("gzip") > 0
        response = Response(self.gzipped if coded else self.body, content_type=self.content_type)
        response.set_etag(self.digest, weak=coded)
        if coded:
            response.headers["Content-Encoding"] = "gzip"
        if self.gzipped is not None:
            response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = cache_control
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        response.make_conditional(request)
        return response
