"""Claims about `harness record`, `replay`, `proxy` and `diff`, and the faults that `serve` takes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from harness.cassette import load
from harness.emulator import Emulator
from harness.resources import folder
from harness.transport import ServerThread, UrlDriver
from harness.wire import Exchange, Headers, How, Request
from tests.cli.conftest import Harness

CREATE = b'{"model":"gemini-3.5-flash","input":"hi","stream":true}'
HEADERS = Headers((("x-goog-api-key", "any"), ("content-type", "application/json")))

ASK = """
import json, os, sys, urllib.request as u
body = json.dumps({"model": "gemini-3.5-flash", "input": sys.argv[1]}).encode()
key = os.environ.get("GEMINI_API_KEY", "real-key-1234567890")
headers = {"x-goog-api-key": key, "content-type": "application/json"}
request = u.Request(os.environ["INTERACTIONS_BASE_URL"] + "/v1beta/interactions", body, headers)
print(u.urlopen(request).status)
"""


def ask(text: str) -> list[str]:
    """The words of a client that creates one interaction."""
    return [sys.executable, "-c", ASK, text]


@pytest.fixture
def emulator() -> Iterator[str]:
    """The URL of an emulator."""
    with ServerThread(Emulator()) as server:
        yield server.url


def last_object(out: str) -> Any:
    """The JSON object that an output ends with."""
    return json.loads(out[out.index("{\n") :])


def stream_from(url: str) -> Exchange:
    """One streaming create."""
    driver = UrlDriver(url)
    try:
        return driver.send(Request("POST", "/v1beta/interactions", HEADERS, CREATE))
    finally:
        driver.close()


@contextmanager
def standing(*words: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """A command that listens: its first line, and the process, which SIGTERM ends."""
    command = [sys.executable, "-m", "harness", *words, "--port", "0", "--json"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline()), process
        finally:
            process.send_signal(signal.SIGTERM)


def valid(name: str, value: Any) -> Any:
    """The value, which keeps to its schema."""
    schema = json.loads((folder("schemas") / "output" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.validate(value, schema)
    return value


def test_record_a_command_then_replay_it(emulator: str, harness: Harness) -> None:
    """A client runs against the recorder, then the same client against its cassette, and nothing is missing."""
    done = harness(
        "record", "--target", emulator, "--cassette", "a.yaml", "--port", "0", "--json", "--", *ask("hi")
    )
    assert done.code == 0
    summary = valid("record", last_object(done.out))
    assert (summary["recorded"], summary["unrecorded"], summary["replaced"]) == (1, [], {"secret header": 1})
    assert "real-key" not in Path("a.yaml").read_text("utf-8")
    done = harness("replay", "a.yaml", "--port", "0", "--json", "--", *ask("hi"))
    assert done.code == 0
    assert valid("replay", last_object(done.out))["unused"] == []


def test_a_miss_fails_a_replay_and_says_what_differs(emulator: str, harness: Harness) -> None:
    """A request that was not recorded ends with 1 and names the nearest recording and the first difference."""
    harness("record", "--target", emulator, "--cassette", "a.yaml", "--port", "0", "--", *ask("hi"))
    done = harness("replay", "a.yaml", "--port", "0", "--", *ask("ho"))
    assert done.code == 1
    assert 'the nearest is recording 1, which differs in body.input: recorded "hi", got "ho"' in done.out
    assert "unused: recording 1, POST /v1beta/interactions" in done.out


def test_a_recorder_that_stands_ends_with_its_summary(emulator: str, tmp_path: Path) -> None:
    """First the address, then on SIGTERM what was recorded."""
    path = tmp_path / "a.yaml"
    with standing("record", "--target", emulator, "--cassette", str(path)) as (first, process):
        assert stream_from(first["base_url"]).complete
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert valid("record", json.loads(process.stdout.read()))["recorded"] == 1
    assert process.returncode == 0
    assert len(load(path).recordings) == 1


@pytest.mark.parametrize("command", ["serve", "proxy", "replay"])
def test_a_fault_can_be_named_wherever_something_is_served(command: str, emulator: str, tmp_path: Path) -> None:
    """The same plan cuts the same stream at the same byte, in front of emulator, cassette and any server."""
    path = tmp_path / "a.yaml"
    with standing("record", "--target", emulator, "--cassette", str(path)) as (first, _):
        whole = stream_from(first["base_url"]).body
    words = {"serve": (), "proxy": ("--target", emulator), "replay": (str(path), "--mode", "resume")}[command]
    with standing(command, *words, "--fault", "event:2+7,rst") as (first, _):
        cut = stream_from(first["base_url"])
    assert cut.ending.how is How.RST
    assert cut.body.count(b"\n\n") == 2
    assert len(cut.body) == whole.index(b"\n\n", whole.index(b"\n\n") + 2) + 2 + 7


def test_faults_can_be_set_while_a_server_runs(emulator: str) -> None:
    """`POST /__harness__/faults` takes a plan, `GET` tells what it did, and a wrong one is refused readably."""
    with standing("proxy", "--target", emulator) as (first, _):
        url = first["base_url"]
        assert stream_from(url).complete
        control = f"{url}/__harness__/faults"
        assert httpx.post(control, json={"plan": "event:1,fin"}).json()["plan"] == "event:1,fin"
        assert stream_from(url).ending.how is How.FIN
        assert httpx.get(control).json()["connections"][0]["fired"] == ["event:1,fin"]
        wrong = httpx.post(control, json={"plan": "event:1,fim"})
        assert (wrong.status_code, "fin" in wrong.text) == (400, True)
        httpx.delete(control)
        assert stream_from(url).complete


def test_diff_tells_shape_from_content(emulator: str, harness: Harness) -> None:
    """The same client recorded twice drifts in content at most; a field less is drift of shape and exit code 1."""
    for name in ("a.yaml", "b.yaml"):
        harness("record", "--target", emulator, "--cassette", name, "--port", "0", "--", *ask("hi"))
    done = harness("diff", "a.yaml", "b.yaml")
    assert (done.code, "drifts: 0 of shape" in done.out) == (0, True)
    text = Path("b.yaml").read_text("utf-8")
    Path("c.yaml").write_text(text.replace(r"\"service_tier\":\"standard\",", ""), "utf-8")
    done = harness("diff", "a.yaml", "c.yaml", "--json")
    assert done.code == 1
    assert [drift["place"] for drift in valid("diff", json.loads(done.out))["shape"]] == ["body.service_tier"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["record", "--cassette", "a.yaml"], "--target"),
        (["record", "--target", "http://127.0.0.1:1"], "--cassette"),
        (["record", "--target", "http://h/v1beta", "--cassette", "a.yaml"], "names more than a server"),
        (["record", "--target", "http://h", "--cassette", "a.yaml", "--record-mode", "some"], "new_episodes"),
        (["record", "--target", "https://h", "--cassette", "a.yaml", "--ca-file", "none.pem"], "none.pem"),
        (["replay", "none.yaml"], "does not exist"),
        (["replay", "none.yaml", "--speed", "slow"], "is no speed"),
        (["proxy", "--fault", "event:1,fin"], "--target"),
        (["proxy", "--target", "http://127.0.0.1:1", "--fault", "event:1,fim"], "fin"),
        (["serve", "--fault", "nonsense"], "nonsense"),
        (["diff", "none.yaml", "none.yaml"], "none.yaml"),
    ],
)
def test_usage(words: list[str], told: str, harness: Harness) -> None:
    """Mistakes are told with what to do, before anything listens."""
    if words[:2] == ["replay", "none.yaml"] and "--speed" not in words:
        assert not Path("none.yaml").exists()
    done = harness(*words)
    assert done.code == 2
    assert told in done.err


def test_nothing_recorded_is_not_green(emulator: str, harness: Harness) -> None:
    """A command that asked for nothing leaves no file and exit code 3."""
    done = harness(
        "record", "--target", emulator, "--cassette", "a.yaml", "--port", "0", "--", sys.executable, "-c", ""
    )
    assert done.code == 3
    assert not Path("a.yaml").exists()
