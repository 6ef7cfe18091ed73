"""A run of the gateway rules: which rules are selected, what ends it, and how missing operations are treated."""

from __future__ import annotations

import fnmatch
import json
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.benches.gateway import GatewayOptions, judge_gateway
from harness.benches.gateway.run import parts_of
from harness.checks.gateway import CATALOGUE, CHECKS
from harness.checks.gateway.exercises import EXERCISES
from harness.cli import main
from harness.contract import PROTOCOL
from harness.engine.events import ExerciseStarted, RunFinished
from harness.engine.selection import Selection
from harness.engine.traffic.deadline import Deadline, Timer
from harness.engine.traffic.governed_driver import Attempt, DriverPolicy, GovernedDriver
from harness.interactions import INTERACTIONS
from harness.kit.check import Check
from harness.kit.relay import RelayedExchange
from harness.outcome import Accounted, Exit, Outcome, Reason, TargetFault, Verdict
from harness.report.evidence.curl import Display
from harness.report.presented_run import PresentedRun
from harness.report.story import list_events
from harness.wire import (
    At,
    Body,
    By,
    Chunk,
    Ending,
    Frame,
    Headers,
    How,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
    Service,
)
from harness.wire.mask import Mask
from harness.wire.message import EVENT_STREAM
from harness.wire.sse import encode_frame
from harness.wire.stream_picture import picture_lines
from lab.gateways import MUTANTS, Gateway
from lab.gateways.mutant import FrameEdit, GatewayBuild, answer_itself, change_request, edit_frames, read_body
from tests.benches.gateway.inprocess import bench_through, judged, noticing, play_all, words
from tests.checks.gateway.variants import JoinsDeltas
from tests.foreign.rows import vary
from tests.transport.hostile_peers import PEERS
from tests.transport.peers import RawServer

JSON = Headers((("content-type", "application/json"),))


def answering(status: int) -> type[Gateway]:
    """A gateway that answers itself and never contacts its upstream."""

    class Alone(Gateway):
        def __call__(self, request: Request) -> Response:
            return Response.whole(status, JSON, b'{"id":"v1_cached","status":"completed"}')

    return Alone


class KnowsKeys(Gateway):
    """A gateway that sends its requests to the service, which does not know the key."""

    def __call__(self, request: Request) -> Response:
        reason = b'{"error":{"code":400,"message":"API key not valid.","details":[{"reason":"API_KEY_INVALID"}]}}'
        return Response.whole(400, JSON, reason)


class Down(Gateway):
    """A gateway that refuses connections."""

    def __call__(self, request: Request) -> Response:
        return Response.dead(Ending(by=By.SERVER, how=How.REFUSED, at=At.BEFORE_HEADERS))


class Untrusted(Gateway):
    """A gateway whose TLS certificate is not trusted."""

    def __call__(self, request: Request) -> Response:
        return Response.dead(Ending(by=By.SERVER, how=How.TLS, at=At.BEFORE_HEADERS, detail="not trusted: why"))


class HangsUp(Gateway):
    """A gateway that resets creates with a certain field, and deletions."""

    def __call__(self, request: Request) -> Response:
        if request.method == "DELETE" or b"system_instruction" in request.body:
            return Response.dead(Ending(by=By.SERVER, how=How.RST, at=At.BEFORE_HEADERS))
        return super().__call__(request)


class HoldsTooLong(Gateway):
    """A gateway that buffers streams, so that the upstream waits for the client, and this one for the gateway."""

    def __call__(self, request: Request) -> Response:
        response = super().__call__(request)
        if response.headers.media_type() != EVENT_STREAM:
            return response
        held: list[Piece] = []
        for piece in response.body:
            held.append(piece)
            if isinstance(piece, Ending):
                break
            if sum(pause.seconds for pause in held if isinstance(pause, Pause)) > 1:
                response.body.close()
                return Response.dead(Ending(by=By.SERVER, how=How.STALL, at=At.BEFORE_HEADERS))
        response.body = PieceBody(held)
        return response


def test_a_buffer_that_outlasts_our_patience_is_a_buffer() -> None:
    """A stream that was held back until our time was up is reported as one, and not as lost."""
    results = judged(HoldsTooLong, "gw.live", "gw.events")
    assert noticing(results) == {"gw.live"}
    (finding,) = results["gw.live"].observation.findings
    assert finding.stable_code == "gw.live/buffered"
    assert finding.cure


