"""gunicorn's configuration for trials: the gateway's own, on the stage that the environment describes."""

import runpy
from pathlib import Path

globals().update(runpy.run_path(str(Path(__file__).parents[3] / "gunicorn.conf.py")))  # first: it patches

from tests.support.faults.stage import Stage  # noqa: E402

Stage.given().build()
