"""A target without one readable answer leaves its reports, and none of them looks green."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from harness.outcome import Exit
from tests.cli.conftest import Harness, fits
from tests.transport.hostile_peers import PEERS
from tests.transport.peers import RawServer, free_port

FORMATS = {"json": "r.json", "html": "r.html", "junit": "r.xml", "markdown": "r.md", "badge": "badge.json"}
COMMANDS = {
    "check": ["--deadline", "20"],
    "fuzz": ["--no-store", "--deadline", "5"],
    "gateway": ["--upstream-port", "0", "--patience", "1", "--timeout", "1"],
}


@contextmanager
def nobody() -> Iterator[str]:
    """A port at which nobody listens."""
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def peer(name: str) -> Iterator[str]:
    """Somebody who answers, and not as this API."""
    with RawServer(PEERS[name]) as server:
        yield server.url


TARGETS: dict[str, Callable[[], AbstractContextManager[str]]] = {
    "nobody": nobody,
    "garbage": lambda: peer("SSH"),
    "a proxy": lambda: peer("a page of a proxy"),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("command", COMMANDS)
def test_the_reports_are_there(harness: Harness, tmp_path: Path, command: str, target: str) -> None:
    """Each format is written, and says that no check ran and why."""
    reports = [word for name, file in FORMATS.items() for word in ("--report", f"{name}={tmp_path / file}")]
    with TARGETS[target]() as url:
        done = harness(command, url, *COMMANDS[command], *reports)
    assert done.code == Exit.INCOMPLETE
    why = done.err.partition("harness: ")[2].splitlines()[0][:40]
    assert why
    text = {name: (tmp_path / file).read_text("utf-8") for name, file in FORMATS.items()}
    report = fits(command, text["json"])
    assert report["exit"] == Exit.INCOMPLETE
    suites = ET.fromstring(text["junit"])
    assert (suites.get("errors"), suites.get("failures")) == ("1", "0")
    assert why[1:] in next(suites.iter("error")).get("message", "")
    assert why[1:] in text["markdown"]
    assert done.err.splitlines()[-1] == report["accounting"]["verdict"] == "INCOMPLETE: the target was not tested."
    words = re.sub(r"<[^>]*>", "", text["html"])
    assert "The target was not tested." in words
    assert why[1:] in html.unescape(words)
    assert not re.search("Showing 0 of 0|0 checks in|has no MUST check", words), (
        "nothing to search, nothing to count"
    )
    assert json.loads(text["badge"])["color"] == "lightgrey"


def test_who_waits_in_vain_has_reports(harness: Harness, tmp_path: Path) -> None:
    """The same holds if the target does not come up within `--wait`."""
    with nobody() as url:
        done = harness("check", url, "--wait", "0.2", "--report", f"json={tmp_path / 'r.json'}")
    assert done.code == Exit.INCOMPLETE
    report = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert report["accounting"]["halted"] in done.err
