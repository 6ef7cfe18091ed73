"""Generated defects against the whole catalog: what is killed, what only warns, and what does not count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.interactions.servers import SERVERS
from harness.outcome import Exit, TargetFault
from lab import score as command
from lab.__main__ import main
from lab.defects.generation import draw
from lab.defects.scenes import BODY, FIRST, ODDITY, REQUEST, STATUS, Scene, WireDefect
from lab.defects.wrapped_service import DefectRun
from lab.score import (
    FAILED,
    NOT_SHOWN,
    SURVIVED,
    WARNED,
    DefectBench,
    Score,
    conclude,
    condense,
    format_report,
    margin,
    sum_up,
)
from tests.engine.test_nothing_unread import list_untold
from tests.engine.wire_defects import CONTRACT, check_service

PLAIN = Scene("POST interactions", "plain", "at once")
LOOK = Scene("GET interactions/{id}", "plain", "after the end")


@pytest.fixture(scope="module")
def bench() -> DefectBench:
    """Return the clean run, which takes longer than all that a test plays beside it."""
    return DefectBench()


@pytest.fixture
def one_clean_run(bench: DefectBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command take that clean run."""
    monkeypatch.setattr(command, "DefectBench", lambda: bench)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("defect", "outcome", "killers"),
    [
        (WireDefect(BODY, "dropped", PLAIN, "status"), FAILED, ["create.status"]),
        # the first plain create of a run is the handshake, whose response is judged like all others
        (WireDefect(BODY, "retyped", PLAIN, "model", when=FIRST), FAILED, ["create.schema"]),
        # a request field that the service never used shows itself nowhere
        (WireDefect(REQUEST, "cut", PLAIN, "tools.*.parameters.properties.city"), NOT_SHOWN, []),
        # a server that answers each plain create with 503 never passes the handshake
        (WireDefect(STATUS, "replaced", PLAIN, "200", "503"), FAILED, None),
        *((WireDefect(ODDITY, name, Scene("", "", "")), SURVIVED, []) for name in ("keys reversed", "slow")),
    ],
    ids=lambda value: value.id if isinstance(value, WireDefect) else "",
)
def test_the_outcome_of_a_defect(
    bench: DefectBench, defect: WireDefect, outcome: str, killers: list[str] | None
) -> None:
    """A broken MUST fails the run and names the check; what changes no byte does not count; an oddity survives."""
    played = bench.play(defect)
    assert played["outcome"] == outcome
    assert killers in (None, played["killers"])


def test_a_defect_of_the_first_time_is_named_so() -> None:
    name = WireDefect(BODY, "dropped", LOOK, "status", when=FIRST).id
    assert name == "dropped field status | GET interactions/{id} | plain | after the end | first time"


