"""Admits create requests: parses them, checks them against schema and rules, resolves them to a `CreateRequest`.

Where a rule is known, its message is better than the schema's: it names the value and the remedy. Each method is
one rule, with its source in the docstring (`rules/sources.yaml` has the pages). Must not create anything but an
environment, and that as the last step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from harness.contract import Contract, transcript
from harness.contract.models.profiles import describe_life, find_profile
from harness.contract.schema.explain import SchemaProblem, json_type
from harness.contract.schema.schemas import Validator
from harness.emulator.create.limits import judge_agent, judge_life, judge_media, judge_model, judge_surface
from harness.emulator.resources.router import Resources
from harness.emulator.run.run import Run
from harness.emulator.values import hints
from harness.emulator.values.call import Refusal, decode_json, invalid, not_found
from harness.emulator.values.create_request import SELF_HOSTED, CreateRequest
from harness.emulator.values.hints import (
    MODEL_NAME,
    correct_model_name,
    describe_problem,
    describe_schemas,
    suggestion,
)
from harness.emulator.values.settings import GEMINI, Platform, Settings
from harness.emulator.values.stamps import altered
from harness.wire.request_log import KEPT_BODY

Json = dict[str, Any]

AGENTS = re.compile(r"(antigravity|deep-research|code-mender)-[\w.-]+")
"""Names of built-in agents; saved agents are looked up among the resources."""

_CREATE = "requests/create-interaction"


_encode = msgspec.json.Encoder(order="deterministic").encode

_LOOKED_UP = frozenset({"agent", "continuation_token", "environment", "previous_interaction_id"})
"""The fields of a create that name something which was made before."""
_TEXT = re.compile(rb'(?<="text":)"(?:[^"\\]|\\.)+"')
"""A text in JSON; an empty one may be refused, and is none."""
_PLAIN = frozenset({"model", "input", "stream"})
"""The fields of a create of whose response only the words differ."""
_AdmittedKey: TypeAlias = tuple[bool, str, bytes]


def _weigh_values(data: bytes) -> int:
    """About the memory of what was read from JSON, beside its texts: that of values and objects."""
    return 64 * (data.count(b",") + data.count(b"[")) + 240 * data.count(b"{")


class IssuedToken(NamedTuple):
    """Whom a continuation token belongs to, and the steps that are left of the answer there, if they are known."""

    project: str
    rest: Sequence[Json]


@dataclass(eq=False)
class CreateValidator:
    """Admits or refuses creates. `find(id, project)` returns a stored run or None."""

    settings: Settings
    resources: Resources
    find: Callable[[str, str], Run | None]
    contract: Contract
    note: Callable[[str], object]
    tokens: dict[str, IssuedToken] = field(default_factory=dict, init=False)
    admitted: dict[_AdmittedKey | None, CreateRequest] = field(default_factory=dict, init=False)
    """The last creates of models by all but their texts: equal ones need no second look."""
    _named: set[str] = field(default_factory=set, init=False)
    _validators: dict[bool, Validator] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._most_tokens = self.settings.max_runs
        self.sent = SentSteps(self.contract, self.settings.max_runs)

    @property
    def known_fields(self) -> Collection[str]:
        """The names of the top-level fields of the create request."""
        fields: Json = self.contract.schemas.document(_CREATE)["$defs"]["fields"]["properties"]
        return fields.keys()

    @property
    def tools(self) -> Collection[str]:
        """The types of tools that exist; the last no SDK declares, but the service or third-party probes do."""
        return (*self.contract.tools, "filesystem", "bash", "manage_task", "schedule")

    def admit(self, data: bytes, project: str, platform: Platform = GEMINI, version: str = "") -> CreateRequest:
        """Return the order in a request body that came to a surface of the API. Raises Refusal."""
        body = self.parse(data)
        if not platform.gemini:
            body = _read_vertex_forms(body)
        words, key = body.get("input"), None
        if words and _LOOKED_UP.isdisjoint(body):
            rest = msgspec.json.encode({**body, "input": ""})
            if not isinstance(words, str):
                rest += _TEXT.sub(b"", msgspec.json.encode(words))
            key = (platform.vertex, version, rest) if len(rest) <= KEPT_BODY else None
        admitted = self.admitted.get(key)
        if admitted is None:
            self.shape(body)
            order = self.resolve(body, project, platform, version)
            order.size = len(data) + _weigh_values(data)
            is_of_model = order.agent is None and self.is_model(order.model or "")
            if key is not None and is_of_model and order.body == decode_json(data):
                if len(self.admitted) >= 256:
                    self.admitted.clear()
                cell, is_simple = order.profile.value, isinstance(words, str) and body.keys() <= _PLAIN
                order.is_plain = is_simple and cell("thought") == "signed" and cell("output") == ["text"]
                self.admitted[key] = replace(order, body={}, given=[], text="", size=_weigh_values(key[2]))
            return order
        size = admitted.size + len(data)
        if isinstance(words, str):  # hot
            given, text = [{"type": "user_input", "content": [{"type": "text", "text": words}]}], words
        else:
            given = transcript.as_steps(words, self.contract.contents)
            text = transcript.given_text(given)
        order = replace(admitted, body=body, project=project, given=given, text=text, size=size)
        if "tools" in body or not isinstance(words, str):
            self.references(order)
        return order

    def parse(self, data: bytes) -> Json:
        """Parse the body, which must be a JSON object (errors page: 400 invalid_request)."""
        body = decode_json(data)
        if not isinstance(body, dict):
            raise invalid(f"The body must be a JSON object, but its type is {json_type(body)}.")
        return body

    def shape(self, body: Json) -> None:
        """Check names and types against the strict schema, with a hint for names of other APIs."""
        accepts = self.settings.unknown == "accept"
        validator = self._validators.get(accepts)
        if validator is None:
            validator = self._validators[accepts] = self.contract.schemas.validator(_CREATE, closed=not accepts)
        if validator.is_valid(body):  # hot
            return
        if body.get("input"):
            body = {**body, "input": self.sent.remove_from(body["input"])}
            if validator.is_valid(body):
                return
        if body.get("input") != []:
            self._explain_shape(body, validator, accepts=accepts)

    def _explain_shape(self, body: Json, validator: Validator, *, accepts: bool) -> None:
        """Raise Refusal for a body that does not fit the schema, in the words that help most."""
        newer = ""
        if not accepts:
            if self.contract.schemas.validator(_CREATE).is_valid(body):
                newer = describe_schemas(self.contract)
            self.unknown_fields(body, newer)
        self.between_fields(body)
        if hint := hints.bare_tool(body.get("tools"), self.tools):
            raise invalid(hint)
        problems = validator.problems(body, limit=1)
        reason = _describe_refusal(problems[0]) if problems else "The body does not fit the create request."
        raise invalid(reason + newer)

    def unknown_fields(self, body: Json, newer: str = "") -> None:
        """An unknown top-level field is refused, naming it (errors page: parameter_unknown)."""
        for name in body:
            if name not in self.known_fields:
                raise invalid(hints.unknown_field(name, self.known_fields) + newer, "parameter_unknown")

    def between_fields(self, body: Json) -> None:
        """Apply the rules between fields, also to bodies that the schema accepts."""
        # Hot: a rule that could not refuse this body is not called.
        if "model" in body and "agent" in body:
            raise invalid(
                "Both 'model' and 'agent' were sent: an interaction is run by exactly one, leave out the other."
            )
        if "model" not in body and "agent" not in body:
            raise invalid("Provide a 'agent', or 'model' parameter. (Neither was sent: name one of them.)")
        if "agent" in body or "agent_config" in body:
            self.configs(body)
        if not (isinstance(given := body.get("input"), str) and given):
            self.needs_input(body)
        if "store" in body and body["store"] is False and body.get("background") is True:
            raise invalid(  # overview, retention
                "store=true is required for background interactions. "
                "('background' was sent with 'store': false: leave out one of them.)"
            )
        if "webhook_config" in body and body.get("background") is not True:
            # webhook guide's sample; third-party probes
            raise invalid("'webhook_config' needs 'background': true, for only background runs report by webhook.")
        if "tools" in body and self.settings.unknown == "refuse":
            self.tool_types(body)

    def resolve(self, body: Json, project: str, platform: Platform, version: str = "") -> CreateRequest:
        """Return the order, with everything it refers to looked up."""
        self.between_fields(body)
        model, agent = self.author(body, project)
        name = model or agent or ""
        if name not in self._named:
            self._note_name(name, agent)
        words = body.get("input")
        given = transcript.as_steps(words, self.contract.contents)
        text = words if isinstance(words, str) else transcript.given_text(given)
        order = CreateRequest(
            body, project, model, agent, given, text,
            body.get("stream") is True, body.get("store") is not False, body.get("background") is True,
            find_profile(name), platform=platform,
        )  # fmt: skip
        if agent is not None:
            self.agent_rules(order)
        else:
            judge_model(order, self.settings)
        if "previous_interaction_id" in body:
            order.previous = self.parent(body["previous_interaction_id"], project)
        if "continuation_token" in body:
            self.continuation(order)
        if not isinstance(words, str):
            judge_media(words, self.contract.steps_table.media)
            self.function_results(order)
            self.signatures(order)
        if "tools" in body or not isinstance(words, str):
            self.references(order)
        judge_surface(order, platform, version)
        if order.previous is not None or "environment" in order.body:
            self.environment(order)
        return order

    def _note_name(self, name: str, agent: str | None) -> None:
        """Note the end of a model's or agent's life, or that no table lists the model."""
        self._named.add(name)
        profile = find_profile(name)
        is_guessed = agent is None and self.settings.models != "any"
        if note := describe_life(profile) or (profile.standing if is_guessed else ""):
            self.note(note)

    def configs(self, body: Json) -> None:
        """generation_config and cached_content require a model, agent_config an agent (reference)."""
        if "agent" in body:
            self.needs_background(str(body["agent"]).removeprefix("agents/"), body)
            for name in ("generation_config", "cached_content"):
                if name in body:
                    raise invalid(f"'{name}' belongs to a model, but 'agent' was sent: leave it out.")
        elif "agent_config" in body:
            raise invalid(
                "'agent_config' belongs to an agent, but 'model' was sent: leave it out, or send 'agent'."
            )

    def needs_background(self, agent: str, body: Json) -> None:
        """Deep research runs only in the background (guide)."""
        if agent.startswith("deep-research") and body.get("background") is not True:
            raise invalid(
                "Agents are required to use background=true. "
                f"('{agent}' takes minutes: send 'background': true and poll, or stream it.)"
            )

    def needs_input(self, body: Json) -> None:
        """Input is required, unless there is a continuation token (reference; SDK)."""
        given = body.get("input")
        if "input" not in body:
            if "continuation_token" not in body:
                raise invalid(
                    "'input' is missing: send a string, a content, a list of contents or a list of steps."
                )
        elif given in ("", [], None):
            raise invalid("Request has empty input. ('input' is empty.)")
        elif isinstance(given, list) and any(
            isinstance(item, dict) and "role" in item and "type" not in item for item in given
        ):
            raise invalid(
                "When using the steps-based API version, use step_list input format instead of turn_list. "
                '(Turns with a \'role\' are the legacy form: send steps, {"type": "user_input", "content": […]}.)'
            )

    def tool_types(self, body: Json) -> None:
        """An unknown type of tool is refused, naming its place (errors page: bad enum values)."""
        tools = body.get("tools")
        for index, tool in enumerate(tools if isinstance(tools, list) else ()):
            kind = tool.get("type") if isinstance(tool, dict) else None
            if isinstance(kind, str) and kind not in self.tools:
                near = suggestion(kind, self.tools)
                reason = f"Invalid value at 'tools[{index}].type': there is no tool '{kind}'.{near}"
                raise invalid(reason + describe_schemas(self.contract))

    def author(self, body: Json, project: str) -> tuple[str | None, str | None]:
        """Return (model, agent), one of them None. An agent may also be named in `model` (background page)."""
        if "agent" in body:
            name = body["agent"].removeprefix("agents/")
            if not self.is_agent(name, project):
                known = self.contract.schemas.document("agent-name")["x-known-values"]
                dated = [repr(agent) for agent in known if agent.startswith(f"{name}-")]
                hint = suggestion(name, known)
                if dated:
                    hint = f" Agents have dates in their names: {' or '.join(dated)}."
                raise not_found(f"There is no agent '{name}'.{hint}")
            return None, name
        name = body["model"]
        is_listed = not find_profile(name).standing
        models: list[str] = self.contract.schemas.document("model-name")["x-known-values"]
        meant = name if is_listed else correct_model_name(name, models)
        takes_any = self.settings.models == "any"
        if self.is_model(name) and (takes_any or meant == name):
            return name, None
        if self.is_agent(name, project):
            return None, name
        if takes_any:
            return name, None
        hint = f" Did you mean '{meant}'?" if self.is_model(meant) else " Names look like 'gemini-3.8-flash'."
        raise Refusal(
            404,
            "model_not_found",
            f"Model '{name}' not found.{hint} (The emulator's setting models=any takes every name.)",
        )

    def is_model(self, name: str) -> bool:
        """Whether the name belongs to a family of models."""
        return MODEL_NAME.fullmatch(name) is not None

    def is_agent(self, name: str, project: str) -> bool:
        """Whether the name is a built-in agent or one saved in this project."""
        return AGENTS.fullmatch(name) is not None or self.resources.agent(name, project) is not None

    def agent_rules(self, order: CreateRequest) -> None:
        """On Vertex all run in the background, and in an environment: that of the request, or their own.

        `judge_agent` has the other limits of agents.
        """
        self.needs_background(order.agent or "", order.body)  # its name may be in `model`
        if self.settings.lifecycle is not None and self.settings.models == "known":
            judge_life(order, self.settings.lifecycle)
        if order.platform.vertex and not order.background:
            raise invalid("Agent interactions must set background to true.")
        if order.platform.vertex and self.needs_environment(order) and "environment" not in order.body:
            saved = self.resources.agent(order.agent or "", order.project) or {}
            if "base_environment" not in saved:
                raise invalid("Environment configuration is required for Interaction with this Agent.")
            order.body = {**order.body, "environment": "remote"}  # a run in it forks that of the agent
        judge_agent(order, self.contract.steps_table.media)

    def references(self, order: CreateRequest) -> None:
        """Files must have been uploaded and be active, and stores must exist (recorded for files)."""
        self.resources.refer(order)

    def environment(self, order: CreateRequest) -> None:
        """Resolve the environment; continuing a managed agent needs it besides the parent (background page)."""
        wanted = order.body.get("environment")
        if wanted is None:
            if order.previous is not None and self.needs_environment(order):
                raise invalid(
                    "A managed agent is continued with both 'previous_interaction_id' and 'environment': "
                    'add "environment": "remote" or the environment_id of the earlier interaction.'
                )
            return
        if (
            order.previous is not None
            and self.needs_environment(order)
            and wanted in ("remote", {"type": "remote"})
        ):
            # the sample of the background page finds the files of its first turn so; another guide makes it new
            earlier = order.previous.environment_id
            if earlier and self.resources.kept.environments.find(order.project, earlier) is not None:
                wanted = earlier
        made = self.resources.create_environment(wanted, order.project, agent=order.agent or "")
        order.environment_id = str(made["id"])
        order.files = self.resources.kept.environments.list_files(order.environment_id, order.project)
        order.needs_worker = made.get("mode") == SELF_HOSTED

    def needs_environment(self, order: CreateRequest) -> bool:
        """Whether the agent has an environment; deep research has none."""
        return order.agent is not None and not order.agent.startswith("deep-research")

    # What it continues: a parent, a continuation token, pending calls, steps that are sent back

    def parent(self, parent_id: str, project: str) -> Run:
        """Return the interaction to continue: stored, of this project, and settled. Raises Refusal."""
        run = self.find(parent_id, project)
        if run is None:
            raise not_found(
                f"There is no stored interaction '{parent_id[:100]}' to continue: it was never created here, "
                "was deleted, or was created with 'store': false."
            )
        self.parent_settled(run)
        return run

    def parent_settled(self, run: Run) -> None:
        """A run in progress cannot be continued (background page)."""
        run.keep_pace()
        if not run.settled:
            raise invalid(
                f"The interaction '{run.id}' is {run.status}: wait until it has settled before continuing it.",
                "failed_precondition",
            )

    def continuation(self, order: CreateRequest) -> None:
        """A continuation token must be the one that the parent issued, or one issued to this project (SDK)."""
        token = order.body["continuation_token"]
        issued = self.tokens.get(token)
        of_parent = order.previous.token if order.previous is not None else None
        if token != of_parent and (issued is None or issued.project != order.project):
            raise invalid(
                "'continuation_token' was not issued to you for this conversation: pass the latest one unchanged."
            )
        if issued is not None:
            order.rest = issued.rest
        if not order.given and order.previous is not None:
            order.text = transcript.given_text(order.previous.given)

    def function_results(self, order: CreateRequest) -> None:
        """Results must answer calls, each once (function-calling guide), and all that wait (inferred).

        AI SDK writes the calls of the service's tools as function calls: no result answers those.
        """
        sent = [item.get("call_id") for item in transcript.results(order.given)]
        if not sent:
            return
        earlier = order.previous.steps if order.previous is not None else []
        known = {step.get("id") for step in earlier if step["type"] == "function_call"}
        # @google/adk 2.0.0 names the parent and sends its call again, too: that is one call, not two.
        resent = [one for one in order.given if one.get("type") == "function_call" and one.get("id") not in known]
        of_service = {*self.contract.tools, *(tool.get("name") for tool in order.tools if "url" in tool)}
        pending = [
            call["id"]
            for call in transcript.pending_calls([*earlier, *resent])
            if call["id"] in sent or str(call.get("name")).partition(":")[0] not in of_service
        ]
        for call_id in sent:
            if call_id not in pending:
                waiting = (
                    f"pending are {', '.join(pending)}"
                    if pending
                    else "no call is pending: send 'previous_interaction_id', or the function_call step itself "
                    "before its result"
                )
                kind = next((step["type"] for step in earlier if step.get("id") == call_id), "function_call")
                own = "" if kind == "function_call" else f" ({kind}, which the service executes itself)"
                raise invalid(f"A function_result belongs to the call '{call_id}'{own}, but {waiting}.")
            pending.remove(call_id)
        if pending and transcript.results(order.given[transcript.count_transcript(order.given) :]):
            raise invalid(f"The call(s) {', '.join(pending)} got no function_result: send all in one request.")

    def signatures(self, order: CreateRequest) -> None:
        """Thoughts sent back must carry their signature unchanged (thinking guide; code from the errors page).

        A call must follow its thought: not with a stored parent, and not on models that show none or do not need
        it. Calls without a result are not judged: AI SDK writes those of the service's tools as function calls.
        """
        shows_thoughts = order.profile.value("thought") == "signed"
        lacks_thought = (
            shows_thoughts
            and order.previous is None
            and order.agent is None
            and order.profile.value("thought_before_call") == "required"
        )
        answered = {result.get("call_id") for result in transcript.results(order.given)}
        for number, step in enumerate(order.given, 1):
            if step.get("type") == "thought":
                # where a limit cut the answer in its thought, nothing of the model follows, and it is not signed
                after = next((one for one in order.given[number:] if one.get("type") != "thought"), None)
                is_cut = after is None or after.get("type") == "user_input"
                signature = step.get("signature")
                if not signature and shows_thoughts and not is_cut:
                    raise invalid("A thought was sent back without its signature.", "missing_thought_signature")
                if signature and altered(signature):
                    raise invalid(
                        "The signature of a thought was altered: send it back exactly as it was received."
                    )
                lacks_thought = False
            elif (
                lacks_thought
                and step.get("type") == "function_call"
                and step.get("id") in answered
                and step["id"] not in self.sent.bare_calls
                and not step.get("signature")
            ):
                raise invalid(
                    f"The function_call '{step['id']}' is sent back without the thought before it: "
                    "in a stateless turn send all steps back as they were received.",
                    "missing_thought_signature",
                )

    def remember_token(self, run: Run) -> None:
        """Remember the tokens of a run, which may not be stored; the oldest are forgotten first."""
        if run.token is not None:
            self.tokens[run.token] = IssuedToken(run.project, run.rest)
        for at, token in run.checkpoints.items():
            self.tokens[token] = IssuedToken(run.project, run.steps[at + 1 :])
        while len(self.tokens) > self._most_tokens:
            del self.tokens[next(iter(self.tokens))]


_FULL_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/(agents/.+)")
_ROLES = {"user": "user_input", "model": "model_output"}


def _read_vertex_forms(body: Json) -> Json:
    """Return a body with the forms that only Vertex takes as the others have them.

    They are the full name of an agent (Google's notebooks) and turns with a role (its developer guide).
    """
    agent, given = body.get("agent"), body.get("input")
    if isinstance(agent, str) and (full := _FULL_NAME.fullmatch(agent)) is not None:
        body = {**body, "agent": full[1]}
    if isinstance(given, list):
        body = {**body, "input": [_read_turn(item) for item in given]}
    return body


def _read_turn(item: Any) -> Any:
    """Return a turn with a role as a step; anything else as it is."""
    kind = _ROLES.get(str(item.get("role"))) if isinstance(item, dict) and "type" not in item else None
    if kind is None:
        return item
    words = item.get("content")
    content = {"content": [{"type": "text", "text": words}]} if isinstance(words, str) else {}
    return {"type": kind, **{name: value for name, value in item.items() if name != "role"}, **content}


class SentSteps:
    """The steps that the emulator sent and the schemas do not list: scripts may contain any."""

    def __init__(self, contract: Contract, most: int) -> None:
        self._contract = contract
        self._most = most
        self._sent: dict[bytes, None] = {}
        self.bare_calls: dict[str, None] = {}
        """Ids of calls for which a script has no thought, so that clients cannot send one back."""

    @cached_property
    def _validator(self) -> Validator:
        """Compiled when a script first has steps: most tests have none."""
        return self._contract.schemas.validator("step", closed=True)

    def remember(self, steps: Iterable[Json]) -> None:
        """Remember those of the steps that a strict create would refuse; the oldest are forgotten first."""
        has_thought = False
        for step in steps:
            has_thought = has_thought or step.get("type") == "thought"
            if step.get("type") == "function_call" and not has_thought:
                self.bare_calls[step["id"]] = None
            if not self._validator.is_valid(step):
                self._sent[_encode(step)] = None
        while len(self._sent) > self._most:
            del self._sent[next(iter(self._sent))]
        while len(self.bare_calls) > self._most:
            del self.bare_calls[next(iter(self.bare_calls))]

    def remove_from(self, given: Any) -> Any:
        """Return `input` without steps that were sent, here or, as third parties saw, by the live service."""
        rest = transcript.without_unpublished(given)
        if not self._sent or not isinstance(rest, list):
            return rest
        return [step for step in rest if _encode(step) not in self._sent]


def _describe_refusal(problem: SchemaProblem) -> str:
    """Return one problem found by the schema as a sentence; the rule for labels is given in full."""
    place = problem.pointer.removeprefix("$").lstrip(".")
    if place.partition(".")[0] == "labels" and problem.keyword != "type":
        what = "key" if place == "labels" else f"value at '{place}'"
        return (
            f"Invalid label: the {what} is {problem.actual}. Keys and values have at most 63 characters: "
            "lower-case letters of any script, digits, '_' and '-'; a key begins with a letter, a value may be "
            "empty."
        )
    return describe_problem(problem)
