"""Gives each schema file that has none an example: `python -m tests.contract.schema.examples [--all]`.

What the recordings of `cassettes/` contain comes first: of the recorded values that fit a schema, the one with
most fields, and of these the shortest. What no recording contains is made from the schema, with values that fit
the names of the fields.
"""

from __future__ import annotations

import json
import posixpath
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import resources
from harness.cassette import load as load_cassette
from harness.contract import load
from harness.contract.schema.published_files import format_json
from harness.contract.schema.schemas import Schemas
from harness.wire.json_value import json_or_none

_LONGEST = 1_200
_VARIABLE = re.compile(r"\{[^}]*\}")
_WORDS = {
    "id": "abc123", "interaction_id": "v1_abc123", "call_id": "call_1", "type": "example", "uri": "https://example.org/a",
    "url": "https://example.org/a", "name": "example", "data": "AAAA", "signature": "c2lnbmF0dXJl",
    "mime_type": "image/png", "schedule": "0 9 * * 1-5", "time_zone": "Europe/Berlin", "text": "An example.",
    "model": "gemini-3.8-flash", "agent": "antigravity-preview-09-2026", "start_offset": "1.5s",
    "end_offset": "4s", "message": "An example.", "code": "not_found",
    "environment_id": "environments/abc123", "object": "agent", "base_agent": "antigravity-preview-09-2026",
    "file_name": "report.pdf", "document_uri": "https://example.org/report.pdf", "title": "A page",
    "place_id": "place_1", "speaker": "Ann", "style": "calm", "next_page_token": "page_2",
    "display_name": "An example", "description": "What it is for.", "system_instruction": "Be brief.",
    "language_code": "en-US", "path": "src/a.py", "target": "src/a.py", "domain": "api.example.org",
    "client_id": "client_1", "token_url": "https://example.org/token", "query": "weather in Paris",
}  # fmt: skip

_NUMBERS = {"start_index": 0, "end_index": 12, "sample_rate": 24_000, "execution_timeout_seconds": 600}

Place = tuple[str, Any]
"""The name of a file, and a part of it."""


