"""What this machine must have for a test."""

import os
import shutil
from typing import NoReturn

import pytest

# Debian's package where it is not called like the command.
PACKAGES = {"aria2c": "aria2", "go": "golang-go", "node": "nodejs", "php": "php-cli", "sh": "dash"}


def needs(command: str) -> str:
    """Return the path of the command. Without it the test is skipped, or fails where everything is required."""
    path = shutil.which(command)
    if path is None:
        package = PACKAGES.get(command, command)
        missing(f"{command} is not on this machine; install it, on Debian: apt install {package}")
    return path


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where everything is required. The reason says what is missing, and the remedy."""
    if os.environ.get("GATEWAY_TEST_REQUIRE") == "all":
        pytest.fail(reason)
    pytest.skip(reason)
