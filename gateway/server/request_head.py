"""Buffering of a request's head before it is parsed."""

MAX_HEAD_BYTES = 32 * 1024
_END = b"\r\n\r\n"
_OVERLAP = len(_END) - 1


class HeadBuffer:
    """Buffers a request's head, so that each byte is searched and parsed once.

    gunicorn's parser searches its whole buffer for each part that arrives: parsing a head that arrives byte by byte
    takes quadratic time, and gunicorn's limits permit a head of 800 KB.

    Attributes:
        latest: the bytes taken last, for the error response to a head that cannot be parsed.
    """

    __slots__ = ("_bytes", "_overlap", "_taken", "latest")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._overlap = 0  # leading bytes that were taken before, kept as an end mark may begin in them
        self._taken = 0
        self.latest = b""

    @property
    def is_full(self) -> bool:
        """Whether the bytes taken of one head reach its size limit."""
        return self._taken >= MAX_HEAD_BYTES

    def begin(self) -> None:
        """Begin the next head."""
        self._taken = 0

    def add(self, part: bytes) -> bool:
        """Append received bytes; returns whether the buffer should be parsed.

        It should when it has a complete head, when it reaches the size limit, or when a line ends without CR, for which
        the parser refuses the head (RFC 9112 section 2.2).
        """
        begin = len(self._bytes)
        self._bytes += part
        return (
            len(self._bytes) - self._overlap + self._taken >= MAX_HEAD_BYTES
            or self._bytes.find(_END, max(0, begin - _OVERLAP)) >= 0
            or self._has_bare_lf(begin)
        )

    def _has_bare_lf(self, begin: int) -> bool:
        """Whether a line ends without CR after ``begin``. Counting is ten times as fast as a regular expression."""
        ends = self._bytes.count(b"\n", begin)
        return ends > 0 and ends != self._bytes.count(b"\r\n", max(0, begin - 1))

    def take(self) -> bytes:
        """The bytes added since the last call."""
        self.latest = taken = bytes(self._bytes[self._overlap :])
        self._taken += len(taken)
        self._keep_overlap()
        return taken

    def skip(self, part: bytes) -> None:
        """Note bytes that were received without this buffer; the next head may begin in them."""
        self._bytes += part[-_OVERLAP:]
        self._keep_overlap()

    def _keep_overlap(self) -> None:
        del self._bytes[:-_OVERLAP]
        self._overlap = len(self._bytes)