@pytest.mark.parametrize(("declared", "verdict"), [((), Verdict.WARN), (("gw.live/buffered",), Verdict.FAIL)])
def test_a_buffer_fails_a_gateway_that_is_declared_to_stream(declared: tuple[str, ...], verdict: Verdict) -> None:
    """It is a warning without that declaration, because a client still gets each event."""
    assert judged(HoldsTooLong, "gw.live", declared=declared)["gw.live"].verdict is verdict


class IsLate(Gateway):
    """A gateway that is late with the sixth event of so many streams: it comes with the next one."""

    times = 1

    def relay_stream(self, request: Request, body: Body) -> Body:
        self.times -= 1
        return edit_frames(body, HoldsOne(request)) if self.times >= 0 else body


class HoldsOne(FrameEdit):
    """Sends the sixth event with the one behind it."""

    held = b""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        sent, self.held = self.held + encode_frame(frame), b""
        if number != 5:
            return (sent,)
        self.held = sent
        return ()


@pytest.mark.parametrize(("times", "found"), [(1, set()), (2, set()), (99, {"gw.live"})])
def test_who_is_late_now_and_then_is_busy(times: int, found: set[str]) -> None:
    """A stream is read three times before an event in it is reported as late."""
    assert noticing(judged(vary(IsLate, times=times), "gw.live")) == found


class DripsBytes(Gateway):
    """Passes single bytes on so slowly that our time is up before they have all come."""

    largest, seconds = 1, 0.01

    def relay_stream(self, request: Request, body: Body) -> Body:
        return PieceBody(self._pieces(body), on_close=body.close)

    def _pieces(self, body: Body) -> Iterator[Piece]:
        for piece in body:
            if isinstance(piece, Chunk) and len(piece.data) <= self.largest:
                yield Pause(self.seconds)
            yield piece


class Drips(DripsBytes):
    """Does that with all of a stream."""

    largest, seconds = 1_000_000, 0.9


@pytest.mark.parametrize(("gateway", "rule"), [(DripsBytes, "gw.utf8"), (Drips, "gw.events")])
def test_what_still_came_when_our_time_was_up_is_not_lost(gateway: type[Gateway], rule: str) -> None:
    """A slow stream is nobody's loss; what it would have shown is untested, and the run is not green for it."""
    results = judged(gateway, rule)
    assert noticing(results) == set()
    observed = results[rule].observation
    assert observed.outcome is Outcome.UNTESTABLE
    assert "had not ended at the time limit" in observed.reason
    assert observed.remedy == "with more time (--timeout)"


def test_who_neither_answers_nor_asks_is_told() -> None:
    """A request that is neither forwarded nor answered is a finding, because it was not refused either."""
    results = judged(HangsUp)
    assert noticing(results) == {"gw.route", "gw.body-fields"}
    assert "gave no response to delete, and nothing arrived" in words(results["gw.route"])
    assert (
        "neither forwarded nor rejected | a create upstream, or a rejection | "
        "no response (the server reset the connection before the headers)" in words(results["gw.body-fields"])
    )


@pytest.mark.parametrize(
    ("gateway", "said"),
    [
        (Untrusted, "the TLS connection failed.: not trusted: why"),
        (Down, "start it, check the URL"),
        (answering(401), "rejects the key"),
        (
            KnowsKeys,
            r"^the key was rejected .status 400., and no request arrived upstream: configure .*--api-key KEY",
        ),
        (answering(502), "no request arrived upstream"),
        (answering(200), "no request arrived upstream"),
    ],
    ids=["untrusted", "down", "key", "service", "misconfigured", "cache"],
)
def test_what_makes_a_run_pointless(gateway: type[Gateway], said: str) -> None:
    """If requests cannot reach the upstream through the gateway, the run fails before anything is judged."""
    with pytest.raises(TargetFault, match=said):
        list(judge_gateway(bench_through(gateway), CATALOGUE, GatewayOptions()))


