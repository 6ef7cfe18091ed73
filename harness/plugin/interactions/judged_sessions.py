"""Sessions with a judge: the fixtures' emulator, assertions and words for tests in other languages.

`POST /__harness__/sessions {"judged": true}` opens one. Below its `/__harness__/judge/` a test in another language
calls what a test in Python calls on a fixture; docs/control.md lists the calls. A judged session has a clock of
its own, which only requests, finished pauses and `POST …/judge/time` move. Needs no pytest.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from itertools import count
from threading import RLock
from typing import Any, get_type_hints
from urllib.parse import unquote

import msgspec

from harness.benches.server.fault_control import Faulty
from harness.contract import PROTOCOL
from harness.errors import TurnWarning
from harness.incidents.incident import IncidentControl
from harness.interactions.clients import CLIENTS
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean
from harness.plugin.interactions.chain import Chain
from harness.plugin.interactions.emulator import InteractionsEmulator
from harness.plugin.interactions.judged_cases import JudgedCases
from harness.plugin.interactions.lifecycle import ROUTES, Lifecycle
from harness.plugin.observed_service import RequestLimit
from harness.plugin.sent_requests import SentRequests
from harness.wire import Request, Response
from harness.wire.addresses import CONTROL, readdress, split_path, stand_in_url
from harness.wire.bodies import object_or_none
from harness.wire.message import escape_controls

_SESSIONS = f"/{CONTROL}/sessions"


class JudgedSessions:
    """A `Service` around a server with a control API: it opens, serves and ends the judged sessions.

    `read_settings` returns the settings that a session begins with.
    """

    def __init__(
        self, service: Callable[[Request], Response], read_settings: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._service = service
        self._read_settings = read_settings
        self._lock = RLock()
        self._sessions: dict[str, JudgedSession] = {}
        self._numbers = count(1)

    def __call__(self, request: Request) -> Response:
        """Answer what is for a judged session, and pass on any other request."""
        target = request.target
        if CONTROL not in target and "%" not in target:  # hot: it names neither a session nor the control API
            return self._service(request)
        name, _ = split_path(request)
        with self._lock:
            session = self._sessions.get(name or "")
        if session is not None:
            below = "/" + "".join(target.split("/", 4)[4:])
            inner = Request(request.method, below, request.headers, request.body)
            return _close_after(session.answer(inner, stand_in_url(request), f"{_SESSIONS}/{name}"))
        segments = [unquote(part) for part in request.raw_path.split("/") if part]
        if segments[:2] == [CONTROL, "sessions"]:
            if request.method == "POST" and len(segments) == 2:
                body = object_or_none(request.body) or {}
                if "judged" not in body:
                    return self._service(request)
                try:
                    return _close_after(_read(self._open, body))
                except UsageFault as wrong:
                    return _close_after(PROTOCOL.refuse(400, "invalid_request", str(wrong)))
            if request.method == "DELETE" and len(segments) == 3:
                with self._lock:
                    ended = self._sessions.pop(segments[2], None)
                return self._service(request) if ended is None else _close_after(_answer({}))
        return self._service(request)

    def _open(
        self,
        *,
        judged: bool,
        settings: dict[str, Any] | None = None,
        max_requests: int | None = None,
        max_settled_reads: int | None = None,
        assert_all_used: bool = True,
        judge_turns: bool = True,
        speed: float = 1.0,
    ) -> Response:
        """Open a session; the keywords are the members of the body."""
        if not judged:
            raise UsageFault('write {"judged": true}, or leave it out for a session without a judge')
        if speed <= 0:
            raise UsageFault(f"speed={speed!r} must be positive: with 60, a minute of pauses takes a second")
        settings = {**self._read_settings(), **(settings or {})}
        settings.pop("max_requests", None)  # here it bounds the requests of a test, and is an option
        session = JudgedSession(
            settings=settings, speed=speed, max_requests=max_requests, max_settled_reads=max_settled_reads,
            assert_all_used=assert_all_used, judge_turns=judge_turns,
        )  # fmt: skip
        with self._lock:
            name = f"j{next(self._numbers)}"
            self._sessions[name] = session
            most = session.emulator.settings.max_sessions
            while len(self._sessions) > most:
                del self._sessions[next(iter(self._sessions))]
        return _answer({"id": name, "base_url_path": f"{_SESSIONS}/{name}"}, 201)


class JudgedSession(InteractionsEmulator):
    """The emulator of one test in another language. Each method of `SessionJudge` is a control call."""

    def __init__(self, *, settings: Mapping[str, Any], speed: float, **options: Any) -> None:
        super().__init__(**options, **settings)
        self.allowed = (
            "If that is meant, pass { optional: true } there, or open the session with { assertAllUsed: false }"
        )
        self.allowed_turns = "open the session with { judgeTurns: false }"
        self.more_settled_reads = "open the session with { maxSettledReads: … }"
        self.more_requests = "open the session with { maxRequests: … }"
        self.how_to_wait = (
            "run the code under test in session.elapse(), which lets the time pass at once, or call passTime()"
        )
        self._played = ""
        self.excused: tuple[str, ...] = ()
        self._time.speed = speed
        self.faulty = Faulty(self.emulator, PROTOCOL, control=self.emulator)
        self.service = self.faulty
        self.control = IncidentControl(self.faulty)
        self.cases = JudgedCases(CLIENTS)
        self.judge = SessionJudge(self)

    def answer(self, request: Request, root: str, prefix: str) -> Response:
        """Answer a request whose target begins below the session; `root` and `prefix` are what was above."""
        target = request.target
        if target.startswith(f"/{CONTROL}/judge"):
            return self.judge.answer(request)
        if target.startswith(f"/{CONTROL}"):
            response = self.control(request)
            if request.method == "POST" and target.startswith(f"/{CONTROL}/incidents"):
                self._played = self.faulty.plan()  # few clients meet all that an incident plans
            self._reads.drops_on = self.faulty.describe_state()["planned"] is None
            self._forget_taken_back(request.method, target.removeprefix(f"/{CONTROL}/"))
            return response
        polled = request.method == "GET" and self._reads.find_polled(request.target) is not None
        response = self.cases.answer(request) or self.over_socket(request)
        if polled or self.runaway:  # the client's package then reports the sleeps of the code under test
            response.headers = response.headers.having(
                "x-harness-stopped" if self.runaway else "x-harness-polled", "1"
            )
        response.headers = readdress(response.headers, root, root + prefix)
        response.clock = response.clock or self._time
        return response

    def _forget_taken_back(self, method: str, path: str) -> None:
        """Expect nothing more of answers that a control call has taken out of the queue."""
        if (method, path) == ("POST", "reset"):
            self.forget()
            self._answers.clear()
        elif method == "DELETE" and path in ("scripts", "scripts/refusals", "scripts/answers"):
            kept = {"scripts": None, "scripts/refusals": False, "scripts/answers": True}[path]
            self._answers = [one for one in self._answers if (one[0].script.refuse is not None) is kept]

    def format_context(self) -> str:
        """The report for a test that fails: the requests, and the state of the cases that were not judged."""
        return "\n".join(filter(None, [super().format_context(), self.cases.describe_unjudged()]))

    def find_complaints(self) -> Iterator[str | Warning]:
        """The reasons to fail a test whose own code has passed: planned events that never happened."""
        yield from super().find_complaints()
        plan, why = self.faulty.plan(), self.faulty.find_unmet(excused=self.excused)
        if self.assert_all_used and why and plan != self._played and not self.runaway:
            yield f"the plan {plan!r} never took effect: {why}. {self.allowed}"

    def pass_time(self, seconds: float) -> float:
        """Let time pass as if the code under test had slept; return the seconds since the session began."""
        if not 0 <= seconds < float("inf"):
            raise UsageFault(
                f"seconds={seconds!r} is not a number of seconds from 0 on: time never goes back; write 0 or more"
            )
        self._time.skip_to(self._time.now + seconds)
        self.cases.pass_time(seconds)
        return self._time.now


class SessionJudge:
    """The calls below `/__harness__/judge/`: each public method is one; its keywords are members of the body.

    An assertion answers `{"problem": …}`: a sentence, or "" if it raises nothing.
    """

    def __init__(self, session: JudgedSession) -> None:
        self._session = session
        self._chain = Chain(session)
        self._route: Lifecycle | None = None
        cases = session.cases
        own = [name for name in vars(SessionJudge) if not name.startswith("_") and name != "answer"]
        self._calls: dict[str, Callable[..., Any]] = {
            **{name: getattr(self, name) for name in own},
            **{call.__name__: call for call in (cases.plan_cases, cases.begin_case, cases.end_case, cases.sum_up)},
            "assert_continued": self._chain.assert_continued,
            "assert_resumed": session.assert_resumed,
        }

    def answer(self, request: Request) -> Response:
        """Return the response to a call: GET for the state of the test, POST for a judgment."""
        name = request.raw_path.removeprefix(f"/{CONTROL}/judge").strip("/").replace("-", "_")
        if not name and request.method == "GET":
            return _answer(self._describe())
        if name not in self._calls:
            hint = did_you_mean(name, self._calls, otherwise=f"; known are {', '.join(self._calls)}")
            return PROTOCOL.refuse(404, "not_found", f"The judge has no call {name[:100]!r}{hint}")
        if request.method != "POST":
            return PROTOCOL.refuse(405, "method_not_allowed", f"{request.method}: use POST here.")
        try:
            told = _read(self._calls[name], json.loads(request.body or b"{}"), _PASSED_ON.get(name))
            return _answer({"problem": ""} if name.startswith("assert_") else told)
        except AssertionError as problem:
            return _answer({"problem": escape_controls(str(problem))})
        except UsageFault as wrong:
            return PROTOCOL.refuse(400, "invalid_request", str(wrong))
        except (ValueError, RecursionError):
            return PROTOCOL.refuse(400, "invalid_request", "The body is not JSON: write an object, such as {}.")

    def _describe(self) -> dict[str, Any]:
        """The complaints and warnings about a test that passed, and the context of one that failed."""
        session = self._session
        found = list(session.find_complaints())
        complaints = [one for one in found if isinstance(one, str)]
        if self._route is not None and not self._route.was_asked:
            complaints.append(
                "the test passed without checking what its code ended with, so it would also pass with a wrong "
                "status: call assert_outcome(result)"
            )
        complaints += session.cases.find_complaints()
        doubts = [str(one) for one in found if isinstance(one, TurnWarning)]
        return {"complaints": complaints, "warnings": doubts, "context": session.format_context().splitlines()}

    def reply(
        self, *, script: dict[str, Any] | list[dict[str, Any]], optional: bool = False, unchecked: bool = False
    ) -> dict[str, Any]:
        """Queue the answer to the next create, or several."""
        for one in [script] if isinstance(script, dict) else script:
            self._session.script(one, optional=optional, unchecked=unchecked)
        return {"queued": len(self._session.emulator.sessions.default.scripts)}

    def excuse(self, *, scopes: list[str]) -> dict[str, Any]:
        """Let the parts of the fault plan for these scopes stay without effect."""
        self._session.excused = tuple(scopes)
        return {}

    def time(self, *, seconds: float) -> dict[str, Any]:
        """Let time pass for the emulator; `runaway` is a sentence if the code under test never stops polling."""
        return {"now": self._session.pass_time(seconds), "runaway": self._session.runaway}

    def slept(self, *, seconds: float) -> dict[str, str]:
        """Note a real sleep of the code under test between reads; `runaway` reports a loop that never ends."""
        with suppress(RequestLimit):
            self._session.note_sleep(seconds)
        return {"runaway": self._session.runaway}

    def assert_calls(self, *, expected: list[str]) -> None:
        """Judge which calls were made, in order."""
        self._session.requests.assert_calls(*expected)  # type: ignore[arg-type]

    def assert_count(self, **options: Any) -> None:
        """Judge how many of some calls were made."""
        self._session.requests.assert_count(**options)

    def assert_created(self, *, expected: list[dict[str, Any]]) -> None:
        """Judge the creates by some of their fields."""
        self._session.requests.assert_created(*expected)

    def turn(self, **options: Any) -> dict[str, Any]:
        """Add an earlier turn of a conversation; its options are those of `Chain.turn`."""
        turn = self._chain.turn(**options)
        shown = {name: getattr(turn, name) for name in ("id", "input", "text", "environment_id", "calls")}
        return {**shown, "steps": turn.created.get("steps", [])}

    def assert_replayed(self, *, steps: list[Any] | None = None, id: str | None = None) -> None:  # noqa: A002
        """Judge whether the last create sends back `steps`, those of `id`, or those of the answer before."""
        if steps is not None and id is not None:
            raise UsageFault("give either steps, or the id of the interaction whose steps have to come back")
        self._chain.assert_replayed(steps if id is None else id)

    def assert_history(self, *, id: str, expected: list[str]) -> None:  # noqa: A002
        """Judge the texts of a conversation."""
        self._chain.assert_history(id, *expected)

    def look(self, *, id: str) -> dict[str, Any]:  # noqa: A002
        """An interaction as it is now, without moving it on as a poll would."""
        return {"interaction": self._session.look(id)}

    def route(self, *, name: str) -> dict[str, Any]:
        """Begin an interaction that takes a route (docs/pytest-reference.md#interactions_lifecycle)."""
        if name not in ROUTES:
            raise UsageFault(f"no route is named {name!r}{did_you_mean(name, ROUTES)}")
        self._route = route = Lifecycle(self._session, name)
        return {"id": route.id, "story": route.story, "tools": route.tools}

    def assert_outcome(
        self, *, result: Any = None, error: dict[str, Any] | None = None, raised: Any = None
    ) -> None:
        """Judge what code ended with on a route: `result`, or the `error` that it threw."""
        if self._route is None:
            raise UsageFault("there is no route to judge: begin one first, with the call route")
        classes: dict[str, type[Exception]] = {}
        ended = result if error is None else _build_error(error, classes)
        self._route.assert_outcome(ended, raised=_find_classes(raised, classes))


_PASSED_ON: dict[str, Callable[..., Any]] = {"turn": Chain.turn, "assert_count": SentRequests.assert_count}
"""The methods whose keywords a call takes and passes on."""

_IN_JSON: dict[str, Any] = {"after": str | None, "call": str}
"""What JSON has for keywords of such methods that take more in Python."""


def _build_error(record: Mapping[str, Any], classes: dict[str, type[Exception]]) -> Exception:
    """An exception that looks like the one that was thrown elsewhere; `kinds` are its classes, the root first."""
    kind: type[Exception] = Exception
    for name in record.get("kinds") or [record.get("name", "Error")]:
        kind = classes[name] = type(str(name), (kind,), {})
    error = kind(str(record.get("message", "")))
    for name in ("status", "status_code"):
        if record.get(name) is not None:
            setattr(error, name, record[name])
    return error


def _find_classes(raised: Any, classes: Mapping[str, type[Exception]]) -> Any:
    """The classes of these names, alone, in a list or by status; a class that was not thrown matches nothing."""
    if raised is None:
        return None
    if isinstance(raised, str):
        return classes.get(raised) or type(raised, (Exception,), {})
    if isinstance(raised, list):
        return tuple(_find_classes(name, classes) for name in raised)
    if isinstance(raised, dict):
        return {status: _find_classes(name, classes) for status, name in raised.items()}
    raise UsageFault(f"raised={raised!r}: write the name of a class, several, or one for each status")


@cache
def _body_type(call: Callable[..., Any]) -> type[msgspec.Struct]:
    """The type of a call's body: its keywords, and nothing else."""
    hints = {**get_type_hints(call), **_IN_JSON}
    fields = [
        (name, hints[name]) if one.default is one.empty else (name, hints[name], one.default)
        for name, one in inspect.signature(call).parameters.items()
        if name != "self"
    ]
    return msgspec.defstruct(call.__name__, fields, kw_only=True, forbid_unknown_fields=True)


def _read(call: Callable[..., Any], body: Any, takes: Callable[..., Any] | None = None) -> Any:
    """Call with the members of a body, which are the keywords of the call or of what it passes them to.

    Raises UsageFault for one that is unknown, missing or of another type.
    """
    function: Any = takes or getattr(call, "__func__", call)
    try:
        read = msgspec.convert(body, _body_type(function))
    except msgspec.ValidationError as wrong:
        members = ", ".join(_body_type(function).__struct_fields__)
        name = function.__name__.strip("_")
        raise UsageFault(f"{name}: {wrong}. It takes an object with {members or 'no members'}") from None
    return call(**{name: getattr(read, name) for name in read.__struct_fields__})


def _close_after(response: Response) -> Response:
    """Close the connection after a response: a client that keeps it sets timers, which fake timers would mix up.

    Node's `fetch` sets one when a response ends, and clears it at the next request. If fake timers come between
    the two, it is never cleared, and it fires into a later test.
    """
    response.headers = response.headers.having("connection", "close")
    return response


def _answer(value: Any, status: int = 200) -> Response:
    return Response.json(status, json.dumps(value, ensure_ascii=False, default=str).encode())
