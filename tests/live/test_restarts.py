"""Rolling restarts behind a proxy, the small version of the trial ``restarts``."""

import pytest

from bench.reliability.restarts import downloads_under_restarts
from tests.support.machine import needs

pytestmark = pytest.mark.slow


def test_rolling_restarts_behind_a_retrying_proxy_break_no_download() -> None:
    needs("nginx")

    met = downloads_under_restarts(2)

    assert met["whole"] > 2
    assert set(met) == {"whole"}