def test_only_what_is_asked_for() -> None:
    """A glob selects rules, and only the trials that they need are run; each result has its part of the time."""
    events = list(
        judge_gateway(
            bench_through(), CATALOGUE, GatewayOptions(selection=Selection(checks=("gw.live", "gw.retry*")))
        )
    )
    assert [event.name for event in events if isinstance(event, ExerciseStarted)] == ["live", "gzip", "refusal"]
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert [result.id for result in finished.results] == ["gw.retry-after", "gw.live"]
    assert finished.exit is Exit.OK
    assert min(took := [result.seconds for result in finished.results]) > 0
    assert sum(took) <= finished.seconds


def lacking(*methods: str, background: bool = True) -> type[Gateway]:
    """A gateway that answers 404 for some of the operations."""

    class Lacking(Gateway):
        def __call__(self, request: Request) -> Response:
            refused = request.method in methods or (not background and b'"background": true' in request.body)
            error = PROTOCOL.error_body(404, "not_found", "There is no such route.")
            return Response.whole(404, JSON, error) if refused else super().__call__(request)

    return Lacking


def test_a_gateway_without_get_is_told_once() -> None:
    """A missing operation is one lenient finding, and the rules that need it do not apply."""
    results = judged(lacking("GET"))
    assert noticing(results) == {"gw.route"}
    assert results["gw.route"].verdict is Verdict.WARN
    assert "does not offer get" in words(results["gw.route"])
    assert results["gw.resume-through"].verdict is Verdict.NOT_APPLICABLE


def test_a_gateway_without_background_runs() -> None:
    """A gateway without background runs gets no finding; the rules that need them do not apply."""
    results = judged(lacking(background=False))
    assert noticing(results) == set()
    absent = {rule for rule, result in results.items() if result.observation.outcome is Outcome.NOT_APPLICABLE}
    assert absent >= {"gw.resume-through", "gw.event-ids"}


@pytest.mark.parametrize(("nth", "status"), [*((n, 503) for n in (5, 7, 10, 12, 103, 104, 105)), (105, 429)])
def test_a_gateway_that_refuses_one_request_for_now_breaks_no_rule(nth: int, status: int) -> None:
    """A full gateway may refuse any request: these are those without which a MUST was thought to be broken."""
    refused: list[Request] = []

    class Full(Gateway):
        def __call__(self, request: Request) -> Response:
            counted.append(request)
            if len(counted) != nth:
                return super().__call__(request)
            refused.append(request)
            return Response.json(status, b'{"error": {"code": "unavailable", "message": "Busy."}}')

    counted: list[Request] = []
    results = judged(Full)
    assert refused
    assert {rule for rule, result in results.items() if result.verdict is Verdict.FAIL} == set()
    missed = {rule for rule, result in results.items() if result.observation.outcome is Outcome.UNTESTABLE}
    assert missed & {"gw.route", "gw.resume-through"}


RESET = Ending(By.SERVER, How.RST, At.BEFORE_HEADERS)
PAGE = Headers((("content-type", "text/html"),)), b"<h1>Request Entity Too Large</h1>"


@pytest.mark.parametrize("refuse", [lambda: Response.whole(413, *PAGE), lambda: Response.dead(RESET)])
@pytest.mark.parametrize(
    ("limits", "rule", "said"),
    [
        (lambda request: len(request.body) > 2**20, "gw.body-fields", "a create with an image of two megabytes"),
        (lambda request: len(request.body) > 9000, "gw.body-fields", "rejects a create with a text of 65 kB"),
        (lambda request: b"<script" in request.body, "gw.body-fields", "a create with code in its text"),
        (lambda request: len(str(request.headers)) > 2000, "gw.request-headers", "a header of 2,048 characters"),
    ],
)
def test_a_limit_is_a_warning(
    limits: Callable[[Request], bool], rule: str, said: str, refuse: Callable[[], Response]
) -> None:
    """Also if the reset of a gateway overtakes its response; its plain page is no other finding."""
    results = judged(answer_itself(lambda request: refuse() if limits(request) else None))
    assert noticing(results) == {rule}
    assert results[rule].verdict is Verdict.WARN
    assert said in words(results[rule])


def first_cause(gateway: type[Gateway]) -> str:
    """Return the code of the worst failure of a run."""
    state = PresentedRun(INTERACTIONS)
    for event in judge_gateway(bench_through(gateway), CATALOGUE, GatewayOptions()):
        state.handle(event)
    return state.causes[0].key


