"""Tests of `harness record`, `replay`, `proxy` and `diff`, and of `serve --fault`."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from harness.benches.record.recorder import Summary
from harness.benches.record.session import Recorded
from harness.cassette import Provenance, Target, load, save
from harness.checks.scenarios import SCENARIOS
from harness.cli.commands.record import _print as print_summary
from harness.emulator import Emulator
from harness.report.recordings import RecordingReport
from harness.transport import ServerThread, UrlDriver
from harness.wire import By, Ending, Exchange, Headers, How, Request
from tests.cassette.samples import HELLO
from tests.cli.conftest import PATIENCE, Harness, fits, start

CREATE = b'{"model":"gemini-3.8-flash","input":"hi","stream":true}'
HEADERS = Headers((("x-goog-api-key", "any"), ("content-type", "application/json")))

ASK = """
import json, os, sys, urllib.request as u
body = json.dumps({"model": "gemini-3.8-flash", "input": sys.argv[1]}).encode()
key = os.environ.get("GEMINI_API_KEY", "real-key-1234567890")
headers = {"x-goog-api-key": key, "content-type": "application/json"}
request = u.Request(os.environ["INTERACTIONS_BASE_URL"] + "/v1beta/interactions", body, headers)
print(u.urlopen(request).status)
"""


def ask(text: str) -> list[str]:
    """Return the command line of a client that creates one interaction."""
    return [sys.executable, "-c", ASK, text]


@pytest.fixture
def emulator() -> Iterator[str]:
    """The URL of an emulator."""
    with ServerThread(Emulator()) as server:
        yield server.url


def last_object(out: str) -> Any:
    """Parse the JSON object at the end of an output."""
    return json.loads(out[out.index("{\n") :])


def stream_from(url: str) -> Exchange:
    """Send one streaming create."""
    driver = UrlDriver(url)
    try:
        return driver.send(Request("POST", "/v1beta/interactions", HEADERS, CREATE))
    finally:
        driver.close()


@contextmanager
def standing(*words: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """Run a command that listens; yield its first line and its process, and end it with SIGTERM."""
    with start(*words, "--port", "0", "--json") as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline()), process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def test_record_a_command_then_replay_it(emulator: str, harness: Harness) -> None:
    """A client runs against the recorder, then again against its cassette, which has every answer it needs."""
    Path("a.part.yaml").write_text("version: 1\ninteractions:\n- left by a killed recorder\n", "utf-8")
    done = harness(
        "record", "--target", emulator, "--cassette", "a.yaml", "--port", "0", "--json", "--", *ask("hi")
    )
    assert done.code == 0
    summary = fits("record", last_object(done.out))
    assert (summary["recorded"], summary["unrecorded"], summary["replaced"]) == (1, [], {"secret header": 1})
    assert "real-key" not in Path("a.yaml").read_text("utf-8")
    assert Path(summary["interrupted"]).name == "a.interrupted-1.yaml"
    assert "left by a killed recorder" in Path(summary["interrupted"]).read_text("utf-8")
    done = harness("replay", "a.yaml", "--port", "0", "--json", "--", *ask("hi"))
    assert done.code == 0
    assert fits("replay", last_object(done.out))["unused"] == []


def test_a_miss_fails_a_replay_and_says_what_differs(emulator: str, harness: Harness) -> None:
    """A request that was not recorded exits with 1; the message names the nearest recording and the difference."""
    harness("record", "--target", emulator, "--cassette", "a.yaml", "--port", "0", "--", *ask("hi"))
    done = harness("replay", "a.yaml", "--port", "0", "--", *ask("ho"))
    assert done.code == 1
    assert 'the nearest is recording 1, which differs in body.input: recorded "hi", got "ho"' in done.out
    assert "unused:" not in done.out
    assert "0 of 1 recordings used, 1 request without a recording" in done.out


def test_a_replay_says_which_answers_are_a_guess(emulator: str, harness: Harness) -> None:
    """A recording without known boundaries is replayed, and named as approximate; so is one without its end."""
    harness("record", "--target", emulator, "--cassette", "a.yaml", "--port", "0", "--", *ask("hi"))
    (recording,) = load("a.yaml").recordings
    save("a.yaml", [replace(recording, approximate=True, ending=Ending(By.CLIENT, How.FIN))])
    done = harness("replay", "a.yaml", "--port", "0", "--", *ask("hi"))
    assert (done.code, "note: the end of recording 1 was not recorded" in done.err) == (0, True)
    assert "approximate: recording 1: edited, or recorded without chunks (guessed)\n" in done.out
    done = harness("replay", "a.yaml", "--port", "0", "--json", "--", *ask("hi"))
    assert fits("replay", last_object(done.out))["approximate"] == [1]


def test_a_dead_target_replaces_no_recording(emulator: str, harness: Harness) -> None:
    """If the target does not answer while recording again, the old recording is kept, and a message says so."""
    harness("record", "--target", emulator, "--cassette", "a.yaml", "--port", "0", "--", *ask("hi"))
    (recording,) = load("a.yaml").recordings
    save("a.yaml", [recording], Provenance(recorder="mine", target=Target.OTHER))
    words = ("record", "--target", "http://127.0.0.1:9", "--cassette", "a.yaml", "--record-mode", "all")
    done = harness(*words, "--port", "0", "--", *ask("hi"))
    assert (
        "nothing was recorded: the target responded to no request (check --target), and a.yaml is unchanged"
        in done.out
    )
    assert load("a.yaml").recordings == (recording,)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("pass", "no request arrived: a.yaml was not written (does the client use INTERACTIONS_BASE_URL?)"),
        (
            "raise SystemExit(7)",
            "no request arrived: a.yaml was not written (the command ended with status 7; does the client use",
        ),
    ],
)
def test_without_a_request_the_summary_says_why(emulator: str, harness: Harness, program: str, said: str) -> None:
    """A command that failed is named as what it is, and a file that never was is not called unchanged."""
    words = ("record", "--target", emulator, "--cassette", "a.yaml", "--port", "0")
    done = harness(*words, "--", sys.executable, "-c", program)
    assert said in done.out
    assert done.code == (7 if "7" in program else 3)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["serve", "proxy", "replay"])
def test_a_fault_can_be_named_wherever_something_is_served(command: str, emulator: str, tmp_path: Path) -> None:
    """The same fault plan cuts the same stream at the same byte in `serve`, `proxy` and `replay`."""
    path = tmp_path / "a.yaml"
    with standing("record", "--target", emulator, "--cassette", str(path)) as (first, _):
        whole = stream_from(first["base_url"]).body
    words = {"serve": (), "proxy": ("--target", emulator), "replay": (str(path), "--mode", "resume")}[command]
    with standing(command, *words, "--fault", "event:2+7,rst") as (first, _):
        cut = stream_from(first["base_url"])
    assert cut.ending.how is How.RST
    assert cut.body.count(b"\n\n") == 2
    assert len(cut.body) == whole.index(b"\n\n", whole.index(b"\n\n") + 2) + 2 + 7


@pytest.mark.slow
def test_faults_can_be_set_while_a_server_runs(emulator: str) -> None:
    """`POST /__harness__/faults` sets a plan, `GET` reports what it did, and a wrong plan gets a readable 400."""
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
    """Recording a client twice gives no structural drift; a missing field is structural drift and exits with 1."""
    for name in ("a.yaml", "b.yaml"):
        harness("record", "--target", emulator, "--cassette", name, "--port", "0", "--", *ask("hi"))
    done = harness("diff", "a.yaml", "b.yaml")
    assert (done.code, "differences: 0 in structure" in done.out) == (0, True)
    text = Path("b.yaml").read_text("utf-8")
    Path("c.yaml").write_text(text.replace('"service_tier":"standard",', ""), "utf-8")
    done = harness("diff", "a.yaml", "c.yaml", "--json")
    assert done.code == 1
    assert [drift["place"] for drift in fits("diff", json.loads(done.out))["shape"]] == ["body.service_tier"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["record", "--cassette", "a.yaml"], "--target"),
        (["record", "--target", "http://h", "--cassette", "a.txt"], "name it a.yaml"),
        (
            ["record", "--target", "http://h", "--cassette", "a.yaml", "--max-requests", "3"],
            "--max-requests has an effect only",
        ),
        (
            ["record", "--target", "http://h", "--send", "all", "--no-redaction"],
            "--no-redaction is for recorded",
        ),
        (["record", "--target", "http://h", "--send", "all", "--cassette", "a.yaml"], "name a folder"),
        (["record", "--target", "http://h", "--send", "al"], "no scenario is named 'al'"),
        (["record", "--target", "http://127.0.0.1:1", "--send", "all"], "--max-requests"),
        (
            ["record", "--target", "https://generativelanguage.googleapis.com", "--send", "all"],
            "requires a key",
        ),
        (["record", "--target", "http://127.0.0.1:1", "--send", "all", "--", "true"], "remove the command"),
        (["record", "--target", "http://127.0.0.1:1"], "--cassette"),
        (["record", "--target", "http://h/v1beta", "--cassette", "a.yaml"], "'http://h/v1beta' names more than"),
        (["record", "--target", "http://u:s3cret@h", "--cassette", "a.yaml"], "so write http://h"),
        (["proxy", "--target", "http://h/?key=s3cret"], "so write http://h"),
        (["record", "--target", "http://h", "--cassette", "a.yaml", "--record-mode", "some"], "new_episodes"),
        (["record", "--target", "https://h", "--cassette", "a.yaml", "--ca-file", "none.pem"], "none.pem"),
        (["record", "--target", "http://h", "--cassette", "a.yaml", "--ca-file", "none.pem"], "none.pem"),
        (["check", "emulator", "--ca-file", "none.pem"], "none.pem"),
        (["replay", "none.yaml"], "does not exist"),
        (["replay", "."], "it is a folder: name a file in it"),
        (["replay", "none.yaml", "--speed", "slow"], "is not a speed"),
        (["proxy", "--fault", "event:1,fin"], "--target"),
        (["proxy", "--target", "http://127.0.0.1:1", "--fault", "event:1,fim"], "fin"),
        (["serve", "--fault", "nonsense"], "nonsense"),
        (["diff", "none.yaml", "none.yaml"], "none.yaml"),
        (["record", "--target", "http://[::1", "--cassette", "a.yaml"], "is not a URL"),
        (["proxy", "--target", "http://[::1"], "is not a URL"),
        (["check", "http://[::1"], "is not a URL"),
        (["check", "http://a..example"], "has no valid host: 'a..example' has an empty part"),
        (["check", f"http://{'a' * 64}.example"], "or one of more than 63 characters"),
        (["record", "--target", "http://localhost:8400", "--cassette", "a.yaml"], "would ask itself"),
        (["proxy", "--target", "http://127.0.0.1:8001", "--port", "8001"], "would ask itself"),
    ],
)
def test_usage(words: list[str], told: str, harness: Harness) -> None:
    """A wrong command line is refused before anything listens, with a message that says what to do."""
    if words[:2] == ["replay", "none.yaml"] and "--speed" not in words:
        assert not Path("none.yaml").exists()
    done = harness(*words)
    assert done.code == 2
    assert told in done.err
    assert "s3cret" not in done.err


def test_a_replay_that_nobody_asked_is_not_green(emulator: str, harness: Harness) -> None:
    """A replay that got no request exits with 3 instead of passing; an empty cassette exits with 2."""
    harness("record", "--target", emulator, "--cassette", "a.yaml", "--port", "0", "--", *ask("hi"))
    assert harness("replay", "a.yaml", "--port", "0", "--", sys.executable, "-c", "").code == 3
    Path("b.yaml").write_text("version: 1\ninteractions: []\n", "utf-8")
    assert harness("replay", "b.yaml", "--port", "0", "--", *ask("hi")).code == 2


def test_a_target_that_is_not_there_is_told(harness: Harness) -> None:
    """If the target is down, the recorder says why, at once and in its summary, and exits with 4."""
    look = "import os, urllib.request as u"
    look += "\ntry: u.urlopen(os.environ['INTERACTIONS_BASE_URL'] + '/x')\nexcept OSError: pass"
    words = ("record", "--target", "http://127.0.0.1:1", "--cassette", "a.yaml", "--port", "0")
    done = harness(*words, "--", sys.executable, "-c", look)
    assert done.code == 4
    assert "no response: GET /x: 127.0.0.1:1: Connection refused" in done.out
    assert done.err == "harness record: no response: GET /x: 127.0.0.1:1: Connection refused\n", "at once, too"
    assert (
        "nothing was recorded: the target responded to no request (check --target), and a.yaml was not written"
        in done.out
    )
    assert list(Path().iterdir()) == [], "the next session records, instead of replaying that nobody was there"
    done = harness(*words, "--record-mode", "all", "--json", "--", sys.executable, "-c", look)
    assert len(fits("record", last_object(done.out))["unanswered"]) == 1


def test_an_interrupted_session_counts_the_files_that_are_there(
    emulator: str, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scenario that was reported, but is not in its place, is missing; the command that is named records it."""
    report = RecordingReport.result

    def interrupted(self: RecordingReport, result: Recorded) -> None:
        report(self, result)
        if result.name == "background":
            raise KeyboardInterrupt

    words = ("record", "--target", emulator, "--send", "lifecycle", "background", "--cassette", "new")
    with monkeypatch.context() as patched:
        patched.setattr(RecordingReport, "result", interrupted)
        done = harness(*words, "--max-requests", "20")
    assert (done.code, done.err.count("INTERRUPTED"), done.out.count("INTERRUPTED: 2 scenarios")) == (130, 0, 1)
    assert "1 of 2 scenarios recorded in new" in done.out
    assert "for these: --send background\n" in done.out
    assert [path.name for path in Path("new").glob("*.yaml")] == ["lifecycle.yaml"]
    words = (*words[:4], "background", *words[6:])
    assert "1 of 1 scenarios recorded in new" in harness(*words, "--max-requests", "20").out
    assert {path.name for path in Path("new").iterdir()} == {"lifecycle.yaml", "background.yaml"}


