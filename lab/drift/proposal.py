"""Writes what an SDK has and the schemas lack as changes of the schema files: a proposal, which a person reads.

What is new is added, and what the SDK newly requires or no longer requires follows it. What is gone from
the SDK stays, because a service may still send it, and so do changed types: both are listed for a decision. Must
not know where the files are written to.
"""

from __future__ import annotations

import copy
import json
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harness.contract.schema.openness import UNIONS, Schema
from harness.contract.schema.schemas import Schemas
from lab.drift.comparison import DifferenceKind, TypeDifference, describe, pair_records
from lab.drift.schema_types import OPENAPI
from lab.drift.source_text import arrange
from lab.drift.type_model import ANY, FieldType, OperationType, Origin, Record, TypeModel, ValueType
from lab.drift.written_calls import UNPLACED

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FOLDERS = {"input": "steps", "step": "steps", "step-shell": "steps", "delta": "deltas"}
_LONGEST, _TITLE = 160, 80
_PLAIN = re.compile(r"[\w.-]+", re.ASCII)
_SIGNATURES = ("signature",)
"""Fields that grow in a stream; all others come at once."""


@dataclass
class Proposal:
    """Changed and new documents by name, the differences that they settle, and those left to a person."""

    documents: dict[str, Schema] = field(default_factory=dict)
    settled: list[TypeDifference] = field(default_factory=list)
    left: list[TypeDifference] = field(default_factory=list)


def propose(
    schemas: Schemas, older: TypeModel, newer: TypeModel, differences: Iterable[TypeDifference]
) -> Proposal:
    """Changes that settle the differences of `older`, which was read from `schemas`, from `newer`."""
    differences = list(differences)
    author = _Author(schemas, older, newer, differences)
    for difference in differences:
        settled = author.settle(difference)
        (author.proposal.settled if settled else author.proposal.left).append(difference)
    return author.proposal


@dataclass(frozen=True, slots=True)
class ProposedRules:
    """Tables of rules with rows for what is new: the texts by area, and the new ids, which have no judge yet."""

    tables: dict[str, str]
    sentences: str
    ids: tuple[str, ...]


def propose_rules(
    tables: Mapping[str, str], known: str, settled: Iterable[TypeDifference], sdk: str
) -> ProposedRules:
    """Return tables and the sentences about types with a line for each thing that is new in `sdk`.

    What a response holds is judged by the rules of its schema. What a request may hold gets a row, for which a
    person writes the judge and the mutant: one row for what is new under one name, at however many places.
    """
    rows: dict[str, list[str]] = {}
    ids: dict[tuple[str, str], str] = {}
    lines: dict[str, str] = {}
    for each in settled:
        slug = re.sub(r"[^a-z0-9]+", "-", f"{each.where} {each.name}".lower()).strip("-")
        if each.kind not in _NEW or f"\n    {slug}: " in known or slug in lines:
            continue
        says = f"{describe(each)[: _LONGEST - 1]}."
        place = _find_place(each)
        named = list(place.rules)
        if place.area:
            new = place.subject, each.name if each.kind is not DifferenceKind.OPERATION_NEW else each.where
            if new not in ids:
                ids[new] = f"{place.subject}.new-{slug}"
                rows.setdefault(place.area, []).append(_write_row(ids[new], place, each, sdk))
            named = [ids[new]]
        sentence = f"section: {json.dumps(each.where)}, says: {json.dumps(says[:1].upper() + says[1:])}"
        lines[slug] = f"    {slug}: {{{sentence}, rules: [{', '.join(named)}]}}\n"
    written = {area: tables[area].rstrip("\n") + "\n" + "".join(texts) for area, texts in rows.items()}
    sentences = _SDK.sub(lambda found: found[0] + "".join(lines.values()), known, count=1)
    return ProposedRules(written, sentences, tuple(ids.values()))


def name_newest(sources: str, sdk: str) -> str:
    """The table of sources, in which the types that were read last are those of this SDK."""
    name = re.escape(sdk.partition(" ")[0])
    return re.sub(rf"(?m)^(sdk:\n  title: ){name} \S+$", lambda found: found[1] + sdk, sources, count=1)


class _Place(NamedTuple):
    """Where the rule of a new thing belongs: in an area, or with the rules that judge it already."""

    area: str
    subject: str
    rules: tuple[str, ...] = ()


