"""The recorder: it records what passes and plays what it has, even after it was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from harness.benches.record.provenance import target_class
from harness.benches.record.recorder import Recorder
from harness.cassette import CassetteFile, Target, load, save
from harness.emulator import Emulator
from harness.interactions import INTERACTIONS
from harness.transport import Server, ServerThread, UrlDriver
from harness.transport.server.server import InThread
from harness.wire import By, Chunk, Chunked, Ending, Headers, How, Request
from tests.cassette.samples import HELLO
from tests.transport.endings_table import CASES
from tests.transport.peers import Serving, get, raw_exchange

KEY = "AIzaSyCanary-0123456789abcdefghijklmnop"
BODY = b'{"model":"gemini-3.8-flash","input":"hi","stream":true}'


def create(url: str, *, key: str = KEY, text: str = "hi") -> httpx.Response:
    """Send one create over a real socket."""
    body = {"model": "gemini-3.8-flash", "input": text, "stream": True}
    return httpx.post(f"{url}/v1beta/interactions", json=body, headers={"x-goog-api-key": key})


def test_what_passes_is_in_the_cassette_without_its_secrets(tmp_path: Path) -> None:
    """A stream is recorded whole, chunk by chunk, and the key is nowhere in the file."""
    path = tmp_path / "a.yaml"
    with ServerThread(Emulator()) as server, Recorder(server.url, path, INTERACTIONS) as recorder:
        seen = create(recorder.url)
    cassette = load(path)
    (recording,) = cassette.recordings
    assert recording.body == seen.content
    assert len(recording.pieces) > 5
    assert KEY not in path.read_text("utf-8")
    assert cassette.provenance is not None
    assert cassette.provenance.target is Target.EMULATOR
    assert (recorder.summary.recorded, sum(recorder.summary.replaced.values())) == (1, 1)


def port_of(recorder: Recorder) -> int:
    """The port of a server, for raw sockets."""
    return int(recorder.url.rpartition(":")[2])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.closing in ("fin", "rst")])
def test_a_replay_is_the_same_on_the_wire(name: str, tmp_path: Path) -> None:
    """For every kind of ending, recording and replay give a raw socket the same bytes and the same close."""
    case = CASES[name]
    path = tmp_path / "a.yaml"
    with ServerThread(Serving(*case.pieces, framing=case.framing)) as server:
        direct = raw_exchange(server.port, get())
        with Recorder(server.url, path, INTERACTIONS) as recorder:
            assert raw_exchange(port_of(recorder), get()) == direct
    with Recorder(server.url, path, INTERACTIONS, mode="none") as player:
        assert raw_exchange(port_of(player), get()) == direct


@pytest.mark.parametrize(
    ("mode", "asked", "played", "recorded"),
    [("none", ["a"], 1, 0), ("once", ["a"], 1, 0), ("new_episodes", ["a", "b"], 1, 1), ("all", ["a", "b"], 0, 2)],
)
def test_record_modes_are_those_of_vcrpy(
    mode: str, asked: list[str], played: int, recorded: int, tmp_path: Path
) -> None:
    """The record modes work as in vcrpy: play what is recorded, and record the rest if the mode allows it."""
    path = tmp_path / "a.yaml"
    emulator = Emulator()
    with ServerThread(emulator) as server:
        with Recorder(server.url, path, INTERACTIONS) as recorder:
            first = create(recorder.url, text="a").content
        with Recorder(server.url, path, INTERACTIONS, mode=mode) as recorder:
            answers = [create(recorder.url, text=text) for text in asked]
    assert [answer.status_code for answer in answers] == [200] * len(asked)
    assert (answers[0].content == first) is (mode != "all")
    assert (recorder.summary.played, recorder.summary.recorded) == (played, recorded)
    assert recorder.summary.misses == []


def test_a_player_never_asks_the_target(tmp_path: Path) -> None:
    """With the mode `once` and an existing file, an unrecorded request is a miss, even if the target is up."""
    path = tmp_path / "a.yaml"
    serving = Serving(Chunk(b"x"))
    with ServerThread(serving) as server:
        with Recorder(server.url, path, INTERACTIONS) as recorder:
            httpx.get(recorder.url + "/a")
        asked = len(serving.requests)
        with Recorder(server.url, path, INTERACTIONS, mode="once") as recorder:
            assert httpx.get(recorder.url + "/b").status_code == 400
    assert len(serving.requests) == asked
    assert recorder.summary.misses == [
        "not recorded: GET /b; the nearest is recording 1, which differs in path: recorded /a, got /b"
    ]


@pytest.mark.slow
def test_a_client_that_left_is_in_the_cassette(tmp_path: Path) -> None:
    """If a client hangs up, its recording ends by the client, after what the client received."""
    path = tmp_path / "a.yaml"
    serving = Serving(Chunk(b"data: 1\n\n"), Ending(how=How.STALL))
    with ServerThread(serving) as server, Recorder(server.url, path, INTERACTIONS) as recorder:
        driver = UrlDriver(recorder.url)
        stream = driver.open(Request("GET", "/x"))
        assert len(stream.read(1)) == 1
        stream.close()
        driver.close()
        assert serving.bodies[0].closed.wait(30)
    (recording,) = load(path).recordings
    assert (recording.ending.by, recording.body) == (By.CLIENT, b"data: 1\n\n")
    assert recorder.summary.hung_up == 1


def test_what_cannot_be_recorded_is_said(tmp_path: Path) -> None:
    """A response with an unsupported coding is forwarded but not recorded, and the summary says what to do."""

    class Brotli(Serving):
        def __call__(self, request: Request):  # type: ignore[no-untyped-def]
            response = super().__call__(request)
            response.headers = Headers((("content-encoding", "br"),))
            return response

    path = tmp_path / "a.yaml"
    with ServerThread(Brotli(Chunk(b"x"))) as server, Recorder(server.url, path, INTERACTIONS) as recorder:
        assert raw_exchange(port_of(recorder), get(connection="close"))[1] == "fin"
    assert "'br'" in recorder.summary.unrecorded[0]
    assert not path.exists()


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        ("gzip, deflate, br, zstd", "gzip, deflate"),
        ("br;q=1.0, gzip;q=0.5, *;q=0.1", "gzip;q=0.5"),
        ("br", "identity"),
        ("GZIP,identity", "GZIP,identity"),
        ("", ""),
    ],
)
def test_no_coding_is_asked_for_that_no_recording_can_have(offered: str, asked: str, tmp_path: Path) -> None:
    """Clients such as Node's fetch offer `br`: the target is not told, so what it sends is recorded."""
    serving = Serving(Chunk(b"x"))
    with ServerThread(serving) as server, Recorder(server.url, tmp_path / "a.yaml", INTERACTIONS) as recorder:
        raw_exchange(port_of(recorder), get(connection="close", accept_encoding=offered))
    assert serving.requests[-1].headers.get("accept-encoding") == asked
    assert recorder.summary.recorded == 1


