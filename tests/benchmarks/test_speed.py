"""The speed benchmark runs what it says it runs, and leaves nothing behind."""

import os
import socket
import sys
from pathlib import Path

import pytest

from bench.speed.origin import IMAGE, IMAGES
from bench.speed.peers import PEERS
from bench.speed.run import CASES, run_cases
from bench.speed.servers import Unavailable, needed, running
from bench.speed.stage import stage
from tests.support.live_gateway import free_port
from tests.support.load_generator import Load
from tests.support.machine import needs

pytestmark = pytest.mark.slow


def test_every_peer_that_is_here_passes_on_the_whole_image() -> None:
    needs("nginx")
    needs("openssl")
    with stage() as shared:
        for name in PEERS:
            try:
                peer = shared.peer(name)
            except Unavailable:
                continue
            visits = [peer.visit(shared.origin.url(image)) for image in IMAGES[:2]]

            measured = shared.ask(Load(peer.port, visits, connections=2, count=4))

            assert measured.body_bytes == 4 * IMAGE, name


def test_a_server_that_does_not_start_is_told_by_its_last_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('one'); raise SystemExit('no room')"]

    with pytest.raises(Unavailable, match=r"does not start: .*no room"), running(command, free_port(), tmp_path):
        pass


def test_a_server_ends_with_its_block(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port := free_port())]

    with running(command, port, tmp_path):
        socket.create_connection(("127.0.0.1", port)).close()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_command_that_is_missing_is_told_with_its_remedy() -> None:
    with pytest.raises(Unavailable, match="no nginz: apt install nginx-light"):
        needed("nginz", "apt install nginx-light")


def test_a_case_without_what_it_needs_is_skipped_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", os.devnull)

    stored, mint = run_cases(["stored", "mint"])

    assert stored.verdict.startswith("skipped: no openssl: apt install openssl")
    assert mint.verdict in {"holds", "MISSES"}
    assert stored.verdict in capsys.readouterr().out


def test_the_documentation_names_every_case() -> None:
    text = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")

    told = text.partition("# or another case of speed: ")[2].partition("\n")[0].split(", ")
    assert {*told, "images"} == set(CASES)
