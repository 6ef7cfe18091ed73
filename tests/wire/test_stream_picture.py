"""A picture of a stream gives every event its column, whichever connection brings it."""

from __future__ import annotations

import pytest

from harness.wire.stream_picture import (
    CellKind,
    EventKeys,
    ReadEvent,
    ReadStream,
    draw_picture,
    picture_lines,
    spell_columns,
)


def events(*numbers: int) -> list[ReadEvent]:
    """Events whose ids are their numbers."""
    return [ReadEvent(key=f"k{n}", cursor=f"c{n}", name=f"event-{n}") for n in numbers]


def test_a_resume_stands_under_the_cut() -> None:
    """It begins in the column after its cursor; what the client had before is a dot."""
    first = ReadStream(name="first", events=events(0, 1, 2), end="rst")
    picture = draw_picture([first, ReadStream(name="rest", events=events(3, 4), after="c2")])
    assert list(picture_lines(picture))[:2] == ["first  ooox", "rest   ...oo"]
    assert picture.columns == 5


def test_what_never_came_stands_in_its_place() -> None:
    """A gap is known from another connection, from a finding, or from the length of the stream."""
    whole = ReadStream(name="whole", events=events(*range(6)))
    rest = ReadStream(name="rest", events=events(4, 5), after="c2")
    assert list(picture_lines(draw_picture([whole, rest])))[1] == "rest   ..._oo"
    cut = ReadStream(name="cut", events=events(0, 1, 2), end="rst")
    found = ReadStream(name="rest", events=events(4, 5), after="c2", lost=frozenset({3}))
    picture = draw_picture([cut, found])
    assert list(picture_lines(picture))[1] == "rest  ...!oo"
    missing = [cell for cell in picture.rows[1].cells if cell.kind is CellKind.MISSING]
    assert [(cell.column, cell.accused) for cell in missing] == [(3, True)]
    assert next(picture_lines(draw_picture([cut], total=5))) == "cut  ooox__"


def test_a_missing_event_has_the_name_that_another_connection_gave_it() -> None:
    """A reader sees which event is missing."""
    whole = ReadStream(name="whole", events=events(0, 1, 2))
    picture = draw_picture([whole, ReadStream(name="rest", events=events(2), after="c0")])
    (missing,) = [cell for cell in picture.rows[1].cells if cell.kind is CellKind.MISSING]
    assert missing.words == "event 1 event-1: missing"


def test_what_came_twice_stands_twice() -> None:
    """In one connection on a second line, in a resume under the first, always in its own column."""
    again = draw_picture([ReadStream(name="a", events=events(0, 1, 1, 2))])
    assert list(picture_lines(again))[:2] == ["a  ooo", "    2"]
    named = draw_picture([ReadStream(name="a", events=events(0, 1, 1, 2), accused=frozenset({2}))])
    assert list(picture_lines(named))[:2] == ["a  ooo", "    !"]
    first = ReadStream(name="a", events=events(0, 1, 2), end="rst")
    inclusive = draw_picture([first, ReadStream(name="b", events=events(2, 3), after="c2")])
    assert list(picture_lines(inclusive))[:2] == ["a  ooox", "b  ..2o"]


def test_a_server_that_gives_all_events_one_id_is_still_drawn_in_order() -> None:
    """Ids that repeat with other payloads are other events."""
    same = [ReadEvent(key=f"c payload {n}", cursor="c", name="x") for n in range(4)]
    assert next(picture_lines(draw_picture([ReadStream(name="a", events=same)]))) == "a  oooo"


def test_events_without_an_id_follow_each_other() -> None:
    """Nothing tells them apart, so each takes the next column; an id brings the count back."""
    mixed = [*events(0), ReadEvent(name="ping"), *events(1, 2)]
    whole = ReadStream(name="whole", events=events(0, 1, 2))
    picture = draw_picture([whole, ReadStream(name="mixed", events=mixed)])
    assert picture.columns == 3
    assert picture.rows[1].cut is None


def test_a_reader_that_left_misses_nothing() -> None:
    """What a client did not wait for is not called missing."""
    whole = ReadStream(name="whole", events=events(*range(5)))
    left = draw_picture([whole, ReadStream(name="left", events=events(0, 1), end="the client left", left=True)])
    assert CellKind.MISSING not in {cell.kind for cell in left.rows[1].cells}
    assert left.rows[1].cut == 2


@pytest.mark.parametrize("most", [10, 64])
def test_a_long_stream_shares_cells_and_keeps_the_worst(most: int) -> None:
    """Several events share a cell; the finding and the gap stay in sight, and the words count them all."""
    whole = ReadStream(name="whole", events=events(*range(500)))
    rest = ReadStream(
        name="rest", events=events(*(n for n in range(101, 500) if n != 300)), after="c100",
        lost=frozenset({300}),
    )  # fmt: skip
    picture = draw_picture([whole, rest])
    drawn = picture.fit(most)
    assert drawn.shown <= most
    (accused,) = [cell for cell in drawn.rows[1].cells if cell.accused]
    assert accused.column <= 300 <= accused.until
    assert max(map(len, list(picture_lines(picture, most=most))[:2])) <= most + len("whole  ")
    assert "missing 300" in picture.words


def test_columns_are_spelled() -> None:
    """Ranges keep the order in which events came."""
    assert spell_columns([0, 1, 2, 2, 5]) == "0-2, 2, 5"


def test_an_event_without_an_id_is_told_by_its_payload_and_the_id_before_it() -> None:
    """A resume that begins with such an event finds its column, and equal payloads in a row stay apart."""
    frames = [("c0", b"a"), ("", b"b"), ("", b"x"), ("", b"x"), ("c1", b"d")]
    whole, rest = EventKeys(), EventKeys(cursor="c0")
    read = [ReadEvent(key=whole.make(cursor, data), cursor=cursor) for cursor, data in frames]
    assert len({event.key for event in read}) == len(frames)
    resumed = [ReadEvent(key=rest.make(cursor, data), cursor=cursor) for cursor, data in frames[2:]]
    picture = draw_picture(
        [ReadStream(name="whole", events=read), ReadStream(name="rest", events=resumed, after="c0")]
    )
    assert list(picture_lines(picture))[:2] == ["whole  ooooo", "rest   ._ooo"]