def test_the_live_service_is_known_by_its_name() -> None:
    """The live service is recognized by its exact host name, without sending a request."""
    for live in ("generativelanguage", "aiplatform", "us-central1-aiplatform", "aiplatform.eu.rep"):
        assert target_class(f"https://{live}.googleapis.com", INTERACTIONS) is Target.LIVE
    for other in ("googleapis.com.example.org", "storage.googleapis.com", "a.aiplatform.googleapis.com"):
        assert target_class(f"https://{other}", INTERACTIONS) is Target.OTHER


EVENTS = [Chunk(b"data: 1\n\n")] * 20


KILLS = int(os.environ.get("HARNESS_KILLS", "10"))
"""Set `HARNESS_KILLS=100` for the number of kills with which this claim was first tested."""


@pytest.mark.parametrize("round_", [0, 1, *(pytest.param(n, marks=pytest.mark.thorough) for n in range(2, KILLS))])
@pytest.mark.slow
def test_a_killed_recorder_loses_nothing_that_was_finished(round_: int, tmp_path: Path) -> None:
    """After `kill -9` under load, the file loads and has every answer that a client had received completely."""
    path = tmp_path / "a.yaml"
    with InThread(Server(Serving(*EVENTS, framing=Chunked()))) as server:
        command = ["record", "--target", server.url, "--cassette", str(path), "--port", "0", "--json"]
        with subprocess.Popen(
            [sys.executable, "-m", "harness", *command], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["base_url"]
            finished: list[str] = []
            threads = [threading.Thread(target=load_it, args=(url, n, finished)) for n in range(4)]
            for thread in threads:
                thread.start()
            while len(finished) < 1 + 3 * round_:
                threads[0].join(0.001)
            process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
        kept = [recording.request.target for recording in load(tmp_path / "a.part.yaml").recordings]
        with Recorder(server.url, path, INTERACTIONS) as next_one:
            assert len(load(next_one.summary.interrupted).recordings) == len(kept)
    assert set(finished) <= set(kept)
    assert len(kept) == len(set(kept))


def load_it(url: str, client: int, finished: list[str]) -> None:
    """Send requests until the recorder is dead."""
    number = 0
    driver = UrlDriver(url)
    while True:
        number += 1
        target = f"/{client}/{number}"
        if not driver.send(Request("GET", target)).complete:
            break
        finished.append(target)
    driver.close()


def test_a_long_end_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redacting and writing a large recording takes a minute: what is going on is printed meanwhile."""
    told, save_now = threading.Event(), CassetteFile._save

    def save_late(file: CassetteFile) -> None:
        assert told.wait(30)
        save_now(file)

    monkeypatch.setattr(CassetteFile, "_save", save_late)
    monkeypatch.setattr("harness.benches.record.recorder._SILENT_SECONDS", 0.01)
    with (
        ServerThread(Serving(Chunk(b"x"))) as server,
        Recorder(server.url, tmp_path / "a.yaml", INTERACTIONS, tell=lambda progress: told.set()) as recorder,
    ):
        raw_exchange(port_of(recorder), get(connection="close"))
    assert recorder.summary.recorded == 1


LARGE = """
import sys, urllib.request
from pathlib import Path
from harness.benches.record.recorder import Recorder
from harness.interactions import INTERACTIONS
from harness.transport import ServerThread
from harness.wire import COMPLETE, Chunk, Chunked, Headers, Response

def find_peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

def serve(request):
    def stream():
        for _ in range(count):
            yield Chunk(b"data: " + b"w" * 65528 + b"\\n\\n")
        yield COMPLETE

    return Response(200, Headers([("content-type", "text/event-stream")]), Chunked(), stream())

for count in (1, 1024):
    path = Path(sys.argv[1], f"{count}.yaml")
    with ServerThread(serve) as server, Recorder(server.url, path, INTERACTIONS) as recorder:
        before = find_peak()
        with urllib.request.urlopen(recorder.url) as response:
            while response.read(1 << 16):
                pass
print((find_peak() - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
def test_a_large_body_passes_in_bounded_memory(tmp_path: Path) -> None:
    """From the target to the file, a body of 64 MiB takes less than half of the same amount."""
    words = [sys.executable, "-c", LARGE, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    [recording] = load(tmp_path / "1024.yaml").recordings
    assert (len(recording.body), recording.complete) == (64 << 20, True)
    assert int(done.stdout) < 32, done.stdout


def test_a_file_that_cannot_be_written_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchanges are in the part file, so none is called "not recorded"; a remark names the file."""

    def refuse(file: CassetteFile) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CassetteFile, "_save", refuse)
    path, warned = tmp_path / "a.yaml", list[str]()
    save(path, [HELLO])
    with (
        ServerThread(Serving(Chunk(b"x"))) as server,
        Recorder(server.url, path, INTERACTIONS, mode="all", warn=warned.append) as recorder,
    ):
        raw_exchange(port_of(recorder), get(connection="close"))
    part = tmp_path / "a.part.yaml"
    assert (recorder.summary.unrecorded, warned) == ([], [])
    assert f"What was recorded is in {part}" in recorder.summary.unsaved
    assert recorder.summary.unsaved in recorder.summary.remarks
    assert load(path).recordings == (HELLO,)
    assert len(load(part).recordings) == 1
