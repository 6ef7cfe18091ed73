"""A rehearsed recording session: a TLS server as the live service, an exhausted quota, a changed field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.benches.record.session import Recorded, RecordingSession, ScenarioState, breaks_contract
from harness.cassette import Provenance, Recording, Target, load, save
from harness.checks.scenarios import select_scenarios
from harness.contract import PROTOCOL
from harness.emulator import Emulator, Settings
from harness.engine.targets import TargetOptions, resolve_target
from harness.faults import cut
from harness.interactions.recordings import RECORDINGS
from harness.interactions.servers import SERVERS
from harness.outcome import Finding, UsageFault
from harness.transport import ServerThread
from harness.wire import COMPLETE, Chunk, ExchangeBuilder, Request, Response
from tests.transport.certificates import Certificate

pytestmark = pytest.mark.usefixtures("no_proxy")


class Service:
    """The emulator, with one field of its bodies renamed; what it `refuses` gets the `status`."""

    def __init__(
        self, *, renamed: str = "", refuses: Callable[[Request], bool] = lambda request: False, status: int = 404
    ) -> None:
        # Each delta has an id: else the load decides how many deltas without one are recorded before the drop.
        self.emulator = Emulator(Settings(event_ids="deltas"))
        self.renamed = renamed
        self.refuses, self.status = refuses, status
        self.requests = 0

    def __call__(self, request: Request) -> Response:
        self.requests += not request.target.startswith("/__harness__/")
        if self.refuses(request):
            return PROTOCOL.refuse(self.status, "", "No.")
        response = self.emulator(request)
        if self.renamed and response.headers.media_type() == "application/json":
            body = b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
            changed = body.replace(b'"%b":' % self.renamed.encode(), b'"changed":')
            return Response.whole(response.status, response.headers, changed)
        return response


@contextmanager
def session(
    service: Callable[[Request], Response], certificate: Certificate, folder: Path, *, budget: int = 200
) -> Iterator[RecordingSession]:
    """A recording session against the service, behind TLS."""
    with ServerThread(service, tls=certificate.context) as server:
        target = resolve_target(SERVERS, server.url, TargetOptions(api_key="any-key-123456", timeout=20))
        yield RecordingSession(target, RECORDINGS, folder, budget, ca_file=certificate.ca_file)


def states(results: list[Recorded]) -> dict[str, ScenarioState]:
    """The state of each scenario's result."""
    return {result.name: result.state for result in results}


@pytest.mark.slow
def test_the_old_recording_stays_until_its_drift_was_seen(certificate: Certificate, tmp_path: Path) -> None:
    """The old recording is replaced only after the caller has seen the result; stopping there keeps it."""
    with session(Service(), certificate, tmp_path) as recording:
        list(recording.run(select_scenarios(["lifecycle"])))
    before = (tmp_path / "lifecycle.yaml").read_bytes()
    with session(Service(renamed="usage"), certificate, tmp_path) as recording:
        results = recording.run(select_scenarios(["lifecycle"]))
        assert next(results).is_news
        assert (tmp_path / "lifecycle.yaml").read_bytes() == before
        results.close()
    assert [path.name for path in tmp_path.iterdir()] == ["lifecycle.yaml"]
    assert (tmp_path / "lifecycle.yaml").read_bytes() == before