@pytest.mark.slow
@pytest.mark.parametrize("number", [20, pytest.param(150, marks=pytest.mark.thorough)])
@pytest.mark.usefixtures("one_clean_run")
def test_the_score_of_a_seeded_sample_reaches_the_recorded_one(
    number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A change that lets more defects survive has to say why, in `survivors.yaml`; the report has each defect."""
    report = tmp_path / "score.json"
    assert main(["score", "--sample", str(number), "--seed", "11", "--json", str(report)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("PASSED: ")
    rows = json.loads(report.read_text("utf-8"))["defects"]
    assert len(rows) == number + number // 10
    assert sum(row["outcome"] != NOT_SHOWN for row in rows) > number * 2 / 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "glob", ["unknown event oddity*every time", pytest.param("*oddity*every time", marks=pytest.mark.thorough)]
)
@pytest.mark.usefixtures("one_clean_run")
def test_no_run_fails_for_a_legal_oddity(glob: str, tmp_path: Path) -> None:
    """What a legal server does in one mode alone is no difference to a client; no oddity counts as a defect."""
    report = tmp_path / "score.json"
    assert main(["score", "--sample", "0", glob, "--json", str(report)]) == Exit.NOTHING_RAN
    rows = json.loads(report.read_text("utf-8"))["defects"]
    assert rows
    assert [(row["id"], row["killers"]) for row in rows if row["outcome"] == FAILED] == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [4, pytest.param(60, marks=pytest.mark.thorough)])
def test_check_tells_what_verify_finds_of_generated_defects(number: int, bench: DefectBench) -> None:
    """What a run receives is judged like a recording, in a seeded sample of defects that nobody chose, too."""
    untold = {}
    for defect in draw(bench.defects, number, 5):
        try:
            judged = check_service(DefectRun(defect).wrap(SERVERS.new_service(CONTRACT)))
        except TargetFault:
            continue  # the handshake tells it, and nothing else was received
        if left := list_untold(judged):
            untold[defect.id] = left
    assert untold == {}


def row(name: str, outcome: str, *, part: str = "field", excuse: str = "", level: str = "") -> dict[str, Any]:
    """Return one defect as a report has it."""
    place = {"operator": "dropped", "part": part, "field": "id", "value": "", "call": "GET x", "mode": "plain"}
    killers = ["create.id"] if outcome in (FAILED, WARNED) else []
    more = {"moment": "at once", "when": "every time", "killers": killers, "errors": [], "seconds": 0.1}
    return {"id": name, "outcome": outcome, "excuse": excuse, "level": level, **place, **more}


def test_a_score_leaves_out_what_is_excused_and_what_breaks_only_a_should() -> None:
    """The shares are of what a check could report, and of what breaks a MUST."""
    rows = [row(str(number), FAILED, level="MUST") for number in range(6)]
    rows += [row("a", WARNED, level="SHOULD"), row("b", WARNED, level="MUST"), row("c", SURVIVED)]
    score = sum_up([*rows, row("d", SURVIVED, excuse="legal"), row("e", NOT_SHOWN)])
    assert score == Score(failed=6, warned=2, should=1, excused=1, survived=1)
    assert (score.shown, round(score.found, 1), score.red) == (10, 88.9, 75.0)


@pytest.mark.parametrize(
    ("rows", "floors", "code", "verdict"),
    [
        ([row("many", FAILED, level="MUST")] * 100, {"found": 92.0}, 0, "100.0 % of 100 generated defects found"),
        ([row("many", SURVIVED)] * 100, {"found": 92.0}, 1, "`found` is below its floor of 92"),
        ([row("few", SURVIVED)], {"found": 92.0}, 0, "0.0 % of 1 generated defect found"),
        ([row("a", FAILED, level="MUST"), row("odd", FAILED, part=ODDITY)], {}, 1, "1 legal oddity reported"),
        ([row("a", NOT_SHOWN)], {}, 3, "no generated defect changed what a client received"),
        ([{**row("a", "harness error"), "errors": ["it fell over"]}], {}, 5, "an error of the harness"),
    ],
)
def test_the_verdict(rows: list[Any], floors: dict[str, float], code: int, verdict: str) -> None:
    """Too few defects are not compared with a floor; a legal oddity must never fail a run."""
    found, words = conclude(rows, floors)
    assert int(found) == code
    assert verdict in words


def test_an_oddity_is_no_defect() -> None:
    """Survivors are listed by name unless an entry covers them."""
    rows = [row("a", FAILED, level="MUST"), row("b", SURVIVED), row("e", NOT_SHOWN)]
    rows += [row("c", SURVIVED, excuse="refused-field"), row("d", FAILED, part=ODDITY)]
    whole = {"generated": 9, "seed": 2, "defects": rows}
    data = condense(whole, {"found_percent": 12.5})
    assert (data["score"]["shown"], data["score"]["found_percent"]) == (3, 50.0)
    assert (data["survivors"], data["excused"], data["not_shown"]) == (["b"], {"refused-field": 1}, 1)
    assert data["margin_percent"] == margin(Score(failed=1, survived=1)) == 40.5
    assert (data["oddities"], data["before"]) == ({"played": 1, "failed": ["d"]}, {"found_percent": 12.5})
    lines = list(format_report(whole["defects"], verbose=False))
    assert "  plain  1 failed, 0 warned, 1 listed, 1 survived; 50.0 % found, 50.0 % of MUSTs failed" in lines
    assert lines[-3:] == ["1 defect survived:", "  b", "legal, but failed: d (create.id)"]


def test_a_new_survivor_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--against` compares with an earlier report, and `--from` reads one instead of a run."""
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    for path, outcome in ((old, FAILED), (new, SURVIVED)):
        record = {"generated": 9, "seed": 2, "defects": [row("a", outcome), row("b", SURVIVED)]}
        path.write_text(json.dumps(record), "utf-8")
    main(["score", "--from", str(new), "--against", str(old)])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("survives")]
    assert lines == [f"survives, and did not in {old}: a"]


@pytest.mark.slow
@pytest.mark.usefixtures("one_clean_run")
def test_a_list_and_a_pattern(capsys: pytest.CaptureFixture[str]) -> None:
    """A sample is listed with a tenth of oddities; a pattern that matches none is refused."""
    assert main(["score", "--sample", "9", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 10
    assert main(["score", "nothing-of-the-kind"]) == 2
    assert "no generated defect matches nothing-of-the-kind" in capsys.readouterr().err
