"""The tasks of a client and its faults: modes, kinds of cases, and the sets of both.

Values only. A mode is the task of a client that can do several things in a case. A set is a documented list of
kinds: for clients that stream, that poll, that do several turns. It begins with cheap kinds that show much; kinds
in which clients wait come last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.faults import kinds as fault_kinds
from harness.faults.kinds import CaseKind, at, in_further
from harness.kit.client_model import ClientMode

TEXT = "A text in several pieces: déjà vu, 東京 and 🦊, to the very end."
"""What the model says, unless a script says something else."""

_SAYS: Mapping[str, Any] = {"text": TEXT}
CALLS: Mapping[str, Any] = {
    "steps": [
        {"type": "thought", "signature": "VGhlIGNhbGwgaXMgbWluZS4="},
        {"type": "function_call", "id": "call_1", "name": "look", "arguments": {"place": "behind the door"}},
    ]
}
"""With a signed thought: a client may send the turn back in a transcript of its own, instead of an id."""

_HELD: Mapping[str, Any] = {"text": TEXT, "hold": {"after": 5}}

_ALL = (
    ClientMode(name="follow", usual_set="standard", script=_SAYS, usual=True,
        about="stream the interaction with the given id, which runs in the background"),
    ClientMode(name="create", usual_set="standard", script=_SAYS, creates=True,
        about="create an interaction with a stream, and read it"),
    ClientMode(name="background", usual_set="standard", script=_SAYS, creates=True,
        about="create an interaction in the background with a stream, and read it"),
    ClientMode(name="poll", usual_set="polling", script=_SAYS, creates=True,
        about="create an interaction in the background, and poll with GET until it settles"),
    ClientMode(name="chain", usual_set="turns", script={"text": "The first turn is over."}, further=_SAYS,
        creates=True, turns=True,
        about="create an interaction, read it, then create one with previous_interaction_id, which is the result"),
    ClientMode(name="tools", usual_set="tools", script=CALLS, further=_SAYS, creates=True, turns=True,
        about="create an interaction with the function `look`, and return a function_result for each call until "
        "the model stops calling; the last turn is the result"),
    ClientMode(name="cancel", usual_set="cancelling", script=_HELD,
        about="stream the interaction with the given id, cancel it after three events, and report its status"),
)  # fmt: skip
MODES: Mapping[str, ClientMode] = {mode.name: mode for mode in _ALL}
"""The modes by name. A client that can do one thing only need not look at its mode."""


# --- the kinds of cases that need answers of this API: how a run ends, and what is in its output


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
    {"text": None, "steps": [
        {"type": "model_output", "content": [{"type": "text", "text": 'A "quote",\n\ta line\u2028and C:\\new.'}]},
    ]},
)  # fmt: skip
_ONE_DROP = ("pass", "event:{late},rst", "event:{last},end")

CONTINUES: Mapping[str, Any] = {
    "scripts": ({"status": "requires_continuation", "continuation_token": "go-on"},),
    "further": {"text": " And the rest of it."},
}
"""The fields of a kind whose run stops with a token."""

PARTS = CaseKind(
    name="parts",
    about="other output: thoughts, two texts, equal deltas, quotes, line ends and U+2028; with a drop",
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
    {"type": "code_execution_call", "id": "run_1", "arguments": {"code": "print(6 * 7)", "language": "python"}},
    {"type": "code_execution_result", "call_id": "run_1", "result": "42\n"},
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
    about="beside its own call the model used an MCP server and ran code; the steps have both pairs",
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
ERROR_IDS = CaseKind(
    name="error-ids",
    about="an error event whose id is refused as a cursor, then the end",
    plans=at("pass"),
    scripts=({"error_event": {"after": 6, "id": True}},),
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


# The rows of the table of clients: kinds of one case each, so that a cell shows one effect.
# A row that stands for a kind of a set has that kind's worst place, amid the text.


def _row(name: str, about: str, plan: str, **more: Any) -> CaseKind:
    return CaseKind(name=name, about=about, plans=at(plan), **more)


def _further(name: str, about: str, plan: str) -> CaseKind:
    return CaseKind(name=name, about=about, plans=in_further(at(plan)))


def _end(status: str, about: str) -> CaseKind:
    return _row(status, about, "pass", scripts=({"status": status},))


_ENDS = (
    _end("failed", "the interaction fails"),
    _end("cancelled", "the interaction is cancelled"),
    _end("incomplete", "the interaction ends incomplete"),
)

TABLE = (
    _row("no-fault", "nothing goes wrong", "pass"),
    _row("noise", "comments, unknown events and members, CR LF, split characters",
         "ping:all,glue,members,unknown:all,crlf,chunks:5"),
    _row("reset", "the connection is reset in the middle", "event:{late},rst"),
    _row("broken-framing", "the connection closes against its framing", "event:{late},fin"),
    _row("clean-end", "the connection ends cleanly, without completion", "event:{late},end"),
    _row("half-event", "the connection ends cleanly inside an event", "event:{late}+40,end"),
    _row("no-completion", "everything arrives but the completing event", "no-completion"),
    _row("broken-json", "a frame contains broken JSON", "garble:{late}"),
    _row("twice", "an event comes twice, with the same id", "dup:{late}"),
    _row("error-event", "an error event, then the end", "error:{late},event:{after_late},end"),
    _row("error-with-id", "an error event with an id, then a reset", "error:{late}+id,event:{after_late},rst"),
    _row("error-no-cursor", ERROR_IDS.about, "pass", scripts=ERROR_IDS.scripts),
    _row("bare-error", "a failure in bare JSON outside of the framing", "bare-error:{late}"),
    _row("stall", "the connection falls silent", "event:{late},stall"),
    _row("reset-no-ids", "a reset, and no event has an id", "event:{late},rst", event_ids=("none",)),
    _row("inclusive", "a reset, and the resumed stream repeats an event", "event:{late},rst", resume="inclusive"),
    _row("always-reset", "every connection is reset after two events", "event:2,rst,times:all"),
    _row("resume-503", "a reset, and the next stream returns 503", "event:{late},rst/status:503"),
    _row("lost-head", "the response is lost before its first byte", "before-headers,rst"),
    _row("503", "the stream returns 503 once", "status:503"),
    _row("429", "the stream returns 429 once, with a hint", "status:429,retry-after-ms:20"),
    *_ENDS,
    _row("continuation", "the interaction stops with a continuation token", "pass", **CONTINUES),
)  # fmt: skip
"""The rows for clients that stream."""

POLLING_TABLE = (
    _row("no-fault", "nothing goes wrong", "pass"),
    _row("queued", "the interaction is queued for a while", "pass", scripts=({"queued": 3},)),
    _row("lost-create", "the response to the create is lost", "calls=before-headers,rst"),
    _row("create-503", "the create returns 503 once", "calls=status:503"),
    _row("404-at-first", "the new interaction is not found for a moment", "calls=pass/status:404"),
    _row("lost-poll", "the response to a poll is lost", "calls=pass/before-headers,rst"),
    _row("half-poll", "the response to a poll is truncated, with a clean end", "calls=pass/byte:60,end"),
    _row("poll-503", "a poll returns 503", "calls=pass/status:503"),
    _row("poll-429", "a poll returns 429 with `Retry-After`", "calls=pass/status:429,retry-after-ms:20"),
    *_ENDS,
)

TURNS_TABLE = (
    _row("no-fault", "nothing goes wrong", "pass"),
    _row("first-reset", "the stream of the first turn is reset", "event:{late},rst"),
    _row("first-clean-end", "the stream of the first turn ends cleanly, without completion", "event:{late},end"),
    _further("further-reset", "the stream of the further turn is reset", "pass/event:{late},rst"),
    _further("further-clean-end", "the stream of the further turn ends cleanly, without completion",
             "pass/event:{late},end"),
    _further("further-twice", "an event of the further turn comes twice, with the same id", "pass/dup:{late}"),
    _row("lost-answer", "the response to the further turn is lost", "pass/before-headers,rst"),
    _row("late-answer", "the response to the further turn is late", "pass/late:0.2"),
    _row("further-503", "the further turn returns 503 once", "pass/status:503"),
    _row("further-429", "the further turn returns 429 once, with a hint", "pass/status:429,retry-after-ms:20"),
    _row("further-400", "each try of the further turn returns 400", "pass/status:400,times:all"),
)  # fmt: skip
"""The rows for clients that do a second turn."""

CANCELLING_TABLE = (
    _row("no-fault", "nothing goes wrong", "pass"),
    _row("reset-before", "the stream is reset before the cancel", "event:2,rst"),
    _row("clean-end-before", "the stream ends cleanly before the cancel, without completion", "event:2,end"),
    _row("lost-cancel", "the response to the cancel is lost", "cancels=before-headers,rst"),
    _row("half-cancel", "the response to the cancel is truncated, with a clean end", "cancels=byte:40,end"),
    _row("cancel-503", "the cancel returns 503 once", "cancels=status:503"),
    _row("cancel-429", "the cancel returns 429 once, with a hint", "cancels=status:429,retry-after-ms:20"),
    _row("drop-and-lost-cancel", "the stream is reset, and the response to the cancel is lost",
         "streams=event:3,rst/cancels=before-headers,rst"),
    _row("slow-cancel", "the interaction is still in progress for a while after the cancel", "pass",
         scripts=({"cancel_lag": 3},)),
)  # fmt: skip


# The sets.


QUICK = (
    fault_kinds.FEW_CLEAN_ENDS,
    fault_kinds.FEW_RESETS,
    fault_kinds.FEW_INSIDE,
    fault_kinds.FEW_NO_IDS,
    fault_kinds.FEW_ODD_IDS,
    fault_kinds.FEW_INCLUSIVE,
    fault_kinds.FEW_TWICE,
    fault_kinds.NOISE,
    fault_kinds.FEW_BROKEN,
    fault_kinds.ERRORS.first(3),
    ERROR_IDS,
    FEW_ENDS,
    PARTS.only(at("pass")),
    fault_kinds.STATUSES.first(3),
)
STANDARD = (
    fault_kinds.CLEAN_END,
    fault_kinds.RESET,
    fault_kinds.NOISE,
    fault_kinds.TWICE,
    fault_kinds.INCLUSIVE,
    fault_kinds.NO_IDS,
    fault_kinds.FEW_IDS,
    fault_kinds.ODD_IDS,
    fault_kinds.BROKEN,
    fault_kinds.ERRORS,
    ERROR_IDS,
    ENDS,
    PARTS,
    fault_kinds.FRAMING,
    fault_kinds.HALVES,
    fault_kinds.INSIDE,
    fault_kinds.TORN,
    fault_kinds.LATE,
    fault_kinds.REPEATED,
    fault_kinds.HEADS,
    fault_kinds.STATUSES,
    CONTINUATIONS,
)
_REPLACED = {
    fault_kinds.INSIDE: fault_kinds.ALL_OF_INSIDE,
    fault_kinds.TORN: fault_kinds.ALL_OF_TORN,
    fault_kinds.STATUSES: fault_kinds.MORE_STATUSES,
    fault_kinds.LATE: fault_kinds.MORE_LATE,
}
_FURTHER = (STATUS_UPDATES, fault_kinds.OUTAGES, fault_kinds.STALLS)
THOROUGH = (*(_REPLACED.get(kind, kind) for kind in STANDARD), fault_kinds.PAIRS, *_FURTHER)

TURNS = (
    fault_kinds.FEW_CLEAN_ENDS,
    fault_kinds.FEW_RESETS,
    fault_kinds.FEW_INSIDE,
    fault_kinds.FURTHER_DROPS,
    fault_kinds.LOST_ANSWERS,
    fault_kinds.REFUSED_ANSWERS,
    fault_kinds.DOUBLED_ANSWERS,
    FURTHER_ENDS,
    PARENT_GONE,
)
SETS: Mapping[str, tuple[CaseKind, ...]] = {
    "quick": QUICK,
    "standard": STANDARD,
    "application": (*STANDARD, *_FURTHER),
    "thorough": THOROUGH,
    "every-byte": (*THOROUGH, fault_kinds.BYTES),
    "polling": (
        fault_kinds.LOST_POLLS,
        fault_kinds.REFUSED_POLLS,
        SLOW_RUNS,
        FEW_ENDS,
        fault_kinds.UNKNOWN_AT_FIRST,
        NEVER_SETTLES,
    ),
    "turns": TURNS,
    "tools": (*TURNS, PARALLEL_CALLS, MORE_CALLS, SERVER_STEPS, SLOW_CALLS),
    "cancelling": (
        fault_kinds.DROPS_BEFORE_CANCEL,
        fault_kinds.LOST_CANCELS,
        fault_kinds.REFUSED_CANCELS,
        fault_kinds.CANCELS_IN_DROPS,
        SLOW_CANCELS,
    ),
    "table": TABLE,
    "polling-table": POLLING_TABLE,
    "turns-table": TURNS_TABLE,
    "cancelling-table": CANCELLING_TABLE,
}
"""The kinds of each set, in the order in which they are played."""
