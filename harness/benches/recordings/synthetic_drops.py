"""Presents a client's hang-up as a drop by the server, to rehearse drops that no live service makes on demand.

Layer 5, pure. The recording itself never changes; the ending that is presented says that it is synthetic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.cassette import Recording
from harness.wire import By, How

SYNTHETIC = "synthetic: the client disconnected here when this was recorded"


def with_server_endings(recordings: Iterable[Recording], how: str) -> list[Recording]:
    """The recordings; those that the client ended end by the server with `fin` or `rst` (`stall`: unchanged)."""
    if how == How.STALL:
        return list(recordings)
    return [
        _with_server_ending(recording, How(how)) if recording.ending.by is By.CLIENT else recording
        for recording in recordings
    ]


def _with_server_ending(recording: Recording, how: How) -> Recording:
    return replace(recording, ending=replace(recording.ending, by=By.SERVER, how=how, detail=SYNTHETIC))
