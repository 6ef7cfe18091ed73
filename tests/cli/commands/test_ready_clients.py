"""Tests of `harness torture --client`: clients that need not be installed, and how the others are."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.benches.client import ready as clients
from harness.benches.client.ready import READY, Language, find_ready
from harness.interactions.clients import CLIENTS
from harness.outcome import UsageFault
from harness.resources import folder
from tests.cli.conftest import Harness

TWO = ("-c", "clean-end,reset", "--set", "table")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder that clients are installed into."""
    monkeypatch.setenv("HARNESS_CLIENTS", str(tmp_path / "environments"))
    return tmp_path / "environments"


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on PATH")


@needs_curl
def test_torture_of_a_client_by_name(harness: Harness) -> None:
    """It is played the table in its first mode, and the line that repeats a case has its name, and works."""
    done = harness("torture", "--client", "curl", *TWO)
    assert (done.code, done.err) == (1, "")
    assert "FAILED      client.whole/silent-loss [MUST] the client" in done.out
    assert "1 case (silent-loss): event:9,end" in done.out
    line = re.search(r"this case alone: harness (.*)", done.out)
    assert line is not None
    assert line[1].endswith("--mode create --client curl")
    again = harness(*shlex.split(line[1]))
    assert "1 failed.\noutcomes: 1 silent-loss\n" in again.out


@needs_curl
def test_the_mode_reaches_the_client(harness: Harness) -> None:
    """In mode `follow` the same client reads the given interaction instead of creating one."""
    requests = {}
    for mode in ("create", "follow"):
        done = harness("torture", "--client", "curl", "--mode", mode, "--cuts", "event:9,end", "--json")
        (case,) = json.loads(done.out)["cases"]
        requests[mode] = [one["request"].split()[0] for one in case["timeline"]["requests"]]
    assert requests == {"create": ["POST"], "follow": ["GET"]}


@pytest.mark.slow
def test_what_is_refused(harness: Harness) -> None:
    """A name nobody has, a mode the client has not, both a command and a name: each with a hint."""
    refusals = {
        ("torture", "--client", "gogle-genai"): "did you mean 'google-genai'",
        ("torture", "--client", "curl", "--mode", "poll"): "--mode poll: curl has create, follow",
        ("torture", "--client", "curl", "--", "true"): "use one of them",
        ("torture",): "or --client NAME",
        ("torture", "--mode", "strem", "--", "true"): "--mode 'strem' is not a mode: known are follow, create",
        ("torture", "--further", "[]", "--", "true"): "--further '[]' is not a JSON object",
    }
    for words, said in refusals.items():
        done = harness(*words)
        assert done.code == 2, words
        assert said in done.err, words


def test_an_installation_that_fails(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the installer said is shown, and nothing counts as installed."""
    calls: list[list[str]] = []

    def refuse(command: list[str], _: Path) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no version 9.9.9 of it")

    monkeypatch.setattr(clients, "run_tool", refuse)
    told: list[str] = []
    with pytest.raises(
        UsageFault, match=r"google-genai==9\.9\.9 cannot be installed:\n  ERROR: no version 9\.9\.9"
    ):
        clients.install(find_ready("google-genai==9.9.9"), told.append)
    assert told == [
        f"installing google-genai==9.9.9 from the network into {home / 'python-google-genai-9.9.9'}, once"
    ]
    assert len(calls) == 1
    assert not (home / "python-google-genai-9.9.9" / "installed.json").exists()


def test_an_environment_is_made_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each version has a place of its own and is installed once; two languages share no place."""
    calls: list[list[str]] = []

    def install(command: list[str], _: Path) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(clients, "run_tool", install)
    monkeypatch.setattr(clients, "find_program", lambda name: f"/bin/{name}")
    for spec in ("@google/genai==3.1.0", "@google/genai==3.1.0", "google-genai==3.1.0", "@google/genai==2.32.0"):
        start, *_, driver = clients.install(find_ready(spec))
        assert Path(driver).is_file()
        assert "node" in start or "python" in start
    assert [command[-1] for command in calls if "install" in command] == [
        "@google/genai@3.1.0",
        "google-genai==3.1.0",
        "@google/genai@2.32.0",
    ]
    assert len(list(home.iterdir())) == 3


def test_a_version_can_be_chosen() -> None:
    """`==` and `@` choose a version; what has no package has none, and a slip is answered with a suggestion."""
    assert find_ready("google-genai==3.3.0").pinned == "google-genai==3.3.0"
    assert find_ready("@google/genai@2.32.0").pinned == "@google/genai@2.32.0"
    assert find_ready("@google/genai").spec == "@google/genai==3.3.0"
    with pytest.raises(UsageFault, match="did you mean 'litellm'"):
        find_ready("litelm")
    with pytest.raises(UsageFault, match="curl is not installed from a package"):
        find_ready("curl==8")


@pytest.mark.parametrize("client", READY, ids=str)
def test_each_driver_is_there_and_short(client: object) -> None:
    """A driver is at most a page, fits its language, and each of its modes is known."""
    ready = next(one for one in READY if one is client)
    path = folder("docs/clients") / "drivers" / ready.driver
    assert len(path.read_text("utf-8").splitlines()) <= 60
    assert path.suffix == {Language.PYTHON: ".py", Language.NODE: ".mjs", Language.SHELL: ".sh"}[ready.language]
    assert set(ready.modes) <= CLIENTS.load_client_model().modes.keys()
    assert bool(ready.package) == bool(ready.version)


def test_the_first_sentence_is_that_of_the_table() -> None:
    """The README counts the clients whose newest version reports success after a stream that ended early."""
    docs = folder("docs/clients").parent
    clients = json.loads((docs / "clients" / "table.json").read_text("utf-8"))["clients"]
    newest = {one["client"]: one["version"] for one in reversed(clients)}
    silent = {
        one["client"]
        for one in clients
        for fault, outcome, *_ in one["cells"]
        if one["version"] == newest[one["client"]]
        and fault == "clean-end"
        and outcome in ("silent-loss", "wrong-status")
    }
    sentence = f"**{len(silent)} of {len(newest)} known clients report success"
    assert sentence in (docs.parent / "README.md").read_text("utf-8")
