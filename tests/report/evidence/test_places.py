"""Of a long body the part that a finding names is shown."""

from __future__ import annotations

import json

import pytest
from msgspec import structs

from harness.engine.decide import Policy, decide
from harness.engine.events import Result
from harness.outcome import Finding, Level, Observation, Where
from harness.report.evidence.evidence_text import Detail, body_lines, find_place
from harness.report.presented_run import PresentedRun
from harness.wire import Exchange
from tests.report.page.test_story import DISPLAY, ROOT, RULE, exchange
from tests.report.story import told

FAR, ODD, END = {"text": "far " * 700}, {"type": "odd", "deep": {"here": [1, "SPOT"]}}, {"x": "end " * 600}
STEPS = [FAR, ODD, END]
BODY = json.dumps({"id": "v1_a", "steps": STEPS})
SPOT = "$.steps[1].deep.here[1]"


@pytest.mark.parametrize(
    ("where", "part"),
    [
        (Where(pointer=SPOT), '"SPOT"'),
        (Where(pointer="$.steps[1].type"), '"type": "odd"'),
        (Where(pointer="$.steps[1].deep.missing.more"), '"deep": {"here": [1, "SPOT"]}'),
        (Where(pointer="$.missing"), None),
        (Where(pointer="$.steps[9]"), f'"steps": {json.dumps(STEPS)}'),
        (Where(), None),
        (Where(event=3), None),
    ],
)
def test_the_place_of_a_member_is_found(where: Where, part: str | None) -> None:
    """A pointer leads to its member, or to the deepest one on its way that is there."""
    found = find_place(BODY, where)
    assert (None if found is None else BODY[found[0] : found[1]]) == part


def test_the_place_of_an_event_is_found() -> None:
    """An event is its frame, and a pointer leads into its data."""
    stream = "".join(f'data: {{"żółw": "é", "step": {{"n": {n}}}}}\n\n' for n in range(3))
    found = find_place(stream, Where(event=1))
    assert found is not None
    assert stream[found[0] : found[1]] == 'data: {"żółw": "é", "step": {"n": 1}}\n\n'
    inner = find_place(stream, Where(event=2, pointer="$.step.n"))
    assert inner is not None
    assert stream[inner[0] : inner[1]] == '"n": 2'


@pytest.mark.parametrize("text", ["", "{", '{"steps', '{"steps": [', "[" * 5_000, "null", "data: {\n\n"])
def test_a_body_that_is_broken_has_no_place(text: str) -> None:
    """What a target sends is no reason to fail."""
    assert find_place(text, Where(pointer="$.steps[1].type")) is None


def failed() -> tuple[Result, Exchange]:
    """A check that failed at a place in the middle of a long answer."""
    got = exchange(f"{ROOT}/v1_a", [(0.0, BODY.encode())], stream=False)
    finding = Finding("resume.live", "the step is odd", "even", "odd").at(exchange="read", pointer=SPOT)
    made = decide(RULE, Observation.of([finding]), Policy(), show=lambda _: (got,))
    return structs.replace(made, named=("read",)), got


def test_a_page_marks_the_place() -> None:
    """What the finding names is marked; what is before and after it is there."""
    (log,) = told().present(failed()[0]).logs
    assert [part.text for part in log.parts if part.accused] == ['"SPOT"']
    assert BODY in "".join(part.text for part in log.parts)


def test_a_terminal_shows_the_place() -> None:
    """The lines of a long answer are those around what the finding names."""
    shown = "\n".join(body_lines(BODY.encode(), failed()[1].request, DISPLAY, 400, Where(pointer=SPOT)))
    assert '"type": "odd", "deep": {"here": [1, "SPOT"]}' in shown
    assert shown.startswith("[… ")
    assert shown.endswith(" characters …]")
    assert len(shown) < 480
    assert "SPOT" in told().present(failed()[0]).explain()


def warned() -> PresentedRun:
    """A run with a SHOULD rule that is broken."""
    state, (result, _) = told(), failed()
    rule = structs.replace(result.rule, id="stream.closes", level=Level.SHOULD)
    made = decide(rule, result.observation, Policy(), show=lambda _: result.evidence)
    warning = structs.replace(made, named=result.named)
    assert state.finished is not None
    state.finished = structs.replace(state.finished, results=(*state.finished.results, warning))
    return state


@pytest.mark.parametrize(
    ("pointer", "part"), [("$.step.n", '"n": 2'), ("$.usage.total", '"total": 9.0'), ("$.no", "")]
)
def test_a_member_of_a_stream_is_found_in_the_last_event_that_has_it(pointer: str, part: str) -> None:
    """A finding about a stream may name no event: the report still shows the member that it names."""
    events = "".join(f'data: {{"step": {{"n": {n}}}}}\n\n' for n in range(3))
    stream = f'{events}data: {{"usage": {{"total": 9.0}}}}\n\ndata: [DONE]\n\n'
    found = find_place(stream, Where(pointer=pointer))
    assert (stream[slice(*found)] if found else "") == part


def test_an_upload_is_counted_in_a_terminal() -> None:
    """An archive begins with text, and is none."""
    sent = exchange(f"{ROOT}/files", [(0.0, b"{}")], method="PUT", body=b"notes.txt\0\0", stream=False)
    result = structs.replace(failed()[0], evidence=(sent,))
    shown = [*told().present(result).list_lines(Detail.BRIEF)]
    assert any(line.endswith("files 11 bytes that are not text") for line in shown)
