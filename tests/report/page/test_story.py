"""A story shows what went over the wire in the order of time: connections, chunks, pauses, breaks."""

from __future__ import annotations

import pytest
from msgspec import structs

from harness.engine.decide import Policy, decide
from harness.engine.events import Result
from harness.interactions import INTERACTIONS
from harness.outcome import Basis, Finding, Level, Observation, Rule, Source
from harness.report.evidence.curl import Display
from harness.report.story import StoryStep, event_lines, list_events, number_in_whole, tell_story
from harness.wire import At, By, Chunk, Ending, Exchange, ExchangeBuilder, Headers, How, Request, UntilClose
from harness.wire.mask import Mask
from harness.wire.stream_picture import picture_lines

RULE = Rule(
    id="resume.live", level=Level.MUST, statement="The rest comes.", breaks="Text is lost.",
    source=Source(Basis.GENERIC, "a page"),
)  # fmt: skip
DISPLAY = Display(INTERACTIONS, "http://h", Mask({"KEY": "hush-hush-hush"}))
ROOT = "/v1beta/interactions"
LEFT = Ending(by=By.CLIENT, how=How.FIN, at=At.IN_BODY)


def event(number: int, kind: str = "step.delta") -> bytes:
    """One frame with an id."""
    return f'data: {{"event_type":"{kind}","event_id":"c{number}"}}\n\n'.encode()


def exchange(
    target: str,
    chunks: list[tuple[float, bytes]],
    *,
    began: float | None = 0.0,
    ending: Ending | None = None,
    method: str = "GET",
    body: bytes = b"",
    stream: bool = True,
) -> Exchange:
    """A finished exchange whose chunks came at these moments."""
    builder = ExchangeBuilder(Request(method, target, Headers(), body), began=began)
    kind = "text/event-stream" if stream else "application/json"
    builder.head(200, Headers([("content-type", kind)]), UntilClose())
    for moment, data in chunks:
        builder.chunk(Chunk(data), moment)
    return builder.finish(ending or Ending(), chunks[-1][0])


def result(evidence: tuple[Exchange, ...], finding: Finding, named: tuple[str, ...]) -> Result:
    """A broken rule with this evidence."""
    made = decide(RULE, Observation.of([finding]), Policy(), show=lambda _: evidence)
    return structs.replace(made, named=named)


FIRST = exchange(f"{ROOT}/v1_a?stream=true", [(0.0, event(0) + event(1)), (0.3, event(2))], ending=LEFT)
REST = exchange(
    f"{ROOT}/v1_a?stream=true&last_event_id=c2", [(0.001, event(4)), (0.002, event(5)), (0.5, event(6))], began=1.0
)
LOST = Finding("resume.live", "it lacks one", "step.delta", "nothing").at(exchange="rest", event=3)


def told() -> list[StoryStep]:
    """The steps of a resume that loses an event."""
    story = tell_story(result((FIRST, REST), LOST, ("", "rest")), DISPLAY)
    assert story is not None
    return list(story.steps)


def test_both_connections_are_told_with_the_break_between_them() -> None:
    """The dropped connection comes first, then who hung up, a pause, the resume, and the event that never came."""
    kinds = [step.kind for step in told()]
    assert kinds == [
        "request", "answer", "pause", "answer", "break", "pause",
        "request", "missing", "answer", "pause", "answer",
    ]  # fmt: skip
    assert told()[4].text == "the client disconnected within the body"
    assert told()[5].text == "700 ms"
    assert told()[7].text == "step.delta, event 3, never comes"


def test_times_are_on_one_axis() -> None:
    """Times are milliseconds since the first request, over all connections."""
    assert [step.at for step in told() if step.kind == "request"] == [0, 1000]
    assert told()[-1].at == 1500


def test_events_that_come_at_once_share_an_arrow() -> None:
    """One chunk of two events is one arrow, and so are two chunks in the same moment; numbers are of the whole."""
    answers = [step for step in told() if step.kind == "answer"]
    assert answers[0].events == "events 0-1"
    assert answers[0].detail == "one chunk"
    assert answers[2].events == "events 4-5"
    assert answers[2].detail == "2 chunks"


def test_streams_that_flow_at_once_are_told_apart() -> None:
    """If one stream begins before another has ended, each arrow says to which it belongs, in the order of time."""
    other = exchange(f"{ROOT}/v1_a?stream=true", [(0.1, event(0)), (0.2, event(1))], began=0.05)
    story = tell_story(result((FIRST, other), LOST, ("", "")), DISPLAY)
    assert story is not None
    arrows = [(step.at, step.detail.rpartition(", ")[2]) for step in story.steps if step.kind == "answer"]
    assert arrows == [(0, "stream 1"), (150, "stream 2"), (250, "stream 2"), (300, "stream 1")]


def test_no_secret_is_told() -> None:
    """A key in a request body, a path or an answer is masked in every step and every event."""
    body = b'{"input":"hush-hush-hush"}'
    seen = exchange(
        f"{ROOT}?q=hush-hush-hush", [(0.0, b'{"a":"hush-hush-hush"}')], method="POST", body=body, stream=False
    )
    spoken = exchange(f"{ROOT}/v1_a?stream=true", [(0.0, b'data: {"event_type":"x","t":"hush-hush-hush"}\n\n')])
    shown = result((seen, spoken), Finding("resume.live", "x").at(exchange="s", event=0), ("", "s"))
    assert "hush-hush" not in f"{tell_story(shown, DISPLAY)}{list_events(shown, DISPLAY)}"


