"""A self-signed certificate for 127.0.0.1, for servers that tests put behind TLS."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

_REQUEST = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
_FILES = "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"


class Certificate(NamedTuple):
    """The server's TLS context, and the file that a client has to trust."""

    context: ssl.SSLContext
    ca_file: str


def certificate_in(folder: Path) -> Certificate:
    """Make a certificate with openssl; skip the test if there is no openssl."""
    try:
        subprocess.run(
            ["openssl", *_REQUEST.split(), *_FILES.split()], cwd=folder, check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"openssl cannot make a certificate here: {error}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return Certificate(context, str(folder / "cert.pem"))