@pytest.mark.slow
def test_a_recorder_that_is_stopped_stops_its_command(emulator: str, tmp_path: Path) -> None:
    """On SIGTERM a recorder ends its client first: the exchange is recorded, and no process is left behind."""
    client = [*ask("hi")[:2], ASK + "print('asked', flush=True)\nimport time\ntime.sleep(600)", "hi"]
    path = tmp_path / "a.yaml"
    with start("record", "--target", emulator, "--cassette", str(path), "--port", "0", "--", *client) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "200\n"
        assert process.stdout.readline() == "asked\n"
        process.terminate()
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert "recorded 1 exchange to" in out
    assert len(load(path).recordings) == 1


def test_a_folder_that_cannot_be_is_told_before_anything_is_sent(emulator: str, harness: Harness) -> None:
    """A file in place of the cassettes' folder is a usage error, reported before anything is recorded."""
    Path("file").write_text("", "utf-8")
    unattended = ("--send", "errors", "--max-requests", "9", "--cassette", "file")
    for words in (unattended, ("--cassette", "file/a.yaml", "--port", "0", "--", *ask("hi"))):
        done = harness("record", "--target", emulator, *words)
        assert done.code == 2
        assert "no cassette can be written to file: " in done.err
        assert "recorded" not in done.out


