"""Tests of `harness mutants`: the matrix as text and as data; the run fails while any check is unproved."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from harness.emulator.mutants import MUTANTS
from harness.engine.kill_matrix import UNPROVED, Bench, PlayedMutant, PlayedReference
from harness.engine.mutation_score import DefectBench, DefectOutcome, PlayedDefect, Score
from harness.interactions import INTERACTIONS
from harness.kit.api import Api
from harness.kit.check import Check
from harness.outcome import Exit
from harness.report.commands.mutants import table_lines
from tests.cli.conftest import Harness, fits
from tests.cli.stored_runs import Lines, find, part_of, read_lines, spoil_files


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Replace the slow play: one of two checks notices every mutant. The list collects what was asked for."""
    asked: list[list[str]] = []

    def play(
        api: Api, names: list[str], *, jobs: int, revision: str
    ) -> Generator[PlayedReference | PlayedMutant, None, None]:
        asked.append(names)
        yield PlayedReference({})
        for name in names:
            yield PlayedMutant(name, ("http.json-type",), (), 0.5)

    def load_two(api: Api, revision: str) -> list[Check]:
        return [check for check in api.load_catalogue() if check.id in ("http.json-type", "http.json-valid")]

    # The second takes the function from the first when it is imported: that has to be the real one.
    for module in ("harness.report.merged_shards", "harness.engine.kill_matrix"):
        monkeypatch.setattr(f"{module}.load_checks", load_two)
    monkeypatch.setattr("harness.engine.kill_matrix.play_mutants", play)
    return asked


def test_json(harness: Harness, chosen: list[list[str]]) -> None:
    """A full run fails if no mutant kills some check, and the JSON object fits its schema."""
    done = harness("mutants", "--json")
    value = fits("mutants", done.out)
    assert value["mutants"] == value["killed"] == len(MUTANTS) == len(chosen[0])
    assert value["checks_without_killer"] == ["http.json-valid"]
    assert done.code == 1


def test_an_unknown_mutant_says_where_all_are(harness: Harness) -> None:
    """A name that is like no other is refused with the command that lists them."""
    done = harness("mutants", "nonsense")
    assert done.code == Exit.USAGE
    assert done.err == "harness: no mutant has the id 'nonsense': `harness mutants --list` shows all\n"
    done = harness("mutants", "del.gone")
    assert done.code == 2
    assert "'del.gone', which is a rule: name a mutant that breaks it, such as 'delete-undone'" in done.err


def test_some_mutants(harness: Harness, chosen: list[list[str]]) -> None:
    """A run of some mutants asks only whether these are noticed, and passes if they are."""
    name = next(iter(MUTANTS))
    done = harness("mutants", name)
    assert (done.code, chosen) == (0, [[name]])
    assert f"{name}  http.json-type" in done.out


def test_a_page_says_killed_and_names_the_mutant(
    harness: Harness, chosen: list[list[str]], tmp_path: Path
) -> None:
    """A row of the page has the words of the totals, and the name that the command takes."""
    page = tmp_path / "mutants.html"
    harness("mutants", "resume-skips-one", "--report", f"html={page}")
    text = page.read_text("utf-8")
    assert re.search(r"</svg>killed</span><code>resume-skips-one</code>", text)
    assert "proof.noticed[resume-skips-one]</code>" not in text


def test_unknown_mutant(harness: Harness) -> None:
    """An unknown name of a mutant is a usage error."""
    assert harness("mutants", "no-such-mutant").code == 2


def test_list(harness: Harness) -> None:
    """--list prints one line for each mutant."""
    assert len(harness("mutants", "--list").out.splitlines()) == len(MUTANTS)


@pytest.fixture(scope="module")
def references() -> dict[str, Bench]:
    """What the unchanged emulator answered, which each command would ask for anew."""
    return {}


