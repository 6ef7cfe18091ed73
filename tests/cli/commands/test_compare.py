"""`harness diff` puts reports side by side: what is new, what is fixed, and what cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from tests.cli.conftest import fits
from tests.report.page.page_reader import PageReader, find_faults

Write = Callable[..., str]


def check(name: str, outcome: str, said: str = "", *, level: str = "MUST", silent: bool = False) -> dict[str, Any]:
    """One check as a report has it."""
    findings = [{"message": said}] if outcome in ("failed", "warned") else []
    return {
        "id": name, "outcome": outcome, "title": f"{name} passes", "level": level,
        "area": name.partition(".")[0], "findings": findings, "details": "" if findings else said,
        "silent": silent,
    }  # fmt: skip


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a report and returns its path."""

    def write_report(name: str, *checks: dict[str, Any], url: str = "http://h") -> str:
        path = tmp_path / name
        record = {
            "checks": list(checks),
            "target": {"url": url},
            "accounting": {"verdict": f"FAILED: {name}."},
            "exit": 1,
        }
        path.write_text(json.dumps(record), "utf-8")
        return str(path)

    return write_report


def test_one_target_then_and_now(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """New failures come first, silent ones before others; what is no failure has a line for each reason."""
    quiet = [f"y.{number}" for number in range(5)]
    before = write(
        "a.json", check("x.one", "passed"), check("x.two", "failed", "was so"), check("x.three", "failed", "ever"),
        *(check(name, "passed") for name in quiet),
    )  # fmt: skip
    after = write(
        "b.json", check("x.one", "failed", "loud"), check("x.two", "passed"), check("x.three", "failed", "ever"),
        check("x.four", "failed", "unheard", silent=True), *(check(name, "not_tested", "no") for name in quiet),
    )  # fmt: skip
    assert main(["diff", before, after]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[3:] == [
        "              check           1       2",
        "NEW FAILURE   x.four [MUST]   absent  failed      unheard",
        "NEW FAILURE   x.one [MUST]    passed  failed      loud",
        "STILL FAILED  x.three [MUST]  failed  failed      ever",
        "FIXED         x.two [MUST]    failed  passed      was so",
        "CHANGED       5 checks        passed  not tested  y.0, y.1, y.2 and 2 more (--json lists all): no",
        "9 checks: 9 failed or changed.",
        "FAILED: 2 new failures, 1 still failed, 1 fixed, 5 changed.",
    ]
    assert main(["diff", after, after, "--report", "html=/dev/full"]) == 2
    assert "\nUSAGE ERROR: the html report is missing; no new failure, 3 still failed." in capsys.readouterr().out


def test_each_cell_has_the_color_of_its_outcome(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outcome has the same color as in the run itself."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(
        ["diff", write("a.json", check("x.one", "passed")), write("b.json", check("x.one", "failed", "no"))]
    )
    cells = ("31;1", "NEW FAILURE  "), ("1", "x.one [MUST]  "), ("32", "passed  "), ("31;1", "failed  ")
    row = "".join(f"\x1b[{color}m{cell}\x1b[0m" for color, cell in cells)
    assert f"{row}no\n" in capsys.readouterr().out


def test_an_addition_is_no_failure(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A result that only the later run has is added, one that only the earlier has is removed; neither fails."""
    before = write("a.json", check("x.one", "passed"), check("x.gone", "passed"))
    after = write("b.json", check("x.one", "passed"), check("x.more", "passed"))
    page = tmp_path / "c.html"
    assert main(["diff", before, after, "--report", f"html={page}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[4:6] == ["ADDED    x.more [MUST]  absent  passed", "REMOVED  x.gone [MUST]  passed  absent"]
    assert lines[-1] == "PASSED: no new failure, 1 added, 1 removed."
    assert '<span class="chip">added</span>' in page.read_text("utf-8")


def test_several_runs_of_one_target(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first run is compared with the last; a row opens to the finding of each run."""
    runs = [
        write("a.json", check("x.one", "failed", "was so"), check("x.two", "passed")),
        write("b.json", check("x.one", "failed", "was so"), check("x.two", "failed", "once")),
        write("c.json", check("x.one", "passed"), check("x.two", "passed")),
    ]
    page = tmp_path / "c.html"
    assert main(["diff", *runs, "--report", f"html={page}"]) == 0
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "FIXED     x.one [MUST]  failed  failed  passed  was so",
        "UNSTABLE  x.two [MUST]  passed  failed  passed  once",
        "2 checks: 2 failed or changed.",
        "PASSED: no new failure, 1 fixed, 1 unstable.",
    ]
    text = page.read_text("utf-8")
    assert 'data-drawer="of-x.one"' in text
    assert "was so" in text.split('<template id="of-x.one">')[1].split("</template>")[0]
    assert find_faults(text) == []


def test_targets_side_by_side(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Different targets are compared without a before and an after, and do not fail the command."""
    one = write("a.json", check("x.one", "passed"), check("x.two", "passed"))
    other = write("b.json", check("x.one", "passed"), check("x.two", "failed", "no"), url="http://other")
    assert main(["diff", one, other]) == 0
    out = capsys.readouterr().out
    assert "x.two [MUST]  passed  failed  no" in out
    assert out.splitlines()[-1] == "1 of 2 checks failed on at least one of 2 targets."


def test_what_is_no_longer_judged_is_not_fixed(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure that later had no answer, or is absent, is not called fixed."""
    silent = check("x.one", "not_tested", "no answer") | {"reason": "no_response"}
    before = write("a.json", check("x.one", "failed", "no"), check("x.two", "failed", "no"))
    assert main(["diff", before, write("b.json", silent)]) == 0
    out = capsys.readouterr().out
    assert "CHANGED  x.one [MUST]  failed  not tested  no" in out
    assert "CHANGED  x.two [MUST]  failed  absent      no" in out
    assert out.splitlines()[-1] == "PASSED: no new failure, 2 changed."


def left_out(name: str) -> dict[str, Any]:
    """A check that the user left out."""
    return check(name, "excluded", "left out")


def test_what_was_not_asked_does_not_agree(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """What a run did not look at says nothing: it neither agrees nor differs, and is counted apart."""
    untested = check("x.four", "not_tested", "no second key") | {"reason": "feature_not_observed"}
    one = write("a.json", check("x.one", "passed"), check("x.two", "passed"), left_out("x.three"), untested)
    other = write(
        "b.json", check("x.one", "passed"), left_out("x.two"), left_out("x.three"), untested, url="http://o"
    )
    assert main(["diff", one, other]) == 0
    out = capsys.readouterr().out
    assert "x.two" not in out
    assert (
        "4 checks: 1 the same in every run, 1 not tested in at least one run, 2 excluded from at least one run."
        in out.splitlines()
    )
    assert out.splitlines()[-1] == "No check failed on any of 2 targets; 0 checks differ."
    assert main(["diff", one, write("c.json", left_out("x.one"))]) == 3, "nothing in common was looked at"
    assert capsys.readouterr().out.endswith("\nNOTHING RAN: the reports have no result in common.\n")


def test_what_the_first_run_left_out_is_no_new_failure(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A run with -c says nothing of the other checks: they are added by a later run, and fail no command."""
    part = write("a.json", check("x.one", "passed"), left_out("x.two"), check("x.three", "failed", "no"))
    whole = write("b.json", check("x.one", "passed"), check("x.two", "failed", "no"), left_out("x.three"))
    assert main(["diff", part, whole]) == 0
    out = capsys.readouterr().out
    assert "ADDED    x.two [MUST]    excluded  failed    no" in out
    assert "REMOVED  x.three [MUST]  failed    excluded  no" in out
    assert out.splitlines()[-1] == "PASSED: no new failure, 1 added, 1 removed, 1 of the added failed."


def test_one_server_at_several_addresses(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """With --same-target a server whose port changes is one target, so that a new failure fails the command."""
    before = write("a.json", check("x.one", "passed"), url="http://127.0.0.1:1")
    after = write("b.json", check("x.one", "failed", "no"), url="http://127.0.0.1:2")
    assert main(["diff", before, after]) == 0
    assert "--same-target" in capsys.readouterr().out
    assert main(["diff", before, after, "--same-target"]) == 1
    assert "NEW FAILURE  x.one [MUST]  passed  failed  no" in capsys.readouterr().out


def test_runs_are_called_by_their_files(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A run is called by its file, or as `NAME=FILE` says; two files of one name by their paths."""
    one, other = (
        write("a.json", check("x.one", "passed")),
        write("b.json", check("x.one", "passed"), url="http://o"),
    )
    main(["diff", f"mine={one}", other])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1  mine (http://h): ")
    assert lines[1].startswith("2  b (http://o): ")
    main(["diff", one, one])
    assert f"1  {one} (http://h): " in capsys.readouterr().out
    assert main(["diff", f"={one}", other]) == 2
    assert "has no name" in capsys.readouterr().err


def test_the_page_and_the_data(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page is sound and shows each outcome; the JSON fits its schema; text of a target stays text."""
    files = [
        write("a.json", check("x.one", "passed"), check("x.two", "warned", "<b>&")),
        write("b.json", check("x.one", "failed", "</script><b>bold"), check("x.two", "passed"), url="http://o"),
    ]
    page, markdown = tmp_path / "c.html", tmp_path / "c.md"
    main(["diff", *files, "--json", "--report", f"html={page}", "--report", f"markdown={markdown}"])
    fits("compare", capsys.readouterr().out)
    text = page.read_text("utf-8")
    assert find_faults(text) == []
    assert "</script><b>bold" in PageReader.read(text).text
    assert {"x.one", "x.two"} <= set(PageReader.read(text).ids)
    assert "| `x.one` | MUST | passed | failed |" in markdown.read_text("utf-8")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("", "is not JSON"),
        ("[]", "is JSON, but not an object"),
        ('{"a": 1}', "is not a report of a run"),
        ('{"checks": []}', "another version of harness wrote it. Run `harness check` again"),
        (
            '{"checks": [{"id": "x.y"}], "accounting": {}}',
            "is not a whole report of `harness check` ('findings' is missing or unknown)",
        ),
        ('{"failures": [], "accounting": {"verdict": ""}}', "are of different commands"),
    ],
)
def test_what_cannot_be_compared(
    data: str, complaint: str, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is no report, or of another command, is refused with what it is."""
    odd = tmp_path / "odd.json"
    odd.write_text(data, "utf-8")
    assert main(["diff", write("a.json", check("x.one", "passed")), str(odd)]) == 2
    assert complaint in capsys.readouterr().err


def test_one_report_is_not_compared(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """One report alone is a mistake of usage; two without a common result compare nothing."""
    one, other = write("a.json", check("x.one", "passed")), write("b.json", check("x.two", "passed"))
    assert main(["diff", one]) == 2
    assert "a comparison needs two or more reports" in capsys.readouterr().err
    assert main(["diff", one, other]) == 3