class Stores(Gateway):
    """A gateway that returns the response to the first GET of an id to each later one, whatever its query."""

    def __init__(self, upstream: Service) -> None:
        super().__init__(upstream)
        self._stored: dict[str, Response] = {}

    def __call__(self, request: Request) -> Response:
        if request.method != "GET":
            return super().__call__(request)
        if request.path not in self._stored:
            response = super().__call__(request)
            self._stored[request.path] = Response.whole(response.status, response.headers, read_body(response)[0])
        kept = self._stored[request.path]
        data, _ = read_body(kept)
        self._stored[request.path] = Response.whole(kept.status, kept.headers, data)
        return Response.whole(kept.status, kept.headers, data)


def change_target(change: Callable[[str], str]) -> GatewayBuild:
    """Change the target of every request."""
    return change_request(lambda request: replace(request, target=change(request.target)))


@pytest.mark.parametrize(
    ("gateway", "code"),
    [
        (Stores, "gw.body/stale"),
        (change_target(lambda target: target.replace("%2F", "%252F").replace("%2B", "+")), "gw.query/stream"),
        (change_target(str.lower), "gw.route/elsewhere"),
    ],
    ids=["stores", "damages-cursors", "lowers-ids"],
)
def test_the_first_cause_is_the_defect(gateway: GatewayBuild, code: str) -> None:
    """What else a defect breaks is no cause of its own: a cursor that arrives damaged cannot be resumed from."""
    assert first_cause(gateway) == code


class DropsSlow(Gateway):
    """It has a time limit for its own response, and drops the connection when the upstream has sent all."""

    def relay_response(self, request: Request, response: Response) -> Response:
        if response.headers.media_type() != EVENT_STREAM:
            pieces = list(response.body)
            if any(isinstance(piece, Pause) and piece.seconds > 10 for piece in pieces):
                return Response.dead(Ending(By.SERVER, How.FIN, At.BEFORE_HEADERS))
            response.body = PieceBody(iter(pieces))
        return response


def test_a_slow_response_that_was_dropped_is_one_finding() -> None:
    """No status arrived either, which is the same defect."""
    results = judged(DropsSlow, "gw.idle", "gw.status")
    assert noticing(results) == {"gw.idle"}
    assert "did not arrive" in words(results["gw.idle"])


_ASKS_FOR_NO_CODING = change_request(
    lambda request: replace(request, headers=request.headers.having("accept-encoding", "identity"))
)


class KeepsLength(Gateway):
    """It writes JSON again with more bytes, and keeps the Content-Length of the upstream."""

    def relay_response(self, request: Request, response: Response) -> Response:
        if response.status != 200 or response.headers.media_type() == EVENT_STREAM:
            return response
        data = json.dumps(json.loads(b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))))
        return Response.json(200, data.encode()[: len(json.dumps(json.loads(data), separators=(",", ":")))])


def test_json_that_is_cut_by_its_length_is_named_as_such() -> None:
    shown = words(judged(KeepsLength, "gw.body")["gw.body"])
    assert "a response ends in the middle of its JSON" in shown
    assert "bytes, its Content-Length, the last of them: " in shown


@pytest.mark.parametrize(
    ("carrier", "said"),
    [
        (Gateway, "the Content-Encoding of a response did not arrive, although its body has that coding"),
        (_ASKS_FOR_NO_CODING, "is not in the coding that its Content-Encoding names (none) |"),
    ],
)
def test_a_compressed_body_without_its_name_is_reported_through_any_carrier(
    carrier: GatewayBuild, said: str
) -> None:
    """The words depend on who compressed it. The proxy of a gateway on sockets asks its upstream for no coding."""
    forgets = MUTANTS["coding.unnamed"].build
    assert said in words(judged(lambda service: forgets(carrier(service)), "gw.coding")["gw.coding"])


def test_what_only_another_exercise_shows_is_repeated_with_it() -> None:
    """The command of a finding runs the rule whose exercise sent the request, too, and so does --last-failed."""

    class FailsInChains(Gateway):
        def __call__(self, request: Request) -> Response:
            response = super().__call__(request)
            return replace(response, status=500) if b"function_result" in request.body else response

    result = judged(FailsInChains)["gw.status"]
    assert result.shown_by == ("gw.body-fields",)
    assert result.reproduction is not None
    assert result.reproduction.command.endswith("-c gw.status -c gw.body-fields")


