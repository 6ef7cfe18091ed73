"""The rows of rules: reads their tables, and keeps what it read in `schemas/output/rules.json`.

To parse and validate some hundred rows of YAML takes a tenth of a second, which no command should pay. So `make
generated` writes all rows as one file of JSON, for other languages, too, with a digest of the tables that it was
made from. A file with another digest, or none, is passed over, and the tables themselves are read: what is loaded
is never out of date.

`RuleRow` is a rule, and what its check needs beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import Struct

from harness import resources
from harness.errors import TableError
from harness.files import load_yaml
from harness.outcome import Basis, Harm, Level, Rule, Source, Subject
from harness.outcome.words import did_you_mean

Record: TypeAlias = Mapping[str, Any]
"""A row as `rules.json` publishes it: the defaults filled in, the source spelled out."""

JudgeName: TypeAlias = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
"""The name of a judge, or several with what shared ones get: `{expect_status: twice, accepts: [409]}`."""


class RuleRow(Struct, frozen=True, kw_only=True):
    """One row. `mutant` is the defect that its check is known to notice in its own exercise alone.

    `looks_at` are globs for the results of a relay, from which its exercises follow; `overhears` are globs for
    results of other exercises. The other names are those of `harness.kit.check.Check`. A row without `judge` has
    no check.
    """

    rule: Rule
    area: str
    title: str
    profile: str = ""
    requires: tuple[str, ...] = ()
    exercise: str = ""
    judge: JudgeName = ""
    about: str = ""
    everywhere: bool = False
    judges_ends: bool = False
    looks_at: tuple[str, ...] = ()
    overhears: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()
    explained_by: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()
    mutant: str = ""


_WORDS = ("area", "title", "profile", "exercise", "judge", "about", "everywhere", "judges_ends", "mutant")
_LISTS = ("requires", "looks_at", "overhears", "rests_on", "explained_by", "accepts")


def read_record(record: Record) -> RuleRow:
    """Return the row of a record. Raises ValueError for a level that its basis cannot carry."""
    source = record["source"]
    rule = Rule(
        id=record["id"],
        level=Level(record["level"]),
        statement=record["statement"],
        breaks=record["breaks"],
        source=Source(Basis(source["basis"]), source["page"], source["section"], source["url"]),
        broken=record.get("broken", ""),
        broken_as=tuple(record.get("broken_as", {}).items()),
        since=record.get("since", ""),
        until=record.get("until"),
        harm=Harm[record.get("harm", "rest").upper()],
        silent="silent" in record,
        effect="effect" in record,
        subject=Subject.RELAY if "looks_at" in record else Subject.EXERCISE,
    )
    words: dict[str, Any] = {name: record[name] for name in _WORDS if name in record}
    words |= {name: tuple(record[name]) for name in _LISTS if name in record}
    return RuleRow(rule=rule, **words)


FOLDER = Path(__file__).parent
BESIDE_THE_API = ("gateway", "clients", "search")
"""The tables of rules that speak of others than a server of this API; `areas.yaml` does not name them."""

_SCHEMAS = ("areas", "sources")


class Tables(Struct, frozen=True):
    """All that the tables hold."""

    areas: tuple[str, ...]
    subjects: Mapping[str, str]
    rows: tuple[RuleRow, ...]


def load_tables() -> Tables:
    """Return the tables of the package, from the published file if it was made from them."""
    texts = _read_texts(FOLDER)
    value = resources.read_generated(published_path(), digest(texts)) or expand_tables(texts)
    return Tables(tuple(value["areas"]), value["subjects"], tuple(map(read_record, value["rules"])))


def published_path() -> Path:
    """The file with all rows."""
    return resources.folder("schemas") / "output" / "rules.json"


def publish_rules() -> str:
    """The text of the published file: a line for each rule."""
    texts = _read_texts(FOLDER)
    value = expand_tables(texts)
    head = {"tables": digest(texts), "areas": value["areas"], "subjects": value["subjects"]}
    lines = [f"  {json.dumps(key)}: {json.dumps(part, ensure_ascii=False)}," for key, part in head.items()]
    rules = [f"    {json.dumps(record, ensure_ascii=False)}" for record in value["rules"]]
    return "\n".join(["{", *lines, '  "rules": [', ",\n".join(rules), "  ]", "}"]) + "\n"


def digest(texts: Mapping[str, bytes]) -> str:
    """The identity of these tables, and of the way in which they are read."""
    return resources.digest({**texts, "": Path(__file__).read_bytes()})


def expand_tables(texts: Mapping[str, bytes]) -> dict[str, Any]:
    """Return areas, subjects and records of some tables.

    Raises TableError for a table that is wrong, with its file, its row and its line.
    """
    order = parse_table("areas", texts["areas"])
    sources = parse_table("sources", texts["sources"])
    records: dict[str, Record] = {}
    for area in (*order["areas"], *BESIDE_THE_API):
        if area not in texts:
            raise TableError(
                f"areas.yaml names {area!r}, and there is no {area}.yaml: write it, or take the name off"
            )
        for record in expand_table(area, texts[area], sources):
            if record["id"] in records:
                other = f"{records[record['id']]['area']}.yaml"
                raise make_table_error(
                    area, texts[area], [record["id"]], f"{other} has this rule, too: keep one of them"
                )
            records[record["id"]] = record
    return {**order, "rules": list(records.values())}


def expand_table(area: str, text: bytes, sources: Mapping[str, Any]) -> Iterator[Record]:
    """Yield the record of each row of one table. Raises TableError as `expand_tables` does."""
    for rule_id, row in parse_table(area, text).items():
        try:
            record = {"id": rule_id, "area": area, **row}
            # A title is the statement as a clause; a rule of gateways begins with a capital, as its reports do.
            words = row["statement"].rstrip(".")
            clause = words if "looks_at" in row else words[0].lower() + words[1:]
            record["title"] = row.get("title") or clause
            record["source"] = _spell_out(row["source"], sources)
            record["accepts"] = [str(words) for words in row.get("accepts", ())]
            read_record(record)
        except ValueError as wrong:
            raise make_table_error(area, text, [rule_id], str(wrong)) from None
        yield record


def load_sources() -> Mapping[str, Mapping[str, Any]]:
    """The documents that rules may cite, by the key that rows use."""
    found: Mapping[str, Mapping[str, Any]] = parse_table("sources", _read_texts(FOLDER)["sources"])
    return found


def _spell_out(source: Mapping[str, str], sources: Mapping[str, Any]) -> dict[str, str]:
    key, basis = source["page"], source["basis"]
    if key not in sources:
        raise ValueError(f"cites {key!r}, which sources.yaml does not have{did_you_mean(key, sources)}")
    page = sources[key]
    if basis not in page["says"]:
        can = ", ".join(page["says"])
        raise ValueError(
            f"{page['title']!r} is cited as {basis!r}, and all it can say is {can}: cite another page"
        )
    url = source.get("url", page.get("url", ""))
    return {"basis": basis, "page": page["title"], "section": source["section"], "url": url}


def _read_texts(tables: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted(tables.glob("*.yaml"))}


def parse_table(name: str, text: bytes, definition: str = "") -> dict[str, Any]:
    """The value of one table, which fits the definition of that name in its schema."""
    import yaml

    try:
        # what YAML has and JSON has not, such as a day or the key `null`, is text
        value: dict[str, Any] = json.loads(json.dumps(load_yaml(text), default=str))
    except (yaml.YAMLError, ValueError) as wrong:
        raise TableError(f"{name}.yaml is not a table of rules: {wrong}") from None
    known = definition or (name if name in _SCHEMAS else "table")
    flaws = list(_validator(known).iter_errors(value))
    if flaws:
        flaw = min(
            flaws, key=lambda flaw: "Additional properties" not in flaw.message
        )  # a misspelled field explains most
        place = list(flaw.instance_path) or [key for key in value or () if f'"{key}"' in flaw.message]
        raise make_table_error(name, text, place, flaw.message)
    return value


@cache
def _validator(definition: str) -> Any:
    import jsonschema_rs

    schema = json.loads((resources.folder("schemas") / "rule.schema.json").read_bytes())
    return jsonschema_rs.Draft202012Validator({**schema, "$ref": f"#/$defs/{definition}"})


def make_table_error(name: str, text: bytes, path: list[Any], message: str) -> TableError:
    """The error of a row, with the line of the innermost node on the way to what is wrong."""
    import yaml

    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    line = node.start_mark.line if node else 0  # an empty file has no node
    for key in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next((pair for pair in pairs if pair[0].value == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line, found[1]
    row = f"{path[0]}: " if path else ""
    return TableError(f"{name}.yaml:{line + 1}: {row}{message} (schemas/rule.schema.json describes a row)")
