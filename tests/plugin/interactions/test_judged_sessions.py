"""Sessions with a judge: what a test in another language asks over the control API, and the words that it gets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.benches.client.judgement.outcome import LEFT_OPEN
from harness.benches.server.fault_control import Faulty
from harness.benches.server.page_guard import PageGuard
from harness.contract import PROTOCOL
from harness.emulator import Emulator, Settings
from harness.incidents.incident import IncidentControl
from harness.plugin.interactions.chain import Chain
from harness.plugin.interactions.emulator import InteractionsEmulator
from harness.plugin.interactions.judged_sessions import JudgedSessions
from harness.transport import ServiceDriver
from harness.wire import Headers, LogicalClock, Request, Service

KEY = ("x-goog-api-key", "any")
JSON = ("content-type", "application/json")


class Api:
    """Sends requests to a session, in this process."""

    def __init__(self, service: Service, path: str = "") -> None:
        self.service, self.path = service, path
        self._driver = ServiceDriver(service, LogicalClock())

    def ask(self, method: str, path: str, body: Any = None, *headers: tuple[str, str]) -> tuple[int, Any]:
        """The status and the decoded body of an answer."""
        data = b"" if body is None else json.dumps(body).encode()
        answered = self._driver.send(Request(method, f"{self.path}{path}", Headers([KEY, JSON, *headers]), data))
        return answered.status, json.loads(answered.body)

    def judge(self, name: str, /, **body: Any) -> Any:
        """What the judge says; the call must be right."""
        status, told = self.ask("POST", f"/__harness__/judge/{name}", body)
        assert status == 200, told
        return told

    def create(self, **fields: Any) -> dict[str, Any]:
        """An interaction that the code under test creates."""
        status, made = self.ask(
            "POST", "/v1beta/interactions", {"model": "gemini-3.8-flash", "input": "Hi", **fields}
        )
        assert status == 200, made
        found: dict[str, Any] = made
        return found

    @property
    def complaints(self) -> list[str]:
        """What a test that passed has against it."""
        told: list[str] = self.ask("GET", "/__harness__/judge")[1]["complaints"]
        return told


@pytest.fixture
def server() -> Api:
    """A server as `harness serve` makes it."""
    emulator = Emulator(Settings(max_sessions=3))
    plain = IncidentControl(Faulty(emulator, PROTOCOL, control=emulator))
    return Api(JudgedSessions(plain, lambda: {"event_ids": "all", "max_sessions": 3}))


def open_session(server: Api, **options: Any) -> Api:
    """A new session with a judge."""
    status, opened = server.ask("POST", "/__harness__/sessions", {"judged": True, **options})
    assert status == 201, opened
    return Api(server.service, opened["base_url_path"])


@pytest.fixture
def session(server: Api) -> Api:
    """A session with a judge."""
    return open_session(server)


def test_it_is_separate_and_ends(server: Api, session: Api) -> None:
    """It shares no answer with the server, and its DELETE ends it. A session without a judge is as it was."""
    session.judge("reply", script={"text": "Mine."})
    assert "Mine." not in json.dumps(server.create())
    assert "Mine." in json.dumps(session.create())
    assert server.ask("DELETE", session.path) == (200, {})
    assert session.ask("GET", "/v1beta/interactions/x")[0] == 404
    status, plain = server.ask("POST", "/__harness__/sessions", {})
    assert status == 201
    assert server.ask("GET", f"{plain['base_url_path']}/__harness__/judge")[0] == 404


def test_turns_are_judged(server: Api) -> None:
    """A turn that continues a failed one is a warning; where a good one was at hand, a complaint."""
    session = open_session(server)
    session.judge(
        "reply", script=[{"status": "failed"}, {"text": "Fine."}, {"status": "failed"}, {"text": "End."}]
    )
    last = ""
    for number in range(4):
        last = session.create(**({"previous_interaction_id": last} if last else {}))["id"]
        found = session.ask("GET", "/__harness__/judge")[1]
        if number == 1:
            (warning,) = found["warnings"]
            assert "create 2 continues" in warning
            assert "open the session with { judgeTurns: false }" in warning
    assert [word for word in found["complaints"] if "create 4 continues" in word and "was at hand" in word]
    assert not open_session(server, judge_turns=False).complaints


def test_no_connection_is_kept(server: Api, session: Api) -> None:
    """A connection that is kept has a timer in the client, which the fake timers of a test would mix up."""
    driver = ServiceDriver(server.service, LogicalClock())
    for method, path in (("GET", "/v1beta/interactions/x"), ("GET", "/__harness__/judge"), ("DELETE", "")):
        answered = driver.send(Request(method, f"{session.path}{path}", Headers([KEY])))
        assert answered.headers.get("connection") == "close"


def test_the_oldest_ends_when_there_are_too_many(server: Api) -> None:
    """`max_sessions` bounds them, too."""
    opened = [open_session(server) for _ in range(4)]
    assert [one.ask("GET", "/__harness__/judge")[0] for one in opened] == [404, 200, 200, 200]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"judged": "yes"}, "Expected `bool`, got `str` - at `$.judged`"),
        ({"judged": False}, 'write {"judged": true}'),
        ({"judged": True, "setings": {}}, "Object contains unknown field `setings`"),
        ({"judged": True, "settings": {"event_ids": "odd"}}, "event_ids"),
        ({"judged": True, "speed": 0}, "speed=0.0 must be positive"),
    ],
)
def test_a_wrong_option_is_refused(server: Api, options: Any, told: str) -> None:
    """A mistake would open a session that tests something else."""
    status, answer = server.ask("POST", "/__harness__/sessions", options)
    assert status == 400
    assert told in answer["error"]["message"]


@pytest.mark.parametrize(
    ("call", "body", "status", "told"),
    [
        ("assert_contined", {}, 404, "did you mean 'assert_continued'"),
        ("_find_turn", {}, 404, "known are reply"),
        ("answer", {}, 404, "The judge has no call 'answer'"),
        ("assert_count", {"cal": "get"}, 400, "Object contains unknown field `cal`"),
        ("assert_count", {"call": "gte", "exactly": 1}, 400, "did you mean 'get'?"),
        ("assert_count", {"call": "get", "exactly": "1"}, 400, "Expected `int | null`, got `str`"),
        ("time", {"seconds": -1}, 400, "time never goes back"),
        ("route", {"name": "canceled"}, 400, "did you mean 'cancelled'?"),
        ("assert_outcome", {"result": "x"}, 400, "begin one first"),
        ("assert_replayed", {"steps": [], "id": "x"}, 400, "give either steps, or the id"),
        ("assert_replayed", {}, 400, "0 creates of the code under test got a response"),
        ("plan_cases", {"cuts": "every-even"}, 400, "every-event"),
        ("plan_cases", {"set": "quick", "first": 1}, 400, "options of cuts"),
        ("plan_cases", {"mode": "polls"}, 400, "did you mean 'poll'?"),
        ("plan_cases", {"allow": ["client.hole"]}, 400, "The rules are client.calls, client.closes"),
        ("begin_case", {"number": 1}, 400, "number=1 is not a case"),
        ("end_case", {"number": 1}, 400, "number=1 is not a running case"),
    ],
)
def test_a_wrong_call_says_what_is_right(session: Api, call: str, body: Any, status: int, told: str) -> None:
    """A misspelt name never judges something else, or nothing."""
    answered, answer = session.ask("POST", f"/__harness__/judge/{call}", body)
    assert (answered, told in answer["error"]["message"]) == (status, True), answer


def test_every_call_is_documented(session: Api) -> None:
    """docs/control.md has a row for each call of the judge."""
    known = session.ask("POST", "/__harness__/judge/zzz", {})[1]["error"]["message"].partition("known are ")[2]
    page = (Path(__file__).resolve().parents[3] / "docs" / "control.md").read_text("utf-8")
    assert [name for name in known.split(", ") if f"`{name}`" not in page] == []


def test_the_words_are_those_of_the_fixture(session: Api) -> None:
    """The same three creates are judged in the same words here and by the fixture of pytest."""
    with InteractionsEmulator() as emulator:
        chain = Chain(emulator)
        ours = chain.turn("One.")
        with emulator.client() as client:
            for _ in range(2):
                client.interactions.create(model="gemini-3.8-flash", input="Hi")
        with pytest.raises(AssertionError) as raised:
            chain.assert_continued(ours)
    turn = session.judge("turn", text="One.")
    for _ in range(2):
        session.create()
    told = session.judge("assert_continued", after=turn["id"])["problem"]
    assert told.partition("\n")[0] == str(raised.value).partition("\n")[0]
    assert told.startswith("the client sent no previous_interaction_id: the model has forgotten the conversation")


def test_a_chain_of_the_code_itself(session: Api) -> None:
    """Without a turn that was built, the turn to continue from is the one that the code under test made before."""
    first = session.create()
    second = session.create(previous_interaction_id=first["id"])
    assert session.judge("assert_continued") == {"problem": ""}
    session.create(previous_interaction_id=first["id"])
    assert "is not the turn to continue from" in session.judge("assert_continued")["problem"]
    assert session.judge("assert_continued", after=first["id"]) == {"problem": ""}
    steps = session.judge("look", id=second["id"])["interaction"]["steps"]
    session.create(input=[{"type": "user_input", "content": [{"type": "text", "text": "And?"}]}])
    assert "left out a" in session.judge("assert_replayed", steps=steps)["problem"]
    assert (
        session.judge("assert_replayed", id=second["id"])["problem"]
        == session.judge("assert_replayed", steps=steps)["problem"]
    )


def test_calls_and_creates(session: Api) -> None:
    """The assertions on requests answer with the difference, or with nothing."""
    session.create()
    assert session.judge("assert_calls", expected=["create"]) == {"problem": ""}
    assert "- get" in session.judge("assert_calls", expected=["create", "get"])["problem"]
    assert session.judge("assert_created", expected=[{"input": "Hi"}]) == {"problem": ""}
    assert "Ho" in session.judge("assert_created", expected=[{"input": "Ho"}])["problem"]
    assert session.judge("assert_count", call="create", exactly=1) == {"problem": ""}
    assert session.judge("assert_history", id=session.create()["id"], expected=["?"])["problem"]


def test_a_terminal_obeys_no_text_of_a_problem(session: Api) -> None:
    session.create(input="x\u202e\x9b31m")
    (told,) = session.judge("assert_created", expected=[{"input": "other"}]).values()
    assert r"x\u202e\x9b31m" in told
    assert told.replace("\n", "").isprintable()


def test_what_never_happened_is_a_complaint(session: Api) -> None:
    """An answer that no create took, and a plan that nothing met; unless they are optional, or an incident's."""
    session.judge("reply", script=[{"text": "One."}, {"text": "Two."}])
    session.judge("reply", script={"text": "Three."}, optional=True)
    session.ask("POST", "/__harness__/faults", {"plan": "event:500,rst"})
    session.create()
    unused, unmet = session.complaints
    assert unused.startswith("reply('Two.') was never used: 1 create came, and none took it.")
    assert unmet.startswith("the plan 'event:500,rst' never took effect: it is for stream 1, and 0 streams came;")
    assert "{ optional: true }" in unmet
    session.judge("excuse", scopes=["streams"])
    assert session.complaints == [unused]
    session.create()
    assert session.complaints == []


