"""A rehearsed recording: an emulator as the live service, an exhausted quota, a bad day, a command."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cassette import Provenance, Recording, Target, load, save
from harness.contract import PROTOCOL
from harness.emulator import Emulator, Settings
from harness.engine.targets import TargetOptions, resolve_target
from harness.faults import cut
from harness.interactions.servers import SERVERS
from harness.outcome import UsageFault
from harness.rules.sentence_rows import load_sentences
from harness.transport import ServerThread
from harness.wire import (
    COMPLETE,
    By,
    Chunk,
    Ending,
    Exchange,
    ExchangeBuilder,
    Headers,
    How,
    Request,
    Response,
    UntilClose,
)
from lab.recording.command import run
from lab.recording.scenarios import SCENARIOS, select_scenarios
from lab.recording.session import RecordingSession, ScenarioState, _is_alike

KEY = "AIzaSyHarnessRehearsal0123456789abcdefg"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore any proxy settings of the environment."""
    monkeypatch.setenv("NO_PROXY", "*")


class Service:
    """The emulator; what it `refuses` gets the `status`."""

    def __init__(self, *, refuses: Callable[[Request], bool] = lambda request: False, status: int = 404) -> None:
        # Each delta has an id: else the load decides how many deltas without one are recorded before the drop.
        self.emulator = Emulator(Settings(event_ids="deltas"))
        self.refuses, self.status = refuses, status
        self.requests = 0

    def __call__(self, request: Request) -> Response:
        self.requests += not request.target.startswith("/__harness__/")
        return PROTOCOL.refuse(self.status, "", "No.") if self.refuses(request) else self.emulator(request)


@contextmanager
def session(
    service: Callable[[Request], Response], folder: Path, *, budget: int = 200
) -> Iterator[RecordingSession]:
    """A recording session against the service."""
    with ServerThread(service) as server:
        target = resolve_target(SERVERS, server.url, TargetOptions(api_key=KEY, timeout=20))
        yield RecordingSession(target, folder, budget)