def test_scenarios_of_the_emulator_need_no_key(
    emulator: str, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator takes any key, so recording it works without one; nothing says that a key is missing."""
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    words = ("--send", "lifecycle", "--max-requests", "9", "--cassette", "made")
    done = harness("record", "--target", emulator, *words)
    assert (done.code, "no key is sent" in done.out) == (0, False), done.out + done.err
    assert len(load("made/lifecycle.yaml").recordings) == 4


def test_a_proxy_in_front_of_nothing_says_so(harness: Harness) -> None:
    """If the target is down, a proxy says why once, counts the failed requests at the end, and exits with 4."""
    look = "import os, urllib.request as u\nfor _ in range(3):"
    look += "\n  try: u.urlopen(os.environ['INTERACTIONS_BASE_URL'] + '/x')\n  except OSError: pass"
    words = ("proxy", "--target", "http://127.0.0.1:1", "--port", "0")
    done = harness(*words, "--", sys.executable, "-c", look)
    assert done.err == "harness proxy: no response to GET /x: 127.0.0.1:1: Connection refused\n"
    assert (done.code, done.out) == (
        4,
        "no response to 3 of 3 requests: 127.0.0.1:1: Connection refused (check --target)\n",
    )
    done = harness(*words, "--fault", "all=before-headers,fin,times:all", "--", sys.executable, "-c", look)
    assert (done.err, "before-headers,fin" in done.out) == ("", True), "what the plan does is its story's to tell"


def test_a_taken_port_names_the_option(emulator: str, harness: Harness) -> None:
    """The error for a port in use names the options that choose another."""
    port = emulator.rpartition(":")[2]
    done = harness("record", "--target", "http://h", "--cassette", "a.yaml", "--port", port, "--", "true")
    assert (done.code, "(Address already in use): choose another host or port (--host, --port;" in done.err) == (
        2,
        True,
    )


def test_a_recorder_that_only_plays_says_so(emulator: str, harness: Harness) -> None:
    """A recorder of an existing cassette only replays; a new request is a miss, with a mode to record it."""
    words = ("record", "--target", emulator, "--cassette", "a.yaml", "--port", "0")
    harness(*words, "--", *ask("hi"))
    shutil.copy("a.yaml", "a.part.yaml")
    done = harness(*words, "--", *ask("ho"))
    assert done.code == 1
    assert "nothing was recorded: an existing file is only replayed: --record-mode new_episodes" in done.out
    replayed = harness("replay", "a.yaml", "--port", "0", "--", *ask("ho"))
    assert all("a killed recorder left a.part.yaml" in run.out for run in (done, replayed))


def test_a_cassette_that_no_player_can_load_fails_its_verification(emulator: str, harness: Harness) -> None:
    """`verify` exits with 2 for a cassette that no player can load, even if its traffic is fine."""
    harness("record", "--target", emulator, "--cassette", "a.yaml", "--port", "0", "--", *ask("hi"))
    assert harness("verify", "a.yaml").code == 0
    Path("a.yaml").write_text(Path("a.yaml").read_text("utf-8").replace("format: 1", "format: 7"), "utf-8")
    done = harness("verify", "a.yaml", "--json")
    assert done.code == 2
    assert "this release reads format 1" in fits("verify", json.loads(done.out))["unusable"][0]["reason"]


def test_the_help_names_every_scenario(harness: Harness) -> None:
    """`record --help` lists every scenario."""
    done = harness("record", "--help")
    assert done.code == 0
    listed = " ".join(done.out.split()).rpartition("scenarios: ")[2].partition("; or all")[0]
    assert listed.split(", ") == list(SCENARIOS)


@pytest.mark.parametrize("command", ["serve", "proxy"])
def test_a_fault_plan_without_a_request_says_so(emulator: str, harness: Harness, command: str) -> None:
    """Otherwise a client that never reached the server would look like one that survived the plan."""
    words = (command, *(("--target", emulator) if command == "proxy" else ()), "--fault", "event:2,rst")
    done = harness(*words, "--port", "0", "--", sys.executable, "-c", "")
    assert "the fault plan event:2,rst had no effect: it is for stream 1, and 0 streams came" in done.out
    assert done.out.endswith("does the client use INTERACTIONS_BASE_URL?\n")
    done = harness(*words, "--port", "0", "--", *ask("hi"))
    assert "had no effect: it is for stream 1" in done.out


def test_a_full_disk_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Every exchange that has no room fails with the same words, and the cassette keeps its older recordings."""
    lost = "POST /v1beta/interactions cannot be written to a.part.yaml: No space left on device"
    print_summary(
        Summary(
            "a.yaml", "all", recorded=7, played=4, unrecorded=[lost] * 49, unsaved="no room", remarks=["no room"]
        ),
        "",
    )
    assert capsys.readouterr().out.splitlines() == [
        "recorded 7 exchanges, but not to a.yaml, replayed 4 from it",
        f"not recorded: {lost} (49 times)",
        "no room",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("verify", "--secrets"), "looking for secrets"),
        (("diff", "b.yaml"), "comparing the recordings"),
        (("redact",), "redacting a.yaml"),
        (("replay", "--", "true"), "reading a.yaml"),
    ],
)
def test_what_takes_long_says_so_on_standard_error(
    words: tuple[str, ...], told: str, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is printed meanwhile. Here each beat is the first, and every silence long."""
    for name in "ab":
        save(Path(f"{name}.yaml"), [HELLO])
    monkeypatch.setattr("harness.report.screen.PAUSE", 0)
    monkeypatch.setattr("harness.report.screen.Heartbeat", lambda beat: beat() or SimpleNamespace(stop=int))
    assert f"{told} (0 s so far)\n" in harness(words[0], "a.yaml", *words[1:]).err
