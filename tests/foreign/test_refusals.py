"""Foreign servers that crash, deny, or answer what nobody can use; and odd ones that may."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.rows import each, hold_each, is_background, is_stream, refuse, rows_of, vary, without
from tests.foreign.server import ForeignService, Handler, Json, Refused, Run

pytestmark = pytest.mark.slow


def crash_at_first(handler: Any, usual: Callable[..., Any], data: bytes) -> Any:
    """Answer what is read for the first time with 500."""
    if handler.command == "GET" and not handler.service.noted.get(handler.path):
        handler.service.noted[handler.path] = True
        raise Refused(500, "api_error", "a bad moment")
    return usual(data)


def wait_for_unknown(seconds: float) -> Callable[..., Any]:
    """A change of `dispatch`: a GET of what never existed waits before it is answered."""

    def dispatch(handler: Any, usual: Callable[..., Any], data: bytes) -> Any:
        is_unknown = handler.parts[-2:-1] == ["interactions"] and handler.parts[-1][:1] != "i"
        if handler.command == "GET" and is_unknown and handler.closed.wait(seconds):
            raise ConnectionAbortedError
        return usual(data)

    return dispatch


def hang_up(_: Any, usual: Callable[..., Any], body: Json) -> Any:
    """Hang up on streamed creates."""
    if is_stream(body):
        raise ConnectionAbortedError
    return usual(body)


THOUGHT = {"type": "thought", "signature": "c2lnbmVk"}


def sign_twice(_: Any, usual: Callable[..., Any], run: Run, step: Json) -> Any:
    """Stream a thought that has its signature in its start and in a delta."""
    for event in usual(run, step):
        yield {**event, "step": step} if event.get("step", {}).get("type") == "thought" else event


CRASHES_IN_BACKGROUND = {"create": refuse(500, is_background, message="KeyError: 'store'")}
CRASHES_ON_READ = {"get": refuse(500, lambda run, query: query.get("stream") == "true")}


def first(is_meant: Callable[[Json], bool], answer: Callable[..., Any]) -> Callable[..., Any]:
    """A change of `create`: the first of these creates is answered otherwise."""

    def change(service: Any, usual: Callable[..., Any], body: Json) -> Any:
        if is_meant(body) and not hasattr(service, "done"):
            service.done = True
            return answer(service, usual, body)
        return usual(body)

    return change


def refuse_young(self: ForeignService, usual: Callable[..., Any], identity: str) -> Run:
    """Find no background run before it is 0.3 seconds old, or older on a busy machine."""
    run: Run = usual(identity)
    if is_background(run.body) and run.age < self.stretch(0.3):
        raise Refused(404, "not_found")
    return run


def is_continuation(body: Json) -> bool:
    """Whether a turn continues another one."""
    return "previous_interaction_id" in body


def is_unknown(body: Json) -> bool:
    """Whether a create names a model that does not exist."""
    return str(body.get("model")) == "harness-unknown-model"


def read_short_text(_: Any, usual: Callable[..., Any], body: Json) -> None:
    """Refuse long inputs, and characters outside of the basic plane."""
    given = str(body.get("input"))
    if len(given) > 2000 or max(given, default="") > "\uffff":
        raise Refused(400, "invalid_request", "This server does not read such a text.")
    usual(body)


def empty_to(method: str) -> type:
    """A handler that answers each success of one method with an empty body."""

    def reply(handler: Any, usual: Callable[..., Any], status: int, value: Any, *headers: Any) -> None:
        if status == 200 and handler.command == method:
            handler.send(200, "application/json", b"", {})
        else:
            usual(status, value, *headers)

    return vary(Handler, reply=reply)


def refuse_as_others_do(_: Any, usual: Callable[..., Any], body: Json) -> None:
    """Refuse what is wrong with 422."""
    try:
        usual(body)
    except Refused as refused:
        raise Refused(422, "invalid_request", "No.") from refused


def refuse_in_streams(when: Callable[[Json], bool]) -> Callable[..., Any]:
    """A change of `get`: some streams are refused by an error within a stream of status 200."""

    def change(_: Any, usual: Callable[..., Any], run: Run, query: Json) -> Any:
        if query.get("stream") == "true" and when(query):
            error = {"code": "invalid_request", "message": "There is no such event."}
            return [(0.0, {"error": error, "event_type": "error"})]
        return usual(run, query)

    return change


EMPTY: Json = {"agent": None, "usage": None, "steps": None, "service_tier": None, "previous_interaction_id": None}


UNKNOWN = "get.ok get.unknown err.no-crash"
row = rows_of(ForeignService)
TIMES = itertools.count()
ROWS = [
    # A request that is right and is answered 500 breaks a MUST that names it; what cannot be seen then is blocked.
    row("crashes-told: err.no-crash bg.create -> fail err.no-crash", words="--capability +background",
        said=("POST interactions with `background`", "causes a server error: it needs `store`, which the request"),
        **CRASHES_IN_BACKGROUND),
    row("hangs-up: err.no-crash stream.* resume.* -> fail err.no-crash/cut, 6 blocked", create=hang_up),
    row("crashes-on-read: err.no-crash resume.* stream.* -> fail err.no-crash/, 6 blocked", **CRASHES_ON_READ),
    # Nothing is blocked by a finding that is not in the report.
    row("crash-not-asked: resume.opens -> fail resume.opens", **CRASHES_ON_READ),
    # Who may accept a wrong request may show what it asked for.
    row("shows-wrong-labels: create.labels create.schema get.schema -> info create.labels, rest pass, exit 0",
        takes=frozenset({"labels"}), show=lambda self, usual,
        run: {**usual(run), "labels": run.body.get("labels", {})}),
    row("shows-numeric-labels: create.labels get.schema -> info create.labels, fail get.schema, exit 1",
        takes=frozenset({"labels"}), show=lambda self, usual, run: {**usual(run), "labels": 5}),
    # A refusal that names something else is another one.
    row(
        "refuses-by-name: model.fields create.format-list -> warn model.fields, not_applicable create.format-list"
    ),
    # Who runs no agents has none that a key could create, declared or not.
    row("runs-no-agents: agent.field agents.create page.agents -> rest not_applicable"),
    row("501-is-no-crash: err.* create.*", create=refuse(501, is_background)),
    row("signs-twice: stream.equals-get stream.text stream.sig-last stream.evid-delta -> info stream.evid-delta",
        prepare=lambda self, usual, run: run.steps.append(THOUGHT), stream_step=sign_twice,
        events=each(lambda event: without(event, "event_id") if event.get("index") == 1 else event)),
    # Denials: what others contradict breaks the rule of the denied request, and nothing else.
    row("refuses-one-stream: create.ok stream.opens -> fail create.ok/denied, exit 1", words="-j 1",
        create=first(is_stream, refuse(403))),
    row("keeps-streamed: del.ok stream.opens -> fail del.ok/denied, exit 1",
        delete=refuse(404, lambda run: is_stream(run.body))),
    row("answers-one-stream-whole: http.ct-stream stream.opens -> fail http.ct-stream/, exit 1", words="-j 1",
        create=first(is_stream, lambda _, usual, body: usual(without(body, "stream")))),
    row("busy-once: create.ok get.ok stream.opens", words="-j 1",
        create=first(is_stream, refuse(409))),
    row("finds-runs-late: get.* del.* bg.* cancel.ok resume.opens -> warn get.ok/late, exit 0", find=refuse_young),
    row("forgets-cursors: resume.* get.* -> exit 0",
        get=refuse(404, lambda _, query: query.get("last_event_id") == "no-such-cursor")),
    row("refuses-cursors-in-streams: resume.* get.* -> exit 0",
        get=refuse_in_streams(lambda query: query.get("last_event_id") == "no-such-cursor")),
    row("refuses-streams-in-streams: resume.opens resume.live -> fail resume.opens, exit 1",
        words="--capability +resume", get=refuse_in_streams(lambda query: True)),
    # A turn that continues what a GET has just shown, and one like it is accepted.
    row(
        "refuses-one-turn: create.ok get.ok chain.own-steps chain.echo chain.whole-history"
        " -> fail create.ok/denied, exit 1",
        words="-j 1",
        create=first(is_continuation, refuse(403)),
    ),
    row("busy-for-one-turn: create.ok get.ok chain.own-steps chain.echo chain.whole-history", words="-j 1",
        create=first(is_continuation, refuse(409))),
    row("never-streams: create.ok get.ok stream.opens", create=refuse(400, is_stream)),
    row("reads-short-text: create.* stream.* -> not_applicable create.unicode, exit 0", admit=read_short_text),
    # Who reads what is gone waits for ever, and a slow answer is one.
    row(f"hangs-at-unknown-ids: {UNKNOWN} -> fail err.no-crash/unanswered, exit 1", words="--timeout 3",
        handler=vary(Handler, dispatch=wait_for_unknown(90)), said=["gets no response each time that it is sent"]),
    row(f"is-slow-at-unknown-ids: {UNKNOWN} -> exit 0", handler=vary(Handler, dispatch=wait_for_unknown(0.5))),
    # An empty body is a fault where the API answers with one.
    row("empty-gets: get.ok get.same -> fail get.ok/missing", handler=empty_to("GET")),
    row("empty-deletes: get.ok del.ok del.gone -> rest pass", handler=empty_to("DELETE")),
    # The line of a result says what was sent, and that a reading was lenient.
    row("trips-over-tools: err.wrong-type -> fail err.wrong-type",
        said=('POST /v1beta/interactions with tools "none" returned 500; expected 400',),
        admit=refuse(500, lambda body: isinstance(body.get("tools"), str))),
    row("takes-text-for-true: err.* http.* create.* stream.* -> fail err.wrong-type/truthy, exit 1",
        said=['the string "false" in `stream` is taken for `true`', "(1 cause: err.wrong-type/truthy)"],
        admit=lambda self, usual, body: usual({**body, "stream": bool(body.get("stream"))})),
    row("reads-text-as-false: err.* http.* create.* stream.* -> warn err.wrong-type, exit 0",
        create=lambda self, usual, body: usual({**body, "stream": body.get("stream") is True})),
    row("tells-refusals-as-outages: err.* -> fail err.status/unreached, blocked err.unknown-model, exit 1",
        admit=refuse(502, is_unknown)),
    row("is-out-each-second-time: err.* -> pass err.status", admit=refuse(502, lambda body: next(TIMES) % 2)),
    row("refuses-with-422: err.wrong-type -> warn err.wrong-type, exit 0",
        said=("WARNED err.wrong-type [MUST, met in a lenient reading] ",), admit=refuse_as_others_do),
    # A null in an optional field warns once for each schema, and that is told once.
    row(
        "nulls-for-nothing: create.schema get.schema usage.* create.times stream.*"
        " -> warn create.schema/null get.schema/null stream.schema/null",
        said=["previous_interaction_id are null: ", "; also get.schema"],
        show=lambda self, usual, run: {**EMPTY, **usual(run)},
        events=each(lambda event: {**event, "metadata": None}),
    ),
    row("nulls-while-it-runs: create.schema usage.types bg.at-once -> warn create.schema/null", show=lambda self,
        usual, run: {"usage": None, **usual(run)} if run.status == "in_progress" else usual(run)),
    row("all-listed: http.unlisted -> rest pass"),
    row("no-get: store.false-get -> not_applicable store.false-get", find=lambda self, usual,
        identity: self.runs.get(identity) or Run(identity, {"model": "gemini-x"}, 0.0, 4), get=refuse(405),
        show=lambda self, usual, run: {**usual(run), "id": run.id}),
]  # fmt: skip


test_an_answer_is_blamed_for_what_it_denies_alone = hold_each(ROWS)
"""A defect has the one finding that names it; a refusal that nothing contradicts has none."""


def test_one_crash_of_a_question_is_no_offer() -> None:
    """What a target does not offer is not asked of it, though the first question was answered 500."""
    service = vary(ForeignService, handler=vary(Handler, dispatch=crash_at_first))
    report = check(service(), "env.*", "trigger.*", "hook.*", "agents.*")
    assert set(report.verdicts.values()) <= {"not_applicable", "untestable"}


class FailsAll(ForeignService):
    """Runs fail, whatever they had brought: a wrong model, or no quota."""

    def fails(self, run: Run) -> bool:
        """Whether a run fails."""
        return True

    def prepare(self, run: Run) -> None:
        run.end = "failed" if self.fails(run) else "completed"


class FailsInBackground(FailsAll):
    """Whatever runs in the background fails."""

    def fails(self, run: Run) -> bool:
        return is_background(run.body)


CHOSEN = "create.*,bg.*,stream.*,get.*"


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (FailsAll, "INCOMPLETE: no run completed: "),
        (FailsInBackground, "INCOMPLETE: no background run completed: "),
    ],
)
def test_who_only_fails_is_not_judged(
    service: type[FailsAll], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The last line says what to do, and no format looks green."""
    formats = {name: tmp_path / name for name in ("badge", "junit", "markdown")}
    words = tuple(word for name, path in formats.items() for word in ("--report", f"{name}={path}"))
    report = check(service(), CHOSEN, words=words)
    assert (report.exit, report.faults) == (4, {})
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(said)
    assert "(--model)" in last
    badge = json.loads(formats["badge"].read_text(encoding="utf-8"))
    assert (badge["message"], badge["color"]) == ("incomplete", "lightgrey")
    assert said in formats["markdown"].read_text(encoding="utf-8")
    assert 'errors="0"' not in formats["junit"].read_text(encoding="utf-8").splitlines()[1]


