"""Reads the types and calls of @google/genai from its package, without running it.

`dist/genai.d.ts` declares the types, and a class `Voices_2 extends ClientSDK` for each resource; a call's
method, path and query are only in the code, `dist/index.mjs`. tree-sitter parses the former. TypeScript does not
distinguish kinds of numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.errors import UsageFault
from lab.drift.type_model import (
    ANY,
    ANYTHING,
    NOTHING,
    FieldType,
    OperationType,
    Record,
    TypeModel,
    ValueType,
    give_title,
    unite,
)
from lab.drift.written_calls import CALLS, build_operations

if TYPE_CHECKING:
    from tree_sitter import Node

DECLARATIONS, CODE = Path("dist", "genai.d.ts"), Path("dist", "index.mjs")

_SCALARS = {
    "string": "string",
    "number": "number",
    "boolean": "boolean",
    "any": ANY,
    "unknown": ANY,
    "object": ANY,
}
_BYTES = frozenset({"Uint8Array", "Blob", "ArrayBuffer", "Date", "RFCDate"})
_ITEMS = frozenset({"Array", "ReadonlyArray"})
_FRAME = frozenset({"Stream", "EventStream"})

_CALL = re.compile(r"^(?:async )?function (\w+)\(client, ", re.MULTILINE)
_PATH = re.compile(r'pathToFunc\("([^"]+)"')
_NAME = re.compile(r'operation_id: "(\w+)"')
_METHOD = re.compile(r'method: "([A-Z]+)"')
_QUERY_NAME = re.compile(r'"(\w+)":')
_QUERY_FIELD = re.compile(r"\bpayload\.(\w+)")
_SUFFIX = re.compile(r"_\d+$")


def read_typescript_sdk(package: Path, title: str) -> TypeModel:
    """The types of the @google/genai in `package`, the unpacked folder with its `dist`.

    Raises UsageFault if there are none, or if tree-sitter is not installed.
    """
    for part in (DECLARATIONS, CODE):
        if not (package / part).is_file():
            raise UsageFault(
                f"there is no {part.as_posix()} in {str(package)!r}: name the folder of @google/genai"
            )
    reader = _TypescriptReader((package / DECLARATIONS).read_bytes())
    calls = _read_calls((package / CODE).read_text("utf-8"))
    operations = reader.read_operations(calls)
    if not operations:
        raise UsageFault(
            f"{str(package)!r} has no calls of the Interactions API: it needs @google/genai 2.0 or newer"
        )
    operations |= reader.read_written_operations()
    return TypeModel(title, operations, reader.records, whole_numbers=False)


class _Call(NamedTuple):
    """The parts of a call that only the code has: `function` ends with the names of its class and its method."""

    function: str
    name: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    """The names on the wire, each with that of its field in the request type."""


def _read_calls(code: str) -> list[_Call]:
    starts = [*_CALL.finditer(code)]
    found = []
    ends = [*(match.start() for match in starts), len(code)][1:]
    for start, end in zip(starts, ends, strict=False):
        text = code[start.start() : end]
        path, name, method = _PATH.search(text), _NAME.search(text), _METHOD.search(text)
        if path and name and method:
            names = tuple(_read_query(text))
            found.append(_Call(start[1].lower(), name[1], method[1].lower(), path[1], names))
    return found


def _read_query(text: str) -> Iterator[tuple[str, str]]:
    """The names of a query and their fields, one in a line."""
    inside, closed, _ = text.partition("encodeFormQuery({")[2].partition("})")
    for line in inside.split("\n") if closed else ():
        if name := _QUERY_NAME.search(line):
            fields = _QUERY_FIELD.findall(line, name.end())
            if fields:
                yield name[1], fields[-1]


class _TypescriptReader:
    def __init__(self, source: bytes) -> None:
        try:
            import tree_sitter_typescript
            from tree_sitter import Language, Parser
        except ImportError:
            raise UsageFault(
                "reading TypeScript types needs tree-sitter: pip install 'interactions-harness[lab]'"
            ) from None
        self.records: dict[str, Record] = {}
        self._named: dict[str, ValueType] = {}
        self._tree = Parser(Language(tree_sitter_typescript.language_typescript())).parse(source)
        self._types: dict[str, Node] = {}
        self._enums: dict[str, Node] = {}
        self._classes: dict[str, Node] = {}
        self._namespaces: dict[str, dict[str, str]] = {}
        for node in self._tree.root_node.children:
            self._declare(node)

    def _declare(self, node: Node) -> None:
        if node.type in ("export_statement", "ambient_declaration", "expression_statement"):
            for child in node.named_children:
                self._declare(child)
        elif node.type in ("type_alias_declaration", "interface_declaration"):
            self._types[_name(node)] = node
        elif node.type == "enum_declaration":
            self._enums[_name(node)] = node
        elif node.type == "class_declaration":
            self._classes[_name(node)] = node
        elif node.type == "internal_module":
            exported = {}
            for specifier in _find(node, "export_specifier"):
                inner = _read_text(specifier.child_by_field_name("name"))
                exported[_read_text(specifier.child_by_field_name("alias")) or inner] = inner
            self._namespaces[_name(node)] = exported

    def read_operations(self, calls: list[_Call]) -> dict[str, OperationType]:
        found: dict[str, OperationType] = {}
        for name, node in self._classes.items():
            if "extends ClientSDK" not in _read_text(node).partition("{")[0]:
                continue
            methods: dict[str, list[Node]] = {}
            for signature in _find(node, "method_signature"):
                methods.setdefault(_name(signature), []).append(signature)
            for method, overloads in methods.items():
                ending = (_SUFFIX.sub("", name) + method).lower()
                call = next((call for call in calls if call.function.endswith(ending)), None)
                if call is not None:
                    found[call.name] = self._read_operation(call, overloads)
        return found

    def read_written_operations(self) -> dict[str, OperationType]:
        """The calls for files and file search stores, which are not generated."""
        methods = []
        for owner in sorted({call.owner for call in CALLS} & self._classes.keys()):
            for member in self._classes[owner].child_by_field_name("body").named_children:  # type: ignore[union-attr]
                head = _read_text(member).partition("(")[0]
                hidden = "private" in head or _name(member) == "constructor" or _name(member).startswith("_")
                if member.type in ("method_signature", "public_field_definition") and not hidden:
                    methods.append((owner, _name(member)))
        return {each.name: each for each in build_operations(self._read_written, self.records, methods)}

    def _read_written(self, name: str) -> ValueType:
        """A type by its exported name: a bundler adds a number to what others are called, too."""
        for known in (name, f"{name}_2"):
            if known in self._types:
                return self._read_named(known)
            if known in self._classes:
                body = self._classes[known].child_by_field_name("body")
                return self._record(known, self._classes[known], body)  # type: ignore[arg-type]
        return NOTHING

    def _read_operation(self, call: _Call, overloads: list[Node]) -> OperationType:
        request = self._request(call)
        fields = {sent: request[name] for sent, name in call.query if name in request}
        body = request["body"].shape if "body" in request else self._find_direct_body(overloads[0])
        answers: list[ValueType] = []
        events: list[ValueType] = []
        for method in overloads:
            for shape, streamed in self._find_returned(method):
                (events if streamed else answers).append(shape)
        return OperationType(
            call.name,
            call.method,
            call.path,
            fields,
            body,
            unite(answers) if any(answer != NOTHING for answer in answers) else None,
            unite(events) if events else None,
        )

    def _request(self, call: _Call) -> dict[str, FieldType]:
        name = f"{call.name[:1].upper()}{call.name[1:]}Request"
        if name not in self._types:
            return {}
        node = self._types[name].child_by_field_name("value")
        return self._read_fields(node) if node is not None and node.type == "object_type" else {}

    def _find_direct_body(self, method: Node) -> ValueType | None:
        for parameter in method.child_by_field_name("parameters").named_children:  # type: ignore[union-attr]
            if _read_text(parameter.child_by_field_name("pattern")) == "body":
                return self._read_shape(_find_annotation(parameter))
        return None

    def _find_returned(self, method: Node) -> Iterator[tuple[ValueType, bool]]:
        """The shapes of what a call returns, and whether each is streamed."""
        node = method.child_by_field_name("return_type")
        promised = next(_find(node, "type_arguments"), None) if node is not None else None
        waiting = list(promised.named_children) if promised is not None else []
        followed = set()
        while waiting:
            part = waiting.pop()
            if part.type == "union_type":
                waiting += part.named_children
            elif part.type == "generic_type" and _read_generic(part) in _FRAME:
                yield self._read_shape(_list_arguments(part)[0]), True
            elif part.type in ("nested_type_identifier", "type_identifier") and self._find_alias(part) is not None:
                if (name := self._resolve(part)) not in followed:
                    followed.add(name)
                    waiting.append(self._find_alias(part))  # type: ignore[arg-type]
            else:
                yield self._read_shape(part), False

    def _find_alias(self, node: Node) -> Node | None:
        """The union behind a name such as `CreateInteractionResponse`, which may hold a stream."""
        declared = self._types.get(self._resolve(node))
        value = declared.child_by_field_name("value") if declared is not None else None
        return value if value is not None and "Stream<" in _read_text(value) else None

    def _resolve(self, node: Node) -> str:
        """The name under which a type is declared: namespaces export some under another one."""
        if node.type != "nested_type_identifier":
            return _read_text(node)
        module, name = _read_text(node.child_by_field_name("module")), _read_text(node.child_by_field_name("name"))
        return self._namespaces.get(module, {}).get(name, name)

    def _read_shape(self, node: Node | None) -> ValueType:
        if node is None:
            return ANYTHING
        kind, text = node.type, _read_text(node)
        if kind == "predefined_type":
            return NOTHING if text in ("void", "never") else ValueType.of(_SCALARS.get(text, ANY))
        if kind == "literal_type":
            return _read_literal(node.named_children[0])
        if kind == "union_type":
            return unite(map(self._read_shape, node.named_children))
        if kind == "parenthesized_type":
            inner = node.named_children[0]
            open_string = inner.type == "intersection_type" and _read_text(inner).startswith("string &")
            return ValueType.of("string") if open_string else self._read_shape(inner)
        if kind == "array_type":
            return ValueType.array_of(self._read_shape(node.named_children[0]))
        if kind == "generic_type":
            return self._read_generic_shape(node)
        if kind in ("type_identifier", "nested_type_identifier"):
            return self._read_named(self._resolve(node))
        if kind == "object_type":
            return self._map(node)
        return ANYTHING

    def _read_generic_shape(self, node: Node) -> ValueType:
        name, inside = _read_generic(node), _list_arguments(node)
        if name in _ITEMS:
            return ValueType.array_of(self._read_shape(inside[0]))
        if name == "Record":
            return ValueType.map_of(self._read_shape(inside[1]))
        return ANYTHING

    def _map(self, node: Node) -> ValueType:
        signature = next((part for part in node.named_children if part.type == "index_signature"), None)
        entry = self._read_shape(_find_annotation(signature)) if signature is not None else None
        return ValueType.map_of(entry)

    def _read_named(self, name: str) -> ValueType:
        if name not in self._named:
            self._named[name] = ANYTHING  # ends recursion
            self._named[name] = self._read_declared(name)
        return self._named[name]

    def _read_declared(self, name: str) -> ValueType:
        if name in _BYTES:
            return ValueType.of("string")
        if name in self._enums:
            values = (_read_text(part) for part in _find(self._enums[name], "string_fragment"))
            return ValueType.of_values("string", *values)
        node = self._types.get(name)
        if node is None:
            return ANYTHING
        value = node.child_by_field_name("value") or node.child_by_field_name("body")
        if value is not None and _is_record(value):
            return self._record(name, node, value)
        return give_title(self._read_shape(value), name)

    def _record(self, name: str, node: Node, value: Node) -> ValueType:
        if name not in self.records:
            self.records[name] = Record(name, {})  # ends recursion
            self.records[name] = Record(name, self._read_fields(value), _read_comment(node.parent or node))
        return ValueType.record(name)

    def _read_fields(self, node: Node) -> dict[str, FieldType]:
        found = {}
        for part in node.named_children:
            if part.type in ("property_signature", "public_field_definition"):
                name = _name(part).strip("'\"")
                optional = any(child.type == "?" for child in part.children)
                found[name] = FieldType(
                    self._read_shape(_find_annotation(part)), not optional, _read_comment(part)
                )
        return found


def _read_literal(node: Node) -> ValueType:
    if node.type == "string":
        return ValueType.of_values("string", _read_text(node).strip("'\""), fixed=True)
    if node.type in ("true", "false"):
        return ValueType.of("boolean")
    if node.type == "number":
        return ValueType.of_values("number", _read_text(node), fixed=True)
    return NOTHING  # undefined and null


def _find(node: Node, kind: str) -> Iterator[Node]:
    """The nearest descendants of a kind, in order."""
    for child in node.named_children:
        if child.type == kind:
            yield child
        else:
            yield from _find(child, kind)


def _find_annotation(node: Node) -> Node | None:
    annotation = node.child_by_field_name("type")
    if annotation is None:
        return None
    return annotation.named_children[0] if annotation.type.endswith("type_annotation") else annotation


def _read_generic(node: Node) -> str:
    return _read_text(node.child_by_field_name("name"))


def _list_arguments(node: Node) -> list[Node]:
    inside = node.child_by_field_name("type_arguments")
    return list(inside.named_children) if inside is not None else []


def _read_comment(node: Node) -> str:
    """The first sentence of the comment before a declaration."""
    before = node.prev_named_sibling
    if before is None or before.type != "comment":
        return ""
    lines = (line.strip(" /*") for line in _read_text(before).splitlines())
    return " ".join(line for line in lines if line and not line.startswith("@")).strip()


def _name(node: Node) -> str:
    return _read_text(node.child_by_field_name("name"))


def _read_text(node: Node | None) -> str:
    return (node.text or b"").decode() if node is not None else ""


def _is_record(node: Node) -> bool:
    """Whether a type has members of its own, or is an object without any."""
    parts = node.named_children
    return any(part.type == "property_signature" for part in parts) or (node.type == "object_type" and not parts)
