"""`check --shard` and `harness merge`: the parts of a run make the same whole that one run makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from harness.cli.main import main
from harness.engine.plan import Selection
from harness.engine.run import RunOptions, check_target
from harness.engine.shards import Shard, parse_shard
from harness.engine.targets import TargetOptions, embed_emulator
from harness.interactions import INTERACTIONS
from harness.kit.check import Check
from harness.outcome import UsageFault
from harness.report.formats import render
from harness.report.presented_run import PresentedRun
from tests.cli.conftest import fits
from tests.cli.stored_runs import Lines, find, part_of, read_lines, spoil_files, write_lines

FEW = Selection(checks=("get", "cancel", "bg", "err"))
"""Areas with rules that hold for every answer, and with checks that rest on others."""

MUTANTS = [
    "",
    "cancel-noop",  # blocks checks in other shards
    "error-no-message",  # shows in answers of several shards
    *(
        pytest.param(mutant, marks=pytest.mark.thorough)
        for mutant in ("background-ignored", "cancelled-vanishes", "errors-are-500", "stream-hangs-up")
    ),
]

Record = dict[str, Any]


def run_check(
    mutant: str,
    shard: Shard | None = None,
    selection: Selection = FEW,
    strict: bool = False,
    catalogue: Sequence[Check] | None = None,
) -> PresentedRun:
    """One run against a mutant, or against the emulator itself."""
    contract = INTERACTIONS.load_contract("")
    target = embed_emulator(INTERACTIONS, TargetOptions(), lambda: INTERACTIONS.new_service(contract, mutant))
    state = PresentedRun(INTERACTIONS)
    options = RunOptions(selection=selection, shard=shard, strict=strict)
    for event in check_target(target, catalogue or INTERACTIONS.load_catalogue(), options):
        state.handle(event)
    return state


def to_record(run: PresentedRun) -> Record:
    """The JSON report of a run."""
    return cast(Record, json.loads(render("json", run)))


def write_shards(folder: Path, texts: Iterable[str]) -> list[str]:
    """The files with these stored events."""
    files = []
    for number, text in enumerate(texts):
        files.append(str(folder / f"{number}.jsonl"))
        Path(files[-1]).write_text(text, encoding="utf-8")
    return files


def list_verdicts(record: Record) -> dict[str, tuple[Any, ...]]:
    """What stands for each check, without times."""
    return {
        check["id"]: (
            check["outcome"],
            check.get("reason"),
            check.get("cause"),
            [(finding["code"], finding["weight"]) for finding in check["findings"]],
        )
        for check in record["checks"]
    }


def load_two_areas() -> tuple[Check, ...]:
    """A catalog that is quickly written and read."""
    return tuple(check for check in INTERACTIONS.load_catalogue() if check.rule.area in ("cancel", "get"))


@pytest.fixture(scope="module")
def shards() -> list[PresentedRun]:
    """The two parts of a run against the emulator, of two areas."""
    return [run_check("", Shard(number, 2), Selection(), catalogue=load_two_areas()) for number in (1, 2)]


@pytest.fixture(scope="module")
def texts(shards: list[PresentedRun]) -> list[str]:
    """The stored events of the two parts."""
    return [render("events", shard) for shard in shards]


@pytest.fixture
def files(texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of the two parts; who merges them has the same catalog."""
    monkeypatch.setattr(
        "harness.cli.commands.merge.INTERACTIONS", replace(INTERACTIONS, load_catalogue=load_two_areas)
    )
    return write_shards(tmp_path, texts)


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.slow
def test_shards_make_the_run(mutant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Outcomes by id, causes, accounting with verdict, and exit code of the merge are those of one run."""
    whole = to_record(run_check(mutant))
    parts = (run_check(mutant, Shard(number, 3)) for number in (1, 2, 3))
    files = write_shards(tmp_path, (render("events", part) for part in parts))
    code = main(["merge", *files, "--json"])
    merged = json.loads(capsys.readouterr().out)
    assert list_verdicts(merged) == list_verdicts(whole)
    assert merged["accounting"] == whole["accounting"]
    assert [cause["key"] for cause in merged["causes"]] == [cause["key"] for cause in whole["causes"]]
    assert code == merged["exit"] == whole["exit"]
    assert bool(mutant) == bool(whole["exit"]), "the mutants of this test fail the run"
    assert (mutant == "cancel-noop") <= any(
        group["reason"] == "blocked" for group in whole["accounting"]["not_tested"]
    )


def test_a_shard_does_not_speak_for_the_run(shards: list[PresentedRun]) -> None:
    """A shard names its part, and what others judge stands as excluded; no check is in two shards."""
    records = list(map(to_record, shards))
    for number, record in enumerate(records, 1):
        fits("check", record)
        assert f": shard {number} of 2: " in record["accounting"]["verdict"]
        assert " all " not in record["accounting"]["verdict"]
        judged = {check["id"] for check in record["checks"] if check["outcome"] in ("failed", "warned", "passed")}
        assert judged
        assert judged <= set(record["shard"]["ran"])
        elsewhere = [check for check in record["checks"] if check["details"] == "in another shard"]
        assert elsewhere
        assert {check["outcome"] for check in elsewhere} == {"excluded"}
    ran = [name for record in records for name in record["shard"]["ran"]]
    assert len(ran) == len(set(ran))


def test_merge_writes_every_format(shards: list[PresentedRun], files: list[str], tmp_path: Path) -> None:
    """JUnit of a merge has the cases of the whole catalogue, and its times add up; the parts fit their schema."""
    assert all(map(read_lines, files))
    names = {
        name: tmp_path / f"merged.{name}" for name in ("json", "junit", "markdown", "html", "badge", "events")
    }
    words = [f"--report={name}={path}" for name, path in names.items()]
    assert main(["merge", *files, *words]) == 0
    assert all(path.stat().st_size for path in names.values())
    root = ElementTree.fromstring(names["junit"].read_text(encoding="utf-8"))
    assert len(root.findall(".//testcase")) == len(shards[0].results)
    for suite in root.findall("testsuite"):
        times = sum(float(case.attrib["time"]) for case in suite.findall("testcase"))
        assert float(suite.attrib["time"]) == pytest.approx(times, abs=0.001 * len(suite))
    fits("check", names["json"])


@pytest.mark.slow
def test_a_merged_page_draws_what_the_shard_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sequence and the picture of the stream are read from the text of the exchanges; no event is lost."""
    monkeypatch.chdir(tmp_path)
    few = Selection(checks=("resume.no-gap", "get.ok"))
    whole = run_check("resume-skips-one", selection=few)
    parts = [run_check("resume-skips-one", parse_shard(f"{k}/2"), selection=few) for k in (1, 2)]
    paths = write_shards(tmp_path, [render("events", part) for part in parts])
    assert main(["merge", *paths, "--report", "html=merged.html"]) == 1
    capsys.readouterr()
    page, once = Path("merged.html").read_text("utf-8"), render("html", whole)
    for part in ('class="cell missing', "missing: it never came", 'class="story"', "Sequence of messages"):
        assert page.count(part) == once.count(part) > 0, part


def _list_leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _list_leaves(item, (*path, key))
    else:
        yield path


def _put(value: Any, path: Sequence[Any], leaf: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = leaf


@pytest.mark.slow
def test_no_edit_of_a_shard_hides_a_failure_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However a shard is changed, a merge with one that failed does not pass: `err.shape` is broken in both."""
    rule, catalogue = "err.shape", tuple(c for c in INTERACTIONS.load_catalogue() if c.rule.area in ("err", "get"))
    known = replace(INTERACTIONS, load_catalogue=lambda: catalogue)
    monkeypatch.setattr("harness.cli.commands.merge.INTERACTIONS", known)
    runs = [run_check("error-no-message", Shard(n, 2), Selection(), catalogue=catalogue) for n in (1, 2)]
    files = write_shards(tmp_path, [render("events", run) for run in runs])
    assert main(["merge", *files]) == 1
    forged = read_lines(files[1])
    part = forged[-1]["part"]
    part["observations"][rule] = {"outcome": "met"}
    for line in forged:
        if line.get("event") == "CheckFinished" and line["result"]["id"] == rule:
            line["result"] |= {"verdict": "pass", "observation": {"outcome": "met"}, "evidence": []}
    [sighting] = part["sightings"][rule]
    sighting["exercise"] = "other_revisions"  # the first of the catalog
    words = ["information", "non_strict", "met", "blocked", "", rule, "get.ok", -1, 0, 10**9, [], {}]
    edits: list[tuple[tuple[Any, ...], Any]] = [
        ((member, rule, *leaf), word)
        for member in ("sightings", "observations", "judged")
        for leaf in _list_leaves(part[member].get(rule, {}))
        for word in words
    ]
    edits = [*Random(7).sample(edits, 40), (("sightings", rule, 0, "finding", "severity"), "information")]
    for leaf, word in [*edits, (("compared",), [rule])]:
        lines = json.loads(json.dumps(forged))
        _put(lines[-1]["part"], leaf, word)
        write_lines(files[1], lines)
        assert main(["merge", *files]) in (1, 2), (leaf, word)
    capsys.readouterr()


def _drop(files: list[str]) -> None:
    files.pop()


def _double(files: list[str]) -> None:
    Path(files[1]).write_bytes(Path(files[0]).read_bytes())


def _change(spoil: Callable[[Lines], object]) -> Callable[[list[str]], None]:
    return lambda files: spoil_files(files[1:2], lambda runs: spoil(runs[0]))


def _set(member: str, value: Any) -> Callable[[list[str]], None]:
    return _change(lambda lines: part_of(lines).update({member: value}))


def _retarget(lines: Lines) -> None:
    find(lines, "RunStarted")["target"]["url"] = "http://127.0.0.1:9"


def _forget(lines: Lines) -> None:
    find(lines, "Probed")["capabilities"][0]["present"] ^= True


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_drop, "shard 2 of 2 is missing"),
        (_double, "are both shard 1"),
        (_set("shard", {"number": 2, "of": 4}), "with another number of shards"),
        (_set("catalogue", "0"), "with another catalog of checks"),
        (_set("revision", "2020-01-01"), "of another revision of the API"),
        (_set("strict", True), "with another --strict"),
        (_set("selection", "x"), "with another selection"),
        (
            _set("observations", []),
            "does not contain the events of a whole run ('[]' is not of the type",
        ),
        (_set("ran", "all"), "('all' is not of the type list)"),
        (_set("strict", 1), "('1' is not of the type bool)"),
        (_set("path", "../x"), "(ShardPart has no member 'path')"),
        (_change(_retarget), "of another target"),
        (_change(_forget), "name different targets ("),
        (_change(lambda lines: lines[-1].pop("part")), "contains the events of a whole run"),
        (_change(lambda lines: lines[0].update(events=2)), "stores events in form '2', and this"),
        (_change(lambda lines: lines.pop(0)), "is not a file with the events of a run"),
        (_change(lambda lines: lines.pop()), "(its last event is not RunFinished)"),
        (_change(lambda lines: lines[1].update(event="os.system")), "('os.system' is missing or unknown)"),
        (_change(lambda lines: part_of(lines).update(ran=[], observations={})), "no report contains"),
        (_change(lambda lines: part_of(lines).update(observations={})), "' is missing or unknown)"),
    ],
)
def test_what_is_not_one_run_is_refused(
    spoil: Callable[[list[str]], None],
    said: str,
    files: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A merge of parts that do not belong together ends with exit code 2, and says what is wrong."""
    spoil(files)
    assert main(["merge", *files]) == 2
    assert said in capsys.readouterr().err


def test_a_json_report_is_no_shard(
    shards: list[PresentedRun], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report, as earlier versions joined them, is refused with what it is and what to write instead."""
    file = tmp_path / "1.json"
    file.write_text(render("json", shards[0]), encoding="utf-8")
    assert main(["merge", str(file)]) == 2
    said = "1.json' is a JSON report, not the events of a run: run each shard again with --shard K/N --report"
    assert said in capsys.readouterr().err


def test_one_server_at_several_addresses(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """--same-target joins shards that judged copies of a server; another model is still another target."""
    _change(_retarget)(files)
    assert main(["merge", *files]) == 2
    assert "add --same-target" in capsys.readouterr().err
    assert main(["merge", "--same-target", *files]) == 0
    _change(lambda lines: find(lines, "RunStarted")["target"].update(model="another"))(files)
    assert main(["merge", "--same-target", *files]) == 2
    assert "of another target" in capsys.readouterr().err


def test_a_report_is_named_once(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The same file twice is a slip of the command line, and called so."""
    assert main(["merge", *files, files[0]]) == 2
    assert "is named twice" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/3/3", "a/b"])
def test_shards_that_are_none(text: str) -> None:
    """What is not a part of a run is refused in words."""
    with pytest.raises(UsageFault, match="--shard"):
        parse_shard(text)
