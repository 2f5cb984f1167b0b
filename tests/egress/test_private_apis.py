"""What the client takes from the standard library without a promise: there, and not needed (docs/private-apis.md)."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.egress.buffered_reader import BufferedTlsReader
from tests.support.certificates import make_certificate, server_context

DATA = bytes(range(256)) * 400  # some records of TLS


@contextmanager
def tls_pair(folder: Path) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """A connected client and server, with the handshake done."""
    certificate = make_certificate(folder)
    with ExitStack() as stack:
        ours, theirs = map(stack.enter_context, socket.socketpair())
        trust = ssl.create_default_context(cafile=str(certificate))
        server = server_context(certificate).wrap_socket(theirs, server_side=True, do_handshake_on_connect=False)
        shaking = threading.Thread(target=server.do_handshake)
        shaking.start()
        client = trust.wrap_socket(ours, server_hostname="127.0.0.1")
        shaking.join()
        stack.enter_context(server)
        yield stack.enter_context(client), server


class WithoutPrivateNames:
    """A socket of a Python that has no ``_sslobj``."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._inner = sock

    def __getattr__(self, name: str) -> Any:
        if name == "_sslobj":
            raise AttributeError(name)
        return getattr(self._inner, name)


@pytest.mark.parametrize("is_there", [True, False], ids=["with", "without"])
def test_tls_records_arrive_whole_with_and_without_the_object_below_the_socket(
    tmp_path: Path, *, is_there: bool
) -> None:
    with tls_pair(tmp_path) as (client, server):
        sending = threading.Thread(target=server.sendall, args=(DATA,))
        sending.start()
        sock = client if is_there else cast("ssl.SSLSocket", WithoutPrivateNames(client))
        reader, received = BufferedTlsReader(sock), b""
        while len(received) < len(DATA):
            received += reader.read_available(2**16)
        sending.join()

    assert received == DATA


def test_the_object_below_a_tls_socket_reads_into_a_buffer(tmp_path: Path) -> None:
    with tls_pair(tmp_path) as (client, server):
        server.sendall(b"ok")
        buffer = bytearray(8)

        count = client._sslobj.read(8, memoryview(buffer))  # type: ignore[attr-defined]  # noqa: SLF001 (what is tested)

    assert buffer[:count] == b"ok"
