"""Tests of `harness clients`, and of `harness torture --client`: clients that need not be installed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

from harness.benches.client.ready import environments
from harness.benches.client.ready.ready_clients import READY, find_ready
from harness.outcome import UsageFault
from harness.resources import folder
from tests.cli.conftest import Harness

SCHEMA = json.loads((folder("schemas") / "output/clients.schema.json").read_text("utf-8"))
TWO = ("--kinds", "clean-end,reset", "--set", "table")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder that clients are installed into."""
    monkeypatch.setenv("HARNESS_CLIENTS", str(tmp_path / "environments"))
    return tmp_path / "environments"


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on PATH")


def test_the_list(harness: Harness) -> None:
    """`--list` names every client, its package and what it can do."""
    done = harness("clients", "--list")
    assert (done.code, done.err) == (0, "")
    for client in READY:
        assert re.search(
            rf"^{re.escape(client.name)} .*{re.escape(client.about)}.*{client.modes[0]}", done.out, re.M
        )


@needs_curl
def test_torture_of_a_client_by_name(harness: Harness) -> None:
    """It is played the table in its first mode, and the line that repeats a case has its name, and works."""
    done = harness("torture", "--client", "curl", *TWO)
    assert (done.code, done.err) == (1, "")
    assert "SILENT-LOSS (1 case, MUST client.whole) at event:9,end" in done.out
    line = re.search(r"this one alone:  harness (.*)", done.out)
    assert line is not None
    assert line[1].endswith("--mode create --client curl")
    again = harness(*shlex.split(line[1]))
    assert "1 case: 1 silent-loss" in again.out


@needs_curl
def test_the_mode_reaches_the_client(harness: Harness) -> None:
    """In mode `follow` the same client reads the given interaction instead of creating one."""
    requests = {}
    for mode in ("create", "follow"):
        done = harness("torture", "--client", "curl", "--mode", mode, "--cuts", "event:9,end", "--json")
        (case,) = json.loads(done.out)["cases"]
        requests[mode] = [one["request"].split()[0] for one in case["timeline"]["requests"]]
    assert requests == {"create": ["POST"], "follow": ["GET"]}


def test_what_is_refused(harness: Harness) -> None:
    """A name nobody has, a mode the client has not, both a command and a name: each with a hint."""
    refusals = {
        ("torture", "--client", "gogle-genai"): "did you mean 'google-genai'",
        ("torture", "--client", "curl", "--mode", "poll"): "--mode poll: curl has create, follow",
        ("torture", "--client", "curl", "--", "true"): "or --client NAME",
        ("torture",): "or --client NAME",
        ("torture", "--mode", "strem", "--", "true"): "--mode 'strem' is none of follow, create",
        ("torture", "--further", "[]", "--", "true"): "--further '[]' is no JSON object",
        ("clients", "nobody"): "no client is named 'nobody': known are google-genai",
        ("clients", "--mode", "stream"): "--mode 'stream' is none of",
        ("clients", "--mode", "pol"): "did you mean 'poll'",
        ("clients", "curl", "--rows", "queued"): "none of these clients meets queued in the mode create",
        ("clients", "--from", "nowhere.json"): "'nowhere.json' cannot be read",
        ("clients", "--from", str(folder("schemas") / "output/clients.schema.json")): "is no table of clients",
        ("clients", "--from", "a.json", "curl"): "--from plays nothing",
        ("clients", "--rows", "clean-and"): "did you mean 'clean-end'",
        ("clients", "--report", "junit=x.xml"): "junit",
        ("clients", "--write", "nowhere"): "there is no folder 'nowhere'",
        ("clients", "curl", "--mode", "poll"): "none of these clients has the mode poll",
    }
    for words, said in refusals.items():
        done = harness(*words)
        assert done.code == 2, words
        assert said in done.err, words


def test_the_json_of_the_published_table() -> None:
    """The table that is published is as its schema says, and each client in it has a driver."""
    published = json.loads((folder("docs/clients") / "table.json").read_text("utf-8"))
    jsonschema.validate(published, SCHEMA)
    assert {row["client"] for row in published["clients"]} == {client.name for client in READY}
    for row in published["clients"]:
        names = list(published["faults"]["polling-table" if row["mode"] == "poll" else "table"])
        faults = [cell["fault"] for cell in row["cells"] if "fault" in cell]
        incidents = [cell["incident"] for cell in row["cells"] if "incident" in cell]
        assert faults == ([] if row["problem"] else names)
        assert set(incidents) <= published.get("incidents", {}).keys()


def test_the_published_pages_are_those_of_the_published_table(harness: Harness, tmp_path: Path) -> None:
    """What stands in the documentation is, to the byte, what `--from` makes of its table."""
    docs = folder("docs/clients").parent
    assert harness("clients", "--from", str(docs / "clients/table.json"), "--write", str(tmp_path)).code == 0
    published = sorted(path.relative_to(docs) for path in (docs / "clients").glob("*.md"))
    assert sorted(path.relative_to(tmp_path) for path in (tmp_path / "clients").glob("*.md")) == published
    for path in (Path("clients.md"), *published):
        assert (tmp_path / path).read_text("utf-8") == (docs / path).read_text("utf-8"), path


