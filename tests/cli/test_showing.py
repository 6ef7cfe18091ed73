"""`harness verify --open` shows what a saved session has, and says what it cannot read."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cassette import load
from harness.cli.main import main
from tests.inspector.conftest import Bench


def test_a_saved_session_opens_again(tmp_path: Path) -> None:
    """What the page saved as a cassette has the same requests, events and endings when it is opened."""
    bench, other = Bench(ahead=True), Bench(ahead=True)
    page = bench.open()
    bench.create(stream=True)
    assert page.all("end")
    saved = tmp_path / "session.yaml"
    saved.write_bytes(bench.send("GET", "/__harness__/inspector/cassette").body)
    other.inspector.show(recording.exchange() for recording in load(saved).recordings)
    again = other.open()
    assert [one["target"] for one in again.all("request")] == [one["target"] for one in page.all("request")]
    assert [one["name"] for one in again.all("event")] == [one["name"] for one in page.all("event")]
    bench.driver.close()
    other.driver.close()


def test_a_report_names_the_format_to_look_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON report of a run, which this command used to open, is refused with the one that a browser shows."""
    path = tmp_path / "report.json"
    assert main(["check", "emulator", "-c", "create.id-unique", "--report", f"json={path}"]) == 0
    assert main(["verify", "--open", str(path)]) == 2
    assert "--report html=FILE" in capsys.readouterr().err
