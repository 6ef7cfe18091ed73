"""What all tests of the command line need: no configuration and no key from outside, and a toy catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.cli import main
from harness.transport import ServerThread
from tests.engine import toys


class Done(NamedTuple):
    """Exit code and output of a finished command."""

    code: int
    out: str
    err: str


Harness = Callable[..., Done]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run the test in an empty folder and without keys in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("GEMINI_API_KEY", "OTHER_GEMINI_API_KEY", "GOOGLE_API_KEY", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def harness(capsys: pytest.CaptureFixture[str]) -> Harness:
    """A function that runs one command line in this process."""

    def run(*words: str) -> Done:
        capsys.readouterr()
        code = main(list(words))
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def toy_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the real catalogue by the toy catalogue."""
    monkeypatch.setattr("harness.checks.catalogue.CATALOGUE", toys.CATALOGUE)


@pytest.fixture
def toy() -> Iterator[tuple[toys.ToyService, str]]:
    """A toy service behind a socket, and its URL."""
    service = toys.ToyService()
    with ServerThread(service) as server:
        yield service, server.url