_PLACES: tuple[tuple[str, _Place], ...] = (
    (r"[A-Z]+ /interactions.*|.*-request|requests/create-interaction.*", _Place("create", "create")),
    (r"tool|tools/.*", _Place("tools", "tool")),
    (r"content|contents/.*|user-content|input.*", _Place("inputs", "create")),
    (r"generation-config.*|response-format.*|safety-setting|labels|media.*|model-name|service-tier",
     _Place("create", "create")),
    (r"agent-config.*|environment-config.*|agent-name", _Place("agents", "agent")),
    (r".*/agents.*|agent-tool|requests/.*-agent.*", _Place("agents", "agents")),
    (r".*/environments.*|requests/.*-environment.*", _Place("environments", "env")),
    (r".*/webhooks.*|requests/.*-webhook.*|webhook-config|requests/rotate.*", _Place("webhooks", "hook")),
    (r".*/fileSearchStores.*|requests/(import-file|.*file-search-store).*", _Place("file_search", "filesearch")),
    (r".*/files.*|requests/.*-files?", _Place("files", "file")),
    (r".*/voices.*|requests/.*-voice.*", _Place("voices", "voice")),
    (r".*/decisions.*|requests/.*-decision.*", _Place("decisions", "decision")),
    (r".*/credentials.*|requests/.*-credential.*", _Place("credentials", "cred")),
    (r".*/triggers.*|requests/.*-trigger.*", _Place("triggers", "trigger")),
    (r"step|steps/.*|payloads/.*|annotation.*", _Place("", "", ("create.schema", "stream.schema"))),
    (r"step-shell.*|events?/.*|event|interaction-partial|stream-metadata", _Place("", "", ("stream.schema",))),
    (r"delta|deltas/.*", _Place("", "", ("stream.delta-known", "stream.schema"))),
    (r"usage.*", _Place("", "", ("usage.types", "create.schema"))),
    (r"interaction-status", _Place("", "", ("create.status-listed",))),
    (r"agents/.*", _Place("", "", ("agents.schema",))),
    (r"environments/.*", _Place("", "", ("env.schema",))),
    (r"webhooks/.*", _Place("", "", ("hook.schema",))),
    (r"file-search-stores/.*", _Place("", "", ("filesearch.schema",))),
    (r"files/.*", _Place("", "", ("file.schema",))),
    (r"voices/.*", _Place("", "", ("voice.schema",))),
    (r"decisions/.*", _Place("", "", ("decision.schema",))),
    (r"credentials/.*", _Place("", "", ("cred.schema",))),
    (r"triggers/.*", _Place("", "", ("trigger.schema",))),
    (r"error.*|rpc-status", _Place("", "", ("err.shape",))),
)  # fmt: skip
"""The place of what is new by where it is, the first that fits."""


def _find_place(difference: TypeDifference) -> _Place:
    if difference.kind in (DifferenceKind.OPERATION_NEW, DifferenceKind.PARAMETER_NEW):
        paths = (place for pattern, place in _PLACES if place.area and re.fullmatch(pattern, difference.where))
        return next(paths, _Place("robustness", "rob"))
    found = (place for pattern, place in _PLACES if re.fullmatch(pattern, difference.where))
    return next(found, _Place("", "", ("create.schema", "get.schema")))


def _write_row(rule: str, place: _Place, difference: TypeDifference, sdk: str) -> str:
    """A row in the form of the tables, without a judge."""
    match difference.kind:
        case DifferenceKind.OPERATION_NEW:
            statement = f"`{difference.where}` is available."
        case DifferenceKind.PARAMETER_NEW:
            statement = f"`{difference.where}` accepts the query parameter `{difference.name}`."
        case DifferenceKind.FIELD_NEW:
            statement = f"A request accepts `{difference.name}` in `{difference.where}`."
        case _:
            value = re.split("[=:]", difference.name)[-1]
            statement = f"A request accepts `{value}` in `{difference.where}`."
    source = f"{{page: sdk, section: {json.dumps(difference.where)}, basis: schema}}"
    broken = statement[:1].lower() + statement[1:].rstrip(".").replace(" accepts ", " does not accept ")
    broken = broken.replace(" is available", " is not available")[:_TITLE]
    return (
        f"\n{rule}:\n  level: MAY\n  statement: {json.dumps(statement)}\n  broken: {json.dumps(broken)}\n"
        f"  breaks: {json.dumps(f'Users of {sdk} cannot use it.')}\n  source: {source}\n"
    )


