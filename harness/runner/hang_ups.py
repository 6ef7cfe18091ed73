"""What a client ended, presented as if the server had: a way to rehearse drops that no live service does on order.

Layer 4, pure. The recording itself never changes; what is presented says in its ending that it is synthetic.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness.cassette import Recording
from harness.wire import By, How

SYNTHETIC = "synthetic: the client hung up here when this was recorded"


def presented(recordings: Iterable[Recording], how: str) -> list[Recording]:
    """The recordings; those that a client ended end by the server, `how` being `fin` or `rst` (`stall`: as is)."""
    if how == How.STALL:
        return list(recordings)
    return [
        _dropped(recording, How(how)) if recording.ending.by is By.CLIENT else recording
        for recording in recordings
    ]


def _dropped(recording: Recording, how: How) -> Recording:
    return replace(recording, ending=replace(recording.ending, by=By.SERVER, how=how, detail=SYNTHETIC))