def test_a_scenario_is_at_no_time_wider_than_its_older_recording(certificate: Certificate, tmp_path: Path) -> None:
    """Its new recording beside the older one is for the same readers, from its first byte."""
    service, seen = Service(), set[int]()
    with session(service, certificate, tmp_path) as recording:
        list(recording.run(select_scenarios(["lifecycle"])))
    (tmp_path / "lifecycle.yaml").chmod(0o600)

    def look() -> None:
        seen.update(path.stat().st_mode & 0o777 for path in tmp_path.glob("*lifecycle*") if path.stat().st_size)

    def watched(request: Request) -> Response:
        look()
        return service(request)

    with session(watched, certificate, tmp_path) as recording:
        results = recording.run(select_scenarios(["lifecycle"]))
        next(results)
        assert (tmp_path / ".lifecycle.new.yaml").is_file()
        look()
        list(results)
    look()
    assert seen == {0o600}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plan", "state", "reason"),
    [
        (
            "calls=pass,times:2/status:500",
            ScenarioState.FAILED,
            "the service failed: GET .* returned 500 \\(api_error\\)$",
        ),
        (
            "calls=pass,times:2/before-headers,rst",
            ScenarioState.FAILED,
            "a connection to the target was dropped: GET",
        ),
        (
            "calls=pass,times:2/byte:20,fin",
            ScenarioState.FAILED,
            "the response to GET .* was truncated: the server closed the connection within the body$",
        ),
        ("calls=pass/status:403", ScenarioState.STOPPED, "the target cannot be used: POST .* returned 403"),
    ],
)
def test_a_bad_day_of_the_service_is_no_recording(
    plan: str, state: ScenarioState, reason: str, certificate: Certificate, tmp_path: Path
) -> None:
    """A scenario that fails by a temporary error is dropped, reported, and recorded by the next session."""
    with session(cut(Service(), plan, PROTOCOL), certificate, tmp_path) as recording:
        names = ["lifecycle", "errors"]
        first, second = recording.run(select_scenarios(names))
    assert (first.state, first.is_news) == (state, True)
    assert re.search(reason, first.reason)
    assert second.state is (ScenarioState.STOPPED if state is ScenarioState.STOPPED else ScenarioState.RECORDED)
    assert not (tmp_path / f"{names[0]}.yaml").exists()
    with session(Service(), certificate, tmp_path) as recording:
        list(recording.run(select_scenarios(names)))
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.yaml" for name in names}


@pytest.mark.slow
def test_what_cannot_be_done_any_more_is_news(certificate: Certificate, tmp_path: Path) -> None:
    """An unsupported scenario is news only if an older recording shows that it used to be supported."""
    without_agents = Service(refuses=lambda request: b'"agent"' in request.body)
    for before, news in ((None, False), (Service(), True)):
        if before is not None:
            with session(before, certificate, tmp_path) as recording:
                list(recording.run(select_scenarios(["agent"])))
        with session(without_agents, certificate, tmp_path) as recording:
            (result,) = recording.run(select_scenarios(["agent"]))
        assert (result.state, result.is_news) == (ScenarioState.UNSUPPORTED, news)


@pytest.mark.slow
def test_a_refusal_does_not_replace_an_answer(certificate: Certificate, tmp_path: Path) -> None:
    """If a create that was answered is now refused, the older recording stays and the result says so."""
    for service in (Service(), Service(refuses=lambda request: request.method == "POST")):
        with session(service, certificate, tmp_path) as recording:
            (result,) = recording.run(select_scenarios(["streaming"]))
    assert (result.state, result.is_news) == (ScenarioState.REFUSED, True)
    assert "returned 200 and is now rejected with 404: the older recording stays" in result.reason
    assert {recording.status for recording in load(tmp_path / "streaming.yaml").recordings} == {200}


def test_what_cannot_be_deleted_is_named(certificate: Certificate, tmp_path: Path) -> None:
    """Interactions that could not be deleted are listed in the result, because storage may cost money."""
    keeping = Service(refuses=lambda request: request.method == "DELETE", status=403)
    with session(keeping, certificate, tmp_path) as recording:
        (result,) = recording.run(select_scenarios(["background"]))
    assert [path.rpartition("/")[0] for path in result.left] == ["/v1beta/interactions"]


