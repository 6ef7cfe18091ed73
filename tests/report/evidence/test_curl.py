"""A curl line reproduces the request exactly, is safe to paste into a shell, and contains no key."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from msgspec import structs

from harness.interactions import INTERACTIONS
from harness.report.evidence.curl import Display, curl, curl_lines
from harness.wire import Exchange, Headers, Request
from harness.wire.mask import Mask
from tests.contract.exchanges import ROOT, exchange

MASK = Mask({"GEMINI_API_KEY": "secret-one", "OTHER_GEMINI_API_KEY": "secret-two", "AUTHORIZATION": "secret-tok"})
SHOWN = Display(INTERACTIONS, "http://h", MASK)


def line(body: bytes = b"", *headers: tuple[str, str], target: str = "/v1beta/interactions") -> str:
    """The curl line of a POST request."""
    return curl(Request("POST", target, Headers(headers), body), structs.replace(SHOWN, root="http://h:1"))


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (("x-goog-api-key", "secret-one"), "'x-goog-api-key: '\"$GEMINI_API_KEY\""),
        (("x-goog-api-key", "secret-two"), "'x-goog-api-key: '\"$OTHER_GEMINI_API_KEY\""),
        (("Authorization", "Bearer secret-tok"), "'Authorization: Bearer '\"$AUTHORIZATION\""),
        (("x-goog-api-key", "wrong"), "'x-goog-api-key: wrong'"),
        (("x-note", "it's $HOME"), "'x-note: it'\"'\"'s $HOME'"),
        (("Cookie", "a=one; b=secret-tok"), "'Cookie: '\"$COOKIE\""),
        (("X-Session", "mine"), "'X-Session: '\"$X_SESSION\""),
        (("Authorization", "Digest user=u, response=r"), "'Authorization: '\"$AUTHORIZATION\""),
    ],
)
def test_headers(header: tuple[str, str], part: str) -> None:
    """A secret becomes a shell variable, a key made up by the check stays visible, and all else is quoted."""
    assert f"-H {part}" in line(b"", header)


@pytest.mark.parametrize("body", [b'{"a":"it\'s $HOME `x` \\n"}', "héllo".encode(), b"@file", b'{\n"a": 1}'])
def test_bodies_pass_the_shell_unchanged(body: bytes) -> None:
    """The data that the shell passes to curl is the body, byte for byte."""
    words = shlex.split(line(body))
    assert words[words.index("--data-raw") + 1].encode() == body


def test_binary_bodies_go_through_a_pipe() -> None:
    """The command for a binary body makes the shell produce exactly its bytes."""
    command = line(b"\xff\x00\x01").partition("| curl")[0]
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=True)
    assert done.stdout == b"\xff\x00\x01"


def test_targets_are_quoted() -> None:
    """The query is quoted against the shell, and a key in it is hidden."""
    text = line(target="/v1/interactions?a=1&key=secret-one")
    assert "'http://h:1/v1/interactions?a=1&key=***'" in text


FAKE_CURL = """curl() { printf '%s\\n' "$@" >> asked; echo '{"object": "interaction", "id": "v1_new"}'; }
"""


def test_ids_of_an_answer_are_taken_from_the_next_one(tmp_path: Path) -> None:
    """Run as a script, the lines use the new id wherever the old one was used, and nowhere else."""
    trail = [
        exchange(sent={"input": "hi"}, body={"id": "v1_old", "status": "completed"}),
        exchange("GET", f"{ROOT}/v1_old"),
        exchange("GET", f"{ROOT}/v1_old?stream=true&last_event_id=a%2Fb"),
        exchange(sent={"input": "it's v1_older", "previous_interaction_id": "v1_old"}),
    ]
    script = FAKE_CURL + "\n".join(curl_lines(trail, SHOWN))
    subprocess.run(["sh", "-c", script], capture_output=True, check=True, cwd=tmp_path)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [word for word in asked if "v1_" in word] == [
        f"http://h{ROOT}/v1_new",
        f"http://h{ROOT}/v1_new?stream=true&last_event_id=a%2Fb",
        '{"input": "it\'s v1_older", "previous_interaction_id": "v1_new"}',
    ]


@pytest.mark.parametrize(
    "body", [b'{"input": ' + b"[" * 10_000 + b"]" * 9_999 + b"}'", b"a" * 500, b"%" * 600 + b"x"]
)
def test_a_body_of_one_character_many_times_is_a_short_line(body: bytes) -> None:
    """What nobody wants to read is made by the shell, byte for byte."""
    command, _, rest = line(body).partition(" | curl")
    assert len(command) < 200
    assert rest.endswith("--data-binary @-")
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout == body


def moment(status: str, at: float, method: str = "GET") -> Exchange:
    """A create or a look `at` a time, with the status that it returned."""
    target = ROOT if method == "POST" else f"{ROOT}/v1_old"
    sent = {"input": "hi", "background": True} if method == "POST" else None
    made = exchange(method, target, sent=sent, body={"id": "v1_old", "status": status})
    return structs.replace(made, began=at, seconds=0.1)


def test_the_lines_wait_as_the_run_did(tmp_path: Path) -> None:
    """The script of a finding about a later look waits before it looks, and not between two looks at once."""
    trail = [
        moment("in_progress", 0.0, "POST"),
        moment("completed", 4.0),
        moment("completed", 4.1),
        moment("in_progress", 6.4),
    ]
    script = "sleep() { printf '%s ' \"$1\" >> slept; }\n" + FAKE_CURL + "\n".join(curl_lines(trail, SHOWN))
    subprocess.run(["sh", "-c", script], capture_output=True, check=True, cwd=tmp_path)
    assert (tmp_path / "slept").read_text() == "3.9 2.2 "


def test_a_request_during_a_stream_is_sent_during_it() -> None:
    """A reader that stays is in the background, and what it read is shown at the end."""
    created = moment("in_progress", 0.0, "POST")
    stream = exchange("GET", f"{ROOT}/v1_old?stream=true", label="text/event-stream", body=b'data: {"a": 1}\n\n')
    stream = structs.replace(stream, began=1.0, seconds=5.0)
    cancelled = structs.replace(exchange("POST", f"{ROOT}/v1_old/cancel", body={}), began=2.0, seconds=0.1)
    lines = curl_lines([created, stream, cancelled], SHOWN)
    assert "> answer1.txt 2>&1 &\nsleep 1" in lines[1]
    assert lines[-1] == "wait\ncat answer1.txt"


def test_a_create_without_an_id_ends_the_script(tmp_path: Path) -> None:
    """No later request is sent with an empty id."""
    deleted = structs.replace(exchange("DELETE", f"{ROOT}/v1_old", body={}), began=0.2, seconds=0.1)
    lines = curl_lines([moment("in_progress", 0.0, "POST"), deleted], SHOWN)
    script = FAKE_CURL.replace('"id": "v1_new"', '"error": {}') + "\n".join(lines)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "the response above has no id" in done.stderr
    assert "DELETE" not in (tmp_path / "asked").read_text()
