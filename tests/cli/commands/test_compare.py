"""`harness compare` puts reports side by side: what is new, what is fixed, and what cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.cli import main
from harness.resources import folder
from tests.report.page.page_reader import PageReader, find_faults

Write = Callable[..., str]


def check(name: str, verdict: str, said: str = "", *, level: str = "MUST", silent: bool = False) -> dict[str, Any]:
    """One check as a report has it."""
    findings = [{"message": said}] if verdict in ("fail", "warn") else []
    return {
        "id": name, "verdict": verdict, "standing": "judged", "title": f"{name} holds", "level": level,
        "area": name.partition(".")[0], "findings": findings, "reason": "" if findings else said, "silent": silent,
    }  # fmt: skip


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a report and returns its path."""

    def write_report(name: str, *checks: dict[str, Any], url: str = "http://h") -> str:
        path = tmp_path / name
        record = {
            "checks": list(checks),
            "target": {"url": url},
            "ledger": {"headline": f"{name} said."},
            "exit": 1,
        }
        path.write_text(json.dumps(record), "utf-8")
        return str(path)

    return write_report


def test_one_target_then_and_now(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """New failures come first, the silent ones before the others; a new one fails the command."""
    before = write(
        "a.json", check("x.one", "pass"), check("x.two", "fail", "was so"), check("x.three", "fail", "ever")
    )
    after = write(
        "b.json", check("x.one", "fail", "loud"), check("x.two", "pass"), check("x.three", "fail", "ever"),
        check("x.four", "fail", "unheard", silent=True),
    )  # fmt: skip
    assert main(["compare", before, after]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[3:] == [
        "NEW     x.four [MUST] absent → fail: unheard",
        "NEW     x.one [MUST] pass → fail: loud",
        "STILL   x.three [MUST] fail → fail: ever",
        "FIXED   x.two [MUST] fail → pass: was so",
        "0 results say the same everywhere and are not broken",
        "2 failures are new, 1 fixed; 1 still fails.",
    ]
    assert main(["compare", after, after]) == 0


def test_targets_side_by_side(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Different targets are compared without a before and an after, and do not fail the command."""
    one = write("a.json", check("x.one", "pass"), check("x.two", "pass"))
    other = write("b.json", check("x.one", "pass"), check("x.two", "fail", "no"), url="http://other")
    assert main(["compare", one, other]) == 0
    out = capsys.readouterr().out
    assert "x.two [MUST] pass | fail: no" in out
    assert out.splitlines()[-1] == "1 of 2 results fail on at least one of 2 targets."


def test_what_is_no_longer_judged_is_not_fixed(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure that later had no answer, or is absent, is not called fixed."""
    silent = check("x.one", "untestable", "no answer") | {"standing": "no_answer"}
    before = write("a.json", check("x.one", "fail", "no"), check("x.two", "fail", "no"))
    assert main(["compare", before, write("b.json", silent)]) == 0
    out = capsys.readouterr().out
    assert "CHANGED x.one [MUST] fail → no_answer" in out
    assert "CHANGED x.two [MUST] fail → absent" in out
    assert out.splitlines()[-1] == "No failure is new and none is fixed; 2 changed otherwise."


def left_out(name: str) -> dict[str, Any]:
    """A check that the user left out."""
    return check(name, "excluded", "left out") | {"standing": "not_asked"}


def test_what_was_not_asked_does_not_agree(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """What a run did not look at says nothing: it neither agrees nor differs, and is counted apart."""
    untested = check("x.four", "untestable", "no second key") | {"standing": "untested"}
    one = write("a.json", check("x.one", "pass"), check("x.two", "pass"), left_out("x.three"), untested)
    other = write(
        "b.json", check("x.one", "pass"), left_out("x.two"), left_out("x.three"), untested, url="http://o"
    )
    assert main(["compare", one, other]) == 0
    out = capsys.readouterr().out
    assert "1 result says the same everywhere and is not broken" in out
    assert "x.two" not in out
    assert (
        out.splitlines()[-1]
        == "Nothing fails on any of 2 targets; 0 results differ; 3 results were not judged on each."
    )
    assert main(["compare", one, write("c.json", left_out("x.one"))]) == 3, "nothing in common was looked at"
    assert "no result in common" in capsys.readouterr().err


def test_one_server_at_several_addresses(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """With --same-target a server whose port changes is one target, so that a new failure fails the command."""
    before = write("a.json", check("x.one", "pass"), url="http://127.0.0.1:1")
    after = write("b.json", check("x.one", "fail", "no"), url="http://127.0.0.1:2")
    assert main(["compare", before, after]) == 0
    assert "--same-target" in capsys.readouterr().out
    assert main(["compare", before, after, "--same-target"]) == 1
    assert "NEW     x.one [MUST] pass → fail: no" in capsys.readouterr().out


def test_a_refusal_is_an_answer(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Two targets that refuse the same agree; one that refuses what the other does differs."""
    refused = [check(name, "not_applicable", "refused") | {"standing": "refused"} for name in ("x.one", "x.two")]
    one, other = write("a.json", *refused), write("b.json", refused[0], check("x.two", "pass"), url="http://o")
    main(["compare", one, other])
    out = capsys.readouterr().out
    assert "x.two [MUST] refused | pass" in out
    assert "1 result says the same everywhere" in out


def test_runs_are_called_by_their_files(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A run is called by its file, or as `NAME=FILE` says; two files of one name by their paths."""
    one, other = write("a.json", check("x.one", "pass")), write("b.json", check("x.one", "pass"), url="http://o")
    main(["compare", f"mine={one}", other])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1  mine (http://h): ")
    assert lines[1].startswith("2  b (http://o): ")
    main(["compare", one, one])
    assert f"1  {one} (http://h): " in capsys.readouterr().out
    assert main(["compare", f"={one}", other]) == 2
    assert "gives a run no name" in capsys.readouterr().err


def test_the_page_and_the_data(write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page is sound and shows each verdict; the JSON fits its schema; text of a target stays text."""
    files = [
        write("a.json", check("x.one", "pass"), check("x.two", "warn", "<b>&")),
        write("b.json", check("x.one", "fail", "</script><b>bold"), check("x.two", "pass"), url="http://o"),
    ]
    page, markdown = tmp_path / "c.html", tmp_path / "c.md"
    names = ["--name", "first", "--name", "second"]
    main(["compare", *files, *names, "--json", "--report", f"html={page}", "--report", f"markdown={markdown}"])
    schema = json.loads((folder("schemas") / "output" / "compare.schema.json").read_text("utf-8"))
    jsonschema.validate(json.loads(capsys.readouterr().out), schema)
    text = page.read_text("utf-8")
    assert find_faults(text) == []
    assert "</script><b>bold" in PageReader.read(text).text
    assert {"x.one", "x.two"} <= set(PageReader.read(text).ids)
    assert "| `x.one` | MUST | pass | fail |" in markdown.read_text("utf-8")


def test_what_only_some_targets_offer_is_folded(write: Write, tmp_path: Path) -> None:
    """The page begins with what is broken or judged otherwise; what a target refuses stands in a fold below."""
    refused = check("x.two", "not_applicable", "refused") | {"standing": "refused"}
    files = [
        write("a.json", check("x.one", "pass"), check("x.two", "pass"), check("x.three", "pass")),
        write("b.json", check("x.one", "fail", "no"), refused, check("x.three", "warn", "odd"), url="http://o"),
    ]
    page = tmp_path / "c.html"
    main(["compare", *files, "--report", f"html={page}"])
    text = page.read_text("utf-8")
    assert find_faults(text) == []
    assert "1 broken nowhere" in text
    assert (
        text.index('id="x.one"')
        < text.index('id="x.three"')
        < text.index('id="partly"')
        < text.index('id="x.two"')
    )


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("", "is no JSON"),
        ("[]", "holds no object"),
        ('{"a": 1}', "is no report of a run"),
        ('{"checks": [{"id": "x"}]}', "is no whole report of `harness check` (KeyError: 'findings')"),
        ('{"matrix": {"m": []}}', "are of different commands"),
    ],
)
def test_what_cannot_be_compared(
    data: str, complaint: str, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is no report, or of another command, is refused with what it is."""
    odd = tmp_path / "odd.json"
    odd.write_text(data, "utf-8")
    assert main(["compare", write("a.json", check("x.one", "pass")), str(odd)]) == 2
    assert complaint in capsys.readouterr().err


def test_one_report_is_not_compared(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """One report alone is a mistake of usage; two without a common result compare nothing."""
    one, other = write("a.json", check("x.one", "pass")), write("b.json", check("x.two", "pass"))
    assert main(["compare", one]) == 2
    assert "name two or more" in capsys.readouterr().err
    assert main(["compare", one, other]) == 3
