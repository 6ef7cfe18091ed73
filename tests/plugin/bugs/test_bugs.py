"""The good client passes every case; each broken one fails the case meant for it, with a message that says why."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest

from harness.benches.client.cases import Case
from harness.checks.clients.sets import TEXT
from harness.outcome import UsageFault
from harness.plugin import ROUTES, Chain, DroppedStream, InteractionsEmulator, Lifecycle, no_sleep
from harness.plugin.interactions.chain import AGENT
from harness.plugin.observed_service import ObservedService, RequestLimit
from tests.benches.client.cases import new_case
from tests.plugin.bugs import clients

Streaming = Callable[[httpx.Client, str], str]


@contextmanager
def client_of(served: ObservedService) -> Iterator[httpx.Client]:
    """A client in-process."""
    with httpx.Client(
        transport=served.transport, base_url="http://x.test", headers={"x-goog-api-key": "k"}
    ) as client:
        yield client


def dropped(streaming: Streaming, case: Case) -> None:
    """Run a streaming client through one case."""
    stream = DroppedStream(InteractionsEmulator(), case, "test_app.py::test_it[x]")
    with no_sleep(), client_of(stream.emulator) as client:
        stream.assert_seen_once(streaming(client, stream.id))


POISON = new_case("pass", script={"text": TEXT, "error_event": {"after": 7, "id": True}})
STREAMING: list[tuple[Streaming, Case, str]] = [
    (clients.ignores_the_drop, new_case("event:7,rst"), "did not resume after the drop"),
    (clients.takes_a_clean_end_for_completion, new_case("event:8,end"), "did not resume after the drop"),
    (
        clients.takes_a_clean_end_for_completion,
        new_case("completion,end"),
        "neither interaction.completed nor a GET",
    ),
    (
        clients.resumes_from_the_last_seen_event,
        new_case("event:8,rst", event_ids="sparse"),
        "not the id of an event",
    ),
    (
        clients.forgets_the_cursor_without_an_id,
        new_case("event:8,rst", event_ids="sparse"),
        "from the start again",
    ),
    (clients.doubles_on_inclusive_resume, new_case("event:7,rst", resume="inclusive"), r"twice.*\(inclusive\)"),
    (clients.doubles_on_inclusive_resume, new_case("dup:7"), "did not recognize an event that arrived twice"),
    (clients.doubles_without_ids, new_case("event:8,rst"), "twice.*from the start again"),
    (clients.poisons_its_cursor, POISON, "the id of an error event"),
    (clients.loses_the_last_delta, new_case("event:8,rst"), "so the client dropped it"),
    (clients.skips_broken_events, new_case("event:7+60,end"), "lost the text"),
    (
        clients.sends_its_cursor_in_a_header,
        new_case("event:8,rst"),
        "in the header Last-Event-ID, which has no effect",
    ),
    (clients.misnames_its_cursor, new_case("event:8,rst"), "its cursor as 'lastEventId', which has no effect"),
    (clients.resumes_without_streaming, new_case("event:8,rst"), r"was rejected \(400: 'last_event_id' is only"),
    (clients.asks_nothing, new_case("event:8,rst"), "sent no request at all"),
    (clients.only_polls_once, new_case("event:8,rst"), "never requested the stream"),
    (clients.posts_create_again, new_case("event:7,rst"), "sent the create 2 times"),
    (clients.creates_after_a_drop, new_case("event:8,rst"), "read an interaction by its id, then sent a create"),
]


@pytest.mark.parametrize(
    ("streaming", "case", "said"), STREAMING, ids=[f"{bug.__name__}-{case}" for bug, case, _ in STREAMING]
)
def test_streaming_bug(streaming: Streaming, case: Case, said: str) -> None:
    """A broken streaming client fails with a message that says why; the good one passes the same case."""
    with pytest.raises(AssertionError, match=f"(?s)dropped at .*{said}") as caught:
        dropped(streaming, case)
    assert "pytest 'test_app.py::test_it[x]'" in str(caught.value)
    dropped(clients.good, case)


def test_endless_retries() -> None:
    """A client that never gives up is stopped, with a message that names the cut."""
    with pytest.raises(RequestLimit, match=r"more than 60 requests.*dropped at event:0,rst,times:all"):
        dropped(clients.retries_for_ever, new_case("event:0,rst,times:all"))


@pytest.mark.parametrize("most", [7, 80])
def test_the_bound_of_the_test_itself(most: int) -> None:
    """A given `max_requests` applies to dropped streams and routes, whether below or above the default."""
    stream = DroppedStream(InteractionsEmulator(max_requests=most), new_case("event:0,rst,times:all"))
    with (
        no_sleep(),
        client_of(stream.emulator) as client,
        pytest.raises(RequestLimit, match=f"more than {most} requests"),
    ):
        clients.retries_for_ever(client, stream.id)
    story = Lifecycle(InteractionsEmulator(max_requests=most, max_settled_reads=100), "failed")
    with (
        no_sleep(),
        client_of(story.emulator) as client,
        pytest.raises(RequestLimit, match=f"more than {most} requests"),
    ):
        clients.polls_until_completed(client, story.id)


def test_impatient_retries() -> None:
    """A client that retries without a delay fails with a message that says so."""
    stream = DroppedStream(InteractionsEmulator(), new_case("event:0,rst,times:5"))
    with no_sleep() as sleeps, client_of(stream.emulator) as client:
        clients.retries_without_delay(client, stream.id)
    with pytest.raises(AssertionError, match="asked 5 times in vain and slept 0 s"):
        stream.assert_patient(sleeps)
    once = DroppedStream(InteractionsEmulator(), new_case("event:8,rst"))
    with no_sleep() as sleeps, client_of(once.emulator) as client:
        clients.good(client, once.id)
    with pytest.raises(AssertionError, match=r'never had to wait; a plan that shows it has two: .*cuts="outage"'):
        once.assert_patient(sleeps)


def lifecycle(route: str, client_under_test: Callable[..., Any], *, tools: bool = False, **changes: Any) -> None:
    """Run a waiting client along a route."""
    story = Lifecycle(InteractionsEmulator(), route)
    more = (story.tools,) if tools else ()
    with no_sleep(), client_of(story.emulator) as client:
        try:
            result = client_under_test(client, story.id, *more, **changes)
        except httpx.HTTPStatusError as error:
            result = error
        story.assert_outcome(result)


WAITED = [route for route, told in ROUTES.items() if told.then is None]


@pytest.mark.parametrize("route", WAITED)
def test_the_good_client_waits(route: str) -> None:
    """Polling while the interaction runs is right on every route."""
    lifecycle(route, clients.tolerates_404)


def test_a_text_is_no_report_of_a_failure() -> None:
    """A text on a route without one looks like success; with an exception for a status, nothing else will do."""
    story = Lifecycle(InteractionsEmulator(), "failed")
    with pytest.raises(AssertionError, match=r"the text 'Sorry\.', though the interaction is 'failed'"):
        story.assert_outcome("Sorry.")
    with pytest.raises(
        AssertionError, match="ended with 'failed', but the test expects an exception for 'failed'"
    ):
        story.assert_outcome("failed", raised={"failed": RunFailed})
    story.assert_outcome("failed", raised=RunFailed)
    cut = Lifecycle(InteractionsEmulator(), "incomplete")  # its text is a part of the whole one
    with pytest.raises(AssertionError, match="though the interaction is 'incomplete': it looks like success"):
        cut.assert_outcome("All of the answer.")
    cut.assert_outcome({"text": "All of the answer.", "status": "incomplete"})


class RunFailed(Exception):
    """How an application reports a run that did not complete; `status` is what it saw."""

    def __init__(self, status: str | None = None) -> None:
        super().__init__("it failed")
        if status is not None:
            self.status = status


@pytest.mark.parametrize("route", [route for route, told in ROUTES.items() if told.then is None])
def test_an_exception_of_the_application(route: str) -> None:
    """With `raised`, the application's own exception is right where a run does not complete."""
    story = Lifecycle(InteractionsEmulator(), route)
    if story.expected_status == "completed":
        with pytest.raises(AssertionError, match=r"raised RunFailed .* is to end as 'completed'"):
            story.assert_outcome(RunFailed(), raised=RunFailed)
        return
    story.assert_outcome(RunFailed(), raised=RunFailed)
    story.assert_outcome(RunFailed(), raised={story.expected_status or "deleted": RunFailed})
    with pytest.raises(AssertionError, match=r"raised ZeroDivisionError .* expects RunFailed"):
        story.assert_outcome(ZeroDivisionError(), raised=RunFailed)
    if story.expected_status is not None:
        story.assert_outcome(RunFailed(story.expected_status))
        with pytest.raises(AssertionError, match=r"say assert_outcome\(error, raised=RunFailed\)"):
            story.assert_outcome(RunFailed())
        with pytest.raises(AssertionError, match=r"ended with 'completed' instead|says 'completed' instead"):
            story.assert_outcome(RunFailed("completed"))


