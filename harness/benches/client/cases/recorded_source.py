"""Takes a whole stream from a cassette, which can then be cut anywhere and resumed from any event.

Layer 5.
"""

from __future__ import annotations

from harness.cassette import Player, load
from harness.cassette.player import streams_of
from harness.outcome import UsageFault
from harness.wire import StreamProtocol


def stated_revision(path: str) -> str:
    """The revision of the API that a cassette says it was recorded from; "" if it says nothing."""
    provenance = load(path).provenance
    return provenance.revision if provenance is not None else ""


def recorded_stream(path: str, protocol: StreamProtocol) -> tuple[Player, str]:
    """A player of the first whole stream in a cassette, and the id of its run. Raises UsageFault without one.

    If the stream was recorded in parts, the player has the whole: only the faults of a case drop it.
    """
    recordings = [recording.decode() for recording in load(path).recordings]
    for found, stream in streams_of(recordings, protocol).items():
        if stream.whole:
            others = [recording for recording in recordings if not recording.events]
            return Player([stream.recording, *others], protocol, mode="resume"), found
    raise UsageFault(f"{path} holds no whole stream of a stored interaction: record one that was not dropped")
