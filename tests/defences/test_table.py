"""The table of defences is true of the code and the tests as they are."""

import ast
import subprocess
import sys

import pytest

from tests.defences.table import Defence, read_table
from tests.support.live_gateway import ROOT

TABLE = read_table()
rows = pytest.mark.parametrize("defence", TABLE.values(), ids=TABLE)


@rows
def test_a_defence_stands_in_its_file_once(defence: Defence) -> None:
    assert defence.occurrences() == 1


@rows
def test_without_a_defence_there_is_still_a_program(defence: Defence) -> None:
    text = (ROOT / defence.file).read_text(encoding="utf-8")
    without = text.replace(defence.defence, defence.without)

    assert ast.dump(ast.parse(without)) != ast.dump(ast.parse(text))


def test_the_tests_that_notice_exist() -> None:
    tests = sorted({test for defence in TABLE.values() for test in defence.tests})

    command = [sys.executable, "-m", "pytest", "-n0", "--collect-only", "-q", "-p", "no:cacheprovider", *tests]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout[-2000:]