class NotFound(Exception):
    """The exception that a client library raises for a 404."""

    status_code = 404


@pytest.mark.parametrize("name", ["status_code", "status", "code"])
def test_a_404_under_any_name(name: str) -> None:
    """Libraries and applications name the status of an exception differently."""
    error = RuntimeError("404: not_found")
    with pytest.raises(
        AssertionError, match=r"expected the 404, .* say assert_outcome\(error, raised=RuntimeError\)"
    ):
        Lifecycle(InteractionsEmulator(), "deleted").assert_outcome(error)
    setattr(error, name, 404)
    Lifecycle(InteractionsEmulator(), "deleted").assert_outcome(error)


@pytest.mark.parametrize("route", ["cancelled", "deleted"])
def test_a_route_that_did_not_happen(route: str) -> None:
    """A client that reads the stream asks too seldom for somebody to interfere, and is not blamed for that."""
    story = Lifecycle(InteractionsEmulator(), route)
    with client_of(story.emulator) as client:
        client.get(f"/v1beta/interactions/{story.id}?stream=true")
    with pytest.raises(
        AssertionError, match=f"the route '{route}' .* did not happen: the .* and the client sent 1"
    ):
        story.assert_outcome("All of the answer.")


@pytest.mark.parametrize("result", [NotFound(), None, "deleted"], ids=repr)
def test_a_deletion_needs_no_exception_of_the_application(result: object) -> None:
    """The 404 of the service stays right where `raised` does not name the deletion, and only there."""
    story = Lifecycle(InteractionsEmulator(), "deleted")
    story.assert_outcome(result, raised=RunFailed)
    story.assert_outcome(result, raised={"failed": RunFailed})
    if isinstance(result, Exception):
        with pytest.raises(AssertionError, match=r"raised NotFound .* expects RunFailed for 'deleted'"):
            story.assert_outcome(result, raised={"deleted": RunFailed})
        with pytest.raises(AssertionError, match=r"raised NotFound .* expects RunFailed for 'failed'"):
            Lifecycle(InteractionsEmulator(), "failed").assert_outcome(result, raised=RunFailed)


