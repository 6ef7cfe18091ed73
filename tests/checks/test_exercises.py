"""Exercises against targets that differ from the reference: an exercise never raises anything but `Unmet`."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace

import pytest
from msgspec import structs

from harness.checks.capabilities import CAPABILITIES
from harness.checks.catalogue import CATALOGUE
from harness.emulator import Emulator, Settings
from harness.emulator.mutants.changes import without
from harness.emulator.mutants.hooks import EVERY, frame, response, row
from harness.kit.check import Check
from harness.outcome import Observation, Outcome
from harness.transport import ServiceDriver
from harness.wire import Ending, Headers, How, LogicalClock, Response
from tests.checks._play import JSON, SSE, TARGET, play
from tests.in_one_test import in_one_test

SCRIPTABLE = replace(TARGET, capabilities=frozenset(CAPABILITIES))
HASTY = replace(SCRIPTABLE, wait=2.0)

BY_EXERCISE: dict[str, list[Check]] = defaultdict(list)
for _check in CATALOGUE:
    BY_EXERCISE[_check.exercise.name].append(_check)


def constant(status, body, label=JSON):
    """A service that gives the same answer to every request."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda request: Response.whole(status, Headers((("content-type", label),)), data)


def obedient(body, events=b"data: [DONE]\n\n"):
    """A service that streams where a stream is requested, and answers everything else with this body."""
    plain, stream = constant(200, body), constant(200, events, SSE)

    def serve(request):
        wanted = b'"stream": true' in request.body or request.parameter("stream") == "true"
        return (stream if wanted else plain)(request)

    return serve


RUNNING = {"id": "x", "status": "in_progress"}
CREATED = b'data: {"event_type": "interaction.created", "event_id": "e", "interaction": {"id": "x"}}\n\n'
ODD_CALL = {"type": "function_call", "id": "c", "name": None, "arguments": None}

TARGETS = {
    "dead": lambda request: Response.dead(Ending(how=How.RST)),
    "refuses": constant(404, {"error": {"code": "not_found", "message": "No."}}),
    "fails": constant(500, b"<html>", "text/html"),
    "says yes": constant(200, {}),
    "says nothing": constant(200, b""),
    "says a list": constant(200, [1]),
    "says null": constant(200, None),
    "shows a page": constant(200, b"<html>", "text/html"),
    "never settles": obedient(RUNNING),
    "is always done": obedient({"id": "x", "status": "completed", "steps": None}),
    "has odd ids": obedient({"id": ["x"], "status": {"x": 1}, "steps": [7, {"type": 7}]}),
    "calls oddly": obedient({"id": "x", "status": "requires_action", "steps": [ODD_CALL, {"type": "thought"}]}),
    "cancels everything": obedient({"id": "x", "status": "cancelled"}, CREATED),
    "pauses always": obedient({"id": "x", "status": "requires_continuation", "continuation_token": 7}),
    "repeats one event": obedient({"id": "x", "status": "completed"}, CREATED * 20),
    "streams garbage": obedient(RUNNING, bytes(range(256)) * 20),
    "streams null": obedient(RUNNING, b"data: null\n\ndata: [1]\n\ndata: 7\n\n"),
    "has no end of pages": constant(200, {"next_page_token": "more", "agents": 7, "environments": [7], "id": "x"}),
}


def observe(name, driver, target):
    """The observations of all checks of one exercise on a target; a check that was never reached has none."""
    played = play(BY_EXERCISE[name][0].exercise, driver, target)
    if played.exchanges is None:
        return {}
    return {check.id: check.observe(played.exchanges) for check in BY_EXERCISE[name]}


@pytest.mark.slow
@pytest.mark.parametrize("what", TARGETS)
def test_no_target_brings_an_exercise_down(what):
    """Whatever a target answers, every exercise ends and every judge returns an observation."""
    for name in BY_EXERCISE:
        seen = observe(name, ServiceDriver(TARGETS[what], LogicalClock()), HASTY)
        assert all(isinstance(observation, Observation) for observation in seen.values())


