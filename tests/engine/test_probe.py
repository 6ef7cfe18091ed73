"""Probing a target: few requests, true statements, nothing left behind, and no judging of a dead target."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from harness.checks import CAPABILITIES, RequestBuilder
from harness.checks.probes import QUESTIONS
from harness.engine.capabilities import Capabilities, Capability, CapabilityOrigin, parse_capabilities
from harness.engine.probe import MOST_REQUESTS, Prober, Probing
from harness.engine.traffic.deadline import TimeUp
from harness.interactions import INTERACTIONS
from harness.kit.api import Question
from harness.outcome import TargetFault
from harness.transport import ServiceDriver
from harness.wire import At, Driver, Ending, Request, Response, Service
from harness.wire import How as EndedHow
from tests.engine.toys import ToyService, answer

ALL = frozenset(CAPABILITIES)
Rule = Callable[[Request, dict[str, Any]], bool]
OF_BACKGROUND = {"background-slow", "event-ids", "resume", "cancel"}
READ = {"store", "auth", "resume", "event-ids", "listing"}


def probed(service: Service, *said: str, target: RequestBuilder | None = None) -> Probing:
    """The result of probing a toy for every capability."""
    return Prober(
        INTERACTIONS,
        ServiceDriver(service),
        target or RequestBuilder(),
        parse_capabilities(said, INTERACTIONS.load_capabilities()),
        ALL,
    ).run()


def present(found: Capabilities) -> set[str]:
    """The names of the capabilities that are present."""
    return {item.name for item in found if item.present}


def refusing(service: Service, where: Rule, status: int = 400) -> Service:
    """The service, except that it refuses the requests that match."""

    def gate(request: Request) -> Response:
        body = json.loads(request.body or b"{}") if request.method == "POST" else {}
        if where(request, body):
            return answer({"error": {"code": "invalid_request", "message": "not here"}}, status)
        return service(request)

    return gate


def test_finds_what_the_toy_can_do() -> None:
    """The probe reports what it saw: the toy stores, streams, thinks and runs in the background; no functions."""
    found = probed(ToyService()).capabilities
    assert {"store", "stream", "thoughts", "background"} <= present(found)
    assert not present(found) & {"functions", "search", "script", "event-ids", "webhooks", "two-keys"}
    assert len(found) == len(CAPABILITIES)


@pytest.mark.parametrize(
    ("service", "looks"),
    [
        (ToyService(), 1),
        (ToyService(unasked=True), 1),
        (refusing(ToyService(), lambda _, body: bool(body) and body.get("stream") is not True), 0),
        (
            refusing(
                ToyService(), lambda _, body: "agent" in body or (bool(body) and body.get("store") is not False)
            ),
            0,
        ),
    ],
    ids=["sound", "streams unasked", "only streams", "only unstored, no agents"],
)
def test_never_more_requests_than_promised(service: Service, looks: int) -> None:
    """A full probe sends no more requests than promised, and counts them and the one deletion it asks for.

    Cleaning up is not counted: deletions, and a look for the sandbox of an agent that did not name it.
    """
    sent = []

    def counted(request: Request) -> Response:
        sent.append(request.method)
        return service(request)

    found = probed(counted)
    assert found.requests == len([method for method in sent if method != "DELETE"]) - looks + 1 <= MOST_REQUESTS


def test_leaves_nothing_behind() -> None:
    """Everything that a probe created is deleted."""
    service = ToyService()
    probed(service)
    assert service.stored == {}


def test_declared_capabilities_are_not_asked() -> None:
    found = probed(ToyService(), *(f"+{name}" for name in CAPABILITIES))
    assert found.requests == 2
    assert {item.how for item in found.capabilities if item.name != "script"} == {CapabilityOrigin.DECLARED}


def test_announced_capabilities_are_taken() -> None:
    """Only what depends on the path is asked for, unless it is announced, too."""
    found = probed(ToyService(announces=["stream", "continuation"]))
    assert (found.requests, probed(ToyService(announces=["stream", "listing"])).requests) == (3, 2)
    assert (asked := found.capabilities.get("listing")) is not None
    assert (asked.how, asked.present) == (CapabilityOrigin.PROBED, False)
    assert "continuation" in found.capabilities
    assert "search" not in found.capabilities
    assert (item := found.capabilities.get("stream")) is not None
    assert item.how is CapabilityOrigin.ANNOUNCED


def test_a_second_key_is_a_declaration() -> None:
    assert "two-keys" in probed(ToyService(), target=RequestBuilder(other_key="k2")).capabilities


@pytest.mark.parametrize(("status", "word"), [(401, "--api-key"), (403, "no permission"), (429, "quota")])
def test_refused_altogether(status: int, word: str) -> None:
    """If a target refuses a plain create, it is not judged."""
    with pytest.raises(TargetFault, match=word):
        probed(ToyService(refuse=status))


def test_unreachable() -> None:
    """If the target gives no answer, the probe fails after one request and says how the connection failed."""

    def dead(request: Request) -> Response:
        return Response.dead(Ending(how=EndedHow.REFUSED, at=At.BEFORE_HEADERS, detail="nobody listens"))

    with pytest.raises(TargetFault, match="nobody listens"):
        probed(dead)


@pytest.mark.parametrize(
    ("service", "said", "advice"),
    [
        (ToyService(page=True), "200 an HTML page: It works!", "(`--model`, "),
        (ToyService(refuse=404), "404 authentication: no", "(`--api-version`, "),
        (ToyService(refuse=500), "500 authentication: no", "Read the log of the server"),
        (ToyService(refuse=400), "400 authentication: no", "(`--model`, "),
    ],
)
def test_who_answers_no_interaction_is_not_judged(service: ToyService, said: str, advice: str) -> None:
    """If no form of create returns an interaction, the fault shows the status, the body, and what may be wrong."""
    with pytest.raises(TargetFault) as raised:
        probed(service)
    assert said in str(raised.value)
    assert advice in str(raised.value)


def test_who_claims_an_ability_is_judged_even_if_no_create_works() -> None:
    """With a declared capability, a target that cleanly refuses creates is judged; one that crashes is not."""
    found = probed(ToyService(refuse=400), "+agents")
    assert "agents" in found.capabilities
    for wrong in (ToyService(refuse=500), ToyService(page=True)):
        with pytest.raises(TargetFault):
            probed(wrong, "+agents")


NEEDS_STREAM: Rule = lambda _, body: bool(body) and body.get("stream") is not True  # noqa: E731
NEEDS_UNSTORED: Rule = lambda _, body: bool(body) and body.get("store") is not False  # noqa: E731


@pytest.mark.parametrize(
    ("service", "says", "note"),
    [
        (ToyService(), {}, ""),
        (ToyService(unasked=True), {"stream": False}, "all creates send stream=false"),
        (refusing(ToyService(), NEEDS_STREAM), {}, "accepts only creates with stream=true"),
        (refusing(ToyService(), NEEDS_UNSTORED), {"store": False}, "checks that need storage are not tested"),
        (
            refusing(ToyService(), lambda r, b: NEEDS_STREAM(r, b) or NEEDS_UNSTORED(r, b)),
            {"store": False},
            "store=false and stream=true",
        ),
    ],
    ids=["plain", "streams unasked", "only streams", "only unstored", "only unstored streams"],
)
def test_the_form_that_a_target_takes_is_found(service: Service, says: dict[str, Any], note: str) -> None:
    """The form of create that a target accepts is found and used in all other creates, and a note explains it."""
    found = probed(service)
    assert dict(found.says) == says
    assert "stream" in found.capabilities
    assert "thoughts" in found.capabilities or "stream=true" in note
    assert note in " ".join(found.notes)
    assert bool(found.notes) is bool(note)


LATE = 5


class Late(ToyService):
    """A toy whose stored interactions answer 404 for the first few reads."""

    looks = 0

    def _one(self, request: Request) -> Response:
        if request.method == "GET":
            self.looks += 1
            if self.looks < LATE:
                return answer({"error": {"code": "not_found", "message": "not yet"}}, 404)
        return super()._one(request)


def test_a_brief_404_is_waited_out() -> None:
    """A temporary 404 after a create is waited out; a target that really keeps nothing lacks `store`."""
    assert "store" in probed(Late()).capabilities
    forgets = probed(ToyService(forgets=True))
    assert "store" not in forgets.capabilities


def test_background_without_retrieval_is_told_once() -> None:
    """Background runs that cannot be read do not count as a capability, and a single note says so."""
    found = probed(ToyService(forgets=True))
    assert not present(found.capabilities) & {"background", "background-slow", "event-ids"}
    assert [note for note in found.notes if "GET does not find them" in note] == list(found.notes)


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize(
    ("where", "names"),
    [
        (lambda request, _: request.segments[-1] == "webhooks", {"webhooks"}),
        (lambda request, _: request.segments[-1] == "environments", {"environments"}),
        (lambda _, body: "agent" in body, {"agents"}),
        (lambda _, body: "tools" in body, {"functions", "search"}),
        (lambda _, body: body.get("stream") is True, {"stream"}),
        (lambda _, body: body.get("background") is True, {"background", *OF_BACKGROUND, "agents"}),
        (lambda request, _: request.method == "GET" and "interactions" in request.segments, READ),
        (lambda request, _: request.segments[0] == "v1", {"v1"}),
    ],
    ids=["webhooks", "environments", "agents", "tools", "stream", "background", "reads", "v1"],
)
def test_a_crash_or_a_refusal_for_now_is_no_no(where: Rule, names: set[str], status: int) -> None:
    """After a crash or temporary refusal, the capability is assumed to be present, and the checks decide."""
    found = probed(refusing(ToyService(), where, status)).capabilities
    assert {item.name for item in found if item.how is CapabilityOrigin.ASSUMED} == names
    assert names <= present(found)


def test_events_under_another_label_are_streamed() -> None:
    """A stream with a wrong Content-Type still counts as streaming, so that the check of the header runs."""
    found = probed(ToyService(mislabels=True)).capabilities
    assert (item := found.get("stream")) is not None
    assert item.present
    assert item.note == "stream=true returned 200 application/json, and events"


def test_not_implemented_is_a_no() -> None:
    """A 501 means that the capability is absent."""
    found = probed(refusing(ToyService(), lambda _, body: body.get("stream") is True, 501)).capabilities
    assert "stream" not in found


class Runs(ToyService):
    """A toy that has agents, and refuses some fields in their creates."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self._refused = refused

    def _post(self, request: Request) -> Response:
        body = json.loads(request.body or b"{}")
        if "agent" in body and any(field in body for field in self._refused):
            return answer({"error": {"code": "invalid_request", "message": "not for agents"}}, 400)
        return super()._post(request)


