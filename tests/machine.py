"""What this machine must have for a test."""

import os
import shutil
from typing import NoReturn

import pytest


def needs(command: str) -> str:
    """Return the path of the command. Without it the test is skipped, or fails where everything is required."""
    path = shutil.which(command)
    if path is None:
        missing(f"{command} is not on this machine")
    return path


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where everything is required."""
    if os.environ.get("GATEWAY_TEST_REQUIRE") == "all":
        pytest.fail(reason)
    pytest.skip(reason)
