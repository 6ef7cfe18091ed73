"""Tests of `harness clients`, and of `harness torture --client`: clients that need not be installed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.benches.client.ready import environments
from harness.benches.client.ready.ready_clients import READY, find_ready
from harness.benches.client.ready.survey import TABLES
from harness.outcome import Exit, UsageFault
from harness.report.client_table.table import expand, format_compact
from harness.resources import folder
from tests.cli.conftest import PATIENCE, Harness, fits, start
from tests.report.page.page_reader import find_faults

SCHEMA = json.loads((folder("schemas") / "output/clients.schema.json").read_text("utf-8"))
FORMATS = ("html", "json", "junit", "markdown")
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
    assert "FAILED silent-loss (1 case, MUST client.whole) at event:9,end" in done.out
    line = re.search(r"this one alone:  harness (.*)", done.out)
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
        ("clients", "nobody"): "no client has the name 'nobody': known are google-genai",
        ("clients", "--mode", "stream"): "--mode: 'stream' is not known; known are create",
        ("clients", "--mode", "pol"): "did you mean 'poll'",
        ("clients", "curl", "--rows", "queued"): "no case of queued applies to these clients in the mode create",
        ("clients", "--from", "nowhere.json"): "'nowhere.json' cannot be read",
        ("clients", "--from", str(folder("schemas") / "output/clients.schema.json")): "is not a table of clients",
        ("clients", "--from", "a.json", "curl"): "curl selects cases, but --from runs none",
        ("clients", "--rows", "clean-and"): "did you mean 'clean-end'",
        ("clients", "--rows", "xyz"): "known are no-fault, noise",
        ("clients", "--rows", "zyx"): " more\n",
        ("clients", "--report", "badge=x.svg"): "unknown format 'badge'",
        ("clients", "--write", "nowhere"): "--write: there is no folder 'nowhere'",
        ("clients", "curl", "--mode", "poll"): "none of these clients has the mode poll",
    }
    for words, said in refusals.items():
        done = harness(*words)
        assert done.code == 2, words
        assert said in done.err, words


@pytest.mark.slow
def test_the_json_of_the_published_table() -> None:
    """The table that is published is as its schema says, and each client in it has a driver."""
    published = read_published()
    fits("clients", published)
    assert {row["client"] for row in published["clients"]} == {client.name for client in READY}
    assert {(row["client"], row["mode"]) for row in published["clients"]} == {
        (client.name, mode) for client in READY for mode in client.modes
    }
    for row in published["clients"]:
        names = list(published["faults"][TABLES[row["mode"]]])
        faults = [cell["fault"] for cell in row["cells"] if "fault" in cell]
        incidents = [cell["incident"] for cell in row["cells"] if "incident" in cell]
        assert faults == ([] if row["problem"] else names)
        assert set(incidents) <= published["incidents"].keys()


def test_a_table_that_lacks_a_part_is_refused(harness: Harness, tmp_path: Path) -> None:
    """Each part that the schema requires is asked for by `--from`, too, which reports how to write a table."""
    table = tmp_path / "table.json"
    assert SCHEMA["required"] == ["faults", "incidents", "clients"]
    for part in SCHEMA["required"]:
        lacking = read_published()
        del lacking[part]
        table.write_text(json.dumps(lacking), "utf-8")
        done = harness("clients", "--from", str(table))
        assert done.code == 2
        assert (
            f"is not a table of clients (it has no member '{part}'): write one with `harness clients" in done.err
        )


@pytest.mark.slow
def test_the_pages_of_the_published_table(harness: Harness, tmp_path: Path) -> None:
    """`--from` writes the table that it read, a short page with the counts, and the maps, which are sound HTML."""
    docs = folder("docs/clients").parent
    assert harness("clients", "--from", str(docs / "clients/table.json"), "--write", str(tmp_path)).code == 0
    assert (tmp_path / "clients/table.json").read_bytes() == (docs / "clients/table.json").read_bytes()
    page = (tmp_path / "clients.md").read_text("utf-8")
    assert len(page.split()) < 1_500
    names = {one["client"] for one in read_published()["clients"]}
    assert set(re.findall(r"^\| (\S+) \| \d+ of \d+ \|", page, re.MULTILINE)) == names
    links = re.findall(r"\]\(((?!https?:)[^)#]+)", page)
    assert all((docs / name).exists() or (tmp_path / name).exists() for name in links)
    assert find_faults((tmp_path / "clients/map.html").read_text("utf-8")) == []


def test_a_compact_table_is_the_record(harness: Harness, tmp_path: Path) -> None:
    """The table in the documentation holds the record of `--report json`, to the byte; half a table is refused."""
    report, path = tmp_path / "report.json", folder("docs/clients") / "table.json"
    assert harness("clients", "--from", str(path), "--report", f"json={report}").code == 0
    record = json.loads(report.read_text("utf-8"))
    assert record == read_published()
    assert format_compact(record) == path.read_text("utf-8")
    compact = json.loads(path.read_text("utf-8"))
    (tmp_path / "half.json").write_text(json.dumps({**compact, "sayings": compact["sayings"][:9]}), "utf-8")
    done = harness("clients", "--from", str(tmp_path / "half.json"))
    assert done.code == 2
    assert "is not a table of clients" in done.err


def test_an_installation_that_fails(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the installer said is shown, and nothing counts as installed."""
    calls: list[list[str]] = []

    def refuse(command: list[str], _: Path) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no version 9.9.9 of it")

    monkeypatch.setattr(environments, "run_tool", refuse)
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

    def install(command: list[str], _: Path) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(environments, "run_tool", install)
    monkeypatch.setattr(environments, "find_program", lambda name: f"/bin/{name}")
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

    monkeypatch.setattr(environments, "run_tool", refuse)
    done = harness("clients", "litellm", "--offline", "--mode", "poll")
    assert (done.code, done.err, done.out.splitlines()[-1][:11]) == (3, "", "NOTHING RAN")
    assert "litellm: litellm==1.110.2 is not installed, and --offline installs nothing: run without it" in done.out


