"""A user's own revision is looked at before anything is judged by it; what is wrong is said, and where."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import main
from harness.contract import CURRENT, load_from
from harness.contract.schema.schemas import load_schemas
from harness.outcome import Exit
from tests.contract.test_robot_step import DELTA, STEP

Json = dict[str, Any]
Files = dict[str, Any]

ROBOT: Files = {"revision": {"base": CURRENT}, "steps/robot-call": STEP, "deltas/robot-call": DELTA}


def write(folder: Path, files: Files) -> Path:
    """The folder of a revision with these files; text is written as it is, and None is no file."""
    for name, content in files.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


def step(**changed: Any) -> Files:
    """The file of the step, with other marks."""
    return {"steps/robot-call": {**STEP, **{name.replace("_", "-"): value for name, value in changed.items()}}}


def arguments(schema: Json) -> Files:
    """The file of the step, whose arguments have this schema."""
    changed = copy.deepcopy(STEP)
    changed["$defs"]["shell"]["properties"]["arguments"] = schema
    return {"steps/robot-call": changed}


def grows(**mark: Any) -> Files:
    """The file of the delta, which grows its step in another way."""
    return {"deltas/robot-call": {**DELTA, "x-grows": mark}}


BARE = {"description": "It says nothing.", "type": "object"}

WRONG: list[tuple[Files, str]] = [
    ({"labels": '{"a": '}, r"labels\.json is not JSON that can be read: Expecting"),
    ({"labels": []}, r"labels\.json is not a JSON Schema"),
    ({"labels": {}}, r'labels\.json has no "description"'),
    (arguments({"type": "objekt"}), r"robot-call\.json is not a JSON Schema .*'arguments'.*objekt"),
    (arguments({"type": "string", "pattern": "("}), r"robot-call\.json is not a JSON Schema .*\"\(\" is not a"),
    (arguments({"$ref": "../payloads/none.json"}), r"payloads/none\.json' leads to no file of the revision: "),
    (arguments({"$ref": "../labels.json#/$defs/a"}), r"is not a JSON Schema .*defs/a' does not exist"),
    (step(x_delta=["robot_call"]), r"no mark is called 'x-delta': did you mean 'x-deltas'"),
    (step(x_deltas="robot_call"), r'x-deltas is "robot_call": write a value that fits .*array'),
    (step(x_deltas=["robot_cal"]), r"lists 'robot_cal' in x-deltas, .*: did you mean 'robot_call'"),
    (step(x_in_start={"id": "half"}), r"shows 'id' 'half' \(x-in-start\): write one of whole, empty"),
    (step(x_in_start={"idd": "whole"}), r"shows 'idd' \(x-in-start\), which it has not: did you mean 'id'"),
    (grows(how="swell"), r"robot-call\.json: x-grows has how 'swell': write one of append"),
    (grows(how="append"), r"x-grows append needs the `field`"),
    (grows(how="append", field="signatur"), r"grows the field 'signatur' .* has not: did you mean 'signature'"),
    ({"content": BARE}, r"lack what is read in them \(KeyError\('oneOf'\)\)"),
    ({"revision": {"base": None}}, r"lack what is read in them .* name a base"),
]


@pytest.mark.parametrize(("files", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_a_wrong_file_is_named_with_what_to_write(files: Files, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        load_from(write(tmp_path / "2027-01-01", {**ROBOT, **files}))


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("1999-01-01", r"names the base '1999-01-01', which is not there: name one of"),
        ("2026-05-21", rf"which is not there: did you mean '{CURRENT}'"),
        ("2027-01-01", r"builds on it \(2027-01-01 → 2027-01-01\): name an older one"),
        ("2027-02-01", r"builds on it \(2027-01-01 → 2027-02-01 → 2027-01-01\)"),
        (5, r"must say .*: its base is 5"),
        ("", r'must say .*: its base is ""'),
        ("/etc", r'must say .*: its base is "/etc"'),
    ],
)
def test_a_base_that_cannot_be_one_is_refused(base: Any, said: str, tmp_path: Path) -> None:
    """A base that is none, or that builds on its heir, raises LookupError that names the file."""
    write(tmp_path / "2027-02-01", {"revision": {"base": "2027-01-01"}})
    with pytest.raises(LookupError, match=rf"revision\.json .*{said}"):
        load_from(write(tmp_path / "2027-01-01", {"revision": {"base": base}}))


def test_a_base_that_somebody_wrote_is_looked_at_too(tmp_path: Path) -> None:
    """What is wrong in a folder is said of it where another builds on it, too."""
    write(tmp_path / "2027-01-01", {**ROBOT, **grows(how="swell")})
    with pytest.raises(ValueError, match="swell"):
        load_from(write(tmp_path / "2027-02-01", {"revision": {"base": "2027-01-01"}}))


def test_what_is_right_is_judged_by(tmp_path: Path) -> None:
    """Steps, a content that its union lists, a field and a whole copy of a revision are let through."""
    shipped = load_schemas(CURRENT)
    union = copy.deepcopy(shipped.document("content"))
    union["oneOf"].insert(0, {"$ref": "contents/smell.json"})
    smell = {**BARE, "required": ["type"], "properties": {"type": {"const": "smell"}}}
    field = {"description": "How it went.", "type": "string"}
    told = copy.deepcopy(shipped.document("interaction"))
    told["properties"]["x-mood"] = field  # the name of a field is not a mark
    added = {**ROBOT, "content": union, "contents/smell": smell, "interaction": told}
    assert "smell" in load_from(write(tmp_path / "2027-01-01", added)).contents
    whole = {name: shipped.document(name) for name in shipped.names()}
    copied = load_from(write(tmp_path / "2027-02-01", {**whole, "revision": {"base": None}}))
    assert copied.steps.keys() == shipped_steps(shipped)


def shipped_steps(shipped: Any) -> set[str]:
    """The types of the steps of a revision."""
    return {
        shipped.document(name)["$defs"]["shell"]["properties"]["type"]["const"]
        for name in shipped.list_names("steps")
    }


@pytest.mark.parametrize(
    ("files", "day", "said"),
    [
        ({"labels": "{"}, "2027-01-01", "cannot be used"),
        ({"revision": {"base": 5}}, "2027-01-01", "is not the folder of a revision"),
        ({}, "2027-13-45", "'2027-13-45' is not a date"),
    ],
)
def test_a_command_ends_with_what_is_wrong(
    files: Files, day: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the caller's to mend, in one line."""
    folder = write(tmp_path / day, {**ROBOT, **files})
    assert main(["check", "emulator", "-c", "get.ok", "--revision", str(folder)]) == Exit.USAGE
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
