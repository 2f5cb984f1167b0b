"""Certificates that nobody signed, for servers on loopback that speak TLS."""

import ssl
import subprocess
from pathlib import Path

from tests.support.machine import needs


def make_certificate(folder: Path, name: str = "IP:127.0.0.1") -> Path:
    """Make a certificate for a name, with its key in the same file."""
    made = folder / "certificate.pem"
    command = [needs("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=tests", "-addext", f"subjectAltName={name}"]
    subprocess.run([*command, "-keyout", made, "-out", folder / "only.pem"], check=True, capture_output=True)
    made.write_text(made.read_text() + (folder / "only.pem").read_text())
    return made


def server_context(certificate: Path) -> ssl.SSLContext:
    """What a server needs to speak TLS with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