@pytest.mark.parametrize(("strict", "verdict"), [(False, Verdict.WARN), (True, Verdict.FAIL)])
def test_strict(strict: bool, verdict: Verdict) -> None:
    """A broken SHOULD fails only with `strict`."""
    results = judged(MUTANTS["names.dropped"].build, "gw.event-names", strict=strict)
    assert results["gw.event-names"].verdict is verdict


def test_evidence_is_what_the_findings_name() -> None:
    result = judged(MUTANTS["once.lost"].build, "gw.once")["gw.once"]
    passages = [item for item in result.evidence if isinstance(item, RelayedExchange)]
    assert len(passages) == len(result.evidence)
    assert [passage.name for passage in passages] == ["loss.json", "loss.stream"]
    assert [len(passage.upstream) for passage in passages] == [2, 2]


@pytest.mark.parametrize(
    ("mutant", "rule", "lines"),
    [
        ("events.lost", "gw.events", ["ooooooooooo", "oooo!oooooo"]),
        ("cut.done", "gw.truncated", ["", "!"]),
        ("resume.late", "gw.resume-through", ["ooooox", "ooooox", ".....ooooooooooo", ".....!oooooooooo"]),
    ],
)
def test_the_picture_accuses_what_the_client_received_otherwise(mutant: str, rule: str, lines: list[str]) -> None:
    """A lost or an invented event is the finding; a resumed stream stands under the cut of the first."""
    result = judged(MUTANTS[mutant].build, rule)[rule]
    events = list_events(result, Display(INTERACTIONS, "http://h", Mask({})))
    assert events is not None
    drawn = list(picture_lines(events.picture))[:-1]
    assert [line.removeprefix("upstream sent").removeprefix("client received").strip() for line in drawn] == lines


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_rule_wants_what_is_made(check: Check) -> None:
    """The exercises that a rule needs are played, and each of its globs matches an exchange."""
    parts = parts_of(check)
    assert {exercise.name for exercise in parts} <= {exercise.name for exercise in EXERCISES}
    bench = bench_through()
    made = [relayed.name for exercise in parts for relayed in play_all(bench, exercise.run(bench.client))]
    for glob in check.globs:
        assert fnmatch.filter(made, glob), glob


def test_a_resplit_text_is_met_leniently() -> None:
    """A text that arrives in different deltas is non-strict, because the answer is the same."""
    results = judged(JoinsDeltas, "gw.events")
    assert results["gw.events"].observation.outcome is Outcome.NON_STRICT


# --- a run against a gateway that ends before it is through: time is up, or somebody interrupts


class After(DriverPolicy):
    """Does something before the request of a number."""

    def __init__(self, number: int, act: object) -> None:
        self.left = number
        self.act = act

    def before(self, attempts: Sequence[Attempt]) -> float:
        self.left -= 1
        if self.left == 0:
            self.act()  # type: ignore[operator]
        return 0.0


def ended(policy: After, timer: Timer, looked: list[str] | None = None) -> RunFinished:
    """How a run ends with these policies; `looked` gets an entry for each look at the gateway's process."""
    bench = bench_through()
    bench.find_end = lambda: "" if looked is None else looked.append("") or ""
    bench.driver = GovernedDriver(bench.driver, [policy, Deadline(timer, 30.0)])
    *_, finished = judge_gateway(bench, CATALOGUE, GatewayOptions())
    assert isinstance(finished, RunFinished)
    return finished


def test_at_the_deadline_what_passed_is_judged() -> None:
    """Rules whose exchanges were made are judged, the others are not tried, and the run is not green."""
    timer = Timer(None)
    finished = ended(After(14, timer.end), timer)
    assert finished.halted.startswith("the time limit was reached (--deadline)")
    assert finished.exit is Exit.INCOMPLETE
    verdicts = {result.verdict for result in finished.results}
    assert {Verdict.PASS, Verdict.UNTESTABLE} <= verdicts
    assert Verdict.FAIL not in verdicts
    assert len(finished.results) == len(CATALOGUE.checks)