def test_an_installation_that_fails(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the installer said is shown, and nothing counts as installed."""
    calls: list[list[str]] = []

    def refuse(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no version 9.9.9 of it")

    monkeypatch.setattr(environments.subprocess, "run", refuse)
    told: list[str] = []
    with pytest.raises(
        UsageFault, match=r"google-genai==9\.9\.9 cannot be installed:\n  ERROR: no version 9\.9\.9"
    ):
        environments.install(find_ready("google-genai==9.9.9"), told.append)
    assert told == [
        f"installing google-genai==9.9.9 from the network into {home / 'python-google-genai-9.9.9'}, once"
    ]
    assert len(calls) == 1
    assert not (home / "python-google-genai-9.9.9" / "installed.json").exists()


def test_an_environment_is_made_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each version has a place of its own and is installed once; two languages share no place."""
    calls: list[list[str]] = []

    def install(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(environments.subprocess, "run", install)
    monkeypatch.setattr(environments.shutil, "which", lambda name: f"/bin/{name}")
    for spec in ("@google/genai==3.1.0", "@google/genai==3.1.0", "google-genai==3.1.0", "@google/genai==2.32.0"):
        start, *_, driver = environments.install(find_ready(spec))
        assert Path(driver).is_file()
        assert "node" in start or "python" in start
    assert [command[-1] for command in calls if "install" in command] == [
        "@google/genai@3.1.0",
        "google-genai==3.1.0",
        "@google/genai@2.32.0",
    ]
    assert len(list(home.iterdir())) == 3


def put_environment(home: Path, spec: str) -> Path:
    """What an installed client leaves behind."""
    place = environments.home_of(find_ready(spec))
    assert place.parent == home
    (place / "clients" / "drivers").mkdir(parents=True)
    (place / "installed.json").write_text(json.dumps(find_ready(spec).packages), "utf-8")
    (place / "package.bin").write_bytes(b"x" * 3_000_000)
    return place


def test_offline_installs_nothing(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--offline` names what is not installed, says nothing of a network, and calls no installer."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was installed")

    monkeypatch.setattr(environments.subprocess, "run", refuse)
    done = harness("clients", "litellm", "--offline", "--mode", "poll")
    assert (done.code, done.err) == (0, "")
    assert (
        "cannot be tried: litellm: litellm==1.106.2 is not installed, and --offline installs nothing" in done.out
    )


def test_an_installation_is_announced(harness: Harness, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is counted before anything is installed; clients with the same packages count once."""
    put_environment(home, "litellm")
    monkeypatch.setattr(
        environments.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", "no")
    )
    done = harness("clients", "google-genai", "google-genai-async", "litellm==1.0", "--mode", "poll")
    first, second, *_ = done.err.splitlines()
    assert first.startswith(f"harness: pip and npm install 2 environments from the network below {home}, once")
    assert second.startswith("harness: installing google-genai==3.4.0 from the network into")


def test_what_is_installed_is_listed_and_removed(harness: Harness, home: Path) -> None:
    """`--list` shows each environment and its size; `--remove` removes those named, then all, and nothing else."""
    first, second = put_environment(home, "litellm"), put_environment(home, "any-llm")
    (home / "of-somebody-else").mkdir()
    assert f"installed below {home}" in harness("clients", "--list").out
    assert f"  {first.name}  3 MB" in harness("clients", "--list").out
    assert harness("clients", "--remove", "litellm").out == f"removed {first} (3 MB)\n"
    assert not first.exists()
    assert harness("clients", "--remove").out == f"removed {second} (3 MB)\n"
    assert [path.name for path in home.iterdir()] == ["of-somebody-else"]
    assert "nothing of these is installed" in harness("clients", "--remove").out


@needs_curl
def test_the_page_is_written(harness: Harness, tmp_path: Path) -> None:
    """`--report` writes the page and the JSON of a run; `--from` makes the same of that JSON alone."""
    page, data = tmp_path / "clients.html", tmp_path / "clients.json"
    reports = ("--report", f"html={page}", "--report", f"json={data}")
    done = harness("clients", "curl", "--mode", "follow", "--rows", "no-fault,clean-end", *reports)
    assert (done.code, done.err) == (0, "")
    assert "silent-loss" in page.read_text("utf-8")
    record = json.loads(data.read_text("utf-8"))
    jsonschema.validate(record, SCHEMA)
    again, same = tmp_path / "again.html", tmp_path / "again.json"
    done = harness("clients", "--from", str(data), "--report", f"html={again}", "--report", f"json={same}")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert again.read_text("utf-8") == page.read_text("utf-8")
    assert same.read_text("utf-8") == data.read_text("utf-8")
    assert [cell["outcome"] for cell in record["clients"][0]["cells"]] == ["exact", "silent-loss"]
