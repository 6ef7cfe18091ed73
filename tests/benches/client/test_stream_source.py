"""The source of the streams that will be dropped: the emulator or a recording."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from harness import resources
from harness.benches.client.cases import Case, StreamSource, events_in, whole_stream
from harness.cassette import Recording, save
from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.faults import cut
from harness.interactions import INTERACTIONS
from harness.outcome import UsageFault
from harness.plugin import cases_of
from harness.transport import ServiceDriver
from harness.wire import Decoder, Headers, Request
from tests.benches.client.cases import new_case, new_source

RECORDINGS = resources.folder("cassettes") / "emulator"


def kinds(name: str) -> tuple[StreamSource, list[Any]]:
    """A recording as a source, and the types of the events in its stream."""
    source = new_source(new_case(plan="pass", cassette=str(RECORDINGS / f"{name}.yaml")))
    return source, [event["event_type"] for event in source.whole_of(source.id)]


PARTS = ("dropped-fin", "dropped-in-character", "dropped-rst", "dropped-twice", "stalled")


@pytest.mark.parametrize("name", ["stream", "background-stream", *PARTS])
def test_a_recording_is_cut_as_a_whole(name: str) -> None:
    """A stream that was recorded in several parts is joined, so that only the planned drop happens."""
    source, events = kinds(name)
    assert events[0] == "interaction.created"
    assert events[-1] == "interaction.completed"
    assert events.count("step.start") == events.count("step.stop") == 2
    assert source.stream(source.id) == source.stream(source.id)


def test_a_drop_in_a_recording_does_not_happen_again(tmp_path: Path) -> None:
    """If a recorded GET broke off and was resumed, the source serves the whole stream, even for the first GET."""
    emulator = Emulator()
    found = new_source(new_case(), emulator).id
    driver = ServiceDriver(cut(emulator, "event:5,rst", PROTOCOL), emulator.clock)
    target, recordings = f"/v1beta/interactions/{found}?stream=true", []
    for _ in range(2):
        exchange = driver.send(Request("GET", target, Headers([("x-goog-api-key", "k")])))
        recordings.append(Recording.of(exchange))
        target += f"&last_event_id={quote(list(map(PROTOCOL.cursor, events_in(exchange.body)))[-1] or '')}"
    save(tmp_path / "it.yaml", recordings)
    source = new_source(new_case(plan="pass", cassette=str(tmp_path / "it.yaml")))
    assert not recordings[0].complete
    assert [event["event_type"] for event in events_in(source.stream(source.id))][-1] == "interaction.completed"


def test_a_recording_without_a_stream() -> None:
    """A recording without a whole stream is refused by name, and the error says what to do."""
    with pytest.raises(UsageFault, match=r"lifecycle\.yaml contains no complete stream.*record one"):
        kinds("lifecycle")


def places(cases: list[Case]) -> list[int]:
    """The numbers in plans such as `event:3,rst`; cuts inside an event are spelled differently and ignored."""
    return [int(found[1]) for case in cases if (found := re.match(r"(?:event|byte):(\d+),", case.plan))]


def test_first() -> None:
    """`first` skips the cuts before that event, by event or by byte; an event that does not exist is refused."""
    whole = whole_stream(INTERACTIONS, new_case())
    third = [frame.end for frame in Decoder().feed(whole)][2]
    assert cases_of(first=3, endings="rst") == cases_of(first=3, endings=["rst"])
    assert places(cases_of(first=3, endings=["rst"]))[0] == 3
    assert places(cases_of(cuts="every-byte", first=3, endings=["rst"])) == list(range(third, len(whole) + 1))
    with pytest.raises(UsageFault, match="first=99: the stream has the events 0 to"):
        cases_of(first=99)
