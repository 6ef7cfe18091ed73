"""Targets and clients that break HTTP: a recorder survives each, says what came, and leaves no broken cassette."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from harness.benches.record.diff import Drift, Drifts, SeenIn
from harness.benches.record.recorder import Recorder
from harness.benches.record.session import _is_alike, refused_since
from harness.cassette import load
from harness.emulator import Emulator
from harness.interactions import INTERACTIONS
from harness.transport import ServerThread
from harness.wire import COMPLETE, By, Chunk, Ending, Exchange, ExchangeBuilder, Headers, How, Request, UntilClose
from tests.benches.record.test_recorder import KEY, create, port_of
from tests.transport.hostile_peers import ENDING
from tests.transport.peers import RawServer, connected, read_to_end

BODY = b'{"model":"gemini-3.8-flash","input":"hi"}'
HEAD = b"POST /v1beta/interactions HTTP/1.1\r\nhost: h\r\nx-goog-api-key: %s\r\n" % KEY.encode()
CREATE = HEAD + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


def judge(recorder: Recorder, path: Path) -> None:
    """Each exchange is accounted for, with a sentence if it is not recorded; what is recorded can be loaded."""
    summary = recorder.summary
    kept = load(path).recordings if path.exists() else []
    assert len(kept) == summary.recorded
    assert summary.passed
    assert summary.recorded or summary.unanswered or summary.unrecorded
    assert "Traceback" not in "".join([*summary.unanswered, *summary.unrecorded])
    assert not path.exists() or KEY not in path.read_text("utf-8")


@pytest.mark.parametrize("name", ENDING)
def test_a_target_that_breaks_http(name: str, tmp_path: Path) -> None:
    """The client gets what came, or a hang-up, and the recorder has its words on it."""
    path = tmp_path / "a.yaml"
    with (
        RawServer(ENDING[name]) as peer,
        Recorder(peer.url, path, INTERACTIONS) as recorder,
        connected(port_of(recorder)) as sock,
    ):
        sock.sendall(CREATE)
        sock.shutdown(socket.SHUT_WR)
        read_to_end(sock)
    judge(recorder, path)


def test_a_change_of_protocol_spoils_no_file(tmp_path: Path) -> None:
    """A 101, after which nobody answers in HTTP, is told and not kept: the file stays readable."""
    path = tmp_path / "a.yaml"
    with (
        RawServer(ENDING["another protocol"]) as peer,
        Recorder(peer.url, path, INTERACTIONS) as recorder,
        connected(port_of(recorder)) as sock,
    ):
        sock.sendall(CREATE)
        read_to_end(sock)
    assert any("another protocol" in told for told in recorder.summary.unrecorded)
    judge(recorder, path)


CLIENTS = {
    "a line of 1 MB": HEAD + b"x: " + b"a" * (2 << 20) + b"\r\n\r\n",
    "a length and chunks": HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "an end in the head": HEAD,
    "an end in the body": HEAD + b"content-length: 99\r\n\r\n{",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "broken UTF-8": HEAD + b'content-length: 13\r\n\r\n{"input":"\xff"}',
}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_that_breaks_http(name: str, tmp_path: Path) -> None:
    """It spoils nothing for the next client, whose exchange is in the cassette."""
    path = tmp_path / "a.yaml"
    with ServerThread(Emulator()) as server, Recorder(server.url, path, INTERACTIONS) as recorder:
        with connected(port_of(recorder)) as sock:
            threading.Thread(target=_send, args=(sock, CLIENTS[name]), daemon=True).start()
            read_to_end(sock)
        seen = create(recorder.url)
    assert seen.status_code == 200
    assert seen.content in [recording.body for recording in load(path).recordings]
    assert KEY not in path.read_text("utf-8")


def _send(sock: socket.socket, data: bytes) -> None:
    try:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the recorder disconnected first


# --- proof of a recording: when a replay differs from it, and when it must not replace an older recording


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


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        ("200", "404", True),
        ("200", "201", False),
        ("404", "400", False),
        ("404", "200", False),
        ("200", "none", True),
    ],
)
def test_what_was_answered_and_is_refused_now(before: str, after: str, refused: bool) -> None:
    """Only a success that is now refused or unanswered prevents replacing the older recording."""
    drifts = Drifts(shape={Drift("status", before, after): [SeenIn("POST /v1beta/interactions")]})
    assert bool(refused_since(drifts)) is refused
