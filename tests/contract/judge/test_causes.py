"""What a defect of a stream made unavoidable names it as its cause, and no verdict changes by that."""

from __future__ import annotations

from harness.contract.judge.finding_log import CAUSES, may_cause
from harness.outcome import Finding, Severity
from tests.contract.streams import ANSWER, created, frames, judge, payload


def by_code(stream: bytes) -> dict[str, Finding]:
    """The findings on a stream by their codes."""
    return {finding.stable_code: finding for finding in judge(stream).findings}


def test_a_broken_start_explains_the_deltas_that_follow() -> None:
    """After a step.start that is no JSON, the delta without a start names it; the start weighs one more each."""
    start, *rest = ANSWER
    stream = frames([created()], done=False) + b'event: step.start\ndata: {"index": 0,\n\n' + frames(rest)
    found = by_code(stream)
    root, caused = found["stream.json/syntax"], found["stream.start-before/never"]
    assert payload(start) not in stream
    assert caused.cause == "stream.json/syntax"
    assert (root.cause, caused.severity) == ("", Severity.BROKEN)
    assert root.weight == 1 + sum(f.cause == root.stable_code for f in judge(stream).findings)


def test_without_an_earlier_defect_nothing_is_explained() -> None:
    """A delta without a start is a defect of its own if every event before it could be read."""
    _, *rest = ANSWER
    assert by_code(frames([created(), *rest]))["stream.start-before/never"].cause == ""


def test_a_slash_stands_for_all_codes_of_a_rule() -> None:
    """The table names a whole rule by a slash at the end; no code explains itself."""
    assert may_cause("stream.schema/required", "stream.start-before/never")
    assert not may_cause("stream.schema", "stream.start-before/never")
    assert not any(may_cause(code, code) for code in CAUSES)
