"""What other fixtures and plain vcrpy make of a recording: a stream to cut, and a drop that must not be hidden.

Layer 6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from harness.cassette import Player, Recording, load
from harness.contract import PROTOCOL
from harness.outcome import UsageFault
from harness.plugin.once import events_in
from harness.plugin.replay import cassette_name
from harness.wire import Chunk

_STREAM = re.compile(rb"^\s*[\"']?x-stream[\"']?:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RecordedStream:
    """A whole stream out of a cassette; `id` is its interaction's."""

    recordings: tuple[Recording, ...]
    id: str
    data: bytes

    def player(self) -> Player:
        """A fresh player, resumable from every event that carries an id."""
        return Player(self.recordings, PROTOCOL, mode="resume")


def stream_of(path: str) -> RecordedStream:
    """The first whole stream in a cassette. Raises UsageFault when it holds none."""
    cassette = load(path)
    for recording in cassette.recordings:
        if not recording.events:
            continue
        body = recording.decoded().response(scale=0).body
        data = b"".join(piece.data for piece in body if isinstance(piece, Chunk))
        events = events_in(data)
        found = next((name for event in events if (name := PROTOCOL.stream_id(event))), None)
        if found and any(PROTOCOL.completes(event) for event in events):
            return RecordedStream(tuple(cassette.recordings), found, data)
    raise UsageFault(f"{path} holds no whole stream of a stored interaction: record one that was not dropped")


def refuse_plain_replay(item: Any) -> None:
    """Fail a test that is marked for plain vcrpy, if its cassette holds a drop: there it would end in order."""
    folder = item.path.parent / "cassettes" / item.path.stem
    markers = [str(arg) for marker in item.iter_markers("vcr") for arg in marker.args]
    for path in [folder / f"{cassette_name(item)}.yaml", *(folder / name for name in markers)]:
        if not path.is_file() or not _STREAM.search(path.read_bytes()):
            continue
        dropped = [recording for recording in load(path).recordings if not recording.complete]
        if dropped:
            first = dropped[0]
            pytest.fail(
                f"{path}: {first.request.method} {first.request.target} was dropped when it was recorded "
                f"({first.ending.how}), and plain vcrpy would play it as a clean end: "
                "mark the test with interactions_cassette instead of vcr",
                pytrace=False,
            )