def test_an_installation_is_announced(harness: Harness, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is counted before anything is installed; clients with the same packages count once."""
    put_environment(home, "litellm")
    monkeypatch.setattr(environments, "run_tool", lambda *_: subprocess.CompletedProcess([], 1, "", "no"))
    done = harness("clients", "google-genai", "google-genai-async", "litellm==1.0", "--mode", "poll")
    first, second, *_ = done.err.splitlines()
    assert first.startswith(f"harness: pip and npm install 2 environments from the network below {home}, once")
    assert second.startswith("harness: installing google-genai==3.6.1 from the network into")


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
    assert "none of these clients is installed" in harness("clients", "--remove").out


def read_published() -> dict[str, Any]:
    """The table of the documentation."""
    return expand(json.loads((folder("docs/clients") / "table.json").read_text("utf-8")))


def is_silent(cell: Mapping[str, str]) -> bool:
    """Whether the caller is not told, in one of the runs at least."""
    silent = {"wrong-status", "hole", "duplicated", "silent-loss", "lost-context", "double-create"}
    return bool({cell["outcome"], cell.get("again", "")} & silent)


def test_columns_of_other_rows_make_no_table(harness: Harness, tmp_path: Path) -> None:
    """A column that an earlier version played lacks what is new: its cells would be taken for others."""
    table = read_published()
    older = next(one for one in table["clients"] if (one["client"], one["mode"]) == ("litellm", "chain"))
    older["cells"] = [cell for cell in older["cells"] if cell.get("incident") != "stale-chain-id"]
    (tmp_path / "older.json").write_text(json.dumps(table), "utf-8")
    done = harness("clients", "--from", str(tmp_path / "older.json"))
    assert done.code == 2
    assert "litellm 1.110.2, chain did not run stale-chain-id, which agno 3.1.10, chain ran" in done.err


@pytest.mark.slow
def test_the_table_for_ci(harness: Harness, tmp_path: Path) -> None:
    """JUnit has a case for each cell; a cell is a failure if and only if nobody is told of what is wrong in it."""
    report = tmp_path / "clients.xml"
    published = folder("docs/clients") / "table.json"
    assert harness("clients", "--from", str(published), "--report", f"junit={report}").code == 0
    root = ElementTree.parse(report).getroot()
    columns = [row for row in read_published()["clients"] if row["cells"]]
    cells = [cell for row in columns for cell in row["cells"]]
    assert root.attrib["tests"] == str(len(cells))
    assert [len(suite.findall("testcase")) for suite in root] == [len(row["cells"]) for row in columns]
    cases = root.findall("testsuite/testcase")
    assert [case.find("failure") is not None for case in cases] == [*map(is_silent, cells)]
    assert [case.find("system-out") is not None for case in cases] == [
        "problem" in cell and not is_silent(cell) for cell in cells
    ]
    told = next(case.find("failure") for case in cases if case.find("failure") is not None)
    assert told is not None
    assert told.text is not None
    assert told.attrib["type"] in {cell["outcome"] for cell in cells}
    assert "harness torture --cuts" in told.text
    assert " reported a false success at least once." in ElementTree.tostring(root, encoding="unicode")


def test_a_client_that_could_not_be_tried_is_an_error(harness: Harness, tmp_path: Path) -> None:
    """Each mode of it is a case of its own, in JUnit and in Markdown, with the reason."""
    report, page = tmp_path / "clients.xml", tmp_path / "clients.md"
    reports = ("--report", f"junit={report}", "--report", f"markdown={page}")
    assert harness("clients", "litellm", "--offline", "--mode", "poll,create", *reports).code == 3
    root = ElementTree.parse(report).getroot()
    assert (root.attrib["tests"], root.attrib["errors"]) == ("2", "2")
    assert {suite.attrib["name"] for suite in root} == {
        "clients.litellm==1.110.2.create",
        "clients.litellm==1.110.2.poll",
    }
    assert "**No client was tested.**" in page.read_text("utf-8")
    assert "Not tested: litellm 1.110.2, poll: litellm: litellm==1.110.2 is not installed" in page.read_text(
        "utf-8"
    )


@pytest.mark.slow
def test_the_table_for_an_issue(harness: Harness, tmp_path: Path) -> None:
    """Markdown has each row without links, and folds the findings away, as many as an issue holds."""
    whole, one = tmp_path / "whole.md", tmp_path / "one.md"
    published = read_published()
    data = tmp_path / "some.json"
    mine = [row for row in published["clients"] if row["client"] == "any-llm"]
    data.write_text(json.dumps({**published, "clients": mine}), "utf-8")
    for table, page in ((folder("docs/clients") / "table.json", whole), (data, one)):
        assert harness("clients", "--from", str(table), "--report", f"markdown={page}").code == 0
    text = whole.read_text("utf-8")
    assert len(text) <= 65_536
    assert "](" not in text.partition("<details>")[0]
    faults = {about for kinds in published["faults"].values() for about in kinds.values()}
    assert all(f"| {about} |" in text for about in {*faults, *published["incidents"].values()})
    left = re.search(r"An issue has a limited size: (\d+) findings are in the other formats", text)
    assert left is not None
    newest = mine[0]
    findings = [cell for cell in newest["cells"] if "problem" in cell]
    alone = one.read_text("utf-8")
    assert "An issue has a limited size" not in alone
    for cell in findings:
        name = f"any-llm {newest['version']}, {newest['mode']}, {cell.get('fault') or cell['incident']}"
        assert f"<details><summary>{name}: {cell['outcome']}</summary>" in alone
        assert f"```sh\n{cell['command']}\n```" in alone
    words = re.findall(r"<summary>.*: (\S+)</summary>", alone)
    assert [is_silent({"outcome": word}) for word in words] == sorted(
        (is_silent({"outcome": word}) for word in words), reverse=True
    )


@pytest.mark.slow
@needs_curl
def test_the_page_is_written(harness: Harness, tmp_path: Path) -> None:
    """`--report` writes each format of a run; `--from` makes the same of its JSON alone."""
    data = tmp_path / "json"
    first = [word for name in FORMATS for word in ("--report", f"{name}={tmp_path / name}")]
    done = harness("clients", "curl", "--mode", "follow", "--rows", "no-fault,clean-end", *first)
    assert (done.code, done.err) == (0, "")
    assert "silent-loss" in (tmp_path / "html").read_text("utf-8")
    assert "| the connection ends cleanly, without completion | **silent-loss** |" in (
        tmp_path / "markdown"
    ).read_text("utf-8")
    record = fits("clients", data)
    again = [word for name in FORMATS for word in ("--report", f"{name}={tmp_path / name}-again")]
    done = harness("clients", "--from", str(data), *again)
    verdict = "PASSED: the table has 2 cases of 1 client; in 1 the client failed silently.\n"
    assert (done.code, done.out, done.err) == (0, verdict, "")
    for name in FORMATS:
        assert (tmp_path / f"{name}-again").read_text("utf-8") == (tmp_path / name).read_text("utf-8")
    assert [cell["outcome"] for cell in record["clients"][0]["cells"]] == ["exact", "silent-loss"]


STOPS_AFTER_A_COLUMN = """
import sys, time
import harness.report.client_table.table as table

column_lines = table.column_lines

def show_and_stop(column):
    yield from column_lines(column)
    time.sleep(600)

table.column_lines = show_and_stop
from harness.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@needs_curl
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_the_columns_so_far(number: signal.Signals, tmp_path: Path) -> None:
    """What was not played has a column that says so, and every report is written."""
    reports = [f"--report={name}={tmp_path}/r.{name}" for name in FORMATS]
    words = ["clients", "curl", "--offline", "--rows", "reset,clean-end", *reports]
    with start(*words, program=("-c", STOPS_AFTER_A_COLUMN), stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert first.startswith("curl")
    assert process.returncode == Exit.INTERRUPTED
    assert err.endswith("harness: interrupted: the table contains only the cases that were run\n")
    table = fits("clients", tmp_path / "r.json")
    create, follow = table["clients"]
    assert create["cells"]
    assert (follow["cells"], follow["problem"]) == ([], "not run: the run was interrupted")
    for name in FORMATS[:1] + FORMATS[2:]:
        assert "the run was interrupted" in (tmp_path / f"r.{name}").read_text("utf-8")
