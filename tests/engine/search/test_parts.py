"""The parts of a search: together they are as much as the whole, and none does what another one does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness import resources
from harness.cli import main
from harness.emulator.mutants import MUTANTS
from harness.engine.search.budget import (
    BUDGETS,
    ELSEWHERE,
    Budget,
    merge_runs,
    seed_of,
    split_budget,
    split_families,
)
from harness.engine.search.exhaustive import every
from harness.engine.search.failure import EngineRun, Failure, SeenDefect
from harness.engine.search.search_target import SearchTarget
from harness.engine.sharding.shards import Shard
from harness.engine.targets import TargetOptions, embed_emulator
from harness.interactions import INTERACTIONS
from harness.kit.api import PRIMARY_KEY
from harness.outcome import Exit, Finding
from harness.transport import ServerThread
from tests.engine.search.places import history
from tests.engine.toy_api import NOTES, KeepsNotes, NoteContract


def shards(of: int) -> Iterator[Shard]:
    """All shards of a run."""
    return (Shard(number, of) for number in range(1, of + 1))


@pytest.mark.parametrize("of", [1, 3, 7])
def test_the_shares_add_up(of: int) -> None:
    """No example is lost or played twice, each resource is in one part, and no two draw from the same seeds."""
    smoke, document = BUDGETS["smoke"], INTERACTIONS.load_search().document
    assert document is not None
    assert sum(split_budget(smoke, shard).histories for shard in shards(of)) == smoke.histories
    assert sum(split_budget(smoke, shard).laws for shard in shards(of)) == smoke.laws
    families = [family.collection for shard in shards(of) for family in split_families(document.families, shard)]
    assert sorted(families) == sorted(family.collection for family in document.families)
    assert len({seed_of(5, shard) for shard in shards(of)} | {seed_of(5, None)}) == of + 1


def test_more_parts_than_examples_leave_some_with_none() -> None:
    """The first parts get what cannot be divided; the others have nothing to play."""
    budget = Budget(histories=2, steps=5, laws=1, schema=4)
    assert [split_budget(budget, shard).histories for shard in shards(3)] == [1, 1, 0]


@pytest.mark.parametrize("depth", [1, 3])
def test_together_they_play_every_history(depth: int) -> None:
    """The histories of all parts are those of the whole, and so is what they find."""
    target = embed_emulator(NOTES, TargetOptions(), lambda: KeepsNotes(NoteContract()))
    place = SearchTarget(target, frozenset({"words"}))
    whole, parts = every(place, depth), [every(place, depth, shard=shard) for shard in shards(3)]
    assert sum(part.counts["histories"] for part in parts) == whole.counts["histories"]
    found = {failure.key for part in parts for failure in part.failures}
    assert found == {failure.key for failure in whole.failures}


def failure(words: str, seen: int, unshrunk: str = "") -> Failure:
    """The same defect, seen with this history."""
    defect = SeenDefect(Finding("del.gone", "it is still there"), "GET interactions/{id}")
    return Failure(engine="history", defect=defect, history=tuple(history(words)), seen=seen, unshrunk=unshrunk)


def test_equal_failures_are_one_with_the_smallest_history() -> None:
    """Answers add up, a shrunk history goes before a shorter one, and what not all parts say names the part."""
    runs = {
        "shard 1/3": [
            EngineRun(engine="history", seconds=1.0, failures=(failure("create; poll", 2, "time was up"),))
        ],
        "shard 2/3": [EngineRun(engine="history", seconds=2.0, failures=(failure("create; delete; poll", 3),))],
        "shard 3/3": [
            EngineRun(engine="history", seconds=0.0, notes=(ELSEWHERE,), vacuous=("no create succeeded",))
        ],
    }
    (merged,) = merge_runs(runs, INTERACTIONS)
    (kept,) = merged.failures
    assert (kept.seen, len(kept.history), merged.seconds) == (5, 3, 3.0)
    assert (merged.notes, merged.vacuous) == ((), ("shard 3/3: no create succeeded",))


def fuzz_shard(shard: Shard, url: str, folder: Path) -> str:
    """Fuzz one part of a served mutant; the path of its report."""
    path = folder / f"{shard.number}.json"
    words = ("-e", "history", "--max-examples", "30", "--level", "must", "--no-store", "--capability", "-two-keys")
    main(
        [
            "fuzz",
            url,
            "--api-key",
            PRIMARY_KEY,
            *words,
            "--shard",
            str(shard),
            "--report",
            f"json={path}",
            "--report",
            f"events={path}l",
        ]
    )
    return str(path)


def count_histories(record: dict[str, Any]) -> int:
    """How many histories the only engine of a report played."""
    (engine,) = record["engines"]
    return int(engine["counts"]["histories"])


@pytest.mark.slow
def test_the_reports_of_all_parts_are_merged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A merge has the failures and the answers of all parts, its own exit code, and says no key."""
    emulator = MUTANTS["delete-keeps"].build()
    with ServerThread(emulator, clock=emulator.clock) as server:
        paths = [fuzz_shard(shard, server.url, tmp_path) for shard in shards(2)]
    parts: list[dict[str, Any]] = [json.loads(Path(path).read_bytes()) for path in paths]
    assert "FAILED: shard 1 of 2: 1 MUST rule broken in " in capsys.readouterr().out
    code = main(["merge", *(f"{path}l" for path in paths), "--json"])
    merged = json.loads(capsys.readouterr().out)
    schema = json.loads((resources.folder("schemas") / "output" / "fuzz.schema.json").read_bytes())
    for record in (*parts, merged):
        jsonschema.Draft202012Validator(schema).validate(record)
    (found,) = [failure for failure in merged["failures"] if failure["rule"] == "del.gone"]
    both = [failure for part in parts for failure in part["failures"] if failure["rule"] == "del.gone"]
    assert (code, found["seen"]) == (Exit.FAILED, sum(failure["seen"] for failure in both))
    assert (found["curl"], found["curl_lines"]) in [(one["curl"], one["curl_lines"]) for one in both]
    assert [step["kind"] for step in found["history"]] == ["create", "delete", "poll"]
    assert count_histories(merged) == sum(map(count_histories, parts)) >= 30
    assert "shard" not in merged
    stored = [Path(f"{path}l").read_text("utf-8") for path in paths]
    assert PRIMARY_KEY not in json.dumps((parts, merged, stored))


@pytest.mark.slow
def test_a_merge_wants_all_parts_of_one_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("-e", "exhaustive", "--exhaustive", "1", "--no-store")
    for number, seed in ((1, "0"), (2, "1")):
        report = f"events={tmp_path}/{number}.jsonl"
        main(["fuzz", "emulator", *words, "--seed", seed, "--shard", f"{number}/2", "--report", report])
    capsys.readouterr()
    assert main(["merge", f"{tmp_path}/1.jsonl"]) == Exit.USAGE
    assert "shard 2 of 2 is missing" in capsys.readouterr().err
    assert main(["merge", f"{tmp_path}/1.jsonl", f"{tmp_path}/2.jsonl"]) == Exit.USAGE
    assert "of another selection" in capsys.readouterr().err
