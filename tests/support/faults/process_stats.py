"""Memory and open files of a process, from ``/proc``. Linux only."""

from pathlib import Path


class ProcessStats:
    """One process.

    Args:
        pid: its process id.
    """

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def memory(self) -> int:
        """Resident bytes."""
        return self._status_bytes("VmRSS:")

    def peak(self) -> int:
        """The most resident bytes since :meth:`forget_peak`."""
        return self._status_bytes("VmHWM:")

    def forget_peak(self) -> None:
        """Reset the peak (proc(5), clear_refs)."""
        (self._folder / "clear_refs").write_text("5", encoding="ascii")

    def open_files(self) -> int:
        """The number of open files and sockets."""
        return len(list((self._folder / "fd").iterdir()))

    def _status_bytes(self, name: str) -> int:
        status = (self._folder / "status").read_text(encoding="ascii")
        return int(status.partition(name)[2].split()[0]) * 1024