class Examples:
    """The examples of one revision."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._recorded: dict[str, dict[str, Any]] = defaultdict(dict)

    def collect(self, folder: Path) -> None:
        """Note every part of every recorded body under the file of its schema."""
        operations = [
            (
                method.upper(),
                re.compile(_VARIABLE.sub("[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}")) + "$"),
                told,
            )
            for path, item in self._schemas.openapi()["paths"].items()
            for method, told in item.items()
            if isinstance(told, dict)
        ]
        for path in sorted(folder.rglob("*.yaml")):
            for recording in load_cassette(path).recordings:
                request = recording.request
                route = re.sub(r"^/v1(beta)?", "", request.target.partition("?")[0])
                told = next(
                    (
                        each
                        for method, pattern, each in operations
                        if method == request.method and pattern.match(route)
                    ),
                    None,
                )
                if told is None:
                    continue
                self._collect_exchange(
                    told, request.body, recording.body, bool(recording.events), recording.status
                )

    def _collect_exchange(self, told: Any, sent: bytes, body: bytes, events: bool, status: int | None) -> None:
        if "requestBody" in told:
            ref = told["requestBody"]["content"]["application/json"]["schema"]["$ref"].replace(
                "strict/", "requests/"
            )
            self._note_file(ref.removesuffix(".json"), json_or_none(sent))
        if events:
            for line in body.splitlines():
                if line.startswith(b"data: {"):
                    self._note_file("event", json_or_none(line[6:]))
        elif (status or 0) >= 400:
            self._note_file("error-body", json_or_none(body))
        else:
            content = told["responses"]["200"].get("content", {}).get("application/json", {})
            if "$ref" in content.get("schema", {}):
                self._note_file(content["schema"]["$ref"].removesuffix(".json"), json_or_none(body))

    def _note_file(self, name: str, value: Any) -> None:
        if value is None or not self._schemas.validator(name).is_valid(value):
            return
        text = json.dumps(value, sort_keys=True)
        if text not in self._recorded[name]:
            self._recorded[name][text] = value
            self._walk(name, self._schemas.document(name), value)

    def _walk(self, file: str, node: Any, value: Any) -> None:
        if not isinstance(node, dict):
            return
        if "$ref" in node:
            path, _, fragment = node["$ref"].partition("#")
            there, part = self._follow(file, node["$ref"])
            if path and not fragment:
                self._note_file(there, value)
            else:
                self._walk(there, part, value)
        for keyword in ("oneOf", "anyOf", "allOf"):
            for branch in node.get(keyword, ()):
                if self._fits(file, branch, value):
                    self._walk(file, branch, value)
        if isinstance(value, dict):
            for name, member in value.items():
                others = node.get("additionalProperties")
                self._walk(file, node.get("properties", {}).get(name, others), member)
        for item in value if isinstance(value, list) else ():
            self._walk(file, node.get("items"), item)

    def _fits(self, file: str, branch: Any, value: Any) -> bool:
        """Whether a branch may describe a value: by its constants, which decide a union."""
        if not isinstance(branch, dict) or "x-unknown" in branch:
            return False
        if "$ref" in branch and not self._fits(*self._follow(file, branch["$ref"]), value):
            return False
        parts = branch.get("properties", {})
        if not isinstance(value, dict):
            return not parts
        return all(value.get(name) == part["const"] for name, part in parts.items() if "const" in part)

    def _follow(self, file: str, ref: str) -> Place:
        path, _, fragment = ref.partition("#")
        beside = posixpath.join(posixpath.dirname(file), path.removesuffix(".json"))
        there = posixpath.normpath(beside) if path else file
        part: Any = self._schemas.document(there)
        for key in fragment.split("/")[1:]:
            part = part[key]
        return there, part

    def choose(self, name: str) -> Any:
        """The example of a schema, or None if none can be found or made that fits."""
        base = self._schemas.document(name).get("$ref", "").removesuffix(".json")
        fits = self._schemas.validator(name).is_valid
        there = {text: value for text, value in self._recorded[base].items() if fits(value)}
        there |= self._recorded[name]
        recorded = [value for text, value in there.items() if len(text) <= _LONGEST]
        valid = self._schemas.validator(name, closed=True).is_valid
        known = [value for value in recorded if valid(value)] or recorded
        if known:
            return min(
                known,
                key=lambda value: (
                    -len(value) if isinstance(value, dict) else 0,
                    len(json.dumps(value)),
                    json.dumps(value),
                ),
            )
        for optional in (True, False):
            made = self._make(name, self._schemas.document(name), "", optional, 0)
            if self._schemas.validator(name).is_valid(made):
                return made
        return None

    def _make(self, file: str, node: Any, name: str, optional: bool, depth: int) -> Any:
        if not isinstance(node, dict):
            return {}
        if "const" in node:
            return node["const"]
        values = node.get("x-known-values", node.get("enum"))
        if values:
            return values[0]
        branches = [branch for keyword in ("oneOf", "anyOf") for branch in node.get(keyword, ())]
        shapes = [
            branch
            for branch in branches
            if not ({"x-unknown", "x-rule"} & branch.keys()) and branch.keys() - {"required"}
        ]
        if shapes and "properties" not in node:
            return self._make(file, shapes[0], name, optional, depth)
        if "$ref" in node:
            there, part = self._follow(file, node["$ref"])
            required = [*part.get("required", ()), *node.get("required", ())]
            return self._make(there, {**part, "required": required} if required else part, name, optional, depth)
        if "properties" in node:
            needed = node.get("required", ())
            wanted = (key for key in node["properties"] if key in needed or (optional and depth < 2))
            return {key: self._make(file, node["properties"][key], key, optional, depth + 1) for key in wanted}
        return self._make_plain(file, node, name, optional, depth)

    def _make_plain(self, file: str, node: Any, name: str, optional: bool, depth: int) -> Any:
        kind = node.get("type")
        if kind == "array":
            return [self._make(file, node["items"], name, optional, depth)] if "items" in node else []
        if kind == "string":
            dated = "pattern" in node and "[0-9]{4}" in str(node["pattern"])
            return "2026-05-20T12:00:00Z" if dated else _WORDS.get(name, "example")
        if kind == "integer":
            return _NUMBERS.get(name, 1)
        return {"number": 0.5, "boolean": True}.get(kind, {})


def iterate_files(schemas: Schemas, root: Path) -> Iterator[tuple[str, Path]]:
    """The schema files that a revision's own folder holds."""
    for name, path in schemas.files.items():
        if path.is_relative_to(root):
            yield name, path


def main(words: list[str]) -> None:
    """Write the examples."""
    schemas = load().schemas
    examples = Examples(schemas)
    examples.collect(resources.folder("cassettes"))
    for name, path in iterate_files(schemas, resources.folder("schemas") / schemas.revision):
        document = json.loads(path.read_bytes())
        if "--all" in words:
            document.pop("examples", None)
        if "examples" in document or not document.keys() & {"type", "$ref", "oneOf", "anyOf", "properties"}:
            continue
        chosen = examples.choose(name)
        if chosen is None:
            sys.stderr.write(f"{name}: no example was found; write one\n")
            continue
        head = {key: document.pop(key) for key in ("$comment", "$schema", "$id", "description") if key in document}
        path.write_text(format_json({**head, "examples": [chosen], **document}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
