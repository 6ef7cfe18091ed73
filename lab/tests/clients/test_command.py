"""Tests of `python -m lab clients`, with clients that need not be installed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.benches.client.ready import READY
from harness.resources import folder
from lab.__main__ import main
from lab.clients import command
from lab.clients.survey import TABLES, ClientColumn
from lab.clients.table import expand, format_compact
from tests.report.page.page_reader import find_faults

PUBLISHED = folder("docs/clients") / "table.json"

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on PATH")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder that clients are installed into."""
    monkeypatch.setenv("HARNESS_CLIENTS", str(tmp_path / "environments"))
    return tmp_path / "environments"


def read_published() -> dict[str, Any]:
    """The table of the documentation."""
    return expand(json.loads(PUBLISHED.read_text("utf-8")))


def test_the_list(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """`--list` names every client, its package and what it can do, and where it is installed."""
    assert main(["clients", "--list"]) == 0
    printed = capsys.readouterr().out
    for client in READY:
        line = rf"^{re.escape(client.name)} .*{re.escape(client.about)}.*{client.modes[0]}"
        assert re.search(line, printed, re.M), client.name
    assert f"installed below {home}" in printed


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nobody"], "no client has the name 'nobody': known are google-genai"),
        (["--mode", "stream"], "--mode: 'stream' is not known; known are create"),
        (["--mode", "pol"], "did you mean 'poll'"),
        (["curl", "--rows", "queued"], "no case of queued in the mode create, "),
        (["curl", "--mode", "poll"], "no case of the mode poll applies to these clients"),
        (["--rows", "clean-and"], "did you mean 'clean-end'"),
        (["--from", "nowhere.json"], "'nowhere.json' is not a table of clients (FileNotFoundError"),
        (["--from", "a.json", "curl"], "--from runs none"),
        (["--write", "nowhere"], "--write: there is no folder 'nowhere'"),
    ],
)
def test_what_is_refused(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clients", *words]) == 2
    assert reason in capsys.readouterr().err


def test_the_published_table_has_each_client_mode_and_row() -> None:
    """Each client in it has a driver, and each column the rows of its mode."""
    published = read_published()
    assert {(row["client"], row["mode"]) for row in published["clients"]} == {
        (client.name, mode) for client in READY for mode in client.modes
    }
    for row in published["clients"]:
        names = list(published["faults"][TABLES[row["mode"]]])
        faults = [cell["fault"] for cell in row["cells"] if "fault" in cell]
        incidents = [cell["incident"] for cell in row["cells"] if "incident" in cell]
        assert faults == ([] if row["problem"] else names)
        assert set(incidents) <= published["incidents"].keys()


@pytest.mark.slow
def test_the_pages_of_the_published_table(tmp_path: Path) -> None:
    """`--from` writes the table that it read, a short page with the counts, and the maps, which are sound HTML."""
    assert main(["clients", "--from", str(PUBLISHED), "--write", str(tmp_path)]) == 0
    assert (tmp_path / "clients/table.json").read_bytes() == PUBLISHED.read_bytes()
    page = (tmp_path / "clients.md").read_text("utf-8")
    counts = page[page.index("## At a glance") : page.index("## The outcomes")]
    assert counts in (folder("docs") / "clients.md").read_text("utf-8"), "copy it into the page"
    assert len(page.split()) < 1_500
    names = {one["client"] for one in read_published()["clients"]}
    assert set(re.findall(r"^\| (\S+) \| \d+ of \d+ \|", page, re.MULTILINE)) == names
    docs = PUBLISHED.parent.parent
    links = re.findall(r"\]\(((?!https?:)[^)#]+)", page)
    assert all((docs / name).exists() or (tmp_path / name).exists() for name in links)
    assert find_faults((tmp_path / "clients/map.html").read_text("utf-8")) == []


def test_a_compact_table_is_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table in the documentation holds the record of `--json`, to the byte; half a table is refused."""
    assert main(["clients", "--from", str(PUBLISHED), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record == read_published()
    assert format_compact(record) == PUBLISHED.read_text("utf-8")
    compact = json.loads(PUBLISHED.read_text("utf-8"))
    (tmp_path / "half.json").write_text(json.dumps({**compact, "sayings": compact["sayings"][:9]}), "utf-8")
    assert main(["clients", "--from", str(tmp_path / "half.json")]) == 2
    assert "is not a table of clients (IndexError" in capsys.readouterr().err


def test_columns_of_other_rows_make_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A column that an earlier version played lacks what is new: its cells would be taken for others."""
    table = read_published()
    older = next(one for one in table["clients"] if (one["client"], one["mode"]) == ("litellm", "chain"))
    older["cells"] = [cell for cell in older["cells"] if cell.get("incident") != "stale-chain-id"]
    (tmp_path / "older.json").write_text(json.dumps(table), "utf-8")
    assert main(["clients", "--from", str(tmp_path / "older.json")]) == 2
    reason = "litellm 1.110.2, chain did not run stale-chain-id, which agno 3.1.10, chain ran"
    assert reason in capsys.readouterr().err


def test_offline_installs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """`--offline` names what is not installed, and calls no installer."""
    assert main(["clients", "litellm", "--offline", "--mode", "poll"]) == 3
    printed = capsys.readouterr()
    assert "cannot be tested: litellm==1.110.2 is not installed, and --offline installs nothing" in printed.out
    assert (printed.err, printed.out.splitlines()[-1][:11]) == ("", "NOTHING RAN")


@pytest.mark.slow
@needs_curl
def test_a_run_writes_what_from_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two cases of curl: the words, the data, and the same again from the data."""
    words = ["clients", "curl", "--mode", "follow", "--rows", "no-fault,clean-end"]
    assert main([*words, "--write", str(tmp_path)]) == 0
    verdict = "PASSED: the table has 2 cases of 1 client; in 1 the client failed silently."
    assert capsys.readouterr().out.splitlines()[-1] == verdict
    assert main(["clients", "--from", str(tmp_path / "clients/table.json"), "--json"]) == 0
    printed = capsys.readouterr()
    (column,) = json.loads(printed.out)["clients"]
    assert [cell["outcome"] for cell in column["cells"]] == ["exact", "silent-loss"]
    assert printed.err == f"{verdict}\n"


@pytest.mark.slow
@needs_curl
def test_ctrl_c_keeps_the_columns_so_far(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was not run has a column that says so."""

    def show_and_stop(column: ClientColumn) -> Iterator[str]:
        yield str(column.client)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "column_lines", show_and_stop)
    assert main(["clients", "curl", "--offline", "--rows", "reset,clean-end", "--json"]) == 130
    printed = capsys.readouterr()
    create, follow = json.loads(printed.out)["clients"]
    assert create["cells"]
    assert (follow["cells"], follow["problem"]) == ([], "not run: the run was interrupted")
    assert "lab: interrupted: the table contains only the cases that were run" in printed.err