def each_object(change):
    """A defect: every object in an answer or an event is changed, the outermost last."""

    def edit(value, *_):
        if isinstance(value, list):
            return [edit(item) for item in value]
        return change({name: edit(item) for name, item in value.items()}) if isinstance(value, dict) else value

    def write(name, data):
        return b"event: %b\ndata: %b\n\n" % (name, json.dumps(edit(json.loads(data))).encode())

    return response(EVERY, edit), frame(write)


def is_call(value):
    """Whether an object is a call of a function or of a tool."""
    return str(value.get("type")).endswith("_call")


def with_nulls(value, *names):
    """The object, with null for the fields of these names that it has."""
    return {name: None if name in names else item for name, item in value.items()}


LACKING = {
    "calls have no id": lambda one: without(one, "id") if is_call(one) else one,
    "calls have the id null": lambda one: with_nulls(one, "id") if is_call(one) else one,
    "steps are null": lambda one: with_nulls(one, "steps", "step", "delta", "content"),
    "nothing has a type": lambda one: without(one, "type", "event_type"),
    "lists begin with null": lambda one: {
        name: [None, *item] if isinstance(item, list) else item for name, item in one.items()
    },
    "values are null": lambda one: with_nulls(one, *one.keys() - {"id", "type", "event_type", "status", "steps"}),
    "calls are null": lambda one: None if is_call(one) else one,
    "all ids are null": lambda one: with_nulls(one, "id", "call_id", "event_id"),
    "calls have only a type": lambda one: {"type": one["type"]} if is_call(one) else one,
    "nothing has an id": lambda one: without(one, "id", "call_id", "event_id"),
}


SIZES = ([], [], *[[pytest.mark.slow]] * 4, *[[pytest.mark.thorough]] * 4)


@pytest.mark.parametrize(
    "what", [pytest.param(name, marks=marks) for name, marks in zip(LACKING, SIZES, strict=True)]
)
def test_what_is_lacking_brings_no_exercise_down(what):
    """A server is right but for ids, types or values that are not there: every exercise ends, and is judged."""
    emulator = row("lacking", what, *each_object(LACKING[what])).build
    seen = everything(emulator=emulator)
    assert len(seen) > len(CATALOGUE) / 3
    assert all(isinstance(observation, Observation) for observation in seen.values())


def everything(target=SCRIPTABLE, behind=lambda service, clock: service, emulator=Emulator, **settings):
    """Outcomes by check id of the whole catalogue on an emulator with these settings, wrapped in `behind`."""
    found = {}
    for name in BY_EXERCISE:
        found.update(observe(name, drive(behind, emulator, **settings), target))
    return found


def drive(behind=lambda service, clock: service, emulator=Emulator, **settings):
    """A driver of an emulator with these settings, wrapped in `behind`."""
    clock = LogicalClock()
    keys = {TARGET.key: "one", TARGET.other_key: "two"}
    service = emulator(Settings(platform="any", keys=keys, **settings), clock=clock)
    return ServiceDriver(behind(service, clock), clock)


def checks_with(observations, outcome):
    """The ids of the checks with this outcome."""
    return {check for check, observation in observations.items() if observation.outcome is outcome}


LAG = 1.0
"""Seconds."""


class ReadsLate:
    """A store where each interaction answers 404 until `LAG` seconds after it was first read."""

    def __init__(self, service, clock):
        self._service, self._clock = service, clock
        self._first = {}

    def __call__(self, request):
        if request.method == "GET" and names_one(request) and "unknown" not in request.segments[2]:
            first = self._first.setdefault(request.segments, self._clock.now)
            if self._clock.now - first < LAG:
                return constant(404, {"error": {"code": "not_found", "message": "Not yet."}})(request)
        return self._service(request)


