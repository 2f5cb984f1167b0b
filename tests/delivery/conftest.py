import pytest

from gateway.delivery import resuming_reader


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pauses and stall timeouts fractions of a second."""
    monkeypatch.setattr("gateway.delivery.opening.PAUSES_S", (0.001, 0.002))
    monkeypatch.setattr(resuming_reader, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(resuming_reader, "LONGEST_SILENCE_S", 5.0)
    monkeypatch.setattr("gateway.egress.buffered_reader.STALL_TIMEOUT_S", 0.3)
