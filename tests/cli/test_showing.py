"""`harness verify --open` shows what a report or a saved session has, and says what it cannot read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import main
from harness.cli.output import FORMATS
from harness.cli.showing import _read_cassette, _read_report
from harness.emulator.mutants import MUTANTS
from harness.transport import ServerThread
from tests.inspector.conftest import Bench


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a check that fails: a resume skips an event."""
    path = tmp_path_factory.mktemp("report") / "report.json"
    service = MUTANTS["resume-skips-one"].build()
    with ServerThread(service, clock=service.clock) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMINI_API_KEY", "AIzaSyA-key-that-no-report-may-have-000000")
        assert main(["check", server.url, "-c", "resume.no-gap", "--report", f"json={path}"]) == 1
    return path


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An inspector that shows what it is given."""
    made = Bench(ahead=True)
    yield made
    made.driver.close()


def test_the_failures_of_a_report_are_shown_with_their_findings(report: Path, bench: Bench) -> None:
    """Each request with its response; the finding stands at the resume that the report names; no key is there."""
    assert "no-report-may-have" not in report.read_text("utf-8")
    bench.inspector.show(_read_report(report))
    page = bench.open()
    requests, found = page.all("request"), page.all("findings")
    (failed,) = [one for one in json.loads(report.read_text("utf-8"))["checks"] if one["id"] == "resume.no-gap"]
    assert [(one["method"], one["target"]) for one in requests] == [
        (one["method"], one["target"]) for one in failed["wire"]
    ]
    places = {one["name"]: number for number, one in enumerate(failed["wire"], start=1) if one["name"]}
    assert {change["n"] for change in found} == {places[f["where"]["exchange"]] for f in failed["findings"]}
    first = next(change for change in found if change["findings"][0]["rule"] == "resume.no-gap")
    resumed = [event["c"] for event in page.all("event") if event["n"] == first["n"]]
    assert resumed[0] == failed["findings"][0]["where"]["event"] + 1, "the column of the missing event is empty"


def test_a_saved_session_opens_again(bench: Bench, tmp_path: Path) -> None:
    """What the page saved as a cassette has the same requests, events and endings when it is opened."""
    page = bench.open()
    bench.create(stream=True)
    assert page.all("end")
    saved = tmp_path / "session.yaml"
    saved.write_bytes(bench.send("GET", "/__harness__/inspector/cassette").body)
    other = Bench(ahead=True)
    other.inspector.show(_read_cassette(saved))
    again = other.open()
    assert [one["target"] for one in again.all("request")] == [one["target"] for one in page.all("request")]
    assert [one["name"] for one in again.all("event")] == [one["name"] for one in page.all("event")]
    other.driver.close()


def spoil_ending(record: dict[str, Any]) -> None:
    """Name an ending that there is not."""
    for one in record["checks"]:
        for wire in one.get("wire", ()):
            wire["ending"] = ["nobody", "x", "y"]


def spoil_head(record: dict[str, Any]) -> None:
    """Name a header that is two."""
    next(one for one in record["checks"] if one.get("wire"))["wire"][0]["request_headers"].append(["x\r\ny", "z"])


def spoil_method(record: dict[str, Any]) -> None:
    """Name a method that no client sends."""
    next(one for one in record["checks"] if one.get("wire"))["wire"][0]["method"] = "GET /x\r\n"


def drop_wire(record: dict[str, Any]) -> None:
    """Take the requests out."""
    for one in record["checks"]:
        one.pop("wire", None)


@pytest.mark.parametrize("name", ["html", "junit", "markdown", "badge"])
def test_another_format_is_named(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report in a format that has no requests is refused with the one that has them."""
    path = tmp_path / f"r{FORMATS[name].suffixes[0]}"
    assert main(["check", "emulator", "-c", "create.id-unique", "--report", f"{name}={path}"]) == 0
    assert main(["verify", "--open", str(path)]) == 2
    assert "--report json=FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_ending, "is not a whole report of `harness check`"),
        (spoil_head, "no client sends the header 'x\\r\\ny'"),
        (spoil_method, "no client sends 'GET /x"),
        (drop_wire, "has no failure with requests"),
    ],
)
def test_a_report_without_requests_is_refused(
    report: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[dict[str, Any]], None],
    said: str,
) -> None:
    """The message says what the file is, and what to run; exit code 2."""
    record = json.loads(report.read_text("utf-8"))
    spoil(record)
    path = tmp_path / "other.json"
    path.write_text(json.dumps(record), "utf-8")
    assert main(["verify", "--open", str(path)]) == 2
    said_of = capsys.readouterr().err
    assert said in said_of
    assert "--report json=FILE" in said_of