def test_what_an_incident_plans_is_no_complaint(session: Api) -> None:
    """Few clients meet all that an incident plans."""
    assert session.ask("POST", "/__harness__/incidents", {"name": "stream-cut-at-600s"})[0] == 200
    assert session.ask("GET", "/__harness__/faults")[1]["unmet"]
    assert session.complaints == []


@pytest.mark.parametrize(
    ("method", "path", "left"),
    [
        ("POST", "reset", []),
        ("DELETE", "scripts", []),
        ("DELETE", "scripts/refusals", ["reply('One.')"]),
        ("DELETE", "scripts/answers", ["reply(…)"]),
    ],
)
def test_what_is_taken_back_is_no_complaint(session: Api, method: str, path: str, left: list[str]) -> None:
    """An answer that a control call takes out of the queue is not expected any more."""
    session.judge("reply", script=[{"text": "One."}, {"refuse": {"status": 429}}])
    assert session.ask(method, f"/__harness__/{path}")[0] == 200
    assert [one.partition(" was")[0] for one in session.complaints] == left


def test_code_that_asks_for_ever_is_stopped(server: Api) -> None:
    """After `max_requests` everything is refused, and the test has the reason against it."""
    session = open_session(server, max_requests=3)
    made = [session.ask("GET", "/v1beta/interactions/x")[0] for _ in range(5)]
    assert made == [404, 404, 404, 400, 400]
    assert any("sent more than 3 requests in this test" in one for one in session.complaints)
    assert "sent more than 3 requests in this test" in session.judge("time", seconds=0)["runaway"]


