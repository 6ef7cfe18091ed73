"""The shipped recordings match today's emulator, keep the contract, and hold no secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.benches.record.diff import diff_paths
from harness.benches.record.verify import verify
from harness.cassette import Player, Target, load, scan_file
from harness.contract import PROTOCOL
from harness.contract import load as load_contract
from harness.interactions.recordings import RECORDINGS
from harness.outcome import Severity
from harness.resources import folder
from harness.wire import By, Decoder, How

pytest.importorskip("google.genai", reason="google-genai is not installed: pip install -e '.[sdk]'")

from tests.e2e.emulator_library import LIBRARY, record

pytestmark = pytest.mark.e2e

SHIPPED = folder("cassettes") / "emulator"
CONTENT_THAT_MAY_DRIFT = frozenset({"seconds", "pieces", "bytes", "exchanges", "ending", "events"})

ENDINGS = {
    "dropped-rst": (By.SERVER, How.RST),
    "dropped-fin": (By.SERVER, How.FIN),
    "dropped-in-character": (By.SERVER, How.RST),
    "dropped-before-headers": (By.SERVER, How.RST),
    "stalled": (By.CLIENT, How.FIN),
    "truncated": (By.SERVER, How.COMPLETE),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARY)
def test_recording_it_again_finds_no_drift(name: str, tmp_path: Path) -> None:
    """Recording the cassette again with today's emulator gives no structural drift and the same content."""
    again = record(name, tmp_path)
    drifts = diff_paths(SHIPPED / f"{name}.yaml", again, PROTOCOL)
    assert drifts.compared
    assert drifts.shape == {}
    assert {drift.place for drift in drifts.content} <= CONTENT_THAT_MAY_DRIFT


@pytest.mark.parametrize("name", LIBRARY)
def test_it_keeps_the_contract(name: str) -> None:
    """The recording keeps the contract, except for the two rules that a truncated stream is there to break."""
    result = verify([SHIPPED / f"{name}.yaml"], load_contract(), RECORDINGS).traffic
    assert any(result.judged.values())
    broken = {finding.rule for finding in result.findings if finding.severity is Severity.BROKEN}
    assert broken == ({"stream.terminal", "stream.done"} if name == "truncated" else set())


@pytest.mark.parametrize("name", LIBRARY)
def test_it_says_where_it_comes_from_and_holds_no_secret(name: str) -> None:
    """The provenance names the emulator, and nothing in the file looks like a secret, the key in use included."""
    path = SHIPPED / f"{name}.yaml"
    provenance = load(path).provenance
    assert provenance is not None
    assert provenance.target is Target.EMULATOR
    assert scan_file(path, PROTOCOL) == []
    assert "harness-library-key" not in path.read_text("utf-8")


@pytest.mark.parametrize("name", ENDINGS)
def test_the_first_stream_ended_as_its_name_says(name: str) -> None:
    """The recording of a drop says who ended the connection, and how."""
    first = load(SHIPPED / f"{name}.yaml").recordings[0]
    assert (first.ending.by, first.ending.how) == ENDINGS[name]


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("background", "in_progress in_progress in_progress completed"),
        ("failed", "in_progress in_progress in_progress failed"),
        ("incomplete", "in_progress in_progress in_progress incomplete"),
        ("queued", "queued queued queued in_progress in_progress completed"),
        ("cancelled", "in_progress cancelled cancelled"),
        ("cancelled-late", "in_progress in_progress in_progress in_progress in_progress in_progress cancelled"),
        ("deleted-while-running", "in_progress in_progress - 404"),
        ("tool-loop", "requires_action completed"),
        ("continuation", "requires_continuation completed"),
        ("chain-running", "in_progress 400 in_progress in_progress completed completed"),
        ("chain-deleted", "completed completed - 404 completed"),
        ("chain-tools", "completed requires_action completed completed"),
    ],
)
def test_its_answers_take_the_route_that_its_name_says(name: str, statuses: str) -> None:
    """The recorded statuses, or HTTP errors, follow each other as the name of the cassette says."""
    seen = []
    for recording in load(SHIPPED / f"{name}.yaml").recordings:
        said = json.loads(recording.body) if recording.body else {}
        seen.append(said.get("status", "-") if recording.status == 200 else str(recording.status))
    assert " ".join(seen) == statuses


@pytest.mark.parametrize(
    "name", ["dropped-rst", "dropped-fin", "dropped-twice", "dropped-in-character", "stalled", "error-in-stream"]
)
def test_what_was_dropped_and_resumed_makes_the_whole_stream(name: str) -> None:
    """The dropped stream and its resumed rest hold every event once and end with the completion."""
    cursors: list[str] = []
    for recording in load(SHIPPED / f"{name}.yaml").recordings:
        events = [json.loads(f.data) for f in Decoder().feed(recording.body) if f.data != PROTOCOL.sentinel]
        cursors += [cursor for event in events if (cursor := PROTOCOL.cursor(event))]
    assert len(cursors) == len(set(cursors))
    assert PROTOCOL.completes(events[-1])


@pytest.mark.parametrize("name", LIBRARY)
def test_each_of_its_requests_is_answered_by_a_replay(name: str) -> None:
    """A strict player answers the recorded requests in their order."""
    recordings = load(SHIPPED / f"{name}.yaml").recordings
    player = Player(recordings, PROTOCOL)
    for recording in recordings:
        player(recording.request).body.close()
    assert player.misses == []
    assert player.unused() == []


def test_the_documentation_lists_the_library() -> None:
    """docs/recording-reference.md names every cassette of the library."""
    page = (Path(__file__).parents[2] / "docs" / "recording-reference.md").read_text("utf-8")
    assert [name for name in LIBRARY if f"`{name}`" not in page] == []


def test_the_folder_holds_the_library_and_nothing_else() -> None:
    """The folder holds exactly the cassettes that the library can make."""
    assert {path.stem for path in SHIPPED.glob("*.yaml")} == set(LIBRARY)
