"""The kinds of cases that need answers of this API: how a run ends, and what is in its output.

Layer 2, values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.checks.clients.modes import CALLS, TEXT
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

# What an agent meets: the model calls functions, several at once, and again.


def _call(*calls: tuple[str, str], before: tuple[Mapping[str, Any], ...] = ()) -> Mapping[str, Any]:
    """A script whose model calls `look` at each (id, place), after a thought with a signature."""
    steps = (
        {"type": "function_call", "id": call, "name": "look", "arguments": {"place": place}}
        for call, place in calls
    )
    return {"steps": [{"type": "thought", "signature": "VGhlIGNhbGwgaXMgbWluZS4="}, *before, *steps]}


_MCP = {"name": "archive:find", "server_name": "archive", "signature": "c2lnbmVk"}
_SERVER_STEPS = (
    {"type": "mcp_server_tool_call", "id": "mcp_1", **_MCP, "arguments": {"query": "a cat"}},
    {"type": "mcp_server_tool_result", "call_id": "mcp_1", **_MCP, "result": "one match"},
)
PARALLEL_CALLS = CaseKind(
    name="parallel-calls",
    about="the model calls several times at once: ids in another order, two equal calls, odd characters in an id",
    plans=at("pass"),
    scripts=(
        _call(("call_9", "behind the door"), ("call_2", "under the 机"), ("call_5", "in the attic")),
        _call(("call_1", "behind the door"), ("call_2", "behind the door")),
        _call(("fc/1+a==", "behind the door"), ("fc/1+b==", "under the 机")),
    ),
    calls=True,
)
MORE_CALLS = CaseKind(
    name="more-calls",
    about="the model calls again after the results, then stops calling; with a response that is refused or late",
    plans=at("pass", "pass/pass/status:503,retry-after-ms:20", "pass/pass/late:0.2"),
    further={
        **_call(("call_21", "in the cellar"), ("call_22", "on the roof")),
        "then": {**_call(("call_31", "in the garden")), "then": {"text": TEXT}},
    },
)
SERVER_STEPS = CaseKind(
    name="server-steps",
    about="beside its own call the model used an MCP server, whose call and result stand in the steps",
    plans=at("pass"),
    scripts=(_call(("call_1", "behind the door"), before=_SERVER_STEPS),),
    calls=True,
)
SLOW_CALLS = CaseKind(
    name="slow-calls",
    about="the run is queued or takes many polls before it requires action",
    plans=at("pass"),
    scripts=({**CALLS, "queued": 3}, {**CALLS, "ticks": 8}),
    calls=True,
)
FURTHER_ENDS = CaseKind(
    name="further-ends",
    about="the last turn ends incomplete, with half of a text",
    plans=at("pass"),
    further={"text": "Half of", "status": "incomplete"},
)
PARENT_GONE = CaseKind(
    name="parent-gone",
    about="the interaction to continue no longer exists (404): send the whole conversation, or report it",
    plans=at("pass"),
    refusal={"refuse": {"status": 404, "code": "not_found", "message": "There is no such interaction."}},
    hopeless=True,
)