def test_a_client_that_does_not_see_the_end() -> None:
    """A client that polls on until its own deadline is told how often it asked in vain, in one line."""
    story = Lifecycle(InteractionsEmulator(), "failed")
    with client_of(story.emulator) as client:
        for _ in range(45):
            client.get(f"/v1beta/interactions/{story.id}")
    with pytest.raises(AssertionError, match=r"asked 41 times more after it was 'failed'; then it raised") as told:
        story.assert_outcome(TimeoutError("still runs after 600 s"))
    assert "its calls: get (45 times)" in str(told.value)
    assert "If that is how" not in str(told.value)


@pytest.mark.parametrize(("text", "right"), [("All of the answer.", True), ("of the answer.", False)])
def test_a_text_that_was_continued(text: str, right: bool) -> None:
    """The text of all hops is the whole answer; that of the last hop alone lacks what came before."""
    story = Lifecycle(InteractionsEmulator(), "requires_continuation")
    with no_sleep(), client_of(story.emulator) as client:
        clients.continues(client, story.id)
    if right:
        story.assert_outcome(text)
        return
    with pytest.raises(AssertionError, match=r"'of the answer\.' instead of 'All of"):
        story.assert_outcome(text)


WAITING: list[tuple[str, Callable[..., Any], dict[str, Any], str]] = [
    ("queued", clients.takes_queued_for_an_end, {}, "stopped waiting while the interaction was 'queued'"),
    ("cancelled_late", clients.believes_its_own_cancel, {}, "stopped waiting while.*'in_progress'"),
    ("missing_at_first", clients.believes_its_first_404, {}, "took a 404 for the end"),
    ("incomplete", clients.calls_incomplete_a_failure, {}, "ended with 'failed' instead of 'incomplete'"),
    ("requires_continuation", clients.waits_well, {}, "never created the interaction that goes on"),
    ("requires_continuation", clients.continues, {"input": "more"}, "sent input together with"),
    (
        "requires_continuation",
        clients.continues,
        {"continuation_token": "eA=="},
        "continuation_token back unchanged",
    ),
    ("requires_continuation", clients.continues, {"previous_interaction_id": None}, "did not chain"),
    ("function_result", clients.answers, {"tools": None}, "did not send the tools again"),
    ("function_result", clients.answers, {"input": "sunny"}, "no function_result for the call"),
    ("function_result", clients.answers, {"previous_interaction_id": None}, "did not chain"),
]


