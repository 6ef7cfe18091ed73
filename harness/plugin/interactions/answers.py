"""The answers that a test gives: scripts that are checked, functions that make them, recordings to give again.

Layer 7. Knows scripts and schemas; who takes an answer, and when, is the emulator's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict

from harness.contract import Contract
from harness.contract.data.assembly import assemble_steps
from harness.contract.data.json_parse import loads
from harness.emulator.script.script_queue import QueuedAnswer
from harness.emulator.script.scripts import Script, parse
from harness.emulator.values.create_request import CreateRequest
from harness.outcome import UsageFault

Json: TypeAlias = dict[str, Any]
FinalStatus: TypeAlias = Literal[
    "completed", "failed", "cancelled", "incomplete", "budget_exceeded", "requires_action", "requires_continuation"
]


class AnswerMatch(TypedDict, total=False):
    """Which creates an answer is for. `tool` is a declared tool's type, or the name of a function."""

    model: str
    agent: str
    previous: bool
    further: bool
    input_contains: str
    tool: str


class AnswerFields(TypedDict, total=False):
    """The keys of a script; docs/emulator.md explains each."""

    steps: list[Json]
    deltas: int | list[str]
    thought: bool | str
    status: FinalStatus
    created_status: str
    errors: list[Json]
    usage: Json
    refuse: Json
    error_event: Json
    queued: int
    ticks: int
    hold: bool | Json
    cancel_lag: int
    lasts: float
    hidden: Json
    extra: Json
    fragments: int
    hops: int
    checkpoints: bool
    mcp_steps: Literal["mcp_server_tool", "tool_call"]
    without_context: bool
    continuation_token: str
    environment_id: str
    times: int
    match: AnswerMatch


_SERVER_TOOLS = frozenset({
    "google_search", "google_maps", "url_context", "code_execution", "file_search", "retrieval",
})  # fmt: skip
"""Tools that the service executes itself, so that none of them ends in a call for the client."""

Answer: TypeAlias = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""What a function may return: the text, a script, or the steps."""

AnswerMaker: TypeAlias = Callable[[CreateRequest], Answer]


def check_script(script: Mapping[str, Any], contract: Contract, *, unchecked: bool = False) -> Script:
    """Parse a script. Raises UsageFault for steps that the schemas do not know, unless they are `unchecked`."""
    parsed = parse(script, contract.lifecycle)
    for number, step in enumerate(() if unchecked else parsed.steps or ()):
        problems = contract.schemas.validator("step", closed=True).problems(step)
        if problems:
            where = problems[0].pointer.replace("$", f"steps[{number}]", 1)
            message = problems[0].message
            stop = "" if message.endswith("?") else "."
            raise UsageFault(
                f"{where}: {message}{stop} If the service has what the schemas of {contract.revision} lack, "
                "say unchecked=True"
            )
    return parsed


def make_answer(
    function: AnswerMaker,
    script: Mapping[str, Any],
    contract: Contract,
    *,
    unchecked: bool,
    tell: Callable[[str], None],
) -> QueuedAnswer:
    """An answer that `function` makes when a create takes it; `script` may say for whom, and how often.

    What goes wrong in the function is passed to `tell`, and the create is refused with it.
    """

    def make(order: CreateRequest) -> Script:
        try:
            made = _as_script(function(order))
            return check_script({**script, **made, "times": 1}, contract, unchecked=unchecked)
        except Exception as error:
            kind = "" if isinstance(error, UsageFault) else f"{type(error).__name__}: "
            problem = f"reply({getattr(function, '__name__', 'function')}) could not answer: {kind}{error}"
            tell(problem)
            return parse({"refuse": {"status": 400, "message": problem}})

    return QueuedAnswer(parse(script), make)


def tell_undeclared_calls(answer: QueuedAnswer, tell: Callable[[str], None]) -> None:
    """Tell, when a create takes the answer, whether it calls a function though the create could have no call."""
    make = answer.make

    def make_and_tell(order: CreateRequest) -> Script:
        script = answer.script if make is None else make(order)
        if problem := _explain_undeclared_call(script, order):
            tell(problem)
        return script

    answer.make = make_and_tell


def _explain_undeclared_call(script: Script, order: CreateRequest) -> str:
    """Why the service would not call a function here; "" if it may, as agents do with tools of their own."""
    called = [step.get("name") for step in script.steps or () if step.get("type") == "function_call"]
    kinds = list(dict.fromkeys(str(tool.get("type")) for tool in order.tools))
    if not called or order.agent is not None or not _SERVER_TOOLS.issuperset(kinds):
        return ""
    has = f"only {', '.join(kinds)}" if kinds else "no tools"
    chained = order.body.get("previous_interaction_id") is not None
    inherited = ", and tools are not inherited from previous_interaction_id" if chained else ""
    return (
        f"the scripted call of {called[0]!r} needs a declared function: this create declares {has}{inherited}. "
        "If the service can answer so, say unchecked=True in its reply"
    )


def _as_script(made: Any) -> Mapping[str, Any]:
    if isinstance(made, str):
        return {"text": made}
    if isinstance(made, Mapping):
        return made
    if isinstance(made, Sequence):
        return {"steps": list(made)}
    raise UsageFault(f"it returned {made!r}: return a text, a script such as {{'status': 'failed'}}, or steps")


def read_recorded(path: Path, contract: Contract) -> Json:
    """The script that gives the first interaction in a recording again: its steps, status and usage.

    Raises UsageFault if no interaction in it has ended.
    """
    from harness.benches.client.cases.stream_source import events_in
    from harness.cassette import load  # reads YAML, which most tests do not need

    for recording in load(path).recordings:
        body = recording.decode().body
        whole = _assemble_ended(events_in(body), contract) if recording.events else loads(body).value
        if isinstance(whole, Mapping) and isinstance(whole.get("steps"), list) and whole.get("status"):
            steps = [step for step in whole["steps"] if step.get("type") != "user_input"]
            kept = {name: whole[name] for name in ("status", "usage") if name in whole}
            if whole["status"] not in ("in_progress", "queued"):
                return {"steps": steps, **kept}
    raise UsageFault(f"{path}: no recorded answer in it has ended with steps, so there is nothing to give again")


def _assemble_ended(events: Sequence[Json], contract: Contract) -> Mapping[str, Any] | None:
    """The interaction that a stream has told; None if its end is missing."""
    last = next((event for event in reversed(events) if contract.protocol.completes(event)), None)
    inner = last.get("interaction") if last is not None else None
    return {**inner, "steps": assemble_steps(events, contract)} if isinstance(inner, Mapping) else None