def test_code_that_polls_what_has_settled_is_stopped(server: Api) -> None:
    """After `max_settled_reads` everything is refused, and the test has the reason against it."""
    session = open_session(server, max_settled_reads=3)
    made = session.create()
    asked = [session.ask("GET", f"/v1beta/interactions/{made['id']}")[0] for _ in range(5)]
    assert asked == [200, 200, 200, 400, 400]
    (complaint,) = session.complaints
    assert "more than 3 times in a row" in complaint
    assert "open the session with { maxSettledReads: … }" in complaint


def test_sleeps_between_polls_are_told(server: Api) -> None:
    """A response that shows the same for the second time says so; only sleeps after it count, and end the test."""
    session = open_session(server, max_settled_reads=20)
    path = f"/v1beta/interactions/{session.create()['id']}"
    assert session.judge("slept", seconds=60)["runaway"] == ""
    assert [session.ask("GET", path)[0] for _ in range(4)] == [200] * 4
    assert session.judge("slept", seconds=2)["runaway"] == ""
    assert "4 times in a row and slept 5 s in between" in session.judge("slept", seconds=3)["runaway"]
    assert session.ask("GET", path)[0] == 400


def test_time_moves_when_it_is_told(session: Api) -> None:
    """A run that lasts a minute ends when a minute was let pass; another session's clock stays."""
    session.judge("reply", script={"text": "Late.", "lasts": 60})
    made = session.create(background=True)
    assert session.judge("look", id=made["id"])["interaction"]["status"] == "in_progress"
    session.judge("time", seconds=59)
    assert session.ask("GET", f"/v1beta/interactions/{made['id']}")[1]["status"] == "in_progress"
    assert session.judge("time", seconds=2)["now"] >= 61
    assert session.ask("GET", f"/v1beta/interactions/{made['id']}")[1]["status"] == "completed"