def test_the_list_of_events_has_a_row_for_what_is_missing() -> None:
    """Two neighbours on each side of the missing event, the cut before it, the rest in folds."""
    found = list_events(result((FIRST, REST), LOST, ("", "rest")), DISPLAY)
    assert found is not None
    rows = [(row.kind, row.number) for fold in found.folds for row in fold.rows]
    assert rows == [
        ("event", 0), ("event", 1), ("event", 2), ("cut", None), ("missing", 3),
        ("event", 4), ("event", 5), ("event", 6),
    ]  # fmt: skip
    assert [fold.summary for fold in found.folds] == [
        "1 event before: step.delta",
        "",
        "1 event after: step.delta",
    ]


def test_an_event_of_a_resumed_stream_has_one_number() -> None:
    """Place, list and diagram count as the whole stream does; its judge counted from the connection's start."""
    differs = Finding("resume.no-gap", "it differs", actual="step.stop").at(event=1)
    shown = result((FIRST, REST), differs, ())
    assert number_in_whole(differs, shown, DISPLAY).where.event == 4
    found, story = list_events(shown, DISPLAY), tell_story(shown, DISPLAY)
    assert found is not None
    assert story is not None
    assert [row.number for fold in found.folds for row in fold.rows if row.accused] == [4]
    assert [step.events for step in story.steps if step.hot and step.kind == "answer"] == ["events 3-4"]
    whole = result((FIRST,), differs, ())
    assert number_in_whole(differs, whole, DISPLAY) == differs


def frame(kind: str) -> bytes:
    """One frame without an id."""
    return f'data: {{"event_type":"{kind}"}}\n\n'.encode()


AGAIN = {
    # what the first connection brought, what the resume after c1 brought, the number that the finding gets, and
    # the line of the picture
    "two are repeated": ([event(0), event(1), event(2)], [event(0), event(1), event(2)], 0, "!2o"),
    "from the start": (
        [frame("a"), frame("b"), event(0), event(1), event(2)],
        [frame("a"), frame("b"), event(0), event(1), event(2)],
        0,
        "!222o",
    ),
    "an event without an id": (
        [event(0), frame("a"), event(1), frame("a"), event(2)],
        [event(0), frame("a"), event(1), frame("a"), event(2)],
        0,
        "!22oo",
    ),
    "the rest has no ids": (
        [event(0), event(1), frame("a"), frame("b")],
        [event(1), frame("a"), frame("b")],
        1,
        ".!oo",
    ),
}


@pytest.mark.parametrize("name", AGAIN)
def test_an_event_from_before_the_cursor_is_named_by_its_own_number(name: str) -> None:
    """Text, arrow and picture name one event, and the arrow stands at the one of the resume."""
    sent, repeated, number, line = AGAIN[name]
    first = exchange(f"{ROOT}/v1_a?stream=true", [(0.0, b"".join(sent))])
    rest = exchange(f"{ROOT}/v1_a?stream=true&last_event_id=c1", [(0.0, b"".join(repeated))], began=1.0)
    unexpected = Finding("resume.exclusive", "it repeats events").at(exchange="rest", event=0)
    shown = result((first, rest), unexpected, ("", "rest"))
    assert number_in_whole(unexpected, shown, DISPLAY).where.event == number
    found = list_events(shown, DISPLAY)
    assert found is not None
    rows = [row for fold in found.folds for row in fold.rows]
    cut = next(place for place, row in enumerate(rows) if row.kind == "cut")
    assert [(place - cut, row.number) for place, row in enumerate(rows) if row.accused] == [(1, number)]
    assert [text.split()[-1] for text in picture_lines(found.picture)][1] == line


def test_a_terminal_shows_the_same_list() -> None:
    """The arrow stands at the missing event, with the cut and the neighbours in sight and the rest counted."""
    lines = list(event_lines(list_events(result((FIRST, REST), LOST, ("", "rest")), DISPLAY)))
    assert lines[:3] == ["events numbered as in the whole stream:", "  stream  ooox", "  rest    ...!ooo"]
    assert [line.split()[:2] for line in lines if "->" in line] == [["->", "3"]]
    assert [line for line in lines if line.endswith("MISSING")] == [line for line in lines if "->" in line]
    assert max(map(len, lines[1:-1])) < 76, "with the margin it fits 80 columns"
    assert not list(
        event_lines(list_events(result((FIRST,), Finding("get.ok", "no event is named"), ("",)), DISPLAY))
    )


def test_a_long_stream_is_drawn_in_few_arrows() -> None:
    """The last arrow has the rest of a stream with many pauses; the one with the fault is marked."""
    many = exchange(f"{ROOT}/v1_a?stream=true", [(n / 2, event(n)) for n in range(40)])
    accused = Finding("resume.live", "wrong", "a", "b").at(exchange="s", event=20)
    story = tell_story(result((many,), accused, ("s",)), DISPLAY)
    assert story is not None
    drawn = [(step.events, step.hot) for step in story.steps if step.events]
    assert drawn[:2] == [("event 0 step.delta", False), ("event 1 step.delta", False)]
    assert drawn[-1] == ("events 8-39", True)
    assert len(drawn) == 9
