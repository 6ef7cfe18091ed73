"""Which rules a judge looked at in one stream, body or error: those that what came could have broken.

Layer 1, pure. A rule that was looked at without a finding was kept; one with nothing to look at proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.contract.judge.stream_summary import StreamReading
from harness.contract.judge.usage import has_to_count
from harness.contract.tables.error_codes import STATUS_OF
from harness.contract.tables.stream_order import DELTA, ERROR, START, STOP
from harness.rules import rows_of

_WITH_OTHERS = frozenset({"stream.text", "stream.equals-get", "stream.end-matches-get"})
"""Rules of streams that a stream alone cannot break."""
_STREAM = frozenset(row.rule.id for row in rows_of("stream") if row.everywhere) - _WITH_OTHERS | {
    "create.status", "create.status-listed", "stream.evid-delta"
}  # fmt: skip
_FRAMING = frozenset(
    {"stream.framing", "stream.name-agrees", "stream.done", "stream.done-final", "stream.bare-error"}
)
_END = frozenset({"stream.terminal", "stream.done", "stream.bare-error"})
_COMPLETION = frozenset({"stream.completed-status", "stream.completed-usage", "stream.completed-no-steps"})
_STEPS = frozenset(
    {"stream.start-before", "stream.stop-once", "stream.index-contiguous", "stream.index-reuse",
     "stream.no-interleave"}
)  # fmt: skip
_DELTAS = frozenset({"stream.delta-known", "stream.delta-fits"})
_USAGE = ("total_tokens", "total_input_tokens", "total_output_tokens")


def list_judged_in_stream(reading: StreamReading) -> frozenset[str]:
    """The rules that this stream could have broken, and those that it broke."""
    counts, lacking = reading.counts, set(reading.unjudged)
    lacking |= frozenset() if reading.framed else _FRAMING
    lacking |= frozenset() if reading.whole else _END
    lacking |= frozenset() if reading.completed is not None else _COMPLETION
    lacking |= frozenset() if {START, DELTA, STOP} & counts.keys() else _STEPS
    lacking |= frozenset() if DELTA in counts else _DELTAS
    for present, rule in (
        (reading.arguments, "stream.args-join"),
        (reading.signatures, "stream.sig-last"),
        (reading.stop_usages > 1, "stream.stop-usage"),
        (ERROR in counts, "stream.error-shape"),
        (reading.cursors.count, "stream.evid-unique"),
        (reading.cursors.count and reading.background and DELTA in counts, "stream.evid-delta"),
    ):
        if not present:
            lacking.add(rule)
    usage = _list_of_usage((reading.completed or {}).get("usage"))
    return (_STREAM - lacking) | {*usage, *(finding.rule for finding in reading.findings)}


def list_judged_in_interaction(value: Any) -> frozenset[str]:
    """The rules of an interaction's body that this one could have broken, its schema apart."""
    judged = {"create.status", "create.generation"}
    if not isinstance(value, Mapping):
        return frozenset({"create.status"})
    if isinstance(value.get("status"), str):
        judged.add("create.status-listed")
    if {"created", "updated"} & value.keys():
        judged.add("create.times")
    if has_to_count(value):
        judged.add("usage.counted")
    steps = value.get("steps")
    judged.update(_list_of_usage(value.get("usage")))
    judged.update(_list_of_steps(steps if isinstance(steps, list) else []))
    return frozenset(judged)


def list_judged_in_error(value: Any, status: int | None) -> frozenset[str]:
    """The rules of errors that this body could have broken."""
    error = value.get("error") if isinstance(value, Mapping) else None
    code = error.get("code") if isinstance(error, Mapping) else None
    judged = {"err.shape"}
    if isinstance(code, str):
        judged |= {"err.code-string", "err.code-word"}
    if isinstance(code, str) and code in STATUS_OF and status is not None:
        judged.add("err.code-status")
    return frozenset(judged)


def _list_of_usage(usage: Any) -> Iterator[str]:
    if usage is not None:
        yield "usage.types"
    if isinstance(usage, Mapping):
        if all(name in usage for name in _USAGE):
            yield "usage.sum"
        if any(name.endswith("_by_modality") for name in usage):
            yield "usage.modality"


def _list_of_steps(steps: list[Any]) -> Iterator[str]:
    if steps:
        yield "steps.discriminator"
    for step in (step for step in steps if isinstance(step, Mapping)):
        content = step.get("content")
        parts = [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
        if str(step.get("type", "")).endswith("_result") and "call_id" in step:
            yield "steps.result-match"
        if any(name in holder for holder in (step, *parts) for name in ("data", "signature")):
            yield "steps.base64"
        if any(part.get("annotations") for part in parts):
            yield "steps.annotation-range"