def test_a_route_and_its_outcome(session: Api) -> None:
    """What code ends with on a route is judged; its own errors are known by the names of their classes."""
    route = session.judge("route", name="failed")
    assert any("without checking what its code ended with" in one for one in session.complaints)
    thrown = {"name": "RunFailed", "message": "it failed", "kinds": ["Error", "RunFailed"]}
    assert (
        "ended with 'completed' instead of 'failed'"
        in session.judge("assert_outcome", result="completed")["problem"]
    )
    assert session.judge("assert_outcome", result={"id": route["id"], "status": "failed"}) == {"problem": ""}
    assert "raised RunFailed (it failed)" in session.judge("assert_outcome", error=thrown)["problem"]
    assert session.judge("assert_outcome", error=thrown, raised="RunFailed") == {"problem": ""}
    assert session.judge("assert_outcome", error=thrown, raised={"failed": ["Other", "RunFailed"]}) == {
        "problem": ""
    }
    assert "expects Other" in session.judge("assert_outcome", error=thrown, raised="Other")["problem"]
    assert session.complaints == []


def read(session: Api, path: str, run: str, after: str = "") -> str:
    """The text of a stream, read once, by a reader that looks for deltas only."""
    cursor = f"&last_event_id={after}" if after else ""
    request = Request("GET", f"{session.path}{path}/v1beta/interactions/{run}?stream=true{cursor}", Headers([KEY]))
    answered = ServiceDriver(session.service, LogicalClock()).send(request)
    frames = [
        line[6:] for line in answered.body.decode(errors="replace").splitlines() if line.startswith("data: {")
    ]
    return "".join(json.loads(frame).get("delta", {}).get("text", "") for frame in frames)