class DeletesLate:
    """A store that accepts a DELETE at once, but performs it only after `LAG` seconds."""

    def __init__(self, service, clock):
        self._service, self._clock = service, clock
        self._deletions = {}

    def __call__(self, request):
        for path, (deletion, moment) in list(self._deletions.items()):
            if self._clock.now - moment >= LAG:
                self._service(deletion).body.close()
                del self._deletions[path]
        own = request.headers.get("x-goog-api-key") == TARGET.key
        if request.method == "DELETE" and own and names_one(request) and self._is_there(request):
            self._deletions.setdefault(request.segments, (request, self._clock.now))
            return constant(200, {})(request)
        return self._service(request)

    def _is_there(self, request):
        response = self._service(structs.replace(request, method="GET"))
        response.body.close()
        return response.status == 200


def names_one(request):
    """Whether the request addresses a single interaction."""
    return len(request.segments) == 3 and request.segments[1] == "interactions"


@pytest.mark.slow
@pytest.mark.parametrize(("behind", "warned"), [(ReadsLate, {"get.ok"}), (DeletesLate, set())])
def test_a_store_that_lags_breaks_nothing(behind, warned):
    """Exercises wait out a 404 after a create, which `get.ok` alone warns of, and a delete that comes late."""
    plain, lagging = everything(), everything(behind=behind)
    assert checks_with(lagging, Outcome.NON_STRICT) - checks_with(plain, Outcome.NON_STRICT) == warned
    assert checks_with(plain, Outcome.NON_STRICT) - checks_with(lagging, Outcome.NON_STRICT) == set()
    for outcome in (Outcome.NOT_MET, Outcome.UNTESTABLE):
        assert checks_with(lagging, outcome) == checks_with(plain, outcome)


@pytest.mark.parametrize("ids", ["all", "deltas", "sparse", "none"])
def test_where_ids_are_breaks_nothing(ids):
    """Event ids may be on all events, on deltas, on some events or on none: none of this is a failure."""
    broken = checks_with(everything(event_ids=ids), Outcome.NOT_MET)
    assert broken == ({"stream.evid-delta"} if ids == "sparse" else set())


def test_without_ids_resume_is_untestable():
    """Without event ids, resume checks are untestable rather than failed, and replay checks still run."""
    seen = everything(event_ids="none")
    untestable = checks_with(seen, Outcome.UNTESTABLE)
    assert {"resume.no-gap", "resume.exclusive", "resume.live", "resume.finished", "resume.encoded"} <= untestable
    assert seen["resume.replay"].outcome is Outcome.MET
    assert seen["resume.two-readers"].outcome is Outcome.MET


def test_a_resume_that_repeats_a_delta_is_not_exclusive():
    """A client of the documented loop has the text of the cursor's event twice."""
    seen = everything(resume="inclusive")
    assert "resume.exclusive" in checks_with(seen, Outcome.NOT_MET)


def test_without_scripts_nothing_is_broken():
    """A target that takes no scripts is still judged, and no check fails for lack of them."""
    seen = everything(target=TARGET)
    assert checks_with(seen, Outcome.NOT_MET) == set()
    assert {"cancel.ok", "cancel.state", "chain.running", "resume.live"} <= checks_with(seen, Outcome.MET)


class Asked(frozenset[str]):
    """Capabilities that note which of them were asked about."""

    def __new__(cls, names):
        made = super().__new__(cls, names)
        made.asked = set()
        return made

    def __contains__(self, name):
        self.asked.add(name)
        return super().__contains__(name)


@in_one_test(name=BY_EXERCISE)
def test_a_check_alone_has_the_capabilities_that_its_exercise_asks_about(name):
    """What was not probed counts as not offered, so that an exercise would leave out what the whole run sends."""
    checks, capabilities = BY_EXERCISE[name], Asked(CAPABILITIES)
    observe(name, drive(), replace(TARGET, capabilities=capabilities))
    probed = frozenset.intersection(*(check.requires for check in checks)) | {"script", "two-keys"}
    assert capabilities.asked - probed <= checks[0].exercise.uses