_NEW = (
    DifferenceKind.OPERATION_NEW,
    DifferenceKind.PARAMETER_NEW,
    DifferenceKind.FIELD_NEW,
    DifferenceKind.VALUE_NEW,
    DifferenceKind.MEMBER_NEW,
)
_SDK = re.compile(r"(?m)^sdk:\n  read: .*\n  sentences:\n")


class _Author:
    def __init__(
        self, schemas: Schemas, older: TypeModel, newer: TypeModel, differences: Iterable[TypeDifference]
    ) -> None:
        self.proposal = Proposal()
        self._schemas, self._older, self._newer = schemas, older, newer
        self._members = {(each.origin, each.record) for each in differences if each.record}
        self._pairs = pair_records(older, newer)
        self._writing: list[str] = []

    def settle(self, difference: TypeDifference) -> bool:
        """Change the documents for one difference; return whether that was possible."""
        match difference.kind:
            case DifferenceKind.FIELD_NEW:
                return self._add_field(difference)
            case DifferenceKind.REQUIRED_NEW | DifferenceKind.REQUIRED_GONE:
                return self._change_required(difference)
            case DifferenceKind.VALUE_NEW:
                return self._add_value(difference)
            case DifferenceKind.MEMBER_NEW:
                return self._add_member(difference)
            case DifferenceKind.PARAMETER_NEW:
                return self._add_parameter(difference)
            case DifferenceKind.OPERATION_NEW:
                return self._add_operation(self._newer.operations[difference.theirs])
            case _:
                return False

    def _open_document(self, name: str) -> Schema:
        """A document to change; the first time, a copy of the one there is."""
        if name not in self.proposal.documents:
            there = self._schemas.openapi() if name == OPENAPI else self._schemas.document(name)
            self.proposal.documents[name] = copy.deepcopy(there)
        return self.proposal.documents[name]

    def _at(self, origin: Origin) -> Any:
        name, pointer = origin
        part: Any = self._open_document(name)
        for key in pointer:
            part = part[int(key)] if isinstance(part, list) else part[key]
        return part

    def _add_field(self, difference: TypeDifference) -> bool:
        if difference.origin is None or difference.field is None:
            return False
        node, part = self._at(difference.origin), difference.field
        node.setdefault("properties", {})[difference.name] = self._propose_field(
            difference.origin[0], difference.name, part
        )
        if part.required and not part.shape.fixed:
            self._require(difference)
        return True

    def _change_required(self, difference: TypeDifference) -> bool:
        if difference.where not in self._older.records:
            return False
        if difference.kind is DifferenceKind.REQUIRED_NEW:
            return self._require(difference)
        record = self._older.records[difference.where]
        found = False
        for origin in {record.origin, record.place} - {None}:
            assert origin is not None
            node = self._at(origin)
            if difference.name in node.get("required", ()):
                node["required"] = [name for name in node["required"] if name != difference.name]
                found = True
        return found

    def _require(self, difference: TypeDifference) -> bool:
        """Require a field where the record is, which is not always where its fields are."""
        place = self._older.records[difference.where].place
        if place is None:
            return False
        node = self._at(place)
        node["required"] = [*node.get("required", ()), difference.name]
        return True

    def _add_value(self, difference: TypeDifference) -> bool:
        if difference.origin is None or difference.name.endswith("=*"):
            return False
        node = self._at(difference.origin)
        listed = node.get("x-known-values", node.get("enum"))
        if listed is None:
            return False
        listed.append(difference.detail)
        return True

    def _add_member(self, difference: TypeDifference) -> bool:
        if difference.origin is None:
            return False
        name, _ = difference.origin
        record = self._newer.records[difference.record]
        if not _PLAIN.fullmatch(_tag(record) or record.name):  # it names a file, of a patch too
            return False
        folder, tag = _FOLDERS.get(name, ""), _tag(record)
        if name in UNIONS and folder and tag:
            if (("content", ()), difference.record) not in self._members:
                self._add_streamed(folder, tag, record)
            return True
        union = self._at(difference.origin)
        keyword = "oneOf" if "oneOf" in union else "anyOf"
        if keyword not in union or record.name in self._writing:
            return False
        branches = union[keyword]
        _insert_known(branches, {"$ref": self._write_member(name, branches, tag, record)}, tag)
        return True

    def _write_member(self, name: str, branches: Sequence[Schema], tag: str, record: Record) -> str:
        """Write the schema of a new member beside those of the others, and return the reference to it."""
        known = [branch["$ref"] for branch in branches if "$ref" in branch]
        if known and "/" in known[0] and not known[0].startswith("#"):
            beside = posixpath.normpath(posixpath.join(posixpath.dirname(name), posixpath.dirname(known[0])))
            file = f"{beside}/{_to_kebab(tag or record.name)}"
            self._write_file(file, record)
            return _relate(name, file)
        key = tag or _to_kebab(record.name)
        self._open_document(name).setdefault("$defs", {})[key] = self._propose_object(name, record)
        return f"#/$defs/{key}"

    def _add_streamed(self, folder: str, tag: str, record: Record) -> None:
        """A step or a delta: a file in its folder, whose unions follow from the files there are."""
        name = f"{folder}/{_to_kebab(tag)}"
        if name in self.proposal.documents:
            return
        body = self._propose_object(name, record)
        if folder == "deltas":
            grows = {"how": "merge", "fragments": [part for part in _SIGNATURES if part in record.fields]}
            self.proposal.documents[name] = {"$schema": _DIALECT, "x-grows": grows, **body}
            return
        needed = [part for part in body.pop("required", ()) if part != "type"]
        shell = {
            **body,
            "description": "A step as a step.start may show it; only the type is certain.",
            "required": ["type"],
        }
        brought, shown = self._find_delta(tag), {}
        if brought is not None:
            shown = {part: "whole" for part in needed if part not in brought.fields}
            shown |= {
                part: "empty" for part in _SIGNATURES if part in brought.fields.keys() & record.fields.keys()
            }
        self.proposal.documents[name] = {
            "$schema": _DIALECT,
            "description": body["description"],
            "x-deltas": [] if brought is None else [tag],
            "x-in-start": shown,
            "$ref": "#/$defs/shell",
            **({"required": needed} if needed else {}),
            "$defs": {"shell": shell},
        }

    def _find_delta(self, tag: str) -> Record | None:
        """The new delta of the same type as a new step, which comes in such deltas."""
        deltas = (self._newer.records[record] for origin, record in self._members if origin == ("delta", ()))
        return next((record for record in deltas if _tag(record) == tag), None)

    def _add_parameter(self, difference: TypeDifference) -> bool:
        if difference.field is None:
            return False
        operation = next((each for each in self._older.operations.values() if each.key == difference.where), None)
        if operation is None:
            return False
        described = self._open_document(OPENAPI)["paths"][operation.path][operation.method]
        described.setdefault("parameters", []).append(self._propose_parameter(difference.name, difference.field))
        return True

    def _propose_parameter(self, name: str, part: FieldType) -> Schema:
        shape = self._propose_schema(OPENAPI, part.shape)
        text = _shorten(part.text) or f"{name}, as the SDK sends it."
        return {"name": name, "in": "query", "required": part.required, "description": text, "schema": shape}

    def _add_operation(self, operation: OperationType) -> bool:
        if operation.method == UNPLACED:
            return False
        path = re.sub(r"^/\{api_?[vV]ersion\}", "", operation.path)
        described: Schema = {
            "operationId": operation.name[:1].lower() + operation.name[1:],
            "summary": operation.name,
        }
        variables = re.findall(r"\{(\w+)\}", path)
        parameters: list[Schema] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in variables
        ]
        parameters += [self._propose_parameter(name, part) for name, part in operation.parameters.items()]
        if parameters:
            described["parameters"] = parameters
        if operation.body is not None:
            schema = self._propose_schema(OPENAPI, operation.body)
            described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
        answer: Schema = {"description": "The answer."}
        if operation.answer is not None:
            answer["content"] = {"application/json": {"schema": self._propose_schema(OPENAPI, operation.answer)}}
        described["responses"] = {
            "200": answer,
            "4XX": {"$ref": "#/components/responses/Refusal"},
            "5XX": {"$ref": "#/components/responses/Failure"},
        }
        self._open_document(OPENAPI)["paths"].setdefault(path, {})[operation.method] = described
        return True

    def _write_file(self, file: str, record: Record) -> None:
        if file not in self.proposal.documents:
            self.proposal.documents[file] = {"$schema": _DIALECT}  # ends recursion
            self.proposal.documents[file] |= self._propose_object(file, record)

    def _propose_object(self, file: str, record: Record) -> Schema:
        self._writing.append(record.name)
        required = [name for name, part in record.fields.items() if part.required or part.shape.fixed]
        body: Schema = {
            "description": _shorten(record.text) or f"{record.name}, as the SDK declares it.",
            "type": "object",
        }
        if required:
            body["required"] = required
        body["properties"] = {name: self._propose_field(file, name, part) for name, part in record.fields.items()}
        self._writing.pop()
        return body

    def _propose_field(self, file: str, name: str, part: FieldType) -> Schema:
        schema = self._propose_schema(file, part.shape)
        if "const" in schema:
            return schema
        return {"description": _shorten(part.text) or f"{name}, as the SDK declares it.", **schema}

    def _propose_schema(self, file: str, shape: ValueType) -> Schema:
        """A schema for a shape of the SDK, in a document of ours."""
        if shape.fixed:
            return {"const": next(iter(shape.values))}
        if not shape.kinds or ANY in shape.kinds:
            return {}
        branches: list[Schema] = [self._refer(file, name) for name in shape.records]
        kinds = shape.kinds - {"object"} if shape.records else shape.kinds
        branches += [self._propose_kind(file, kind, shape) for kind in sorted(kinds, key=_place_of_kind)]
        return branches[0] if len(branches) == 1 else {"oneOf": branches}

    def _propose_kind(self, file: str, kind: str, shape: ValueType) -> Schema:
        """A schema for one kind of value that a shape may have."""
        if kind == "object":
            inside = None if shape.entry is None else self._propose_schema(file, shape.entry)
            return {"type": kind, **({"x-open": True} if inside is None else {"additionalProperties": inside})}
        if kind == "array":
            items = {} if shape.item is None else self._propose_schema(file, shape.item)
            return {"type": kind, **({"items": items} if items else {})}
        values = {"x-known-values": sorted(shape.values)} if shape.values and kind == "string" else {}
        return {"type": kind, **values}

    def _refer(self, file: str, name: str) -> Schema:
        """A reference to our counterpart of a record, or the record itself if we have none."""
        place = self._older.records[self._pairs[name]].place if name in self._pairs else None
        if place is not None:
            there, pointer = place
            fragment = f"#/{'/'.join(pointer)}" if pointer else ""
            return {"$ref": fragment if there == file else _relate(file, there) + fragment}
        record = self._newer.records[name]
        return {"type": "object", "x-open": True} if name in self._writing else self._propose_object(file, record)