def test_a_reader_that_never_comes_back(session: Api) -> None:
    """The cases are those of pytest, and the summary has each reason once, with the line that repeats it."""
    planned = session.judge("plan_cases", cuts="every-event", endings=["end"])["cases"]
    assert planned[3] == {"case": "event:3,end", "kind": ""}
    for number in range(len(planned) + 1):
        begun = session.judge("begin_case", number=number)
        ended = session.judge("end_case", number=begun["place"], result=read(session, begun["path"], begun["id"]))
        is_whole = number == 0 or number > len(planned) - 2  # with the completion
        assert (ended["problem"] == "") == is_whole, ended
    summary = session.judge("sum_up")
    assert (summary["cases"], summary["failed"]) == (len(planned), len(planned) - 2)
    assert len(summary["reasons"]) == 2, summary["text"]
    told = summary["text"].splitlines()
    assert told[0] == f"{len(planned) - 2} of {len(planned)} cases failed for {len(summary['reasons'])} reasons"
    assert "it did not resume after the drop" in told[2]
    assert '   this one alone:  torture(session, reader, {"cuts": ["event:0,end"]})' in told
    assert sum(len(reason["cases"]) for reason in summary["reasons"]) == len(planned) - 2


def play(session: Api, **ended: Any) -> dict[str, Any]:
    """How the judge takes the end of the first case."""
    begun = session.judge("begin_case", number=1)
    if "result" not in ended and "error" not in ended and "stopped" not in ended:
        ended["result"] = read(session, begun["path"], begun["id"])
    told: dict[str, Any] = session.judge("end_case", number=begun["place"], **ended)
    return told


def test_a_set_has_what_goes_wrong_besides_drops(session: Api) -> None:
    """A set of streams ends with one that stays open after its completion. Its script has a thought."""
    planned = session.judge("plan_cases", set="quick")["cases"]
    assert planned[-1] == {"case": "after-completion,stall", "kind": "never-ends"}
    assert "never-ends" not in {case["kind"] for case in session.judge("plan_cases", set="polling")["cases"]}
    session.judge("plan_cases", cuts=["pass"])
    told = play(session, result="This summary of a thought is no output.A text in several pieces")
    assert "took the summaries of thoughts for text" in told["problem"]


def test_other_ends_of_a_case(session: Api) -> None:
    """A reader that gives up, hangs, or leaves responses open is told so; `allow` excuses by code."""
    session.judge("plan_cases", cuts=["pass"], allow=["client.recovers"])
    assert play(session)["outcome"] == "exact"
    left = play(session, left_open=2)
    assert (left["code"], "left 2 responses open" in left["problem"]) == (LEFT_OPEN, True)
    hung = play(session, stopped="did not end within 3 s")
    assert "the client did not end within 3 s and was stopped" in hung["problem"]
    session.judge("plan_cases", cuts=["event:2,rst"])
    lost = {"name": "TypeError", "message": "terminated"}
    assert "the client gave up: TypeError: terminated" in play(session, error=lost)["problem"]
    session.judge("plan_cases", cuts=["event:2,rst"], allow=["client.recovers"])
    assert play(session, error=lost)["problem"] == ""
    assert session.ask("POST", "/__harness__/judge/end_case", {"number": 1, "result": None})[0] == 400


BROKEN = "the stream was dropped after event 2 (rst) and was not resumed: resume it by its id"