@pytest.mark.slow
def test_two_sessions_do_not_share_a_folder(certificate: Certificate, tmp_path: Path) -> None:
    """A second session in a folder is refused without disturbing the first, and can start once that has ended."""
    with session(Service(), certificate, tmp_path) as one, session(Service(), certificate, tmp_path) as two:
        results = one.run(select_scenarios(["lifecycle", "errors"]))
        next(results)
        with pytest.raises(UsageFault, match="another recorder"):
            next(two.run(select_scenarios(["lifecycle"])))
        assert [result.state for result in results] == [ScenarioState.RECORDED]
        assert [result.state for result in two.run(select_scenarios(["lifecycle"]))] == [ScenarioState.RECORDED]
    assert {path.name for path in tmp_path.iterdir()} == {"lifecycle.yaml", "errors.yaml"}


def test_a_file_that_is_no_recording_is_not_replaced(certificate: Certificate, tmp_path: Path) -> None:
    """A file that is not a recording is not replaced; the session is refused before anything is sent."""
    (tmp_path / "errors.yaml").write_text("my notes: [", "utf-8")
    service = Service()
    with session(service, certificate, tmp_path) as recording, pytest.raises(UsageFault, match=r"errors\.yaml"):
        list(recording.run(select_scenarios(["lifecycle", "errors"])))
    assert service.requests == 0


def test_the_budget_is_never_exceeded(certificate: Certificate, tmp_path: Path) -> None:
    """A scenario that exceeds the budget is not started, so no more requests are sent than allowed."""
    service = Service()
    with session(service, certificate, tmp_path, budget=5) as recording:
        results = list(recording.run(select_scenarios(["errors", "chaining"])))
    assert list(states(results).values()) == [ScenarioState.RECORDED, ScenarioState.STOPPED]
    assert service.requests == recording.spent == 4


def test_a_target_that_refuses_stops_at_its_first_word(certificate: Certificate, tmp_path: Path) -> None:
    """If the target rejects the key, the session stops after one request and writes nothing."""
    service = Service(refuses=lambda request: True, status=401)
    with session(service, certificate, tmp_path) as recording:
        results = list(recording.run(select_scenarios(["all"])))
    assert set(states(results).values()) == {ScenarioState.STOPPED}
    assert (service.requests, list(tmp_path.iterdir())) == (1, [])


def test_recordings_of_one_kind_never_replace_those_of_another(certificate: Certificate, tmp_path: Path) -> None:
    nothing = ExchangeBuilder(Request("GET", "/v1beta/interactions/x")).finish(COMPLETE, 0.0)
    live = Recording.of(nothing)
    save(tmp_path / "errors.yaml", [live], Provenance(recorder="test", target=Target.LIVE))
    before = (tmp_path / "errors.yaml").read_bytes()
    for folder in (tmp_path, tmp_path / "cassettes" / "live"):
        with session(Service(), certificate, folder) as recording, pytest.raises(UsageFault, match="--cassette"):
            list(recording.run(select_scenarios(["errors"])))
    assert (tmp_path / "errors.yaml").read_bytes() == before


def test_a_service_that_lies_on_its_own_record_is_not_kept(
    certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording whose replay would differ from it is not written."""
    monkeypatch.setattr("harness.benches.record.session._is_alike", lambda before, after: False)
    with session(Service(), certificate, tmp_path) as recording:
        (result,) = recording.run(select_scenarios(["errors"]))
    assert result.state is ScenarioState.UNFAITHFUL
    assert "differs in exchange 1" in result.reason
    assert not (tmp_path / "errors.yaml").exists()


def test_what_a_rule_leaves_open_fails_no_session() -> None:
    """The service itself sends background deltas without ids: each recording of it would fail."""
    shown, broken = Finding("stream.evid-delta", "no id"), Finding("stream.framing", "no blank line")
    assert not breaks_contract([shown], SERVERS.load_rules())
    assert breaks_contract([shown, broken], SERVERS.load_rules())
    assert Recorded("resume", ScenarioState.RECORDED, findings=(broken,), breaks_contract=True).is_news