def test_a_deadline_before_the_first_response_is_a_fault_of_the_target() -> None:
    """A gateway may send its first response without end: the run says so, and has no result."""
    timer = Timer(None)
    timer.end()
    with pytest.raises(TargetFault, match=r"the time limit was reached \(--deadline\).*: nothing was judged"):
        ended(After(0, lambda: None), timer)


@pytest.mark.parametrize("number", [3, 30])
def test_an_interrupt_keeps_what_is_known(number: int) -> None:
    """Ctrl-C ends the trials; the rest is judged and the exit code says that somebody interrupted.

    To see whether the gateway still runs takes half a second: the run looks once, and not for each rule.
    """
    looked: list[str] = []
    finished = ended(After(number, lambda: signal.raise_signal(signal.SIGINT)), Timer(None), looked)
    assert len(looked) == 1
    assert (finished.exit, finished.halted) == (Exit.INTERRUPTED, "it was interrupted")
    assert Verdict.FAIL not in {result.verdict for result in finished.results}
    assert Reason.INTERRUPTED in {result.reason for result in finished.results}
    assert len(finished.results) == len(CATALOGUE.checks)


# --- a stream that stands still for a while: what is said of a gateway that does not wait, and with `--idle 0`


def test_the_finding_says_how_and_when_it_ended() -> None:
    """What came, how and when the stream ended is told, with the settings that would mend it."""
    (finding,) = judged(MUTANTS["idle.ended"].build)["gw.idle"].observation.findings
    assert finding.stable_code == "gw.idle/clean-end"
    assert finding.actual.startswith("5 events, then ")
    assert finding.actual.endswith(" after 0.0 s")
    assert "proxy_read_timeout" in finding.cure


class AsksAgain(Gateway):
    """Sends a create again when its stream stands still, and goes on with the answer to that."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        return PieceBody(self._pieces(request, body), on_close=body.close)

    def _pieces(self, request: Request, body: Body) -> Iterator[Piece]:
        for piece in body:
            if isinstance(piece, Pause) and piece.seconds > 1:
                yield from self.upstream(request).body
                return
            yield piece


def test_a_create_that_is_sent_again_is_named() -> None:
    """A gateway that does not wait but asks again breaks this rule, though each of its creates got an answer."""
    results = judged(AsksAgain)
    assert noticing(results) == {"gw.idle"}
    assert "gw.idle/repeated" in {finding.stable_code for finding in results["gw.idle"].observation.findings}


@pytest.mark.slow
def test_without_it_nothing_is_said_of_the_rule() -> None:
    """With no seconds the rule was not asked for; the run says so, is green, and sends two creates less."""
    counts = {}
    for idle in (11.0, 0.0):
        bench = bench_through(MUTANTS["idle.ended"].build if not idle else Gateway, idle=idle)
        *_, finished = judge_gateway(bench, CATALOGUE, GatewayOptions())
        assert isinstance(finished, RunFinished)
        assert finished.exit is Exit.OK
        counts[idle] = len(bench.upstream.calls)
    (left,) = [result for result in finished.results if result.id == "gw.idle"]
    assert (left.outcome, left.observation.reason) == (Accounted.EXCLUDED, "excluded by --idle 0")
    assert counts[11.0] == counts[0.0] + 2


# --- gateways that break HTTP: each gets a sentence and a verdict that is not green, and no run hangs or breaks


BRIEF = ["--patience", "1", "--timeout", "1", "--deadline", "20", "--watch", "0", "--idle", "0.5"]


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_what_is_no_gateway_gets_a_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run through a peer that breaks HTTP ends, says why, and writes its reports."""
    path = tmp_path / "report.json"
    with RawServer(PEERS[name]) as peer:
        code = main(["gateway", peer.url, "--upstream-port", "0", *BRIEF, "--report", f"json={path}"])
    said = capsys.readouterr().err
    assert code == Exit.INCOMPLETE
    assert said.startswith("harness: ")
    assert "Traceback" not in said
    report = json.loads(path.read_text("utf-8"))
    assert report["exit"] == code
    reason, _, _ = report["accounting"]["halted"].partition("\x00")  # the screen shows it escaped
    assert " ".join(reason.split()) in " ".join(said.split())