@pytest.mark.parametrize(
    ("route", "broken", "changes", "said"),
    WAITING,
    ids=[f"{route}-{bug.__name__}-{'-'.join(changes)}" for route, bug, changes, _ in WAITING],
)
def test_waiting_bug(route: str, broken: Callable[..., Any], changes: dict[str, Any], said: str) -> None:
    """A broken waiting client fails with a message that says why."""
    arguments = [[{"type": "function", "name": "get_weather"}]] if route == "function_result" else []
    story = Lifecycle(InteractionsEmulator(), route)
    if "tools" in changes:
        arguments, changes = [None], {}
    with (
        no_sleep(),
        client_of(story.emulator) as client,
        pytest.raises(AssertionError, match=f"on the route '{route}'.*{said}"),
    ):
        story.assert_outcome(broken(client, story.id, *arguments, **changes))


@pytest.mark.parametrize("route", ["failed", "cancelled", "requires_action"])
def test_polls_for_ever(route: str) -> None:
    """A client that waits only for `completed` is stopped, with a message that gives the actual status."""
    status = ROUTES[route].status
    with pytest.raises(
        RequestLimit, match=f"settled more than 50 times.*got the status '{status}'.*route '{route}'"
    ):
        lifecycle(route, clients.polls_until_completed)


def settled_run(service: InteractionsEmulator) -> str:
    """The path of an interaction that has completed."""
    return f"/v1beta/interactions/{service.create(background=False)['id']}"


def read(client: httpx.Client, path: str, times: int) -> None:
    """Read it so often, and stop at an answer that is none."""
    for _ in range(times):
        client.get(path).raise_for_status()


@pytest.mark.parametrize(("query", "end"), [("", "the status 'completed'"), ("?stream=true", "its final event")])
def test_reads_of_a_settled_interaction_end(query: str, end: str) -> None:
    """A loop that reads on after the end is stopped without skipped sleeps; below the limit nothing is."""
    service = InteractionsEmulator()
    path = settled_run(service)
    with client_of(service) as client:
        read(client, path + query, 50)
        assert list(service.find_complaints()) == []
        with pytest.raises(RequestLimit, match=f"settled more than 50 times in a row .*{end} each time"):
            read(client, path + query, 1)
    assert "max_settled_reads=…" in " ".join(service.find_complaints())