@pytest.mark.parametrize(
    ("refused", "runs", "note"),
    [
        ((), True, "ran"),
        (("environment",), True, "only without environment: 400 invalid_request: not for agents"),
        (("environment", "background"), False, "only without environment and background"),
        (("agent",), False, "did not run: 400 invalid_request: not for agents"),
    ],
)
def test_what_agents_do_not_take_is_left_out(refused: tuple[str, ...], runs: bool, note: str) -> None:
    """An agent is found even if it runs only without `environment`, but not if it also refuses `background`."""
    item = probed(Runs(*refused)).capabilities.get("agents")
    assert item is not None
    assert (item.present, note in item.note) == (runs, True), item.note


@pytest.mark.parametrize("name", ["environments", "webhooks"])
def test_a_collection_is_there_where_it_can_be_listed(name: str) -> None:
    toy = ToyService()

    def serves(request: Request) -> Response:
        return answer({}) if request.segments[-1] == name else toy(request)

    assert name in probed(serves).capabilities
    assert name not in probed(toy).capabilities


def test_a_declared_word_is_never_overruled_by_silence() -> None:
    """A capability that the user denied stays denied if the target does not answer."""
    service = refusing(ToyService(), lambda request, _: request.segments[-1] == "webhooks", 503)
    item = probed(service, "-webhooks").capabilities.get("webhooks")
    assert item is not None
    assert replace(item, note="") == replace(item, note="", present=False, how=CapabilityOrigin.DENIED)


