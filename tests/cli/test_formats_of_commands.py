"""Every format of every command that judges: 36 cells, each from a small run in which something is wrong."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from harness.cli import main
from harness.cli.output import FORMATS
from harness.emulator.mutants import MUTANTS
from harness.engine.targets import EMULATOR
from harness.kit.api import PRIMARY_KEY
from harness.resources import read_published_codes
from harness.transport.proxy import UpstreamServer
from harness.transport.server.server import InThread, WaitingServer
from lab.gateways import MUTANTS as GATEWAY_MUTANTS
from tests.benches.client.clients import ONE_SHOT, program
from tests.cli.commands.test_verify import EVENTS, recording
from tests.cli.conftest import fits, insert
from tests.cli.test_baselines import DELETES
from tests.report.page.page_reader import PageReader, find_faults
from tests.transport.peers import free_port

FAILED = 1
WRONG = {
    "check": "del.gone",
    "gateway": "gw.once",
    "torture": "client[event:9,rst]",
    "fuzz": "del.gone",
    "verify": "stream.start-before",
}
"""For each command, the id of a result that a page has to name."""


def check(stack: ExitStack) -> list[str]:
    """A server that keeps what is deleted."""
    return [_mutant(stack), "-c", "del"]


def gateway(stack: ExitStack) -> list[str]:
    """A gateway that repeats a create whose answer is lost."""
    port = free_port()
    kind = GATEWAY_MUTANTS["once.lost"].build
    server = WaitingServer(kind(UpstreamServer(f"http://127.0.0.1:{port}")), port=free_port())
    stack.enter_context(InThread(server))
    words = ["--upstream-port", str(port), "--watch", "0", "--patience", "1"]
    return [server.url, *words, "-c", "gw.once", "-c", "gw.status"]


def torture(stack: ExitStack) -> list[str]:
    """A client that resumes from the start."""
    bad = ONE_SHOT.replace('cursor = "&last', 'unused = "&last')
    return ["--cuts", "event:9,rst", "--cuts", "event:1,rst", "--", *program(bad)]


def fuzz(stack: ExitStack) -> list[str]:
    """A server that keeps what is deleted."""
    return [_mutant(stack), "--level", "must", "--no-store", *DELETES]


def verify(stack: ExitStack) -> list[str]:
    """A stream in which a delta follows its stop."""
    Path("broken.sse").write_text(recording([*EVENTS[:2], EVENTS[3], EVENTS[2], EVENTS[4]]), encoding="utf-8")
    Path("notes.txt").write_text("hello", encoding="utf-8")
    return ["."]


def _mutant(stack: ExitStack) -> str:
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setattr("harness.emulator.Emulator", MUTANTS["delete-keeps"].build)
    return EMULATOR


COMMANDS: dict[str, Callable[[ExitStack], list[str]]] = {
    "check": check,
    "gateway": gateway,
    "torture": torture,
    "fuzz": fuzz,
    "verify": verify,
}


@pytest.fixture(scope="module", params=COMMANDS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A command that has run once, and the folder with all of its formats; `terminal` is what it printed."""
    name, place = request.param, tmp_path_factory.mktemp(request.param)
    out = StringIO()
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).chdir(place)
        words = COMMANDS[name](stack)
        files = [word for kind in FORMATS for word in ("--report", f"{kind}={place / kind}")]
        stack.enter_context(redirect_stdout(out))
        assert main([name, *insert(words, *files)]) == FAILED
    (place / "terminal").write_text(out.getvalue(), encoding="utf-8")
    return name, place


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["terminal", *FORMATS])
def test_a_format_of_a_command(ran: tuple[str, Path], kind: str) -> None:
    """Each format of each command is well-formed by the rules of the format, and says what is wrong."""
    name, place = ran
    text = (place / kind).read_text(encoding="utf-8")
    assert PRIMARY_KEY not in text
    CELLS[kind](name, text)


def test_each_format_is_read() -> None:
    """A new format needs a reader here, which the slow tests ask of each command."""
    assert FORMATS.keys() == CELLS.keys() - {"terminal"}, "add the reader of the format to CELLS below"