@pytest.fixture
def one_reference(references: dict[str, Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of a test takes the bench of the first."""

    def take(api: Api, checks: list[Check], revision: str) -> Bench:
        if revision not in references:
            references[revision] = Bench(api, checks, revision=revision)
        return references[revision]

    monkeypatch.setattr("harness.engine.kill_matrix.Bench", take)


@pytest.mark.usefixtures("one_reference")
@pytest.mark.slow
def test_one_real_row(harness: Harness) -> None:
    """A real mutant is noticed by the real catalogue."""
    name = next(name for name in MUTANTS)
    value = json.loads(harness("mutants", name, "--json", "-j", "1").out)
    assert value["matrix"][name], f"nobody notices {name}"


SOME = list(MUTANTS)[:5]


def _without_times(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in ("seconds", "shard")}


def _play_shards(harness: Harness, folder: Path, of: int, *mutants: str) -> list[str]:
    """Run all shards, and return the files of their reports."""
    files = [str(folder / f"{number}.jsonl") for number in range(1, of + 1)]
    for number, file in enumerate(files, 1):
        harness("mutants", *mutants, "--shard", f"{number}/{of}", "--report", f"events={file}")
    return files


@pytest.mark.usefixtures("one_reference")
@pytest.mark.slow
def test_shards_make_the_run(harness: Harness, tmp_path: Path) -> None:
    """The merge of three shards is the matrix of one run, played by the real catalogue."""
    globs = SOME[:3]
    whole = harness("mutants", *globs, "--json", "-j", "1")
    parts = _play_shards(harness, tmp_path, 3, *globs, "-j", "1")
    played = [part_of(read_lines(file))["ran"] for file in parts]
    assert sorted(name for names in played for name in names) == sorted(globs)
    assert all(played)
    merged = harness("merge", *parts, "--json")
    assert _without_times(json.loads(merged.out)) == _without_times(json.loads(whole.out))
    assert merged.code == whole.code == 0


@pytest.mark.slow
def test_the_whole_judges_the_checks(harness: Harness, chosen: list[list[str]], tmp_path: Path) -> None:
    """A shard says nothing of checks that kill no mutant; the merge of all mutants does, and fails."""
    parts = _play_shards(harness, tmp_path, 2)
    assert sorted(map(len, chosen)) == [len(MUTANTS) // 2, len(MUTANTS) - len(MUTANTS) // 2]
    lines = read_lines(parts[0])
    unproved = [line.get("notes", []) for line in lines if line.get("name") == UNPROVED]
    assert (lines[-1]["exit"], unproved) == (0, [[]])
    done = harness("merge", *parts)
    assert done.code == 1
    assert f"FAILED: all {len(MUTANTS)} mutants killed by 2 checks; 1 check kills no mutant (" in done.out
    assert "checks that kill no mutant: http.json-valid" in done.out


def test_no_share_of_nothing_is_printed() -> None:
    """A group without a defect that breaks a MUST has no share of those; one of listed ones has none."""
    lines = [*table_lines({"plain": Score(warned=1, should=1), "get": Score(failed=1), "poll": Score(excused=2)})]
    assert [" ".join(line.split()) for line in lines] == [
        "plain 1 shown: 1 warned; 100.0 % found",
        "get 1 shown: 1 failed the run; 100.0 % found, 100.0 % of MUST defects failed",
        "poll 2 shown: 2 listed",
    ]


def test_a_shard_says_so(harness: Harness, chosen: list[list[str]]) -> None:
    """The last line of a shard never reads like that of the run."""
    done = harness("mutants", *SOME, "--shard", "2/2")
    assert done.out.splitlines()[-1] == "PASSED: shard 2 of 2: all 2 mutants killed by 2 checks."


def test_of_one_mutant_the_checks_are_counted(harness: Harness, chosen: list[list[str]]) -> None:
    """The last line names the mutant and how many of the checks that ran kill it."""
    assert re.fullmatch(
        rf"PASSED: {SOME[0]} was killed by [12] of 2 checks\.", harness("mutants", SOME[0]).out.splitlines()[-1]
    )


def test_shards_take_equally_long(harness: Harness, chosen: list[list[str]], tmp_path: Path) -> None:
    """A mutant that took as long as all others together has a shard for itself."""
    earlier = tmp_path / "earlier.json"
    harness("mutants", *SOME, "--report", f"json={earlier}")
    record = json.loads(earlier.read_text("utf-8"))
    record["seconds"][SOME[3]] = 100.0
    earlier.write_text(json.dumps(record), encoding="utf-8")
    del chosen[:]
    for number in (1, 2):
        harness("mutants", *SOME, "--shard", f"{number}/2", "--shard-times", str(earlier))
    assert [SOME[3]] in chosen


def _interrupt(runs: list[Lines]) -> None:
    runs[0].remove(find(runs[0], "CheckFinished"))
    runs[0][-1]["exit"] = 130


def test_an_interrupted_shard_is_no_whole(harness: Harness, chosen: list[list[str]], tmp_path: Path) -> None:
    """What a shard did not come to is missing in the merge, which reports so and is not green."""
    parts = _play_shards(harness, tmp_path, 2, *SOME)
    spoil_files(parts, _interrupt)
    done = harness("merge", *parts)
    assert done.code == 130
    assert f"INTERRUPTED: 4 of {len(SOME)} mutants killed by 2 checks; 1 not tested (not reached)." in done.out


def _other_reference(runs: list[Lines]) -> None:
    find(runs[1], "PhaseFinished")["notes"] = ["http.json-type: not_met: x"]


def _other_catalogue(runs: list[Lines]) -> None:
    for lines in runs:
        part_of(lines)["catalogue"] = "0"


def _other_mutants(runs: list[Lines]) -> None:
    part_of(runs[1])["whole"].pop()


def _unknown_mutant(runs: list[Lines]) -> None:
    for lines in runs:
        part_of(lines)["whole"].insert(0, "no-such")
    part_of(runs[0])["ran"].append("no-such")


def _lost_mutant(runs: list[Lines]) -> None:
    part_of(runs[0])["ran"].pop()


def _other_command(runs: list[Lines]) -> None:
    runs[1][0]["command"] = "torture"


def _row_of_another_shard(runs: list[Lines]) -> None:
    """The survivor of the first shard is killed in the second."""
    forged = find(runs[0], "CheckFinished")
    runs[1].insert(-1, deepcopy(forged))
    forged["result"]["evidence"][0]["killers"] = []


def _second_row(runs: list[Lines]) -> None:
    runs[1].insert(-1, find(runs[1], "CheckFinished"))


def _painted_killer(runs: list[Lines]) -> None:
    """A name that a terminal would obey: it hides what follows."""
    find(runs[1], "CheckFinished")["result"]["evidence"][0]["killers"] = ["\x1b[8mget.ok"]


def _cut_row(runs: list[Lines]) -> None:
    """Nobody would learn whether the mutant survived."""
    runs[1].remove(find(runs[1], "CheckFinished"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_other_reference, "do not agree on what the unchanged emulator meets (http.json-type)"),
        (_other_catalogue, "was written with another catalog of checks"),
        (_other_mutants, "with another selection"),
        (_unknown_mutant, "does not contain the events of a whole run ('no-such' is missing or unknown)"),
        (_lost_mutant, "no report contains"),
        (_other_command, "the files are of different commands"),
        (_row_of_another_shard, "', but shard 2/2 did not run it: run the shard again"),
        (_second_row, "', but a shard has one of each: run the shard again"),
        (_painted_killer, "names no check"),
        (_cut_row, " (1 in all), but shard 2/2 ran it: run the shard again"),
    ],
)
def test_what_is_not_one_run_is_refused(
    spoil: Callable[[list[Lines]], None],
    said: str,
    harness: Harness,
    chosen: list[list[str]],
    tmp_path: Path,
) -> None:
    """Shards that do not belong together end with exit code 2, and the message says what is wrong."""
    parts = _play_shards(harness, tmp_path, 2, *SOME)
    spoil_files(parts, spoil)
    done = harness("merge", *parts)
    assert done.code == 2
    assert said in done.err


@pytest.fixture(scope="module")
def played_bench() -> DefectBench:
    """The clean run, which takes longer than all that a test plays beside it."""
    return DefectBench(INTERACTIONS, "")


@pytest.fixture
def one_clean_run(played_bench: DefectBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of a test takes the clean run that was played once."""
    monkeypatch.setattr("harness.engine.mutation_score.DefectBench", lambda api, revision: played_bench)


@pytest.mark.slow
def test_the_command_prints_a_score_and_writes_every_outcome(harness: Harness, tmp_path: Path) -> None:
    """A small sample ends with the shares, and the JSON names each defect; the page counts the same."""
    report, page = tmp_path / "score.json", tmp_path / "score.html"
    sample = ("--sample", "6", "--seed", "5", "-j", "1")
    ended = harness("mutants", "--generated", *sample, "--report", f"json={report}", "--report", f"html={page}")
    assert ended.code == 0, ended.out
    totals = ended.out.splitlines()[-2]
    rows = re.findall(r'<span class="n">(\d+)</span><span class="what"><b>([^<]*)', page.read_text("utf-8"))
    assert ", ".join(map(" ".join, rows)) == re.split("[:;] ", totals.rstrip("."))[1]
    assert sum(int(number) for number, _ in rows) == 6
    assert "generated defects found" in ended.out.splitlines()[-1]
    value = fits("mutation-score", report)
    assert value["score"]["shown"] + len(value["not_shown"]) == 6
    assert all(defect["when"] for defect in value["defects"])


@pytest.mark.usefixtures("one_clean_run")
@pytest.mark.slow
def test_the_shards_of_a_score_are_merged(harness: Harness, tmp_path: Path) -> None:
    """The score of the shards together is that of one run: rows, groups, verdict and exit code."""
    words = ("mutants", "--generated", "--sample", "2", "--seed", "5", "-j", "1")
    whole = harness(*words, "--report", f"json={tmp_path / 'whole.json'}")
    parts = [str(tmp_path / f"{number}.jsonl") for number in (1, 2)]
    for number, file in enumerate(parts, 1):
        assert harness(*words, "--shard", f"{number}/2", "--report", f"events={file}").code == 0
    merged = harness("merge", *reversed(parts), "--report", f"json={tmp_path / 'merged.json'}")
    assert (merged.code, merged.out.splitlines()[-1]) == (whole.code, whole.out.splitlines()[-1])
    once, together = (fits("mutation-score", tmp_path / f"{name}.json") for name in ("whole", "merged"))
    for report in (once, together):
        for defect in report["defects"]:
            del defect["seconds"]
    assert together == once
    assert harness("merge", parts[0]).code == 2
    stored = Path(parts[1]).read_text("utf-8")
    spoil_files(parts, _cut_row)
    assert "shard 2/2 ran it" in harness("merge", *parts).err
    Path(parts[1]).write_text(stored, "utf-8")
    spoil_files(parts, _row_of_another_shard)
    assert "did not run it" in harness("merge", *parts).err
    other = harness(*words[:4], "--seed", "6", *words[6:], "--shard", "2/2", "--report", f"events={parts[1]}")
    assert other.code in (0, 1)
    refused = harness("merge", *parts)
    assert (refused.code, "with another selection" in refused.err) == (2, True)
    timed = harness(*words, "--shard", "1/2", "--shard-times", str(tmp_path / "whole.json"))
    assert (timed.code, "generated defects are dealt to the shards in turn" in timed.err) == (2, True)


@pytest.fixture
def unseen_defects(monkeypatch: pytest.MonkeyPatch) -> None:
    """No response shows a defect, whatever the clean run sent; oddities are played."""
    play = DefectBench.play

    def play_oddities(bench: DefectBench, defect: Any) -> PlayedDefect:
        if defect.to_record()["part"] == "oddity":
            return play(bench, defect)
        return PlayedDefect(defect, DefectOutcome.NOT_SHOWN)

    monkeypatch.setattr(DefectBench, "play", play_oddities)


@pytest.mark.usefixtures("unseen_defects", "one_clean_run")
@pytest.mark.slow
def test_a_defect_that_no_response_shows_is_counted(harness: Harness) -> None:
    """The totals are a sentence also if no defect of the run was shown."""
    name = "replaced status 200 to 204 | DELETE interactions/{id} | plain | after the end | at random"
    ended = harness("mutants", "--generated", name, "-j", "1")
    assert ended.code == 3, ended.out
    assert ended.out.splitlines()[-1].startswith("NOTHING RAN: ")
    assert re.fullmatch(r"1 defect in \d+\.\d s: 1 not shown\.", ended.out.splitlines()[-2])


@pytest.mark.usefixtures("one_clean_run")
@pytest.mark.slow
def test_a_pattern_that_matches_no_defect_is_refused(harness: Harness) -> None:
    """The error names the pattern and the command that lists names."""
    ended = harness("mutants", "--generated", "nothing-of-the-kind")
    assert ended.code == 2
    assert "'nothing-of-the-kind'" in ended.err or "nothing-of-the-kind" in ended.err
    assert "--generated --list" in ended.err


@pytest.mark.usefixtures("unseen_defects", "one_clean_run")
@pytest.mark.slow
def test_a_legal_oddity_alone_is_no_score(harness: Harness) -> None:
    """A run whose only defect was not shown proves nothing, although an oddity was played."""
    ended = harness("mutants", "--generated", "--sample", "1", "--seed", "1", "-j", "1")
    assert ended.code == 3, ended.out
    last = ended.out.splitlines()[-1]
    assert last == "NOTHING RAN: no generated defect changed what a client received."