def test_reads_from_the_start_end() -> None:
    """A reader that begins there after each drop may go on; not if it sleeps, or if its cursor has no effect."""
    service = InteractionsEmulator(max_requests=120)
    path = f"/v1beta/interactions/{service.create()['id']}?stream=true"
    service.drop("event:6,rst,times:all")
    with client_of(service) as client:
        cursor = ""

        def read_on(parameter: str) -> None:
            nonlocal cursor
            with suppress(httpx.ReadError), client.stream("GET", path + parameter) as response:
                for event in clients.lines(response):
                    cursor = event.get("event_id", cursor)

        read_on("")
        for _ in range(60):
            read_on("")
        last = cursor
        with pytest.raises(RequestLimit, match=r"start more than 50 times .* as 'after', which has no effect"):
            [read_on(f"&after={last}") for _ in range(51)]
        with pytest.raises(
            RequestLimit, match=f"than 120 .* drops at the same event again: .* its cursor, '{last}'"
        ):
            [read_on("") for _ in range(20)]
        service.forget()
        read_on("")
        read_on("")
        with pytest.raises(RequestLimit, match=r"2 times in a row and slept 12 s .* Resume it after its cursor"):
            service.note_sleep(12)
        service.forget()
        service.drop("event:6,rst,times:3")  # a plan with an end: the fourth stream is whole, also from its start
        for _ in range(3):
            read_on("")
            service.note_sleep(12)


def test_the_bound_of_settled_reads() -> None:
    """`max_settled_reads` sets the limit, and bad values are refused."""
    service = InteractionsEmulator(max_settled_reads=3)
    path = settled_run(service)
    with client_of(service) as client, pytest.raises(RequestLimit, match="more than 3 times"):
        read(client, path, 4)
    with pytest.raises(UsageFault, match="max_settled_reads=0 must be at least 1"):
        InteractionsEmulator(max_settled_reads=0)


def poll(client: httpx.Client, path: str, sleep: Callable[[], Any], times: int = 9) -> None:
    """A loop that waits for a status that never comes, and goes on after errors."""
    for _ in range(times):
        client.get(path)
        sleep()


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sleeps of the machine that take no time, other than the server's, because the tests look at real sleeps."""
    sleep = asyncio.sleep

    async def sleep_async(delay: float, result: object = None) -> object:
        return await sleep(0 if delay == 5 else delay, result)

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(asyncio, "sleep", sleep_async)


