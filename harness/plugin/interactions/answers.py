"""The answers that a test gives: scripts that are checked, functions that make them, recordings to give again.

Knows scripts and schemas; who takes an answer, and when, is the emulator's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict

from harness.contract import Contract
from harness.contract.transcript import assemble_steps
from harness.emulator.scripts import QueuedAnswer, Script, parse
from harness.emulator.values.create_request import CreateRequest
from harness.outcome import UsageFault
from harness.wire.bodies import loads

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
    """The keys of a script; docs/emulator-reference.md explains each."""

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
            made: Any = function(order)
            if isinstance(made, str):
                made = {"text": made}
            elif isinstance(made, Sequence):
                made = {"steps": list(made)}
            elif not isinstance(made, Mapping):
                right = "return a text, a script such as {'status': 'failed'}, or steps"
                raise UsageFault(f"it returned {made!r}: {right}")
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
        called = [step.get("name") for step in script.steps or () if step.get("type") == "function_call"]
        kinds = list(dict.fromkeys(str(tool.get("type")) for tool in order.tools))
        # An agent may call with tools of its own, which no create declares.
        if called and order.agent is None and _SERVER_TOOLS.issuperset(kinds):
            has = f"only {', '.join(kinds)}" if kinds else "no tools"
            chained = order.body.get("previous_interaction_id") is not None
            inherited = ", and tools are not inherited from previous_interaction_id" if chained else ""
            tell(
                f"the scripted call of {called[0]!r} needs a declared function: this create declares "
                f"{has}{inherited}. If the service can answer so, say unchecked=True in its reply"
            )
        return script

    answer.make = make_and_tell


def read_recorded(path: Path, contract: Contract) -> Json:
    """The script that gives the first interaction in a recording again: its steps, status and usage.

    Raises UsageFault if no interaction in it has ended.
    """
    from harness.cassette import load  # reads YAML, which most tests do not need
    from harness.wire.sse import events_in

    for recording in load(path).recordings:
        body = recording.decode().body
        if recording.events:
            events = events_in(body)
            last: Json = next((event for event in reversed(events) if contract.protocol.completes(event)), {})
            whole: Any = last.get("interaction")
            if isinstance(whole, Mapping):  # None if the end of the stream is missing
                whole = {**whole, "steps": assemble_steps(events, contract)}
        else:
            whole = loads(body).value
        if isinstance(whole, Mapping) and isinstance(whole.get("steps"), list) and whole.get("status"):
            steps = [step for step in whole["steps"] if step.get("type") != "user_input"]
            kept = {name: whole[name] for name in ("status", "usage") if name in whole}
            if whole["status"] not in ("in_progress", "queued"):
                return {"steps": steps, **kept}
    raise UsageFault(
        f"{path}: the file has no complete response with steps that a replay could return; record a whole response"
    )
