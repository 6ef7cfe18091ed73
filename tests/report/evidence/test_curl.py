"""A curl line reproduces the request exactly, is safe to paste into a shell, and contains no key."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import threading
from array import array
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from msgspec import structs

from harness.benches.server.script_run import is_runnable
from harness.interactions import INTERACTIONS
from harness.report.evidence.curl import Display, OwnScripts, curl, curl_lines, is_own_command
from harness.wire import Arrivals, Exchange, Headers, Request
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
    assert curl_lines(trail, SHOWN)[2].startswith("# the cursor is of the run above")
    script = FAKE_CURL + "\n".join(curl_lines(trail, SHOWN))
    subprocess.run(["sh", "-c", script], capture_output=True, check=True, cwd=tmp_path)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [word for word in asked if "v1_" in word] == [
        f"http://h{ROOT}/v1_new",
        f"http://h{ROOT}/v1_new?stream=true&last_event_id=a%2Fb",
        '{"input": "it\'s v1_older", "previous_interaction_id": "v1_new"}',
    ]


def test_who_names_an_id_did_not_make_it() -> None:
    """A response that does not create its id, or whose id is not used later, gets no variable."""
    cancelled = exchange("POST", f"{ROOT}/v1_a/cancel", body={"id": "v1_a", "status": "cancelled"})
    alone = exchange(sent={"input": "hi"}, body={"id": "v1_b", "status": "completed"})
    assert "ID" not in "".join(curl_lines([cancelled, exchange("GET", f"{ROOT}/v1_a"), alone], SHOWN))


@pytest.mark.parametrize(
    "body", [b'{"input": ' + b"[" * 10_000 + b"]" * 9_999 + b"}'", b"a" * 500, b"%" * 600 + b"x"]
)
def test_a_body_of_one_character_many_times_is_a_short_line(body: bytes) -> None:
    """What nobody wants to read is made by the shell, byte for byte."""
    command, _, rest = line(body).partition(" | curl")
    assert len(command) < 200
    assert rest.endswith("--data-binary @-")
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout == body


class Stale(ThreadingHTTPServer):
    """Serves one background run, completed from the second look on; each third look later shows it running."""

    looks = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), StaleHandler)

    @property
    def root(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.server_port}"


class StaleHandler(BaseHTTPRequestHandler):
    """Answers create and GET."""

    server: Stale

    def do_POST(self) -> None:
        """Create a run."""
        self.rfile.read(int(self.headers["content-length"]))
        self._show("in_progress")

    def do_GET(self) -> None:
        """Show the run, if its new id is named."""
        self.server.looks += self.path.endswith("/v1_new")
        self._show("completed" if self.server.looks in (2, 3) else "in_progress")

    def _show(self, status: str) -> None:
        body = json.dumps({"id": "v1_new", "status": status}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def moment(status: str, at: float, method: str = "GET") -> Exchange:
    """A create or a look `at` a time, with the status that it returned."""
    target = ROOT if method == "POST" else f"{ROOT}/v1_old"
    sent = {"input": "hi", "background": True} if method == "POST" else None
    made = exchange(method, target, sent=sent, body={"id": "v1_old", "status": status})
    return structs.replace(made, began=at, seconds=0.1)


@pytest.mark.skipif(not is_runnable(), reason="needs a POSIX shell and curl")
def test_the_lines_poll_and_wait_as_the_run_did(tmp_path: Path) -> None:
    """The script of a finding about a later look polls to the end, waits as the run did, and shows the same."""
    trail = [
        moment("in_progress", 0.0, "POST"),
        moment("completed", 4.0),
        moment("completed", 4.1),
        moment("in_progress", 6.4),
    ]
    server = Stale()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        lines = curl_lines(trail, structs.replace(SHOWN, root=server.root))
        fake = "sleep() { printf '%s ' \"$1\" >> slept; }\n"
        done = subprocess.run(["sh", "-c", fake + "\n".join(lines)], capture_output=True, check=True, cwd=tmp_path)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert re.findall(rb'"status": "(\w+)"', done.stdout) == [
        b"in_progress",
        b"completed",
        b"completed",
        b"in_progress",
    ]
    assert (tmp_path / "slept").read_text() == "1 2.2 ", "one pause while it polls, and the one of the run"


def test_polling_has_a_bound(tmp_path: Path) -> None:
    """Where the awaited state never comes, the loop ends, and the last answer is printed once."""
    script = "sleep() { :; }\n" + FAKE_CURL.replace('"v1_new"}', '"v1_new", "status": "in_progress"}')
    lines = curl_lines([moment("in_progress", 0.0, "POST"), moment("completed", 40.0)], SHOWN)
    done = subprocess.run(["sh", "-c", script + "\n".join(lines)], capture_output=True, check=True, cwd=tmp_path)
    assert done.stdout.count(b"v1_new") == 2
    asked = (tmp_path / "asked").read_text()
    assert asked.count(f"{ROOT}/v1_new") == 60, "every 2 s, for three times as long as the run took"


def test_requests_of_different_resources_did_not_wait_for_each_other() -> None:
    """The time between a create and another one, of another exercise, is no pause that shows anything."""
    trail = [moment("completed", 0.0, "POST"), moment("completed", 9.0, "POST")]
    assert "sleep" not in "".join(curl_lines(trail, SHOWN))


def test_a_request_during_a_stream_is_sent_during_it() -> None:
    """A reader that stays is in the background; one whose cursor is needed leaves where the run took it."""
    created = moment("in_progress", 0.0, "POST")
    data = b'data: {"event_id": "e-1"}\n\ndata: {"event_id": "e-2"}\n\n'
    stream = exchange("GET", f"{ROOT}/v1_old?stream=true", label="text/event-stream", body=data)
    arrivals = Arrivals(array("Q", [27, 27]), array("d", [0.1, 4.0]), 2)
    stream = structs.replace(stream, began=1.0, seconds=5.0, arrivals=arrivals)
    cancelled = structs.replace(exchange("POST", f"{ROOT}/v1_old/cancel", body={}), began=2.0, seconds=0.1)
    resumed = exchange("GET", f"{ROOT}/v1_old?stream=true&last_event_id=e-1")
    resumed = structs.replace(resumed, began=2.0, seconds=0.1)
    lines = curl_lines([created, stream, cancelled], SHOWN)
    assert "> answer1.txt 2>&1 &\nsleep 1" in lines[1]
    assert lines[-1] == "wait\ncat answer1.txt"
    assert "[ $((EVENTS += 1)) -lt 1 ]" in curl_lines([created, stream, resumed], SHOWN)[1]


def test_a_script_names_what_would_make_it_show_nothing(tmp_path: Path) -> None:
    """A run that may settle too early has a note, and a create without an id ends the script."""
    deleted = structs.replace(exchange("DELETE", f"{ROOT}/v1_old", body={}), began=0.2, seconds=0.1)
    lines = curl_lines([moment("in_progress", 0.0, "POST"), deleted], SHOWN)
    assert lines[1].startswith("# if the run settles before")
    script = FAKE_CURL.replace('"id": "v1_new"', '"error": {}') + "\n".join(lines)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "the response above has no id" in done.stderr
    assert "DELETE" not in (tmp_path / "asked").read_text()


TRAILS = {
    "ids and a cursor": [
        exchange(sent={"input": "hi"}, body={"id": "v1_old", "status": "completed"}),
        exchange("GET", f"{ROOT}/v1_old?stream=true&last_event_id=a%2Fb"),
        exchange("GET", f"{ROOT}/v1_old"),
        exchange(sent={"input": "it's v1_old\x03 [x]", "previous_interaction_id": "v1_old"}),
    ],
    "polls and waits": [
        moment("in_progress", 0.0, "POST"), moment("completed", 40.0), moment("in_progress", 46.4),
        moment("completed", 60.0),
    ],
    "a race": [
        moment("in_progress", 0.0, "POST"),
        structs.replace(exchange("POST", f"{ROOT}/v1_old/cancel", body={"id": "v1_old"}), began=3.0, seconds=0.1),
    ],
    "odd words": [
        exchange("GET", f"{ROOT}/[1-3]/../{{a,b}}?x=\x1b$(id)`id`'\""),
        exchange(sent={"input": "[" * 600 + "'" + "x" * 700}),
        exchange(sent={"input": "a\\b\u202e\t"}),
        exchange("DELETE\x03", ROOT),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", TRAILS)
def test_a_command_is_known_again(name: str) -> None:
    """Each that is written is one for its target, and for no other; one word more, and it is none."""
    scripts, others = (OwnScripts(INTERACTIONS, root) for root in (SHOWN.root, "http://evil.example"))
    for command in curl_lines(TRAILS[name], SHOWN):
        assert scripts.know(command), command
        assert not others.know(command) or command.startswith("wait")
        for more in (
            "; id",
            " | sh",
            "\nid",
            " -o x",
            " -K x",
            " && id",
            " `id`",
            " > x",
            " $(id)",
            "\\\n id",
            "\x03",
        ):
            assert not scripts.know(f"{command}{more}")
        for before in ("id; ", "id\n", "id | ", "A=b ", "# x\n", "$(id)", "sleep 1; id; "):
            assert not scripts.know(f"{before}{command}")


FORGED = (
    "touch x", "curl http://h/v1", "curl -sS -N -i -X GET http://h.evil/x", "curl -sS -N -i -X GET http://h@evil/x",
    "curl -sS -N -i -X GET 'http://h/'\"$(id)\"", "curl -sS -N -i -X GET http://h/x \\\n  -H @/etc/passwd",
    "curl -sS -N -i -X GET http://h/x \\\n  -H 'x: '\"$(cat x)\"", "curl -sS -N -i -X GET http://h/x;id",
    "curl -sS -N -i -X GET http://h/x http://evil/", "curl -sS -N -i -X -Kx http://h/x",
    "wait\ncat answer0.txt; id", "curl -sS -N -i -X 'A http://h/' http://evil/", "curl -sS -N -i -X GET 'http://h'@evil",
    "curl -sS -N -i -X GET 'http://h/x?a=[1-9999999]'", "curl -sS -N -i -X GET 'http://h/{a,b}'",
    "curl -sS -N -i -X GET http://h/v1/../../x", "curl -sS -N -i -g -X GET http://h/%2e%2e/x",
    "curl -sS -N -i --path-as-is -X GET \"$(printf 'http://h/\\033\\133a-z]')\"",
    "OUT0=$(id); printf '%s\\n' \"$OUT0\"", "OUT0=$(curl -sS -N -i -X GET http://evil/); printf '%s\\n' \"$OUT0\"",
    "sleep 1; id", "echo aWQ= | base64 -d | sh", "curl -sS -N -i -X GET http://h/x \\\n  --data-raw @x \\\n  -o x",
    "curl -sS -N -i -X GET http://h/x \\\n  -H \"$(printf '%s' \"$(id)\")\"",
    "curl -sS -N -i -X GET http://h/\"${AWS_SECRET_ACCESS_KEY}\"", "curl -sS -N -i -X GET http://h/\"${ID0}\"",
    "curl -sS -N -i -X GET http://h/x \\\n  -H 'x: '\"$GITHUB_TOKEN\"", "curl -sS -N -i -X GET http://h/\"$OUT0\"",
    "curl -sS -N -i -X GET http://h/\"$GEMINI_API_KEY\"", "curl -sS -N -i -X \"$COOKIE\" http://h/x",
    (
        "OUT0=$(curl -sS -N -i -X GET http://h/x); printf '%s\\n' \"$OUT0\"\nPATH=$(printf '%s' \"$OUT0\" | "
        "grep -o '\"id\": *\"[^\"]*\"' | sed -n 1p | cut -d'\"' -f4)\n"
        ': "${PATH:?the response above has no id}"'
    ),
)  # fmt: skip


@pytest.mark.parametrize("command", FORGED)
def test_a_forged_command_is_none_of_ours(command: str) -> None:
    """Another program, another host, an option that reads or writes a file, or a word that a shell expands."""
    assert not OwnScripts(INTERACTIONS, "http://h").know(command)


def test_a_command_of_harness_repeats_a_case_of_its_client() -> None:
    """No other client, no other command and no option that runs a program; no word does anything in a shell."""
    client = ["node", "it's;.mjs", "$(id)", "--extension"]
    words = ["harness", "torture", "--cuts", "event:1,end", "--text", "a b", "--strict", "--timeout", "3"]
    assert is_own_command(shlex.join([*words, "--", *client]), shlex.join(client))
    assert is_own_command(shlex.join([*words, "--client", "openai"]), "openai")
    for others in (
        [*words, "--", "sh"], [*words, "--client", "other"], [*words, "--", *client, "x"],
        ["harness", "serve", "--", *client], ["harness", "fuzz", "http://evil.example"],
        [*words, "--extension", "evil.py"], [*words, "--text", "--extension", "evil.py"],
        [*words, "--extension=evil.py"], [*words, "--text=x"], [*words, "evil"], [*words, "--cuts"],
        [*words, "--report", "json=x"], ["harness"], ["harness", "torture", "--client=openai"],
    ):  # fmt: skip
        assert not is_own_command(shlex.join(others), shlex.join(client))
    for text in (
        "touch x",
        "harness check; id",
        "harness check $(id)",
        "harness `id`",
        "harness\nid",
        "harness 'a\x03'",
        "harness torture --cuts event:1,end --mode create --client curl; id",
        "harness torture " + "a" * 2000 + "\n",
    ):
        assert not is_own_command(text, "x")
