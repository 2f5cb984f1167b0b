"""Takes a defence out of a copy of the project, and runs the tests that must notice."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.defences.table import Defence
from tests.support.live_gateway import ROOT

PATIENCE_S = 60.0
COPIED = ("bench", "docs", "gateway", "static", "templates", "tests")
COPIED_FILES = ("Procfile", "README.md", "gunicorn.conf.py", "pyproject.toml", "wsgi.py")
PYTEST = ("-m", "pytest", "-v", "--tb=line", "--color=no", "-p", "no:cacheprovider")
_VERDICT = re.compile(r"^(tests/\S+::\S.*?) (PASSED|FAILED|ERROR|SKIPPED)\b", re.MULTILINE)


class Broken(Exception):
    """The tests could not even be run."""


@contextmanager
def copied_project() -> Iterator[Path]:
    """A copy of what the tests need, and no more; gone at the end."""
    with TemporaryDirectory(prefix="defences-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        for name in COPIED:
            shutil.copytree(ROOT / name, root / name)
        for name in COPIED_FILES:
            shutil.copy2(ROOT / name, root / name)
        yield root


def verdict_without(defence: Defence) -> str:
    """Tell in a few words what the tests say without a defence; begins with ``SURVIVES`` where one does not notice.

    Raises:
        Broken: they cannot be run.
    """
    with copied_project() as root:
        defence.take_out(root)
        output, status = run_tests(root, defence.tests, PATIENCE_S, "-n0")
    told = {test: _told_of(test, output) for test in defence.tests}
    if status is None:
        told = {test: verdicts or {"FAILED"} for test, verdicts in told.items()}  # what hangs has noticed, too
    if not all(verdicts - {"ERROR"} for verdicts in told.values()):
        raise Broken(output)
    if any(verdicts == {"SKIPPED"} for verdicts in told.values()):
        return "cannot be tried here"
    if survives := [test for test, verdicts in told.items() if "FAILED" not in verdicts]:
        return "SURVIVES: " + ", ".join(survives)
    return "hangs without it" if status is None else "fails without it"


def run_tests(root: Path, tests: Iterable[str], patience_s: float, *options: str) -> tuple[str, int | None]:
    """Run tests of a copy; give what pytest wrote, and its exit status: None when it was not over in time."""
    with (root / "output").open("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, *PYTEST, *options, f"--basetemp={root / 'temporary'}", *tests],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            status = process.wait(patience_s)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with the gateways that a test has left
            process.wait()
        output.seek(0)
        return output.read(), status


def _told_of(test: str, output: str) -> set[str]:
    """What was said of a test, or of all the cases of one."""
    return {verdict for name, verdict in _VERDICT.findall(output) if name == test or name.startswith(f"{test}[")}
