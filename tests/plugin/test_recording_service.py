"""What the code under test sees while `interactions_cassette` records: the service itself, without a delay."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.cassette import load
from harness.interactions import INTERACTIONS
from harness.plugin import CassetteFixture, EnvironmentVariables, SessionServer
from harness.plugin.cassette_fixture import Wanted, open_cassette
from harness.plugin.environment_variables import PLACEHOLDER_KEY
from harness.transport import ServerThread
from harness.transport.server.server import InThread, WaitingServer
from harness.wire import COMPLETE, Chunk, Chunked, Headers, Pause, Piece, PieceBody, Request, Response

pytest.importorskip("vcr", reason="cassettes need vcrpy: pip install -e '.[record]'")

PATH = "/v1beta/interactions/v1_x"
FIRST = b'data: {"event_type": "interaction.status_update", "status": "in_progress"}\n\n'
LAST = b'data: {"event_type": "interaction.completed", "interaction": {}}\n\n'
GOODBYE = b"data: [DONE]\n\n"


class Slow:
    """A service whose stream continues only after its first event was `seen`, and reports if that takes long."""

    def __init__(self) -> None:
        self.seen = threading.Event()
        self.targets: list[str] = []

    def __call__(self, request: Request) -> Response:
        """Answer with a stream or an interaction."""
        self.targets.append(request.target)
        if "stream=true" not in request.target:
            return Response.whole(200, kind("application/json"), b'{"status": "completed"}')
        return Response(200, kind("text/event-stream"), Chunked(), PieceBody(self._pieces()))

    def _pieces(self) -> Iterator[Piece]:
        yield Chunk(FIRST)
        yield Pause(0)
        yield Chunk(LAST if self.seen.wait(20) else b"data: it was held back\n\n")
        yield Chunk(GOODBYE)
        yield COMPLETE


def kind(media_type: str) -> Headers:
    """The header fields that describe a body."""
    return Headers([("content-type", media_type)])


@pytest.fixture
def slow() -> Iterator[tuple[Slow, str]]:
    """The service, and its URL."""
    service = Slow()
    with InThread(WaitingServer(service)) as server:
        yield service, server.url
        service.seen.set()


@contextmanager
def recording(path: Path, url: str, mode: str = "once") -> Iterator[CassetteFixture]:
    """A cassette that records `url`, on the socket of a session."""
    environment = EnvironmentVariables(())
    environment.install()
    session = SessionServer(environment, INTERACTIONS)
    try:
        with (
            open_cassette(Wanted(api=INTERACTIONS, path=path, record_mode=mode, upstream=url)) as cassette,
            cassette.open(session),
        ):
            yield cassette
    finally:
        session.close()
        environment.uninstall()


@pytest.mark.slow
def test_a_large_body_is_recorded(tmp_path: Path) -> None:
    """As `harness record` does, the fixture keeps bodies far beyond the bound of a judged response."""
    body = b'"' + b"x" * (9 << 20) + b'"'
    with (
        ServerThread(lambda request: Response.whole(200, kind("application/json"), body)) as server,
        recording(tmp_path / "a.yaml", server.url) as cassette,
    ):
        httpx.get(f"{cassette.base_url}{PATH}", headers={"x-goog-api-key": "k" * 20}, timeout=60)
    assert load(tmp_path / "a.yaml").recordings[0].body == body


@pytest.mark.parametrize("here", [True, False], ids=["this machine", "another one"])
def test_the_key_of_the_user_crosses_no_network_in_plain_text(
    here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the place of the placeholder, it goes over `http://` to this machine alone."""
    monkeypatch.setenv("GEMINI_API_KEY", "of-the-user-0123456789")
    monkeypatch.setattr("harness.plugin.cassette_fixture.is_readable_on_the_way", lambda url: not here)
    came = list[str]()

    def serve(request: Request) -> Response:
        came.append(request.headers.get("x-goog-api-key"))
        return Response.json(200, b"{}")

    with ServerThread(serve) as server, recording(tmp_path / "a.yaml", server.url) as cassette:
        headers = {"x-goog-api-key": PLACEHOLDER_KEY}
        assert httpx.get(f"{cassette.base_url}/v1beta/interactions/a", headers=headers).status_code == 200
        remarks = cassette.remarks
    assert came[-1] == ("of-the-user-0123456789" if here else PLACEHOLDER_KEY)
    assert ["is not sent to" in remark for remark in remarks] == ([] if here else [True])


def sync(service: Slow, **options: Any) -> bytes:
    """Read the stream with a sync client, event by event."""
    with httpx.Client(timeout=60, **options) as client, client.stream("GET", f"{PATH}?stream=true") as response:
        return b"".join(noted(service, data) for data in response.iter_bytes())


def asynchronous(service: Slow, **options: Any) -> bytes:
    """The same with an async one."""

    async def read() -> bytes:
        async with (
            httpx.AsyncClient(timeout=60, **options) as client,
            client.stream("GET", f"{PATH}?stream=true") as response,
        ):
            return b"".join([noted(service, data) async for data in response.aiter_bytes()])

    return asyncio.run(read())


