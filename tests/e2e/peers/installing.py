"""Environments of their own for third-party servers, made once under `.harness/peers` of the checkout."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

PEERS = Path(__file__).resolve().parents[3] / ".harness" / "peers"
LITELLM = "litellm[proxy]==1.106.2"
AIMOCK = "@copilotkit/aimock@1.43.0"


def litellm() -> Path:
    """The `litellm` command in a virtual environment that holds nothing else (about 800 MB the first time)."""
    command = PEERS / "litellm" / "bin" / "litellm"
    if not command.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS / "litellm")], check=True)
        pip = [str(PEERS / "litellm" / "bin" / "python"), "-m", "pip", "install", "--quiet", LITELLM]
        subprocess.run(pip, check=True)
    return command


def aimock() -> tuple[str, Path]:
    """Node and aimock's command line script."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("aimock needs node and npm")
    folder = PEERS / "aimock"
    script = folder / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        options = ["--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        subprocess.run([npm, "install", *options, AIMOCK], cwd=folder, check=True)
    return node, script


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(
    command: list[str], port: int, *, log: Path, environment: Mapping[str, str], patience: float = 120
) -> Iterator[str]:
    """Start a server and wait until its port accepts; gives its base URL and stops it at the end."""
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=dict(environment)) as process,
    ):
        try:
            until = time.monotonic() + patience
            while not _accepts(port):
                if process.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"{command[0]} did not start:\n{log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