@pytest.mark.slow
def test_a_quota_ends_a_session_and_the_rest_is_recorded_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command names what is missing, hides the key, and records it when it is named again."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    plan = "all=pass,times:18/status:429,retry-after:3600,times:all"
    words = ["--max-requests", "120", "--folder", str(tmp_path), "--target"]
    with ServerThread(cut(Service(), plan, PROTOCOL)) as server:
        assert run(["all", *words, server.url]) == 1
    out = capsys.readouterr().out
    assert "the quota is exhausted: POST /v1beta/interactions returned 429" in out
    missing = re.search(r"missing, to be named again: (.*)", out)
    assert missing is not None
    recorded = set(SCENARIOS) - set(missing[1].split())
    assert recorded == {path.stem for path in tmp_path.iterdir()}
    assert {"lifecycle", "background"} <= recorded
    assert {each.status for name in recorded for each in load(tmp_path / f"{name}.yaml").recordings} <= {200, 404}
    with ServerThread(cut(Service(), "all=pass,times:2/status:429,retry-after-ms:20,times:1", PROTOCOL)) as server:
        assert run([*missing[1].split(), *words, server.url]) == 0
    out += capsys.readouterr().out
    assert "waiting 0.02 s, as the target requests: POST" in out
    assert {path.stem for path in tmp_path.iterdir()} == set(SCENARIOS)
    assert KEY not in out + "".join(path.read_text() for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["al", "--target", "http://127.0.0.1:1"], "no scenario is named 'al'"),
        (["all", "--target", "http://127.0.0.1:1"], "--max-requests"),
        (["all", "--target", "emulator"], "recordings need real sockets"),
    ],
)
def test_usage(words: list[str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong command line sends nothing."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    with pytest.raises(UsageFault, match=told):
        run(words)


def test_a_scenario_that_settles_a_sentence_exists() -> None:
    named = {scenario for sentence in load_sentences() for scenario in sentence.scenarios}
    assert named <= SCENARIOS.keys()
    assert SCENARIOS.keys() - named == {"background"}  # all that it shows was recorded live


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plan", "state", "reason"),
    [
        (
            "calls=pass,times:3/status:500",
            ScenarioState.FAILED,
            "the service failed: GET .* returned 500 \\(api_error\\)$",
        ),
        (
            "calls=pass,times:3/before-headers,rst",
            ScenarioState.FAILED,
            "a connection to the target was dropped: GET",
        ),
        (
            "calls=pass,times:3/byte:20,fin",
            ScenarioState.FAILED,
            "the response to GET .* was truncated: the server closed the connection within the body$",
        ),
        (
            "calls=pass,times:2/status:403",
            ScenarioState.STOPPED,
            "the target cannot be used: POST .* returned 403",
        ),
    ],
)
def test_a_bad_day_of_the_service_is_no_recording(
    plan: str, state: ScenarioState, reason: str, tmp_path: Path
) -> None:
    """A scenario that fails by a temporary error is dropped and reported, and the next one is recorded."""
    with session(cut(Service(), plan, PROTOCOL), tmp_path) as recording:
        first, *others = recording.run(select_scenarios(["lifecycle", "errors"]))
    assert first.state is state
    assert re.search(reason, first.reason)
    ended = state is ScenarioState.STOPPED
    assert [other.state for other in others] == ([] if ended else [ScenarioState.RECORDED])
    assert [path.name for path in tmp_path.iterdir()] == ([] if ended else ["errors.yaml"])


def test_what_is_not_offered_is_unsupported(tmp_path: Path) -> None:
    without_agents = Service(refuses=lambda request: b'"agent"' in request.body)
    with session(without_agents, tmp_path) as recording:
        (result,) = recording.run(select_scenarios(["agent"]))
    assert result.state is ScenarioState.UNSUPPORTED


def test_what_cannot_be_deleted_is_named(tmp_path: Path) -> None:
    """Interactions that could not be deleted are listed in the result, because storage may cost money."""
    keeping = Service(refuses=lambda request: request.method == "DELETE", status=403)
    with session(keeping, tmp_path) as recording:
        (result,) = recording.run(select_scenarios(["background"]))
    assert [path.rpartition("/")[0] for path in result.left] == ["/v1beta/interactions"]


@pytest.mark.slow
def test_two_sessions_do_not_share_a_folder(tmp_path: Path) -> None:
    """A second session in a folder is refused without disturbing the first, and can start once that has ended."""
    with session(Service(), tmp_path) as one, session(Service(), tmp_path) as two:
        results = one.run(select_scenarios(["lifecycle", "errors"]))
        next(results)
        with pytest.raises(UsageFault, match="another recorder"):
            next(two.run(select_scenarios(["lifecycle"])))
        assert [result.state for result in results] == [ScenarioState.RECORDED]
        assert [result.state for result in two.run(select_scenarios(["lifecycle"]))] == [ScenarioState.RECORDED]
    assert {path.name for path in tmp_path.iterdir()} == {"lifecycle.yaml", "errors.yaml"}


def test_a_file_that_is_no_recording_is_not_replaced(tmp_path: Path) -> None:
    """A file that is not a recording is not replaced; the session is refused before anything is sent."""
    (tmp_path / "errors.yaml").write_text("my notes: [", "utf-8")
    service = Service()
    with session(service, tmp_path) as recording, pytest.raises(UsageFault, match=r"errors\.yaml"):
        list(recording.run(select_scenarios(["lifecycle", "errors"])))
    assert service.requests == 0


def test_the_budget_is_never_exceeded(tmp_path: Path) -> None:
    """A scenario that exceeds the budget is not started, so no more requests are sent than allowed."""
    service = Service()
    with session(service, tmp_path, budget=5) as recording:
        results = list(recording.run(select_scenarios(["errors", "chaining"])))
    assert [result.state for result in results] == [ScenarioState.RECORDED, ScenarioState.STOPPED]
    assert service.requests == recording.spent == 4


def test_a_target_that_refuses_stops_at_its_first_word(tmp_path: Path) -> None:
    """If the target rejects the key, the session stops after one request and writes nothing."""
    service = Service(refuses=lambda request: True, status=401)
    with session(service, tmp_path) as recording:
        results = list(recording.run(select_scenarios(["all"])))
    assert [result.state for result in results] == [ScenarioState.STOPPED]
    assert (service.requests, list(tmp_path.iterdir())) == (1, [])


def test_recordings_of_one_kind_never_replace_those_of_another(tmp_path: Path) -> None:
    nothing = ExchangeBuilder(Request("GET", "/v1beta/interactions/x")).finish(COMPLETE, 0.0)
    live = Recording.of(nothing)
    save(tmp_path / "errors.yaml", [live], Provenance(recorder="test", target=Target.LIVE))
    before = (tmp_path / "errors.yaml").read_bytes()
    with session(Service(), tmp_path) as recording, pytest.raises(UsageFault, match="--folder"):
        list(recording.run(select_scenarios(["errors"])))
    assert (tmp_path / "errors.yaml").read_bytes() == before


def test_a_service_that_lies_on_its_own_record_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording whose replay would differ from it is not written."""
    monkeypatch.setattr("lab.recording.session._is_alike", lambda before, after: False)
    with session(Service(), tmp_path) as recording:
        (result,) = recording.run(select_scenarios(["errors"]))
    assert result.state is ScenarioState.UNFAITHFUL
    assert "differs in exchange 1" in result.reason
    assert not (tmp_path / "errors.yaml").exists()


CUT = Ending(by=By.CLIENT, how=How.FIN)
RST = Ending(how=How.RST)


def answered(body: bytes, *, status: int = 200, ending: Ending = COMPLETE) -> Exchange:
    """An exchange with this answer."""
    recorder = ExchangeBuilder(Request("GET", "/x"))
    recorder.head(status, Headers(), UntilClose())
    recorder.chunk(Chunk(body), 0.0)
    return recorder.finish(ending, 0.0)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (answered(b"ab"), answered(b"ab"), True),
        (answered(b"ab"), answered(b"ac"), False),
        (answered(b"ab"), answered(b"ab", status=201), False),
        (answered(b"ab"), answered(b"ab", ending=RST), False),
        (answered(b"a-key-b"), answered(b"a-REDACTED-1-b"), True),
        (answered(b"a-key-b-other-c"), answered(b"a-REDACTED-1-b-REDACTED-12-c"), True),
        (answered(b"a-key-b"), answered(b"a-REDACTED-1-c"), False),
        (answered(b"a-key-b"), answered(b"b-REDACTED-1-b"), False),
        (answered(b"a--b"), answered(b"a-REDACTED-1-b"), False),
        (answered(b"a-key-b-c"), answered(b"a-REDACTED-1-x-REDACTED-2-c"), False),
        (answered(b"a-key-b"), answered(b"a-REDACTED-1-b", ending=RST), False),
        (answered(b"abc", ending=CUT), answered(b"ab", ending=CUT), True),
        (answered(b"ab", ending=CUT), answered(b"abc"), True),
        (answered(b"abc", ending=CUT), answered(b"ax"), False),
        (answered(b"ab-key-c", ending=CUT), answered(b"ab-REDACTED-1"), True),
        (answered(b"xb-key-c", ending=CUT), answered(b"ab-REDACTED-1"), False),
    ],
)
def test_a_replay_is_the_same_but_for_secrets(before: Exchange, after: Exchange, same: bool) -> None:
    """A replay equals its recording except that placeholders stand for secrets, and only in their places."""
    assert _is_alike(before, after) is same
