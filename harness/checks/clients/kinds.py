"""The kinds of cases that need answers of this API: how a run ends, and what is in its output.

Layer 2, values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.faults.kinds import CaseKind, at

_CALL: Mapping[str, Any] = {
    "text": None,
    "steps": [{"type": "function_call", "id": "call_1", "name": "look", "arguments": {"place": "number 1"}}],
}
_FAILED = ({"status": "failed"}, {"status": "cancelled"}, {"status": "incomplete"})
_PARTS = (
    {"text": None, "steps": [
        {"type": "thought", "summary": [{"type": "text", "text": "This is no output."}], "signature": "c2lnbmVk"},
        {"type": "model_output", "content": [{"type": "text", "text": "One part, "}]},
        {"type": "model_output", "content": [{"type": "text", "text": "and another."}]},
    ]},
    {"text": None, "steps": [
        {"type": "model_output", "content": [{"type": "text", "text": "la la la la"}]},
    ], "deltas": 4},
)  # fmt: skip
_ONE_DROP = ("pass", "event:{late},rst", "event:{last},end")

CONTINUES: Mapping[str, Any] = {
    "scripts": ({"status": "requires_continuation", "continuation_token": "go-on"},),
    "further": {"text": " And the rest of it."},
}
"""The fields of a kind whose run stops with a token."""

PARTS = CaseKind(
    name="parts",
    about="other output: thoughts, two texts, equal deltas; with a drop",
    plans=at(*_ONE_DROP),
    scripts=_PARTS,
)
ENDS = CaseKind(
    name="ends",
    about="the run ends failed, cancelled, incomplete, over its budget, or requires action",
    plans=at(*_ONE_DROP, "event:{late},rst/status:400,times:all"),
    scripts=(*_FAILED, {"status": "budget_exceeded"}, _CALL),
)
FEW_ENDS = ENDS.only(at("pass"))
CONTINUATIONS = CaseKind(
    name="continuations",
    about="the interaction stops with a continuation token; with a drop before and after",
    plans=at(
        *("pass", "event:{middle},rst", "pass/event:{middle},rst", "pass/event:{middle},end"),
        "pass/before-headers,rst",
    ),
    **CONTINUES,
)
STATUS_UPDATES = CaseKind(
    name="status-updates",
    about="further status updates arrive in the middle of the stream; with a drop",
    plans=at(*_ONE_DROP),
    scripts=({"hops": 3, "checkpoints": True},),
)
SLOW_RUNS = CaseKind(
    name="slow-runs",
    about="the run is queued for a while, or takes many polls",
    plans=at("pass"),
    scripts=({"queued": 3}, {"ticks": 8}, {"queued": 2, "ticks": 4}),
)
SLOW_CANCELS = CaseKind(
    name="slow-cancels",
    about="the interaction is still in progress for a while after the cancel",
    plans=at("pass"),
    scripts=({"cancel_lag": 1}, {"cancel_lag": 3}),
)
NEVER_SETTLES = CaseKind(
    name="never-settles",
    about="the run stays in progress forever: the client must stop in time and report it",
    plans=at("pass"),
    scripts=({"hold": {"after": 2}},),
    hopeless=True,
)
