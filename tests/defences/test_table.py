"""The table of defences quotes the code and names the tests as they are."""

import ast
import subprocess
import sys

import pytest

from tests.defences.table import Defence, read_table
from tests.support.live_gateway import ROOT

TABLE = read_table()


def test_every_row_quotes_code_that_its_file_has_once() -> None:
    assert {name: times for name, row in TABLE.items() if (times := row.occurrences()) != 1} == {}


def test_without_a_defence_the_file_is_another_program() -> None:
    assert [name for name, row in TABLE.items() if not changes_the_program(row)] == []


def test_the_tests_of_every_row_exist() -> None:
    functions = {file: functions_of(file) for row in TABLE.values() for file in map(file_of, row.tests)}

    missing = [
        test for row in TABLE.values() for test in row.tests if function_of(test) not in functions[file_of(test)]
    ]

    assert missing == []


@pytest.mark.slow
def test_the_cases_of_every_row_exist() -> None:
    tests = sorted({test for row in TABLE.values() for test in row.tests})

    command = [sys.executable, "-m", "pytest", "-n0", "--collect-only", "-q", "-p", "no:cacheprovider", *tests]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout[-2000:]


def changes_the_program(row: Defence) -> bool:
    text = (ROOT / row.file).read_text(encoding="utf-8")
    return ast.dump(ast.parse(text)) != ast.dump(ast.parse(text.replace(row.defence, row.without)))


def file_of(test: str) -> str:
    return test.partition("::")[0]


def function_of(test: str) -> str:
    return test.rpartition("::")[2].partition("[")[0]


def functions_of(file: str) -> set[str]:
    nodes = ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