SLEEPS: dict[str, Callable[[], object]] = {
    "time": lambda: time.sleep(5),
    "asyncio": lambda: asyncio.run(asyncio.sleep(5)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SLEEPS)
@pytest.mark.usefixtures("instant")
def test_a_loop_that_really_sleeps_ends(kind: str) -> None:
    """A poller that sleeps in real time is stopped after a few polls, whichever way it sleeps."""
    made = time.sleep
    with InteractionsEmulator() as service, client_of(service) as client:
        path = settled_run(service)
        said = r"settled 5 times in a row and slept 15 s in between .*the status 'completed' each time"
        with pytest.raises(RequestLimit, match=said):
            poll(client, path, SLEEPS[kind])
        assert "max_settled_reads=…" in " ".join(service.find_complaints())
    assert time.sleep is made


STUCK: dict[str, tuple[Callable[[InteractionsEmulator], str], str]] = {
    "held": (
        lambda service: str(service.hold().create()["id"]),
        "the test keeps on hold .*'in_progress'.*only release",
    ),
    "unknown": (lambda service: "v1_nothing", "does not exist .*the status 404 each time: it never appears"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", STUCK)
@pytest.mark.usefixtures("instant")
def test_a_loop_on_what_cannot_go_on_ends(kind: str) -> None:
    """So is one that polls what the test holds, and what does not exist."""
    make, said = STUCK[kind]
    with InteractionsEmulator() as service, client_of(service) as client:
        path = f"/v1beta/interactions/{make(service)}"
        with pytest.raises(RequestLimit, match=said):
            poll(client, path, lambda: time.sleep(5))


@pytest.mark.slow
@pytest.mark.usefixtures("instant")
def test_loops_that_really_sleep_and_end() -> None:
    """A loop over two runs of which one goes on, a loop that the test allows, and short sleeps may go on."""
    with InteractionsEmulator() as service, client_of(service) as client:
        service.reply(ticks=20)
        slow, fast = f"/v1beta/interactions/{service.create()['id']}", settled_run(service)
        for _ in range(15):
            read(client, fast, 1)
            read(client, slow, 1)
            time.sleep(5)
        poll(client, fast, lambda: time.sleep(0.1))
        service.forget()
        poll(client, fast, lambda: time.sleep(60), times=1)
        assert list(service.find_complaints()) == []
    with InteractionsEmulator(max_settled_reads=500) as service, client_of(service) as client:
        poll(client, settled_run(service), lambda: time.sleep(5))
        assert list(service.find_complaints()) == []


def test_what_is_no_loop_on_a_settled_interaction() -> None:
    """A run that a test holds, a stream that a plan drops, and turns that each read the one before may go on."""
    service = InteractionsEmulator(max_settled_reads=3)
    held = f"/v1beta/interactions/{service.hold().create()['id']}"
    path = settled_run(service)
    with client_of(service) as client:
        read(client, held, 20)
        for _ in range(5):
            read(client, path, 3)
            client.post("/v1beta/interactions", json={"model": "gemini-3.8-flash", "input": "Next."})
        service.drop("event:2,end,times:all")
        read(client, f"{path}?stream=true", 20)
    assert list(service.find_complaints()) == []


def test_a_history_is_compared_text_by_text() -> None:
    """A list of texts is a mistake, which is named; another text is another history."""
    chain = Chain(InteractionsEmulator())
    link = chain.build(1)
    with pytest.raises(UsageFault, match=r"one by one, and got \['Hi.'\]: write assert_history\(id, \*texts\)"):
        chain.assert_history(link.id, ["Hi."])  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="another history"):
        chain.assert_history(link.id, "Something else.")


def test_the_good_client_chains() -> None:
    """A next turn with everything it needs passes on every kind of chain."""
    chain = Chain(InteractionsEmulator())
    with client_of(chain.emulator) as client:
        link = chain.build(3)
        answer = clients.chains(client, link.id)
        chain.assert_continued()
        chain.assert_history(answer["id"], *link.history, "And then?", answer["steps"][-1]["content"][0]["text"])
        fork = chain.turn(after=chain.links[0])
        clients.chains(client, fork.id)
        chain.assert_continued(fork)
        agent = Chain(InteractionsEmulator())
    with client_of(agent.emulator) as client:
        link = agent.build(2, agent=True)
        clients.chains(client, link.id, model=None, agent=AGENT, environment=link.environment_id)
        agent.assert_continued()
        clients.chains(client, link.id, model=None, agent=AGENT, environment="remote")
        agent.assert_continued(new_environment=True)


CHAINING: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"previous_interaction_id": None}, "has forgotten the conversation"),
    ({}, {"previous_interaction_id": "v1_other"}, "not the turn to continue from"),
    ({"running": True}, {}, "still 'in_progress': wait until it has settled"),
    ({"agent": True}, {}, "dropped `environment`"),
    ({"function_call": True}, {}, "without a result"),
    (
        {"agent": True},
        {"model": None, "agent": AGENT, "environment": "remote"},
        "continued in another environment",
    ),
    ({"agent": True}, {"model": None, "agent": AGENT, "environment": "env_x"}, "continued in another environment"),
    ({}, {"model": "unheard-of-1"}, "was refused: 404: .*unheard-of-1"),
]


