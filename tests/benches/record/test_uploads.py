"""Uploads to an address that an answer names: recorded, and replayed when the recorded server is down."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path

import pytest

from harness.benches.record.recorder import Recorder
from harness.cassette import Player, load
from harness.cli import main
from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.interactions import INTERACTIONS
from harness.transport import ServerThread
from harness.wire import Headers, Request, Response

UPLOADED = {"file": {"name": "files/f1", "state": "ACTIVE"}}


class Store:
    """A server that says in one header at which absolute URL it takes the bytes; `root` is how it names itself."""

    def __init__(self, field: str = "X-Goog-Upload-URL", prefix: str = "", root: str = "") -> None:
        self._field, self._prefix, self._root = field, prefix, root
        self.received: list[bytes] = []

    def __call__(self, request: Request) -> Response:
        if not request.raw_path.startswith(f"{self._prefix}/upload"):
            return Response.json(404, b"{}")
        if request.method == "PUT":
            self.received.append(request.body)
            return Response.json(200, json.dumps(UPLOADED).encode())
        root = self._root or f"http://{request.headers.get('host')}"
        url = f"{root}{self._prefix}/upload/there?upload_id=secret-0f1e2d3c4b5a"
        return Response.whole(200, Headers([(self._field, url)]), b"")


def upload(root: str, field: str = "X-Goog-Upload-URL") -> str:
    """Upload in two requests as a plain client does; return where the second one went."""
    start = urllib.request.Request(f"{root}/upload/v1beta/files", b"{}", {"x-goog-api-key": "key-0f1e2d3c4b5a"})
    with urllib.request.urlopen(start) as answer:
        url = str(answer.headers[field])
    with urllib.request.urlopen(urllib.request.Request(url, b"hello", method="PUT")) as answer:
        assert json.load(answer) == UPLOADED
    return url


@pytest.mark.parametrize("mode", ["once", "new_episodes"])
@pytest.mark.parametrize("prefix", ["", "/v9/proxy"])
@pytest.mark.parametrize("field", ["X-Goog-Upload-URL", "x-goog-upload-control-url", "Location"])
def test_an_upload_is_recorded_and_replayed(field: str, prefix: str, mode: str, tmp_path: Path) -> None:
    """The bytes pass the recorder, and a replay answers both requests while the recorded server is down."""
    path, store = tmp_path / "a.yaml", Store(field, prefix)
    with ServerThread(store) as server:
        if mode == "new_episodes":
            with Recorder(server.url, path, INTERACTIONS) as first:
                urllib.request.urlopen(urllib.request.Request(f"{first.url}{prefix}/upload/x", b"")).close()
        with Recorder(server.url, path, INTERACTIONS, mode=mode) as recorder:
            assert upload(recorder.url + prefix, field).startswith(f"{recorder.url}{prefix}/upload/there?")
    assert store.received == [b"hello"]
    assert recorder.summary.recorded == 2
    assert recorder.summary.unrecorded == []
    assert server.url in path.read_text("utf-8")
    assert recorder.url not in path.read_text("utf-8")
    assert "0f1e2d3c4b5a" not in path.read_text("utf-8")
    player = Player(load(path).recordings[-2:], PROTOCOL)
    with ServerThread(player) as replay:
        assert upload(replay.url + prefix, field).startswith(f"{replay.url}{prefix}/upload/there?")
    assert (player.misses, player.unused()) == ([], [])


STARTS = """
import os, urllib.request
url = os.environ["INTERACTIONS_BASE_URL"] + "/upload/v1beta/files"
urllib.request.urlopen(urllib.request.Request(url, b"{}")).close()
"""


@pytest.mark.slow
def test_commands_say_where_a_client_is_sent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A proxy says that an address leads past it, and a replay the same of what was recorded."""
    path = str(tmp_path / "a.yaml")
    program = ("--", sys.executable, "-c", STARTS)
    with ServerThread(Store()) as other, ServerThread(Store(root=other.url)) as server:
        assert main(["proxy", "--target", server.url, "--port", "0", *program]) == 0
        told = (
            f"harness proxy: the response names another address ({other.url}): requests to it bypass the proxy\n"
        )
        assert capfd.readouterr().err == told
        names = f"names another address ({other.url}): requests to it"
        assert main(["record", "--target", server.url, "--cassette", path, *program]) == 1
        assert f"the response {names} are not recorded" in capfd.readouterr().err
    assert main(["replay", path, "--port", "0", *program]) == 0
    assert f"recording 1 names another address ({other.url}): the replay returns its own address" in "".join(
        capfd.readouterr()
    )
    assert main(["replay", path, "--port", "0", "--json", *program]) == 0
    assert json.loads(capfd.readouterr().out)["elsewhere"] == [{"number": 1, "address": other.url}]


ASKS = """
import os, urllib.request
root = os.environ["INTERACTIONS_BASE_URL"]
for path in ("/v1beta/files/a", "/v1beta/files/b"):
    answer = urllib.request.urlopen(root + path)
    assert answer.headers["link"].startswith(f"<{root}/v1beta/files?page=2>"), answer.headers["link"]
    answer.close()
"""


@pytest.mark.slow
def test_commands_say_what_bodies_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A page in a header leads back to the stand-in; an address in a body stays, and is told at the end."""
    path, program = str(tmp_path / "a.yaml"), ("--", sys.executable, "-c", ASKS)

    def service(request: Request) -> Response:
        root = f"http://{request.headers.get('host')}"
        fields = Headers(
            [("content-type", "application/json"), ("Link", f'<{root}/v1beta/files?page=2>; rel="next"')]
        )
        body = {
            "uri": f"{root}{request.target}",
            "again": f"{root}{request.target}",
            "downloadUri": f"{root}/d?key=k",
        }
        return Response.whole(200, fields, json.dumps(body).encode())

    with ServerThread(service) as server:
        assert main(["record", "--target", server.url, "--cassette", path, *program]) == 0
        told = "".join(capfd.readouterr())
    assert f"the body of its response names the target ({server.url}/v1beta/files/a and 2 more)" in told
    assert main(["replay", path, "--port", "0", *program]) == 0
    told = "".join(capfd.readouterr())
    assert (
        f"recording 1 names the recorded server ({server.url}/v1beta/files/a and 2 more (--json lists them))"
        in told
    )
    assert main(["replay", path, "--port", "0", "--json", *program]) == 0
    listed = [(1, "/v1beta/files/a"), (1, "/d"), (2, "/v1beta/files/b")]
    assert json.loads(capfd.readouterr().out)["in_bodies"] == [
        {"number": number, "address": server.url + where} for number, where in listed
    ]


@pytest.mark.slow
def test_the_sdk_uploads_to_a_replay(tmp_path: Path) -> None:
    """It uploads through the recorder, and again to a replay without the server."""
    genai = pytest.importorskip("google.genai")

    def send(root: str) -> None:
        client = genai.Client(api_key="key-0f1e2d3c4b5a", http_options={"base_url": root})
        assert client.files.upload(file=__file__, config={"mime_type": "text/plain"}).name

    with ServerThread(Emulator()) as server, Recorder(server.url, tmp_path / "a.yaml", INTERACTIONS) as recorder:
        send(recorder.url)
    assert recorder.summary.recorded == 2
    player = Player(load(tmp_path / "a.yaml").recordings, PROTOCOL)
    with ServerThread(player) as replay:
        send(replay.url)
    assert (player.misses, player.unused()) == ([], [])
