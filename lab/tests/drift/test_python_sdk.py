"""google-genai is read without being imported, and every planted difference is seen, reported and proposed."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import resources
from harness.contract import load
from harness.contract.schema.schemas import schemas_in
from harness.outcome import UsageFault
from harness.rules import ROWS
from harness.rules.sentence_rows import read_sentences
from harness.rules.tables import FOLDER, expand_tables, read_record
from lab.__main__ import main
from lab.drift import packages
from lab.drift.comparison import DifferenceKind, Explained, compare, explain, load_explanations
from lab.drift.proposal import Proposal, name_files, propose
from lab.drift.python_sdk import read_python_sdk
from lab.drift.schema_types import read_schemas
from lab.drift.type_model import TypeModel
from lab.tests.drift.planting import ALSO, DIFFERENCES, plant

EXPECTED = {planted.id for planted in DIFFERENCES if planted.id} | set(ALSO)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an unpacked google-genai with planted differences."""
    pytest.importorskip("google.genai._gaos.types", reason="google-genai 3.3+ is not installed")
    return plant(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module", autouse=True)
def read_once() -> Iterator[None]:
    """Read each folder once, though several commands name it: reading takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.drift.command.read_python_sdk", functools.cache(read_python_sdk))
        yield


@pytest.fixture(scope="module")
def ours() -> TypeModel:
    """The types of the current schemas."""
    return read_schemas(load().schemas)


@pytest.fixture(scope="module")
def theirs(package: Path) -> TypeModel:
    """The types of the SDK with planted differences."""
    return read_python_sdk(package, "planted")


@pytest.fixture(scope="module")
def explained(ours: TypeModel, theirs: TypeModel) -> Explained:
    """What differs, and what of it is known."""
    return explain(compare(ours, theirs), load_explanations(), "google-genai", "3.4.0")


@pytest.fixture(scope="module")
def proposal(ours: TypeModel, theirs: TypeModel, explained: Explained) -> Proposal:
    """The proposed change of the schemas."""
    return propose(load().schemas, ours, theirs, explained.unexplained)


@pytest.mark.slow
def test_nothing_unexplained_and_no_stale_explanation(capsys):
    """The installed google-genai differs from the schemas as `explained.yaml` says, and each line is needed."""
    pytest.importorskip("google.genai._gaos.types", reason="google-genai 3.3+ is not installed")
    assert main(["drift", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["unexplained"] == []
    assert record["stale"] == [], "remove these lines from explained.yaml"
    assert record["sdk"]["operations"] > 30
    assert record["sdk"]["types"] > 150


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "verdict"),
    [
        ([], 0, r"PASSED: \d+ differences, all explained\."),
        (["--strict"], 1, r"FAILED: (\d+) differences, \1 of them explained \(--strict counts .*\)\."),
    ],
)
def test_the_last_line_is_a_verdict(words, code, verdict, capsys):
    """As every command that judges, `drift` ends with a word for its exit code."""
    pytest.importorskip("google.genai._gaos.types", reason="google-genai 3.3+ is not installed")
    assert main(["drift", *words]) == code
    assert re.fullmatch(verdict, capsys.readouterr().out.splitlines()[-1])


@pytest.mark.slow
def test_every_planted_difference_is_seen(explained):
    """Each planted difference is among those that nobody explained."""
    assert len(EXPECTED) >= 14
    assert sorted(EXPECTED - {difference.id for difference in explained.unexplained}) == []


@pytest.mark.slow
def test_only_planted_differences_are_seen(explained):
    """What else is unexplained follows from moving the calls of one path, or says that a removed tool is gone."""
    others = {difference.id for difference in explained.unexplained} - EXPECTED
    assert all("spies" in each or "/agents/{}" in each or "computer_use" in each for each in others), others


@pytest.mark.slow
def test_all_kinds_are_planted(explained):
    """Each kind of difference occurs."""
    kinds = {difference.kind for difference, _ in explained.differences}
    assert kinds == set(DifferenceKind)


@pytest.mark.slow
def test_a_command_reports_drift(package, capsys):
    """Drift is exit code 1, and the lines and the data name the same differences."""
    assert main(["drift", "--sdk", str(package), "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert {each["id"] for each in record["unexplained"]} >= EXPECTED
    assert record["sdk"]["name"] == "google-genai"
    assert main(["drift", "--sdk", str(package), "-v"]) == 1
    shown = capsys.readouterr().out
    assert f"{len(record['unexplained'])} unexplained differences" in shown
    assert "new field depth (integer, required)" in shown
    assert "the SDK computes these convenience fields" in shown


@pytest.mark.slow
def test_the_sdk_is_not_imported(package):
    """A comparison imports neither the SDK nor pydantic."""
    code = (
        "import sys; from lab.__main__ import main; code = main(['drift', '--sdk', sys.argv[1]]); "
        "print([name for name in sys.modules if name.startswith(('google.genai', 'pydantic'))], file=sys.stderr); "
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(package)], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr == "[]\n"


@pytest.mark.slow
def test_a_proposal_settles_what_is_new(ours, theirs, proposal, tmp_path):
    """A revision made of the proposal differs from the SDK only in what the proposal leaves to a person."""
    folder = tmp_path / "2026-12-01"
    for name, document in name_files(proposal.documents, folder.name).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")
    (folder / "revision.json").write_text(json.dumps({"base": load().revision}), encoding="utf-8")
    before = {difference.id for difference in compare(ours, theirs)}
    after = {difference.id for difference in compare(read_schemas(schemas_in(folder)), theirs)}
    assert {difference.id for difference in proposal.settled} <= before - after
    assert after - before == set()
    assert {difference.id for difference in proposal.left} <= after


@pytest.mark.slow
def test_a_proposal_leaves_what_is_gone(proposal):
    """What is gone from the SDK and what has another type is left to a person; all else is settled."""
    left = {str(difference.kind) for difference in proposal.left if not difference.where.startswith("CALL ")}
    assert left <= {
        "field.gone",
        "value.gone",
        "member.gone",
        "parameter.gone",
        "operation.gone",
        "body.gone",
        "type.changed",
    }
    assert len(proposal.settled) >= 7


@pytest.mark.slow
def test_a_proposed_revision_is_written(package, capsys, tmp_path):
    """--propose writes only files that differ, and a revision.json that names its base."""
    folder = tmp_path / "2026-12-01"
    assert main(["drift", "--sdk", str(package), "--propose", str(folder)]) == 1
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
    assert {"revision.json", "tools/file-search.json", "tools/dowsing.json", "tool.json"} <= written
    assert "steps/thought.json" not in written
    assert json.loads((folder / "revision.json").read_bytes())["base"] == load().revision
    assert "/2026-12-01/tools/dowsing.json" in json.loads((folder / "tools" / "dowsing.json").read_bytes())["$id"]
    assert "left to you: tools/file-search: removed field metadata_filter" in capsys.readouterr().err
    assert schemas_in(folder).validator("tool").is_valid({"type": "dowsing", "rod": "hazel"})
    assert not schemas_in(folder).validator("tool").is_valid({"type": "dowsing"})


@pytest.mark.slow
def test_a_proposed_patch_applies(package, tmp_path):
    """--propose-patch writes what `git apply` takes, and changes no line that it need not."""

    patch = tmp_path / "drift.patch"
    assert main(["drift", "--sdk", str(package), "--propose-patch", str(patch)]) == 1
    shutil.copytree(resources.folder("schemas"), tmp_path / "schemas")
    shutil.copytree(FOLDER, tmp_path / "harness" / "rules", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        ["git", "apply", "-v", str(patch)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    changed = json.loads((tmp_path / "schemas" / load().revision / "tools" / "file-search.json").read_bytes())
    assert changed["properties"]["depth"]["type"] == "integer"
    added = (tmp_path / "harness" / "rules" / "sentences" / "types.yaml").read_bytes()
    texts = {path.stem: path.read_bytes() for path in (tmp_path / "harness" / "rules").glob("*.yaml")}
    rows = {record["id"]: read_record(record) for record in expand_tables(texts)["rules"]}
    lines = {line.id: line for line in read_sentences({"sentences/types": added}, rows)}
    assert lines["sdk.tools-file-search-depth"].words == "New field depth (integer, required)."
    assert lines["sdk.tools-file-search-depth"].rules == ("tool.new-tools-file-search-depth",)
    assert lines["sdk.file-search-stores-store-shelfmark"].rules == ("filesearch.schema",)
    new = {name: row for name, row in rows.items() if name not in ROWS}
    assert all(0 < len(row.rule.broken) <= 80 for row in new.values())
    assert len({row.rule.broken for row in new.values()}) == len(new)
    assert new["tool.new-tool-dowsing"].rule.statement == "A request accepts `dowsing` in `tool`."
    assert new["agents.new-get-agents-mood"].area == "agents"
    assert {rule for line in lines.values() for rule in line.rules} >= new.keys()
    removed = [line for line in patch.read_text("utf-8").splitlines() if line.startswith("-") and line[1:2] != "-"]
    assert len(removed) < 40


def test_a_folder_without_the_types_is_refused(tmp_path):
    """A folder that holds no SDK is refused with what is missing."""
    with pytest.raises(UsageFault, match="_gaos/types"):
        read_python_sdk(tmp_path, "nothing")


@pytest.mark.parametrize("word", ["gogle-genai", "google-genai==", "@google/genai@"])
def test_a_wrong_sdk_is_refused(word, capsys):
    """A word that names no SDK, or no version, is refused with what can be written."""
    assert main(["drift", "--sdk", word]) == 2
    assert "google" in capsys.readouterr().err


def test_the_version_is_read(package):
    """The version of an unpacked SDK comes from its source."""
    from lab.drift.python_sdk import read_python_version

    assert read_python_version(package).count(".") == 2


def test_records_keep_what_the_sdk_says(theirs):
    """A field's text is the string after it, which a proposal uses as its description."""
    told = theirs.records["interactions.Retrieval"].fields["retrieval_types"]
    assert told.text == "The types of file retrieval to enable."


def test_a_failed_download_has_the_words_of_the_installer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error repeats them, because only they say why."""
    ended = subprocess.CompletedProcess([], 3, "", "npm error notarget No matching version found\n")
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: ended)
    monkeypatch.setattr(packages.shutil, "which", lambda _: "/bin/true")
    with pytest.raises(UsageFault, match=r"'@google/genai@0\.0\.77' could not be downloaded: .*\n.*notarget"):
        packages.download_npm("@google/genai", "0.0.77", tmp_path)