# --- several questions at the same time, where responses are slow


class Counting(Prober):
    """Counts, for each question, the longest chain of requests that had to wait for each other until then."""

    def __init__(self, service: Service, readers: int) -> None:
        self.lock = threading.Lock()
        self.mine = threading.local()
        self.chains: dict[str, int] = {}
        said: list[Capability] = []
        driver, needed = self._counted(service), ALL
        super().__init__(
            INTERACTIONS, driver, RequestBuilder(), said, needed,
            connect=lambda: self._counted(service), count_readers=lambda trail: readers,
        )  # fmt: skip

    def _counted(self, service: Service) -> ServiceDriver:
        def count(request: Request) -> Response:
            name = getattr(self.mine, "name", "")
            with self.lock:
                self.chains[name] = self.chains.get(name, 0) + 1
                return service(request)

        return ServiceDriver(count)

    def _ask_about(self, question: Question, driver: Driver) -> None:
        self.mine.name = question.settles[0]
        self.chains[self.mine.name] = self.chains[""]
        super()._ask_about(question, driver)

    def await_settled(self, name: str) -> None:
        """Go on where that was settled: at most where its question was through."""
        super().await_settled(name)
        self.await_end([name])

    def await_end(self, names: Iterable[str]) -> None:
        """Go on where the last of those was through that were waited for."""
        names = list(names)
        super().await_end(names)
        firsts = {name: one.settles[0] for one in self.probes.questions for name in one.settles}
        before = [self.chains[firsts[name]] for name in names]
        self.chains[self.mine.name] = max([self.chains[self.mine.name], *before])