@pytest.mark.parametrize(("turn", "changes", "said"), CHAINING)
def test_chaining_bug(turn: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    """A broken chain fails with a message that says why."""
    chain = Chain(InteractionsEmulator())
    chain.turn()
    link = chain.turn(**turn)
    with client_of(chain.emulator) as client:
        clients.chains(client, link.id, **changes)
    with pytest.raises(AssertionError, match=said):
        chain.assert_continued()


def test_a_refused_environment() -> None:
    """A turn in an environment that does not exist has not continued anything, wherever it may go on."""
    chain = Chain(InteractionsEmulator())
    link = chain.turn(agent=True)
    with client_of(chain.emulator) as client:
        clients.chains(client, link.id, model=None, agent=AGENT, environment="env_x")
    with pytest.raises(AssertionError, match=r"was refused: 404: .*env_x"):
        chain.assert_continued(new_environment=True)


@pytest.mark.parametrize("keep", [True, False])
def test_forgotten_signature(keep: bool) -> None:
    """A stateless client has to send thoughts back with their signatures."""
    chain = Chain(InteractionsEmulator())
    steps = [step for step in chain.turn().created["steps"] if step["type"] != "user_input"]
    with client_of(chain.emulator) as client:
        clients.stateless(client, steps, keep_signatures=keep)
    if keep:
        chain.assert_replayed(steps)
    else:
        with pytest.raises(AssertionError, match="forgot the signature of a thought step"):
            chain.assert_replayed(steps)


def _call(number: int, function: str = "get_weather", **arguments: str) -> dict[str, Any]:
    return {"type": "function_call", "id": f"call_{number}", "name": function, "arguments": arguments}


_TWO = [_call(1, city="Rome"), _call(2, city="Paris")]
_RETURN = [_call(1, a="Rome", b="Paris"), _call(2, a="Paris", b="Rome")]
_THREE = [_call(n, city=city) for n, city in enumerate(("Rome", "Oslo", "Bonn"))]
EXCHANGES: dict[str, tuple[list[dict[str, Any]], list[str], bool]] = {
    "exchanged": (_TWO, ["sunny in Paris", "rain in Rome"], True),
    "two of three": (_THREE, ["Bonn", "Oslo", "Rome"], True),
    "in place": (_TWO, ["sunny in Rome", "rain in Paris"], False),
    "one mentions the other": (_TWO, ["as in Paris", "as in Paris"], False),
    "of two functions": ([_call(1, city="Rome"), _call(2, "get_map", city="Paris")], ["Paris", "Rome"], False),
    "numbers": ([_call(1, id="10001"), _call(2, id="10002")], ["10002", "10001"], False),
    "each has both": (_RETURN, ["Paris", "Rome"], False),
}


@pytest.mark.parametrize(("steps", "returned", "wrong"), EXCHANGES.values(), ids=EXCHANGES)
def test_results_that_are_returned_for_each_other(
    steps: list[dict[str, Any]], returned: list[str], wrong: bool
) -> None:
    """Results that name the arguments of another parallel call, not their own, are the other's, unless allowed."""
    chain = Chain(InteractionsEmulator())
    chain.emulator.reply(steps=steps).reply("Done.")
    functions = sorted({step["name"] for step in steps})
    tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in functions]
    results = [
        {"type": "function_result", "call_id": step["id"], "name": step["name"], "result": text}
        for step, text in zip(steps, returned, strict=True)
    ]
    with client_of(chain.emulator) as client:
        body = {"model": clients.MODEL, "input": "Go.", "tools": tools}
        first = client.post(clients.PATH, json=body).json()
        client.post(clients.PATH, json={**body, "input": results, "previous_interaction_id": first["id"]})
    if not wrong:
        chain.assert_continued()
        return
    with pytest.raises(
        AssertionError, match=r"the result of the call 'call_\d' as that of .*assert_continued\(any_results=True\)"
    ):
        chain.assert_continued()
    chain.assert_continued(any_results=True)


def test_a_client_on_a_socket_gets_its_url_from_the_fixture_that_it_tests() -> None:
    """As from `interactions_emulator`: a test of a drop or of a route need not take both."""
    with InteractionsEmulator() as emulator:
        for fixture in (DroppedStream(emulator, new_case("event:0,rst")), Lifecycle(emulator, "failed")):
            assert fixture.base_url == emulator.base_url
