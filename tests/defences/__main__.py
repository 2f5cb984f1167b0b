"""Shows that the tests notice when a defence is missing: ``python -m defences [name …]``, ``tests`` on the path."""

import sys
from concurrent.futures import ThreadPoolExecutor

from tests.defences.table import Defence, read_table
from tests.defences.trial import Broken, copied_project, run_tests, verdict_without

AT_ONCE = 2
PATIENCE_WITH_ALL_S = 900.0


def main(names: list[str]) -> int:
    """Try the named defences, or all; 1 where a test does not notice, or fails as it is."""
    table = read_table()
    if unknown := set(names) - table.keys():
        return _say(f"no such defence: {', '.join(sorted(unknown))}", 2)
    chosen = [table[name] for name in names or table]
    if not _all_pass_as_it_is(chosen):
        return 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return max(pool.map(_try, chosen))


def _all_pass_as_it_is(chosen: list[Defence]) -> bool:
    """A test that fails anyway shows nothing."""
    tests = sorted({test for defence in chosen for test in defence.tests})
    with copied_project() as root:
        output, status = run_tests(root, tests, PATIENCE_WITH_ALL_S, f"-n{AT_ONCE}")
    if status != 0:
        _say(f"{output}\nthese tests do not pass as it is", 1)
    return status == 0


def _try(defence: Defence) -> int:
    try:
        verdict = verdict_without(defence)
    except Broken as broken:
        return _say(f"{defence.name} … CANNOT BE RUN\n{broken}", 1)
    return _say(f"{defence.name} … {verdict}", int(verdict.startswith("SURVIVES")))


def _say(line: str, status: int) -> int:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
