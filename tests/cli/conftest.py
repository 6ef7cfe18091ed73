"""What every test of the command line needs: no configuration and no key from outside, and a toy catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.cli import main
from harness.transport import ServerThread
from tests.runner import toys


class Done(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


Harness = Callable[..., Done]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder as the current one, and an environment without keys."""
    monkeypatch.chdir(tmp_path)
    for name in ("GEMINI_API_KEY", "OTHER_GEMINI_API_KEY", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def harness(capsys: pytest.CaptureFixture[str]) -> Harness:
    """Runs one command line in this process."""

    def run(*words: str) -> Done:
        capsys.readouterr()
        code = main(list(words))
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def toy_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy catalogue in place of the real one."""
    monkeypatch.setattr("harness.runner.plan.load_catalogue", lambda: toys.CATALOGUE)


@pytest.fixture
def toy() -> Iterator[tuple[toys.ToyService, str]]:
    """A toy behind a socket, and its URL."""
    service = toys.ToyService()
    with ServerThread(service) as server:
        yield service, server.url