def _insert_known(branches: list[Schema], branch: Schema, tag: str) -> None:
    """Add a branch before those for unknown members, which then exclude its tag."""
    unknown = [each for each in branches if "x-unknown" in each]
    branches.insert(branches.index(unknown[0]) if unknown else len(branches), branch)
    for each in unknown:
        for part in each.get("properties", {}).values():
            if tag and "enum" in part.get("not", {}):
                part["not"]["enum"].append(tag)


def _tag(record: Record) -> str:
    return record.tags.get("type", "")


def _relate(file: str, target: str) -> str:
    folder = "" if file == OPENAPI else posixpath.dirname(file)
    return posixpath.relpath(f"{target}.json", folder or ".")


def _to_kebab(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name.rpartition(".")[2])
    return words.replace("_", "-").lower()


def _shorten(text: str) -> str:
    """The first sentence, on one line."""
    line = " ".join(text.split())
    first = re.split(r"(?<=[.!?]) ", line, maxsplit=1)[0]
    return first if len(first) <= _LONGEST else first[: _LONGEST - 1].rstrip() + "…"


def name_files(documents: Mapping[str, Schema], revision: str) -> dict[str, Schema]:
    """The documents by the path of their file within the folder of a revision, schemas with their `$id`."""
    return {
        f"{name}.json": document if name == OPENAPI else arrange(document, revision, name)
        for name, document in sorted(documents.items())
    }


def _place_of_kind(kind: str) -> tuple[int, str]:
    """Objects come first, then lists."""
    return ("object", "array").index(kind) if kind in ("object", "array") else 2, kind