def is_terminal(name: str, text: str) -> None:
    """Plain lines without control characters, that say what is wrong."""
    assert {"torture": "FAILED      client.once/duplicated"}.get(name, WRONG[name]) in text
    first = text.split("\n\n")[0].splitlines()
    assert len(first) == len(set(first)), "nothing appears twice as it comes"
    assert not set(text) & {"\x1b", "\r"}


def is_json(name: str, text: str) -> None:
    """An object that fits the command's schema."""
    fits(name, text)
    codes, _ = read_published_codes()
    assert set(re.findall(r'"code": "([^"]+)"', text)) <= set(codes)


def is_junit(name: str, text: str) -> None:
    """XML whose counts agree with its cases, at least one of them a failure with an explanation."""
    root = ET.fromstring(text)
    assert len(root.findall(".//testcase")) == int(root.attrib["tests"]) > 0
    assert len(root.findall(".//failure")) == int(root.attrib["failures"]) > 0
    assert all((failure.text or "").strip() for failure in root.iter("failure"))


def is_html(name: str, text: str) -> None:
    """One sound page that loads nothing, in which what is wrong can be linked to and has a failure of its own."""
    assert find_faults(text) == []
    page = PageReader.read(text)
    assert any(identity.startswith(WRONG[name]) for identity in page.ids), page.ids
    assert 'class="failure"' in text
    cures = re.findall(r'<p class="cure">.*', text)
    assert all("`" not in cure for cure in cures), "code is set as code"
    assert (cures != []) is (name == "gateway")


def is_markdown(name: str, text: str) -> None:
    """Headings, the verdict, a table of outcomes, and fences that come in pairs."""
    lines = text.splitlines()
    assert lines[0].startswith("## ")
    assert lines[2].startswith("**FAILED: ")
    assert "### Failed" in lines
    assert any(line.startswith("| failed | ") for line in lines)
    fences = [line for line in lines if set(line.removesuffix("text")) == {"`"}]
    assert len(fences) % 2 == 0
    assert f"<code>{WRONG[name]}" in text


def is_badge(name: str, text: str) -> None:
    """What shields.io reads from an endpoint."""
    badge = json.loads(text)
    assert set(badge) == {"schemaVersion", "label", "message", "color"}
    assert (badge["schemaVersion"], badge["color"]) == (1, "red")
    counted = r"1 of 2 cases failed" if name == "torture" else r"1 of [1-9]\d* MUST failed"
    assert re.fullmatch(counted, badge["message"])


CELLS = {
    "terminal": is_terminal,
    "json": is_json,
    "junit": is_junit,
    "html": is_html,
    "markdown": is_markdown,
    "badge": is_badge,
}


@pytest.mark.parametrize(
    ("word", "right"),
    [("badge=b.svg", "badge=b.json"), ("html=r.json", "html=r.html"), ("junit=r.html", "junit=r.xml")],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_suffix_of_another_format_is_refused(
    capsys: pytest.CaptureFixture[str], more: list[str], word: str, right: str
) -> None:
    """Whoever opens such a file would not find what its name says; the message has the right word."""
    assert main(["check", EMULATOR, "-c", "get.ok", "--report", word, *more]) == 2
    assert f"write {right}" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["check", EMULATOR], ["torture", "--cuts", "event:5,rst"]])
def test_a_dry_run_refuses_what_the_run_would_refuse(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    """A report that could not be written is told, and a report of an earlier run is left alone."""
    old = tmp_path / "old.html"
    old.write_text("old", "utf-8")
    client = ["--", "true"] if command[0] == "torture" else []
    words = [*command, "--dry-run", "--report", f"html={old}"]
    assert main([*words, *client]) == 0
    assert old.read_text("utf-8") == "old"
    assert main([*words, "--report", f"json={tmp_path}/nowhere/r.json", *client]) == 2
    err = capsys.readouterr().err
    assert "there is no folder" in err
    assert err.endswith(": create it, or name another one\n")


@pytest.mark.parametrize("name", ["report", "report.txt", "REPORT.HTML"])
def test_a_suffix_that_says_nothing_fits_every_format(tmp_path: Path, name: str) -> None:
    """Only a suffix that names another format is refused."""
    assert main(["check", EMULATOR, "-c", "get.ok", "--report", f"html={tmp_path / name}"]) == 0
    assert (tmp_path / name).read_text("utf-8").startswith("<!doctype html>")
