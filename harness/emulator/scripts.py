"""Scripts, which decide how the emulator answers the next creates: their keys, their queue, and files of them.

Knows the keys of a script (`docs/emulator-reference.md`), which creates it matches and how often it was given;
must not know how it is run. Scenario files are YAML (or JSON, which is YAML too).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from harness.contract.tables.protocol import LIFECYCLE, REQUIRES_CONTINUATION, LifecycleTable
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.hints import suggestion
from harness.errors import ScriptFault
from harness.files import explain_unread, load_yaml, read_file
from harness.outcome.words import shorten
from harness.wire.message import is_sendable

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
ErrorStatus = Annotated[int, msgspec.Meta(ge=400, le=599)]


class Refuse(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The create is refused with this error; without a code, with the one that goes with the status."""

    status: ErrorStatus = 503
    code: str = ""
    message: str = "The script refuses this call."
    headers: dict[str, str] = {}


class ScriptedError(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An error event after `after` events.

    If `fatal`, it ends one stream, once, and the run goes on; with `status: failed` the run itself ends there. If
    not `fatal`, every reader gets it among the other events. `id` gives it an event id.
    """

    after: Count = 2
    code: str | None = None
    message: str | None = None
    id: bool = False
    fatal: bool = True


class Hold(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The run stops after `after` events until it is released or cancelled."""

    after: Count = 0


class Hidden(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """GET finds the interaction only after `polls` refusals (0: never), or once it is `seconds` old."""

    polls: Count = 2
    seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None
    status: ErrorStatus = 404
    code: str = ""
    message: str = "Requested entity was not found."


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which creates a script is for; a field that is None matches all."""

    model: str | None = None
    agent: str | None = None
    previous: bool | None = None
    further: bool | None = None
    input_contains: str | None = None
    tool: str | None = None

    def fits(self, order: CreateRequest) -> bool:
        """Whether a create matches; a tool is named by its type, or a function by its name."""
        pairs = (
            (self.model, order.model),
            (self.agent, order.agent),
            (self.previous, order.previous is not None),
            (self.further, order.is_further),
        )
        if any(wanted not in (None, given) for wanted, given in pairs):
            return False
        if self.input_contains is not None and self.input_contains not in order.text:
            return False
        named = {tool.get(key) for tool in order.tools if isinstance(tool, dict) for key in ("type", "name")}
        return self.tool is None or self.tool in named


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One response. Every key is optional; `docs/emulator-reference.md` explains each."""

    text: str | None = None
    steps: list[dict[str, Any]] | None = None
    deltas: Positive | list[str] | None = None
    thought: bool | str | None = None
    status: str | None = None
    created_status: str | None = None
    errors: list[dict[str, Any]] = []
    usage: dict[str, Any] = {}
    refuse: Refuse | None = None
    error_event: ScriptedError | None = None
    queued: Count = 0
    ticks: Count | None = None
    hold: Hold | bool = False
    cancel_lag: Count = 0
    lasts: Annotated[float, msgspec.Meta(gt=0)] | None = None
    hidden: Hidden | None = None
    extra: dict[str, Any] = {}
    fragments: Positive | None = None
    hops: Positive = 1
    checkpoints: bool = False
    mcp_steps: Literal["mcp_server_tool", "tool_call"] = "mcp_server_tool"
    without_context: bool = False
    continuation_token: str | None = None
    environment_id: str | None = None
    times: Count = 1
    match: Match | None = None

    @property
    def says_output(self) -> bool:
        """Whether the script fixes the output, whatever the request asks for."""
        return self.text is not None or self.steps is not None or isinstance(self.deltas, list)

    @property
    def held_after(self) -> int | None:
        """The number of events after which the run is held, or None."""
        if isinstance(self.hold, Hold):
            return self.hold.after
        return 0 if self.hold else None


_PARTS: dict[str, type[Struct]] = {
    "error_event": ScriptedError, "hidden": Hidden, "hold": Hold, "match": Match, "refuse": Refuse,
}  # fmt: skip
"""The keys of a script that hold an object, and its type."""

EMPTY = Script()
"""Scripts nothing: `reply/` answers with its defaults."""


def parse(value: Any, lifecycle: LifecycleTable = LIFECYCLE) -> Script:
    """Parse decoded JSON or YAML; a run may end as `lifecycle` allows.

    Raises ScriptFault that names the wrong key, the reason, and the accepted keys.
    """
    if not isinstance(value, Mapping):
        raise ScriptFault(f"a script is an object of keys such as 'text' or 'steps', not {type(value).__name__}")
    _judge_keys("a script", value, Script.__struct_fields__)
    for name, part in _PARTS.items():
        if isinstance(value.get(name), Mapping):
            _judge_keys(name, value[name], part.__struct_fields__)
    try:
        script = msgspec.convert(dict(value), Script)
    except msgspec.ValidationError as refusal:
        raise ScriptFault(f"invalid script: {refusal}; docs/emulator-reference.md lists the keys") from None
    _check(script, lifecycle.ends)
    return script


def _judge_keys(what: str, value: Mapping[Any, Any], known: Collection[str]) -> None:
    """Raise ScriptFault for a key that is not known, with the one that was meant or all that there are."""
    for key in value:
        if key not in known:
            hint = suggestion(str(key), known) or f" Its keys are {', '.join(known)}."
            raise ScriptFault(f"{what} has no key {key!r}.{hint}")


def _check(script: Script, ends: Collection[str]) -> None:
    """Raise ScriptFault for what types cannot express."""
    if script.text is not None and script.steps is not None:
        raise ScriptFault("'text' and 'steps' both define the output: give one of them")
    if script.text is not None and isinstance(script.deltas, list) and "".join(script.deltas) != script.text:
        raise ScriptFault("the pieces in 'deltas' do not join to 'text': leave out one of the two")
    if script.status not in (None, *ends):
        raise ScriptFault(f"status={script.status!r} is not one a run can end in: {', '.join(ends)}")
    if script.continuation_token is not None and script.status not in (None, REQUIRES_CONTINUATION):
        raise ScriptFault(f"continuation_token comes with the status {REQUIRES_CONTINUATION} only")
    for index, step in enumerate(script.steps or ()):
        _check_step(f"steps[{index}]", step)
    for name, value in script.refuse.headers.items() if script.refuse is not None else ():
        if not is_sendable(name, value):
            raise ScriptFault(
                f"refuse.headers: {name!r}: {value!r} cannot be sent: a name is a token, a value one line"
            )


def _check_step(place: str, step: dict[str, Any]) -> None:
    """Check only what streaming the step needs; a script may contain steps that the API does not have."""
    if not isinstance(step.get("type"), str):
        raise ScriptFault(f"{place} needs a string 'type', as GET would return it")
    name = {"model_output": "content", "thought": "summary"}.get(step["type"])
    for part in step.get(name, ()) if name else ():
        if not isinstance(part, dict) or (part.get("type") == "text" and not isinstance(part.get("text"), str)):
            raise ScriptFault(f"{place}.{name} must hold objects, a text among them with a string 'text'")


ScriptMaker: TypeAlias = Callable[[CreateRequest], Script]
"""Makes the script for a create when it comes."""


class QueuedAnswer(Struct, eq=False):
    """A script in the queue. `make` makes the one to run; `script` then has only `times` and `match`."""

    script: Script
    make: ScriptMaker | None = None
    taken: bool = False
    left: int = 0
    given: int = 0
    calls: set[str] = msgspec.field(default_factory=set)

    def __post_init__(self) -> None:
        self.left = self.script.times

    def describe(self) -> str:
        """Its text, shortened, or what else it is."""
        script = self.script
        if script.refuse is not None:
            return f"a refusal with {script.refuse.status}"
        return "an answer" if script.text is None else f"the answer {shorten(repr(script.text), 60)}"

    def take(self, order: CreateRequest) -> Script:
        """The script to play for a create."""
        self.taken = True
        self.left = max(0, self.left - 1)  # zero means without limit
        self.given += 1
        script = self.script if self.make is None else self.make(order)
        if not script.steps:  # hot
            return script
        calls = {step["id"] for step in script.steps if isinstance(step.get("id"), str)}
        repeated = calls & self.calls
        if not repeated:
            self.calls |= calls
            return script
        # the service gives no id to a second call: the script gets other ids, also in the results of its calls
        steps = []
        for step in script.steps:
            named = {key: step[key] for key in ("id", "call_id") if step.get(key) in repeated}
            steps.append({**step, **{key: f"{call}_{self.given}" for key, call in named.items()}})
        return msgspec.structs.replace(script, steps=steps)


class ScriptQueue:
    """A queue of answers. Each create takes the first that matches it; a script serves `times` creates."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: list[QueuedAnswer] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def refusals(self) -> int:
        """The number of answers in the queue that are refusals."""
        return sum(answer.script.refuse is not None for answer in self._waiting)

    @property
    def unmet(self) -> list[str]:
        """The answers in the queue that no create has taken, in a few words each."""
        return [answer.describe() for answer in self._waiting if not answer.taken]

    def add(self, *answers: Script | QueuedAnswer, first: bool = False) -> None:
        """Queue all answers, on request before those that wait.

        If there is no room for all of them, queue none and raise ScriptFault.
        """
        room = self._most - len(self._waiting)
        if len(answers) > room:
            raise ScriptFault(
                f"{len(answers)} more scripts do not fit in the queue, where {len(self._waiting)} of at most "
                f"{self._most} wait already (setting max_queued): reset, or raise the bound"
            )
        queued = [QueuedAnswer(answer) if isinstance(answer, Script) else answer for answer in answers]
        place = 0 if first else len(self._waiting)
        self._waiting[place:place] = queued

    def remove(self, *, refusals: bool) -> None:
        """Take out the refusals, or all other answers."""
        self._waiting = [answer for answer in self._waiting if (answer.script.refuse is not None) is not refusals]

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, order: CreateRequest) -> Script:
        """Take the script for a create; `EMPTY` if none matches."""
        for index, answer in enumerate(self._waiting):
            if (match := answer.script.match) is None or match.fits(order):
                if answer.left == 1:
                    del self._waiting[index]
                return answer.take(order)
        return EMPTY


class ScenarioFile(Struct, frozen=True):
    """The content of a file: its scripts in order, and the settings to change."""

    replies: tuple[Script, ...]
    settings: dict[str, Any]


def load_scenario(path: str | Path, lifecycle: LifecycleTable = LIFECYCLE) -> ScenarioFile:
    """Read a scenario file, whose runs end as `lifecycle` allows.

    Raises ScriptFault that names the file and what is wrong in it.
    """
    try:
        text = read_file(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise ScriptFault(f"the scenario {path} cannot be read: {explain_unread(fault)}") from None
    try:
        return read_scenario(text, lifecycle)
    except ScriptFault as fault:
        raise ScriptFault(f"{path}: {fault}") from None


def read_scenario(text: str, lifecycle: LifecycleTable = LIFECYCLE) -> ScenarioFile:
    """Parse the text of a scenario. Raises ScriptFault."""
    import yaml  # an emulator without scenario files does not need it

    try:
        value = load_yaml(text)
    except (ValueError, RecursionError, yaml.YAMLError) as fault:
        mark, problem = getattr(fault, "problem_mark", None), getattr(fault, "problem", None)
        why = f"line {mark.line + 1}: {problem}" if mark and problem else " ".join(str(fault).split())
        raise ScriptFault(f"this is not YAML: {why}") from None
    if isinstance(value, list):
        value = {"replies": value}
    if not isinstance(value, dict):
        raise ScriptFault("a scenario is a list of scripts, or an object with 'replies' and 'settings'")
    _judge_keys("a scenario", value, ("replies", "settings", "description"))
    replies, settings = value.get("replies"), value.get("settings")
    if replies is not None and not isinstance(replies, list):
        raise ScriptFault(f"'replies' is a list of scripts, not {type(replies).__name__}")
    scripts = []
    for number, item in enumerate(replies or (), start=1):
        try:
            scripts.append(parse(item, lifecycle))
        except ScriptFault as fault:
            raise ScriptFault(f"reply {number}: {fault}") from None
    if settings is not None and not isinstance(settings, dict):
        raise ScriptFault(f"'settings' is an object, not {type(settings).__name__}")
    found = ScenarioFile(tuple(scripts), settings or {})
    if not found.replies and not found.settings:
        raise ScriptFault("the scenario is empty: write 'replies' or 'settings', or leave the file out")
    return found
