"""What this machine must have for a test."""

import os
import shutil

import pytest


def needs(command: str) -> str:
    """Return the path of the command. Without it the test is skipped, or fails where everything is required."""
    path = shutil.which(command)
    if path is not None:
        return path
    reason = f"{command} is not on this machine"
    if os.environ.get("GATEWAY_TEST_REQUIRE") == "all":
        pytest.fail(reason)
    pytest.skip(reason)