def test_who_fails_at_times_is_judged_by_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    """One run that completed shows what can be shown."""
    service = vary(FailsAll, fails=lambda self, usual, run: int(run.id[1:]) % 3 == 0)
    assert check(service(), CHOSEN).exit != 4
    assert "run completed" not in capsys.readouterr().out


class Newer(ForeignService):
    """Correct, and of a newer API: a further step, a further event and a further field."""

    def show(self, run: Run) -> Json:
        body = super().show(run)
        if "steps" in body:
            body["steps"] = [{"type": "daydream", "of": "sheep"}, *body["steps"]]
        return {**body, "mood": "fine"}

    def encode(self, event: Json) -> bytes:
        frame = super().encode(event)
        if event["event_type"] == "interaction.created":
            return frame + super().encode({"event_type": "interaction.yawned", "interaction_id": "x"})
        return frame


def test_what_is_new_is_told_once_with_a_count() -> None:
    """One finding for each kind, however many answers hold it; nothing else is accused."""
    report = check(Newer(), "http.unlisted", "create.*", "get.*", "stream.opens", "stream.schema")
    assert (report.faults, report.verdicts["http.unlisted"]) == ({}, "info")
    told = sorted(text.partition(", in this response and ")[::2] for text in report.messages["http.unlisted"])
    assert [what for what, _ in told] == [
        "the event `interaction.yawned` is in no published schema",
        "the field `mood` is in no published schema",
        "the step `daydream` is in no published schema",
    ]
    assert all(int(more.removesuffix(" more")) > 0 for _, more in told)
