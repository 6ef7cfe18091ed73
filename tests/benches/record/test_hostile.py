"""Targets and clients that break HTTP: a recorder survives each, says what came, and leaves no broken cassette."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from harness.benches.record.recorder import Recorder
from harness.cassette import load
from harness.emulator import Emulator
from harness.interactions import INTERACTIONS
from harness.transport import ServerThread
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
