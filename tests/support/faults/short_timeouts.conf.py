"""gunicorn's configuration for trials of faults: the gateway's own, with short timeouts."""

import runpy
from pathlib import Path

globals().update(runpy.run_path(str(Path(__file__).parents[3] / "gunicorn.conf.py")))  # first: it patches

from tests.support.faults.fault_environment import FaultEnvironment  # noqa: E402

FaultEnvironment.from_variable().apply()
