"""What all tests of the command line need: no configuration and no key from outside, and a toy catalogue."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

from harness.cli import main
from harness.resources import folder
from harness.transport import ServerThread
from tests.engine import toys


class Done(NamedTuple):
    """Exit code and output of a finished command."""

    code: int
    out: str
    err: str


Harness = Callable[..., Done]


def fits(name: str, output: Any) -> Any:
    """The value of an output, which its schema allows; given as a value, as the text of it, or as a file."""
    value = json.loads(output.read_text("utf-8")) if isinstance(output, Path) else output
    value = json.loads(value) if isinstance(value, str) else value
    _validator(name).validate(value)
    return value


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((folder("schemas") / "output" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


PATIENCE = 300
"""Seconds that a test waits for another process: so long only if something is wrong."""


@contextmanager
def start(
    *words: str, program: Sequence[str] = ("-m", "harness"), **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, which is killed if the test has not seen its end."""
    options = {"stdout": subprocess.PIPE, "text": True, "cwd": Path(__file__).parents[2], **options}
    with subprocess.Popen([sys.executable, *program, *words], **options) as process:
        try:
            yield process
        finally:
            process.kill()


def insert(words: Sequence[str], *options: str) -> list[str]:
    """A command line with more options, which stand before the command of a client."""
    own = list(words).index("--") if "--" in words else len(words)
    return [*words[:own], *options, *words[own:]]


@pytest.fixture(autouse=True)
def _alone(alone: None) -> None:
    """Run each test in an empty folder and without keys in the environment."""


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
