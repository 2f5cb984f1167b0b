"""The summary of a test run names the tests that did not run, and what they need."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TESTED = "tests/test_link_recipes.py::test_a_recipe_signs_like_the_gateway"


def run_pytest(path: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the recipes' test where no command is installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GATEWAY_TEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", TESTED],
        env=kept | {"PATH": str(path)} | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_summary_says_what_the_skipped_tests_need(tmp_path: Path) -> None:
    ran = run_pytest(tmp_path)

    summary = ran.stdout.partition("short test summary info")[2]
    assert ran.returncode == 0, ran.stdout
    assert "SKIPPED" in summary
    assert "node is not on this machine; install it, on Debian: apt install nodejs" in summary
    assert "openssl is not on this machine; install it, on Debian: apt install openssl" in summary


def test_where_everything_is_required_a_test_that_cannot_run_fails(tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, GATEWAY_TEST_REQUIRE="all")

    assert ran.returncode == 1
    assert "skipped" not in ran.stdout
    assert "node is not on this machine" in ran.stdout


def test_the_readme_says_how_long_the_suite_takes() -> None:
    (line,) = [line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if line.startswith("make test ")]

    assert "minutes" in line
