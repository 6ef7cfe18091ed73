"""How tables of rules are read: an error names its row; a published file that is out of date is passed over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.errors import TableError
from harness.resources import folder
from harness.rules import AREAS, ROWS, SUBJECTS, tables
from harness.rules.tables import digest, expand_tables, load_tables, publish_rules, read_record

ROW = """\
x.one:
  level: SHOULD
  statement: A wheel is round.
  breaks: The ride is rough.
  source: {page: guide, section: Wheels, basis: documented}
"""
CHECKED = ROW + "  profile: core\n  exercise: turn\n  judge: is_round\n  accepts: [200, any shape]\n"


def texts(table: str, **others: str) -> dict[str, bytes]:
    """Tables with one area, and empty ones for the rest."""
    found = {
        "areas": "areas: [wheels]\nsubjects: {x: Wheels}\n",
        "sources": "guide: {title: A guide, says: [documented]}\n",
        **dict.fromkeys(tables.BESIDE_THE_API, "{}"),
        "wheels": table,
        **others,
    }
    return {name: text.encode() for name, text in found.items()}


def test_a_row_becomes_a_record() -> None:
    """A record has the defaults and the document spelled out; words of what passes may be written as numbers."""
    (record,) = expand_tables(texts(CHECKED))["rules"]
    assert record["title"] == "a wheel is round"
    assert record["source"] == {"basis": "documented", "page": "A guide", "section": "Wheels", "url": ""}
    row = read_record(record)
    assert (row.area, row.accepts, row.rule.id) == ("wheels", ("200", "any shape"), "x.one")


@pytest.mark.parametrize(("table", "line", "says"), [
    (ROW.replace("SHOULD", "WILL"), 2, "'x.one: .*WILL"),
    (ROW.replace("level", "levle"), 1, "x.one: .*levle"),
    (ROW.replace("round.", "round"), 3, "x.one: .*round"),
    (ROW.replace("guide", "gide"), 1, "cites 'gide', which sources.yaml does not have: did you mean 'guide'"),
    (ROW.replace("documented", "schema"), 1, "'A guide' is cited as 'schema', and all it can say is documented"),
    (ROW + "\n" + ROW.replace("x.one", "Two"), 7, "Two"),
    (CHECKED.replace("  judge: is_round\n", ""), 1, "judge"),
    (ROW + "  about: it\n", 1, "judge"),
], ids=["level", "field", "sentence", "page", "basis", "id", "no judge", "words without a judge"])  # fmt: skip
def test_a_wrong_row_is_named_with_its_line(table: str, line: int, says: str) -> None:
    """A row that does not fit its schema, or cites what is not there, is refused with file, line and reason."""
    with pytest.raises(TableError, match=says.removeprefix("'")) as wrong:
        expand_tables(texts(table))
    assert str(wrong.value).startswith(f"wheels.yaml:{line}: ")


def test_a_basis_limits_the_level() -> None:
    sources = "guide: {title: A guide, says: [observed]}\n"
    with pytest.raises(ValueError, match=r"wheels\.yaml:1: x\.one: .*carries at most SHOULD"):
        expand_tables(texts(ROW.replace("documented", "observed").replace("SHOULD", "MUST"), sources=sources))


def test_a_rule_stands_in_one_table() -> None:
    """A rule that two tables have is refused, and so is the same key twice in one."""
    with pytest.raises(ValueError, match=r"gateway\.yaml:1: x\.one: wheels\.yaml has this rule, too"):
        expand_tables(texts(ROW, gateway=ROW))
    with pytest.raises(ValueError, match=r"wheels\.yaml is not a table of rules: .*x\.one"):
        expand_tables(texts(ROW + ROW))


def test_an_area_without_a_table_is_named() -> None:
    with pytest.raises(ValueError, match=r"there is no axles\.yaml"):
        expand_tables(texts(ROW, areas="areas: [wheels, axles]\nsubjects: {}\n"))


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to publish to, which the loader looks at."""
    path = tmp_path / "rules.json"
    monkeypatch.setattr(tables, "published_path", lambda: path)
    return path


def test_the_published_file_is_read_if_it_was_made_from_the_tables(published: Path) -> None:
    value = json.loads(publish_rules())
    value["rules"] = value["rules"][:3]
    published.write_text(json.dumps(value), encoding="utf-8")
    assert len(load_tables().rows) == 3
    published.write_text(json.dumps({**value, "tables": "of yesterday"}), encoding="utf-8")
    assert len(load_tables().rows) == len(ROWS)
    published.write_text("{", encoding="utf-8")
    assert len(load_tables().rows) == len(ROWS)
    published.unlink()
    assert load_tables().rows == tuple(ROWS.values())


def test_a_changed_table_has_another_digest() -> None:
    known = {digest(texts(table)) for table in (ROW, ROW + " ", CHECKED)}
    known.add(digest(texts("{}", gateway=ROW)))
    assert len(known) == 4


def test_the_published_rules_fit_their_schema_and_are_all() -> None:
    value: dict[str, Any] = json.loads(publish_rules())
    schema = json.loads((folder("schemas") / "output" / "rules.schema.json").read_bytes())
    jsonschema.Draft202012Validator(schema).validate(value)
    assert tuple(map(read_record, value["rules"])) == tuple(ROWS.values())
    assert (tuple(value["areas"]), value["subjects"]) == (AREAS, SUBJECTS)
