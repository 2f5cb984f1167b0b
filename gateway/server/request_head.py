"""The head of a request, collected before anything parses it."""

MOST_HEAD_BYTES = 32 * 1024
_END = b"\r\n\r\n"
_OVERLAP = len(_END) - 1


class HeadBuffer:
    """Collects a request's head, so that each byte of it is searched once and parsed once.

    gunicorn's parser searches everything that it has for each part that arrives: a head that comes byte by byte costs
    it time by the square of its length, and its limits allow a head of 800 KB.

    Attributes:
        latest: the bytes taken last, for the error response to a head that cannot be parsed.
    """

    __slots__ = ("_bytes", "_known", "_taken", "latest")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._known = 0  # so many of the first were taken already, and are kept as an end may begin in them
        self._taken = 0
        self.latest = b""

    @property
    def is_full(self) -> bool:
        """Whether as much was taken of one head as it may have."""
        return self._taken >= MOST_HEAD_BYTES

    def begin(self) -> None:
        """Begin the next head."""
        self._taken = 0

    def add(self, part: bytes) -> bool:
        """Add what was received. Returns whether there is something to parse.

        That is a whole head, as much as one may have, or a line that ends without CR, for which the parser refuses
        the head at once (RFC 9112 section 2.2).
        """
        begin = len(self._bytes)
        self._bytes += part
        return (
            len(self._bytes) - self._known + self._taken >= MOST_HEAD_BYTES
            or self._bytes.find(_END, max(0, begin - _OVERLAP)) >= 0
            or self._has_bare_lf(begin)
        )

    def _has_bare_lf(self, begin: int) -> bool:
        """Whether a line ends without CR behind ``begin``. Counting is ten times as fast as a regular expression."""
        ends = self._bytes.count(b"\n", begin)
        return ends > 0 and ends != self._bytes.count(b"\r\n", max(0, begin - 1))

    def take(self) -> bytes:
        """Give what was added since the last time."""
        self.latest = taken = bytes(self._bytes[self._known :])
        self._taken += len(taken)
        self._keep_last()
        return taken

    def skip(self, part: bytes) -> None:
        """Note what was received without this buffer, as the next head may begin in it."""
        self._bytes += part[-_OVERLAP:]
        self._keep_last()

    def _keep_last(self) -> None:
        del self._bytes[:-_OVERLAP]
        self._known = len(self._bytes)