def test_questions_wait_only_for_what_they_need() -> None:
    """Side by side, a probe lasts as long as the greeting, the control API and six more requests."""
    alone, apart = Counting(ToyService(), 1), Counting(ToyService(), len(QUESTIONS))
    found = alone.run(), apart.run()
    asked = {name: chain for name, chain in apart.chains.items() if name}
    assert max(asked.values()) <= 8
    assert found[0].requests > 2 * 8
    assert asked["delete"] > max(asked[name] for name in ("store", "auth", "chain")), (
        "they look at what it deletes"
    )
    assert list(found[0].capabilities) == list(found[1].capabilities)
    assert found[0].requests == found[1].requests
    assert found[0].notes == found[1].notes


def test_a_question_waits_only_for_earlier_ones() -> None:
    """Else two could wait for each other."""
    before: set[str] = set()
    for question in QUESTIONS:
        assert before.issuperset(question.after)
        before |= {*question.settles}


@pytest.mark.parametrize("readers", [2, 5, len(QUESTIONS)])
@pytest.mark.parametrize("service", [{}, {"forgets": True}, {"streams": False}, {"undeletable": True}])
def test_any_number_of_readers_finds_the_same(readers: int, service: dict[str, Any]) -> None:
    alone = Counting(ToyService(**service), 1).run()
    apart = Counting(ToyService(**service), readers).run()
    assert list(apart.capabilities) == list(alone.capabilities)


@pytest.mark.parametrize("number", [3, 9])
def test_the_end_of_the_time_ends_all_questions(number: int) -> None:
    """What was created until then is known to the ledger, and nobody waits for a question that is not asked."""
    sent, threads = [], set(threading.enumerate())

    def service(request: Request) -> Response:
        sent.append(request)
        if len(sent) == number:
            raise TimeUp("over")
        return toy(request)

    toy = ToyService()
    probe = Counting(service, len(QUESTIONS))
    with pytest.raises(TimeUp):
        probe.run()
    assert toy.stored == {}
    assert len(sent) < MOST_REQUESTS
    assert set(threading.enumerate()) <= threads
