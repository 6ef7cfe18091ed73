"""Starts and stops `harness serve` as a process of its own, for tests with real clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serving(*arguments: str) -> Iterator[str]:
    """The base URL of a new server process, started with these extra command-line `arguments`."""
    command = [sys.executable, "-m", "harness", "serve", "--port", "0", "--json", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            yield json.loads(line)["base_url"]
        finally:
            process.terminate()
            process.wait(timeout=60)


def control(base_url: str, path: str, body: object) -> dict[str, object]:
    """Send a POST to the server's control API."""
    import httpx

    answer = httpx.post(f"{base_url}/__harness__/{path}", json=body)
    answer.raise_for_status()
    return dict(answer.json())
