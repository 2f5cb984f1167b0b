"""Responses that are the same for every visitor: bytes computed once, with an entity tag and a gzip variant."""

import gzip
import hashlib
from dataclasses import dataclass
from typing import Self

from flask import Response, request

_DIGEST_LENGTH = 16  # hexadecimal digits
_MAX_GZIP_RATIO = 0.9  # gzip is used only where it saves a tenth


@dataclass(frozen=True, slots=True)
class StaticDocument:
    """A document in memory.

    Attributes:
        digest: the first 16 hexadecimal digits of the SHA-256 of ``body``.
        gzipped: ``body`` compressed with gzip; None where that saves too little.
    """

    body: bytes
    content_type: str
    digest: str
    gzipped: bytes | None

    @classmethod
    def of(cls, body: bytes | str, content_type: str) -> Self:
        """Create a document from bytes, or from text, which is encoded as UTF-8."""
        if isinstance(body, str):
            body = body.encode()
        gzipped = gzip.compress(body, mtime=0)
        digest = hashlib.sha256(body).hexdigest()[:_DIGEST_LENGTH]
        return cls(body, content_type, digest, gzipped if len(gzipped) < _MAX_GZIP_RATIO * len(body) else None)

    def respond(self, cache_control: str) -> Response:
        """The response to the current request: 200, or 304 when ``If-None-Match`` matches (RFC 9110 section 13.1.2).

        The gzip variant has a weak tag, as two variants must not share a strong one (RFC 9110 section 8.8.3.3).
        """
        use_gzip = self.gzipped is not None and request.accept_encodings.quality("gzip") > 0
        response = Response(self.gzipped if use_gzip else self.body, content_type=self.content_type)
        response.set_etag(self.digest, weak=use_gzip)
        if use_gzip:
            response.headers["Content-Encoding"] = "gzip"
        if self.gzipped is not None:
            response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = cache_control
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        response.make_conditional(request)
        return response
