"""Recordings are found by exact match first and then with ids mapped, at a cost independent of their number."""

from __future__ import annotations

import pytest

from harness.cassette import Recording, matching
from harness.cassette.matching import Canon, Index
from harness.contract import PROTOCOL
from harness.wire import Request
from tests.cassette.samples import answered, post

CANON = Canon(PROTOCOL)


def indexed(*recordings: Recording) -> Index:
    """An index of these recordings."""
    made = Index(PROTOCOL)
    made.add(recordings, [CANON.of(recording.request) for recording in recordings])
    return made


def chained(text: str, previous: str) -> Request:
    """A create that continues a previous interaction."""
    return post({"input": text, "previous_interaction_id": previous})


@pytest.mark.parametrize("others", [10, 200])
def test_a_look_up_compares_what_may_match(others: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request is compared only with recordings of the same structure, however many others there are."""
    compared: list[object] = []
    really = matching.difference
    monkeypatch.setattr(matching, "difference", lambda *given: compared.append(given) or really(*given))
    known = indexed(*(answered(chained(f"{number}", "old"), {}) for number in range(others)))
    assert known.match(CANON.of(chained("5", "old"))) == 5
    assert compared == []
    assert known.match(CANON.of(chained("5", "new"))) == 5
    assert known.match(CANON.of(chained("none", "new"))) is None
    assert len(compared) == 1


def test_what_is_added_later_is_found() -> None:
    """A recording added later is found, and the ids that it mentions follow the same rules."""
    known = indexed(answered(post({"input": "a"}), {"id": "v1_a"}))
    later = answered(chained("b", "v1_a"), {"id": "v1_b"})
    known.add([later], [CANON.of(later.request)])
    assert known.match(CANON.of(chained("b", "v1_x"))) is None, "the cassette gave out v1_a: it must come back"
    assert known.match(CANON.of(chained("b", "v1_a"))) == 1
