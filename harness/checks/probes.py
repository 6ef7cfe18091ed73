"""The questions of the probe: whether a target serves interactions, in which form, and its optional features.

The first creates of a run are a handshake. If the target accepts no form of create, a TargetFault quotes its
response: it is not this API or it rejects every client, so there is nothing to judge.

Each later question is one function, which settles the capabilities listed with it. It knows requests and what
their responses mean for a capability; it must not know when a question is worth it. A clean rejection means that
the target does not offer it. A 2xx without the effect is neither yes nor no: the feature was accepted but not
fulfilled, which a check reports. A crash or a temporary rejection settles nothing: the capability is then assumed
present, and the checks decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct, field

from harness.checks.capabilities import REMEDIES
from harness.checks.vocabulary import runs
from harness.checks.vocabulary.resources import LISTED
from harness.checks.vocabulary.routes import NO_ROUTE, is_no_route
from harness.checks.vocabulary.shared import FORCED, HELLO, WEATHER
from harness.contract import read
from harness.contract.judge.answer import SUCCESS, judge_output_types
from harness.contract.judge.body import rejects_key
from harness.contract.judge.reading import format_answer, format_ending
from harness.contract.requests import RequestBuilder
from harness.kit.api import Greeting, Lack, Probes, Question
from harness.kit.check import Close, Part, Read, play_each
from harness.kit.wrong_call import explain_wrong_call
from harness.outcome import TargetFault
from harness.outcome.words import format_count
from harness.wire import Exchange, How, Request
from harness.wire.message import EVENT_STREAM, NOT_READY, segment

_REFUSALS = {
    401: "pass --api-key or set GEMINI_API_KEY (`harness serve` accepts any key)",
    402: "it requires a payment",
    403: "this key has no permission for it: pass another one with --api-key",
    429: (
        "it limits the rate or the quota of this key beyond the wait of the run: try again later, with --rate N "
        "or a longer --max-wait S"
    ),
}
_MARKS = frozenset({"status", "steps", "outputs"})
"""Members of which each interaction has one; responses of other APIs have an `id`, too."""
_EVENT_MARKS = frozenset({"interaction", "interaction_id", "step"})
"""Members of which each stream of this API has one, also where all its event types are wrong."""

Send = Callable[[Request], Exchange]


class Form(Struct, frozen=True):
    """One form of a create. `says` are the fields that every later create then needs; `reason` explains why."""

    fields: Mapping[str, Any]
    reason: str = ""
    says: Mapping[str, Any] = field(default_factory=dict)


FORMS = (
    Form({}),
    Form(
        {"stream": True},
        "only a create with stream=true returned an interaction: checks without a stream fail, "
        "and --profile streaming judges only streams",
    ),
    Form(
        {"store": False},
        "only a create with store=false returned an interaction: checks that need storage are not tested",
        {"store": False},
    ),
    Form(
        {"store": False, "stream": True},
        "only a create with store=false and stream=true returned an interaction: checks without a stream fail, "
        "and --profile streaming judges only streams",
        {"store": False},
    ),
)

_UNASKED = Form(
    {"stream": False}, "it streams if a create omits `stream`, so all creates send stream=false", {"stream": False}
)


def _greet(target: RequestBuilder, send: Send, *, insist: bool = False) -> Greeting:
    """Try each form of a create until one is accepted. Raises TargetFault if none is.

    `insist`: the user declared capabilities, so the checks judge a refusal that has this API's error shape.
    """
    first = _answer(target, send, FORMS[0])
    if _answered(first) and read(first).is_stream:  # it streams if a create leaves `stream` out
        answer = _answer(target, send, _UNASKED)
        return _use(_UNASKED, answer) if _answered(answer) else _use(FORMS[1], first, answer)
    if _answered(first):
        return _use(FORMS[0], first)
    for form in FORMS[1:]:
        answer = _answer(target, send, form)
        if _answered(answer) and read(answer).is_stream is bool(form.fields.get("stream")):
            return _use(form, answer, first)
    if insist and first.status in range(400, 500) and read(first).error is not None:
        no_form = Form({}, "no create returned an interaction; the declared capabilities are judged")
        return _use(no_form, first, first)
    raise TargetFault(_nothing_there(target, first))


def _use(form: Form, answer: Exchange, refused: Exchange | None = None) -> Greeting:
    """The form to use and the answer to it; `refused` is the answer to a simpler create, if one was refused."""
    plain = f" (a plain create returned {format_answer(refused)})" if refused else ""
    return Greeting(answer, form.says, (form.reason + plain,) if form.reason else ())


def _answer(target: RequestBuilder, send: Send, form: Form) -> Exchange:
    answer = send(target.create(form.fields, input=HELLO))
    if answer.ending.unresolved:
        raise TargetFault(f"{answer.ending.detail}: check the spelling of the URL and the name service (DNS)")
    if answer.status is None:
        raise TargetFault(f"the target returned no response: {_explain_silence(answer)}")
    why = explain_wrong_call(answer)
    if not why and target.key and (answer.status == 401 or rejects_key(answer)):
        why = "the target does not accept the key: pass a valid one with --api-key or GEMINI_API_KEY"
    if why := why or _REFUSALS.get(answer.status, ""):
        words = format_answer(answer)
        returned = words if words.isdecimal() else repr(words)
        raise TargetFault(f"the target rejected a create with {returned}: {why}")
    return answer


def _explain_silence(answer: Exchange) -> str:
    """Why a create got no response, and what to do about it."""
    detail = answer.ending.detail
    if answer.ending.how is How.REFUSED:
        place = detail.replace(": Connection refused", "")
        named = "HTTPS_PROXY" if place.startswith("the proxy ") else "the URL"
        return f"connection refused ({place}): check {named}, or wait for the server with --wait S"
    if answer.ending.how is How.TIMEOUT:
        return f"{detail}: check the URL and the log of the server"
    if answer.ending.how in (How.TLS, How.BAD_HTTP) and detail:
        advised = "write http" in detail or "--ca-file" in detail
        return detail if advised else f"{detail}: check the URL and its port"
    return f"{format_ending(answer)}: check the URL and the log of the server, or wait for it with --wait S"


def _answered(answer: Exchange) -> bool:
    reading = read(answer)
    if reading.stream is not None:
        return any(not _EVENT_MARKS.isdisjoint(event) for event in reading.events)
    return reading.interaction is not None and not _MARKS.isdisjoint(reading.interaction)


def _nothing_there(target: RequestBuilder, plain: Exchange) -> str:
    if plain.status in NOT_READY:
        return (
            f"the target is not ready: POST {plain.request.raw_path} with a plain create returned "
            f"{format_answer(plain)!r}, and creates with stream=true and with store=false failed, too. If it is "
            "starting, wait for it with --wait S; if it is overloaded, run again later."
        )
    whole = format_answer(plain)
    returned = repr(whole) if plain.body else f"{plain.status} with an empty body"
    advice = (
        f"Check the root URL, the API version (`--api-version`, now {target.version}) and the model "
        f"(`--model`, now {target.model})."
    )
    if plain.status == 500:
        advice = "Read the log of the server: it failed on a valid request."
    return (
        f"the target returns no interactions: POST {plain.request.raw_path} with a plain create returned "
        f"{returned}. Requests with stream=true and with store=false also failed. {advice}"
    )


SLOW_INPUT = "Write a story of about 300 words."
_MORE_SECONDS, _PACE = 2.0, 20
"""The least seconds for those after the first, and for how many times what a create took they are waited for."""
_UNSETTLED = frozenset({"in_progress", "queued"})
_UNSUPPORTED = frozenset({400, 405, 422, 501})
"""Refusals of a field that a target does not know; any other one is about what the field says."""


class Probe(Protocol):
    """The prober as the questions see it: sends requests and records findings and notes for the reader."""

    target: RequestBuilder
    greeting: Exchange
    notes: list[str]

    def ask(self, request: Request, *names: str) -> Exchange | None:
        """Send a request and return the answer; if none came, None, and these capabilities are assumed present."""

    def has_response(self, exchange: Exchange, *names: str) -> bool:
        """Whether an exchange has an answer; if it has none, these capabilities are assumed present."""

    def settle(
        self, name: str, present: bool, note: str, lack: Lack = Lack.REFUSED, *, owing_to: str = ""
    ) -> None:
        """Record whether a capability is present, as observed; if it is not, why, and owing to which other one."""

    def perform(self, part: Part[Any]) -> Any:
        """Play a part of an exercise and return its result."""

    def why_lacking(self, name: str) -> Lack | None:
        """Why a requested capability is not present; None if it is, or if that is unknown."""


def _probe_thoughts(ask: Probe) -> None:
    seen = "thought" in _step_types(ask.greeting)
    ask.settle("thoughts", seen, f"the response contained {'a' if seen else 'no'} thought step", Lack.UNSEEN)


def _assume_obedience(ask: Probe) -> None:
    # Their checks send the only requests that could tell. The user of a mock with scripted texts denies them.
    ask.settle("formats", True, "assumed; `create.response-format` judges it")
    ask.settle("prompts", True, "assumed; `rob.concurrent-output` judges it")


def _probe_storage(ask: Probe) -> None:
    found = read(ask.greeting).id
    if not found:
        wrong = next(judge_output_types(ask.greeting), None)
        if wrong is None:
            streamed = ask.perform(runs.read_whole_stream(ask.target.create(input=HELLO, stream=True)))
            told = read(streamed).id if streamed.status in SUCCESS else None
            polls = ask.perform(runs.poll_until_found(ask.target, told, patient=False)) if told else []
            if polls and polls[-1].status in SUCCESS:
                ask.settle(
                    "store", True, "GET finds what a streamed create made, though a plain one returns no id"
                )
                return
        lack = Lack.REFUSED if wrong is None else Lack.NOT_DONE
        detail = "" if wrong is None else f" that can be requested: at {wrong.where.pointer} it {wrong.message}"
        ask.settle("store", False, f"the create returned no id{detail}", lack)
        return
    polls = ask.perform(runs.poll_until_found(ask.target, found))
    note = f"GET of a new interaction returned {polls[-1].status}"
    if len(polls) > 1:
        note += f" after {len(polls)} GETs"
    if not ask.has_response(polls[-1], "store"):
        return
    if polls[-1].status in SUCCESS:
        ask.settle("store", True, note)
    elif polls[-1].status in NO_ROUTE:
        ask.settle("store", False, f"{note}: the target offers no GET")
    elif ask.perform(is_no_route(ask.target, polls[-1])) and read(polls[-1]).error is None:
        ask.settle("store", False, f"{note}, as for any unknown path: the target offers no GET")
    else:
        ask.settle("store", False, f"{note}, which the create had given an id", Lack.NOT_DONE)


def _probe_deletion(ask: Probe) -> None:
    """Delete the first interaction, which was created for this and the other questions."""
    if _inherits(ask, "store", "delete"):
        return
    answer = ask.ask(ask.target.delete(read(ask.greeting).id or ""), "delete")
    if answer is not None:
        none = ask.perform(is_no_route(ask.target, answer))
        ask.settle("delete", not none, f"DELETE returned {answer.status}")


def _probe_chaining(ask: Probe) -> None:
    if _inherits(ask, "store", "chain"):
        return
    request = ask.target.create(input=HELLO, previous_interaction_id=read(ask.greeting).id)
    answer = _ask_twice(ask, request, lambda answer: answer.status in SUCCESS, "chain")
    if answer is not None:
        refused = answer.status in _UNSUPPORTED
        ask.settle("chain", not refused, f"previous_interaction_id{_describe_refusal(answer) or ' was accepted'}")


def _inherits(ask: Probe, whole: str, *parts: str) -> bool:
    """Whether one capability is lacking, so that others which cannot do without it are lacking, too."""
    lack = ask.why_lacking(whole)
    if lack is None:
        return False
    for part in parts:
        ask.settle(part, False, f"nothing of the kind without {whole}", lack, owing_to=whole)
    return True


def _probe_authentication(ask: Probe) -> None:
    found = read(ask.greeting).id
    path = f"interactions/{segment(found) if found else 'harness-probe'}"
    answer = ask.ask(ask.target.request("GET", path, key="harness-wrong-key"), "auth")
    if answer is not None:
        # A 400 means a refused key only if the id exists.
        refused = answer.status in (401, 403) or (answer.status == 400 and bool(found))
        note = f"a wrong key returned {answer.status}"
        if (
            answer.status in SUCCESS
        ):  # a create without fields runs nothing, and shows whether other calls need a key
            create = ask.ask(ask.target.request("POST", "interactions", {}, key="harness-wrong-key"), "auth")
            refused = create is not None and create.status in (401, 403)
            note += f" to a GET, {create.status} to a POST" if create is not None else ""
        ask.settle("auth", refused, note)


def _ask_for_route(name: str, collection: str, version: str | None = None) -> Question:
    """Whether a POST without fields, which costs nothing, finds the route of a collection."""

    def settle(ask: Probe) -> None:
        if version is not None and ask.target.version.partition("/")[0] == version:
            ask.settle(name, False, f"{version} is already the tested version")
            return
        request = ask.target.request("POST", collection, {}, version=version)
        answer = ask.ask(request, name)
        if answer is not None:
            none = answer.status in NO_ROUTE or ask.perform(is_no_route(ask.target, answer))
            ask.settle(name, not none, f"POST {request.raw_path} without fields returned {answer.status}")

    return Question((name,), settle)


def _probe_streaming(ask: Probe) -> None:
    request = ask.target.create(input=HELLO, stream=True)
    answer = _ask_twice(ask, request, lambda answer: answer.status == 200 and read(answer).is_stream, "stream")
    if answer is not None:
        kind = answer.headers.media_type() or "without a type"
        # Events with another content type are still a stream; the checks report the wrong type.
        streams = answer.status == 200 and read(answer).is_stream
        brought = f"{kind}, and events" if streams and kind != EVENT_STREAM else kind
        lack = Lack.NOT_DONE if answer.status in SUCCESS else Lack.REFUSED
        ask.settle("stream", streams, f"stream=true returned {answer.status} {brought}", lack)
        found = read(answer).id
        if streams and found and ask.why_lacking("store") is None:
            ask.perform(runs.poll_until_found(ask.target, found))  # whether the stream brought what is stored


def _ask_twice(ask: Probe, request: Request, is_done: Callable[[Exchange], bool], *names: str) -> Exchange | None:
    """Ask again what was not done: all checks of a mode fall away with it, and one answer may be a mishap."""
    answer = ask.ask(request, *names)
    return answer if answer is None or is_done(answer) else ask.ask(request, *names)


_OF_BACKGROUND = ("background-slow", "event-ids", "resume", "cancel")


def _probe_background(ask: Probe) -> None:
    request = ask.target.create(input=SLOW_INPUT, background=True)
    answer = _ask_twice(ask, request, lambda answer: bool(runs.id_of(answer)), "background", *_OF_BACKGROUND)
    if answer is None:
        return
    found, status = runs.id_of(answer), runs.status_of(answer)
    begins = bool(found) and status in _UNSETTLED
    store = ask.why_lacking("store")
    if begins and store is not None:
        ask.notes.append(
            f"background=true starts runs ({status}), but GET does not find them: "
            "checks of background runs are not tested"
        )
        ask.settle("background", False, "runs start, and GET finds none of them", store, owing_to="store")
    else:
        lack = Lack.NOT_DONE if answer.status in SUCCESS else Lack.REFUSED
        ask.settle("background", begins, f"background=true returned {status or format_answer(answer)}", lack)
    if not _inherits(ask, "background", *_OF_BACKGROUND):
        _read_a_run(ask, found)


def _read_a_run(ask: Probe, found: str) -> None:
    """See whether a background run that has just begun still runs, stream it, and cancel it."""
    parts: list[Part[Any]] = [runs.poll_until_found(ask.target, found)]
    if not _inherits(ask, "stream", "resume", "event-ids"):
        parts.append(_read_first_events(ask.target, found, ask.greeting.seconds))
    (*denied, polled), *streams = ask.perform(play_each(parts))
    over = runs.status_of(polled) not in (*_UNSETTLED, "")
    when = "the first GET"
    if denied:
        when = f"GET {len(denied) + 1}, the first that found the run"
        ask.notes.append(
            f"GET returned 404 {format_count(len(denied), 'time')} for a background run that had just begun: "
            "a client that polls as documented gives up"
        )
    ask.settle("background-slow", not over, f"{'over' if over else 'still running'} at {when}", Lack.UNSEEN)
    for stream in streams:
        events = read(stream).events
        if not events and not ask.has_response(stream, "resume", "event-ids"):
            continue
        lack = Lack.NOT_DONE if stream.status in SUCCESS else Lack.REFUSED
        kind = stream.headers.media_type() or "without a type"
        ask.settle("resume", bool(events), f"GET with stream=true returned {stream.status} {kind}", lack)
        carried = any(isinstance(event.get("event_id"), str) for event in events)
        ask.settle("event-ids", carried, f"{format_count(len(events), 'event')} of a background stream read")
    answer = ask.ask(ask.target.cancel(found), "cancel")
    if answer is not None:
        none = ask.perform(is_no_route(ask.target, answer))
        ask.settle("cancel", not none, f"cancel returned {answer.status}")
        if answer.status in SUCCESS:
            ask.ask(ask.target.get(found))  # shows whether the cancel took effect


def _read_first_events(t: RequestBuilder, found: str, pace: float) -> Part[Exchange]:
    """The first events of a stream; those after the first one are waited for as fits the pace of the target."""
    # Seconds for the first events of a stream, which may never end; none within that is no answer.
    stream = yield from runs.open_stream(t, found, timeout=min(t.wait, 10.0))
    yield Read(stream, 1)
    stream.hurry(max(_MORE_SECONDS, _PACE * pace))
    yield Read(stream, 5)
    exchange: Exchange = yield Close(stream)
    return exchange


def _ask_for_step(name: str, kind: str, text: str, **fields: Any) -> Question:
    """Whether the response to a create has a step of this kind."""

    def settle(ask: Probe) -> None:
        answer = ask.ask(ask.target.create(input=text, **fields), name)
        if answer is not None:
            came = kind in _step_types(answer)
            held = f"a {kind} step" if came else f"no {kind} step{_describe_refusal(answer)}"
            lack = Lack.UNSEEN if answer.status in SUCCESS else Lack.REFUSED
            ask.settle(name, came, f"the response contained {held}", lack)

    return Question((name,), settle)


def _probe_agents(ask: Probe) -> None:
    """Run the agent in an environment and in the background, as most agents require.

    If that is refused, try again without the environment, then without both. If a model answers, see whether it
    does for any name.
    """
    agent = ask.target.agent
    whole = {"agent": agent, "input": HELLO, "environment": "remote", "background": True}
    without: tuple[str, ...] = ()
    first: Exchange | None = None
    for without in ((), ("environment",), ("environment", "background")):
        fields = {name: value for name, value in whole.items() if name not in without}
        answer = ask.ask(ask.target.create(fields), "agents")
        if answer is None:
            return
        first = first or answer
        if runs.status_of(answer):
            break
    else:
        ask.settle("agents", False, f"agent {agent!r} did not run{_describe_refusal(first)}")
        return
    if runs.find_model(answer):
        control = ask.ask(ask.target.create({**fields, "agent": runs.NOBODY}), "agents")
        if control is None:
            return
        if model := runs.find_stand_in(answer, control):
            note = f"the model {model!r} ran agent {agent!r}, as it runs an agent that does not exist"
            ask.settle("agents", False, note, Lack.NOT_DONE)
            return
    background = "background" not in without
    note = f"agent {agent!r} ran" + (
        f" only without {' and '.join(without)}{_describe_refusal(first)}" if without else ""
    )
    if not background:  # a target that runs nothing in the background lacks that, and not agents
        note = f"{note}: checks run agents in the background"
    ask.settle("agents", background, note, ask.why_lacking("background") or Lack.NOT_DONE)


def _describe_refusal(answer: Exchange | None) -> str:
    return f": {format_answer(answer)}" if answer is not None and answer.status not in SUCCESS else ""


def _ask_for_list(name: str, collection: str = "") -> Question:
    """Whether a collection, by default of the same name, is there: it can be listed.

    That of interactions is one only below Vertex, or if it has Vertex's form.
    """
    collection = collection or name

    def settle(ask: Probe) -> None:
        answer = ask.ask(ask.target.request("GET", collection, query={"page_size": 1}), name)
        if answer is None:
            return
        body = read(answer).json
        listed = answer.status == 200 and isinstance(body, dict) and "error" not in body
        note = f"GET {collection} returned {answer.status}"
        if listed and name == "listing" and "/" not in ask.target.version and LISTED not in body:
            listed, note = False, f"{note} without `{LISTED}`, so it is another list"
        ask.settle(name, listed, note)

    return Question((name,), settle)


UNDISCOVERABLE = (
    "two-keys", "self-hosted", "agents-crud", "continuation", "long-decode", "image-answers", "audio-answers",
    "deep-research",
)  # fmt: skip
"""Capabilities that no request can find."""

QUESTIONS: tuple[Question, ...] = (
    Question(("thoughts",), _probe_thoughts),
    Question(("formats", "prompts"), _assume_obedience),
    Question(("store",), _probe_storage),
    Question(("auth",), _probe_authentication),
    _ask_for_route("v1", "interactions", "v1"),
    Question(("stream",), _probe_streaming),
    Question(("chain",), _probe_chaining),
    Question(("background", *_OF_BACKGROUND), _probe_background),
    _ask_for_step("functions", "function_call", "Weather in Paris?", tools=[WEATHER], **FORCED),
    _ask_for_step("search", "google_search_call", "What is today's news?", tools=[{"type": "google_search"}]),
    Question(("agents",), _probe_agents),
    Question(("agents-crud",), lambda ask: _inherits(ask, "agents", "agents-crud")),
    Question(("deep-research",), lambda ask: _inherits(ask, "background", "deep-research")),
    _ask_for_list("environments"),
    Question(("self-hosted",), lambda ask: _inherits(ask, "environments", "self-hosted")),
    _ask_for_list("webhooks"),
    _ask_for_list("credentials"),
    _ask_for_list("triggers"),
    _ask_for_list("files"),
    _ask_for_list("file-search-stores", "fileSearchStores"),
    _ask_for_list("voices"),
    _ask_for_route("decisions", "decisions"),
    _ask_for_list("listing", "interactions"),
    Question(("delete",), _probe_deletion),  # last, as it changes what the others look at
)


def _step_types(answer: Exchange) -> set[str]:
    reading = read(answer)
    if reading.is_stream:
        steps: Any = [event.get("step") for event in reading.events]
    else:
        steps = (reading.interaction or {}).get("steps")
    return {str(s.get("type")) for s in steps if isinstance(s, dict)} if isinstance(steps, list) else set()


PROBES = Probes(
    greet=_greet,
    questions=QUESTIONS,
    undiscoverable=UNDISCOVERABLE,
    of_path=frozenset({"listing"}),
    always=frozenset({"store"}),  # without it no exercise reads what it created
    remedies=REMEDIES,
)