def test_a_stream_that_is_not_resumed(session: Api) -> None:
    """Code that makes an error of its own of a broken stream, or a part of the text, has not read on."""
    session.ask("POST", "/__harness__/faults", {"plan": "event:2,rst"})
    made = session.create(background=True)
    read(session, "", made["id"])
    told = session.judge("assert_resumed")["problem"]
    assert told.startswith(BROKEN + ", after the cursor 'v1_")
    assert told.partition("\n")[0] in session.ask("GET", "/__harness__/judge")[1]["context"]
    session.create(input="Something else.")
    assert session.judge("assert_resumed")["problem"].startswith(BROKEN)
    session.ask("GET", f"/v1beta/interactions/{made['id']}")
    assert session.judge("assert_resumed") == {"problem": ""}
    assert session.complaints == []


def test_a_cut_without_a_judged_result(session: Api) -> None:
    """A loop that judges only what its client returned passes over the cuts at which it threw."""
    session.judge("plan_cases", cuts=["pass", "event:2,rst"], judged_one_by_one=True)
    play(session)
    assert session.complaints == []
    begun = session.judge("begin_case", number=2)
    read(session, begun["path"], begun["id"])
    (told,) = session.complaints
    assert told.startswith("1 cut of 2 began and had no result judged, so the test would also pass")
    assert BROKEN in told
    context = "\n".join(session.ask("GET", "/__harness__/judge")[1]["context"])
    assert "dropped at event:2,rst, the client ended without a result that was judged" in context
    thrown = {"name": "StreamBroken", "message": "broken"}
    ended = session.judge("end_case", number=begun["place"], error=thrown)
    assert "gave up: StreamBroken: broken; it did not resume the dropped stream" in ended["problem"]
    assert session.complaints == []


def test_a_result_that_nobody_can_read_is_refused(session: Api) -> None:
    """`null` is no result, and the answer says what is one."""
    session.judge("plan_cases", cuts=["pass"])
    begun = session.judge("begin_case", number=1)
    status, answer = session.ask("POST", "/__harness__/judge/end_case", {"number": begun["place"], "result": 7})
    assert status == 400
    assert "the reader returned 7: return the text, the events, the interaction" in answer["error"]["message"]


def test_an_ended_case_answers_no_more(session: Api) -> None:
    """A late request of one case never reaches another; and one reader cannot ask for ever."""
    session.judge("plan_cases", cuts=["pass"])
    begun = session.judge("begin_case", number=1)
    asked = f"{begun['path']}/v1beta/interactions/{begun['id']}"
    assert {session.ask("GET", asked)[0] for _ in range(61)} == {200, 400}
    told = session.judge("end_case", number=begun["place"], result="x")
    assert "sent more than 60 requests in one case and was stopped" in told["problem"]
    assert session.ask("GET", asked)[1]["error"]["message"] == "This case has ended."


def test_cuts_that_nobody_judged_are_a_complaint(session: Api) -> None:
    """A loop over cuts that never asks whether the result is right passes whatever the reader does."""
    session.judge("plan_cases", cuts=["event:2,rst"], judged_one_by_one=True)
    session.judge("begin_case", number=1)
    assert any("call assert_seen_once(result) on each cut" in one for one in session.complaints)
    play(session)
    assert session.complaints == []


def test_the_guard_holds_for_the_judge(session: Api) -> None:
    """A web page, and whoever has no token, can ask the judge as little as any other control call."""
    guarded = Api(PageGuard(PROTOCOL, token="secret").around(session.service), session.path)
    token = ("x-harness-token", "secret")
    host = ("host", "127.0.0.1:1")
    for path in ("/__harness__/judge", "/__harness__/judge/sum_up"):
        method = "POST" if path.endswith("sum_up") else "GET"
        assert guarded.ask(method, path, {}, host)[0] == 401
        assert guarded.ask(method, path, {}, host, token)[0] == 200
        assert guarded.ask(method, path, {}, host, token, ("origin", "https://example.com"))[0] == 403


def test_it_needs_no_pytest() -> None:
    """`harness serve` judges where no pytest is installed."""
    code = (
        "import sys; sys.modules['pytest'] = sys.modules['_pytest'] = sys.modules['_pytest.outcomes'] = None; "
        "from harness.plugin.interactions import judged_sessions"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
