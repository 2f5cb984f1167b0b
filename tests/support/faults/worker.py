"""What a worker holds, as Linux tells it."""

from pathlib import Path


class Worker:
    """A process of the gateway.

    Args:
        pid: its process id.
    """

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def memory(self) -> int:
        """The bytes that it has resident."""
        return self._told("VmRSS:")

    def peak(self) -> int:
        """The most bytes that it had resident since :meth:`forget_peak`."""
        return self._told("VmHWM:")

    def forget_peak(self) -> None:
        """Begin to watch for the peak anew (proc(5), clear_refs)."""
        (self._folder / "clear_refs").write_text("5", encoding="ascii")

    def open_files(self) -> int:
        """How many files and sockets it has open."""
        return len(list((self._folder / "fd").iterdir()))

    def _told(self, name: str) -> int:
        status = (self._folder / "status").read_text(encoding="ascii")
        return int(status.partition(name)[2].split()[0]) * 1024
