"""The declared options: what is generated of them is up to date, and valid configurations fit the schema."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.cli.arguments import load_options, read_options
from harness.cli.main import COMMANDS
from harness.outcome import UsageFault
from tests.cli.test_configuration import GATEWAY
from tests.docs.option_tables import list_files, make_schema

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["configuration.schema.json", "configuration.md"])
def test_schema_and_tables_follow_from_the_options(name: str) -> None:
    """The schema for editors and the tables of the page are those of `python -m tests.docs.option_tables`."""
    path, text = next((path, text) for path, text in list_files(ROOT) if path.name == name)
    assert path.read_text("utf-8") == text, "run `python -m tests.docs.option_tables`, which rewrites the files"


def fits(text: str) -> bool:
    """Whether a pyproject.toml fits the schema."""
    return bool(jsonschema.Draft7Validator(make_schema()).is_valid(tomllib.loads(text)))


def accepts(folder: Path, text: str) -> bool:
    """Whether the commands take a pyproject.toml."""
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    for name, entry in COMMANDS.items():
        if entry.table is not None:
            cls = load_options(name)
            needed = ["x"] if any(item.nargs == "+" for item in cls.list_options().values()) else []
            try:
                read_options(cls, needed)
            except UsageFault:
                return False
    return True


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (GATEWAY, True),
        ("[project]\nname = 'x'\n", True),
        ("[tool.harness.torture]\nenough = 0\nset = 'quick'\n", True),
        ("[tool.harness]\njobs = 0\n", False),
        ("[tool.harness]\ntimeout = 0\n", False),
        ("[tool.harness]\nlevel = 'high'\n", False),
        ("[tool.harness]\ncheck = 'one'\n", False),
        ("[tool.harness]\napi-key = 'k'\n", False),
        ("[tool.harness]\nno-such-key = 1\n", False),
        ("[tool.harness.gateway]\nupstream-port = 70000\n", False),
        ("[tool.harness.torture]\nresume = 'sometimes'\n", False),
    ],
)
def test_an_editor_and_a_command_agree(text: str, right: bool, tmp_path: Path) -> None:
    """What the schema takes the commands take, and what they refuse it marks."""
    assert (fits(text), accepts(tmp_path, text)) == (right, right)


def test_each_key_of_a_file_is_a_flag_of_its_command() -> None:
    """Every key has the name of a flag, or of the target, so that a user needs to know one name."""
    for name, entry in COMMANDS.items():
        if entry.table is not None:
            for item in load_options(name).list_options().values():
                assert f"--{item.key}" in item.list_flags() or not item.is_key


def test_the_published_schema_is_valid() -> None:
    """It is a JSON Schema, and each key has a sentence for the editor's tooltip."""
    schema = json.loads((ROOT / "schemas" / "output" / "configuration.schema.json").read_bytes())
    jsonschema.Draft7Validator.check_schema(schema)
    tables: list[dict[str, Any]] = [schema["properties"]["tool"]["properties"]["harness"]]
    tables += [value for value in tables[0]["properties"].values() if value["type"] == "object"]
    for table in tables:
        assert all(value["description"].endswith(".") for value in table["properties"].values())


@pytest.mark.parametrize(
    ("command", "by"),
    [
        *((command, "--api-key") for command in ("check", "gateway", "record")),
        *((command, "GEMINI_API_KEY") for command in ("check", "record")),
        ("gateway", "HARNESS_GATEWAY_KEY"),
    ],
)
def test_a_key_that_no_header_can_hold_is_refused(command: str, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command that sends a key refuses it before anything is sent, without repeating it."""
    words, url = [], ["http://127.0.0.1:9"] if command != "record" else ["--target", "http://127.0.0.1:9"]
    if by.startswith("--"):
        words = [by, "k\u00e9y"]
    else:
        monkeypatch.setenv(by, "k\u00e9y")
    with pytest.raises(UsageFault) as caught:
        read_options(load_options(command), [*url, *words])
    assert str(caught.value) == f"{by}: the key contains characters that a header cannot contain"