def noted(service: Slow, data: bytes) -> bytes:
    """Let the service continue once something has arrived."""
    if data:
        service.seen.set()
    return data


@pytest.mark.parametrize(("read", "over_socket"), [(sync, True), (asynchronous, False)])
def test_a_stream_is_not_held_back(
    slow: tuple[Slow, str], tmp_path: Path, read: object, over_socket: bool
) -> None:
    """The first event arrives before the second is sent, and all events are in the file."""
    service, url = slow
    with recording(tmp_path / "it.yaml", url) as cassette:
        options = {"base_url": cassette.base_url} if over_socket else {"transport": cassette.transport}
        assert read(service, **{"base_url": "http://x.test", **options}) == FIRST + LAST + GOODBYE
    (made,) = load(tmp_path / "it.yaml").recordings
    assert made.body == FIRST + LAST + GOODBYE
    assert made.complete


def test_nobody_waits_for_a_stream(slow: tuple[Slow, str], tmp_path: Path) -> None:
    """While one request waits for the service, another is answered."""
    service, url = slow
    with (
        recording(tmp_path / "it.yaml", url) as cassette,
        httpx.Client(base_url=cassette.base_url) as client,
        client.stream("GET", f"{PATH}?stream=true") as response,
    ):
        events = response.iter_bytes()
        next(events)
        assert httpx.get(cassette.base_url + PATH).json() == {"status": "completed"}
        service.seen.set()
        assert b"".join(events) == LAST + GOODBYE


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize(("events", "kept", "complete"), [(1, FIRST, False), (2, FIRST + LAST + GOODBYE, True)])
def test_leaving_early(
    slow: tuple[Slow, str], tmp_path: Path, events: int, kept: bytes, complete: bool, closes: bool
) -> None:
    """If the client leaves at the completion, closed or not, the recording is whole; if earlier, it is not."""
    service, url = slow
    with ExitStack() as late, recording(tmp_path / "it.yaml", url) as cassette, ExitStack() as early:
        client = httpx.Client(transport=cassette.transport, base_url="http://x.test")
        response = (early if closes else late).enter_context(client.stream("GET", f"{PATH}?stream=true"))
        if events > 1:
            service.seen.set()
        arriving = response.iter_bytes()
        for _ in range(events):
            next(arriving)
    assert [path.name for path in tmp_path.iterdir()] == ["it.yaml"]
    (made,) = load(tmp_path / "it.yaml").recordings
    assert made.body == kept
    assert made.complete is complete


def test_a_url_with_a_path(slow: tuple[Slow, str], tmp_path: Path) -> None:
    """Requests are sent below the path of the service's URL, and recorded without that path."""
    service, url = slow
    with recording(tmp_path / "it.yaml", f"{url}/gateway/") as cassette:
        httpx.get(cassette.base_url + PATH)
    assert [target for target in service.targets if "__harness__" not in target] == [f"/gateway{PATH}"]
    assert [recording.request.target for recording in load(tmp_path / "it.yaml").recordings] == [PATH]


@pytest.mark.parametrize(
    ("target", "field"), [(PATH, "content-length"), (f"{PATH}?stream=true", "transfer-encoding")]
)
def test_the_framing_is_recorded_once(slow: tuple[Slow, str], tmp_path: Path, target: str, field: str) -> None:
    """The framing's header field is recorded once: clients such as Node's fetch refuse a repeated length."""
    service, url = slow
    service.seen.set()
    with recording(tmp_path / "it.yaml", url) as cassette:
        assert httpx.get(cassette.base_url + target).status_code == 200
    (made,) = load(tmp_path / "it.yaml").recordings
    assert [name.lower() for name, _ in made.headers].count(field) == 1


@pytest.mark.parametrize("prefix", ["", "/below"])
def test_an_upload_leads_back_to_the_fixture(prefix: str, tmp_path: Path) -> None:
    """Where the service names its own URL for an upload, the client goes on at the fixture, also in the replay."""
    received: list[bytes] = []

    def service(request: Request) -> Response:
        if request.method == "PUT":
            received.append(request.body)
            return Response.whole(200, kind("application/json"), b"{}")
        url = f"http://{request.headers.get('host')}{prefix}/upload/there?upload_id=secret-0f1e2d3c4b5a"
        return Response.whole(200, Headers([("x-goog-upload-url", url)]), b"")

    def upload(url: str) -> None:
        there = httpx.post(f"{url}/upload/v1beta/files").headers["x-goog-upload-url"]
        assert there.startswith(f"{url}/upload/there?")
        assert httpx.put(there, content=b"hello").status_code == 200

    with InThread(WaitingServer(service)) as server:
        for _ in ("record", "replay"):
            with recording(tmp_path / "a.yaml", server.url + prefix) as cassette:
                upload(cassette.base_url)
            assert received == [b"hello"]
    assert [item.request.target.partition("?")[0] for item in load(tmp_path / "a.yaml").recordings] == [
        "/upload/v1beta/files",
        "/upload/there",
    ]
