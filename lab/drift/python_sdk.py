"""Reads the types and calls of google-genai from its source, without importing it.

The package generates its Interactions part: one module a type under `_gaos/types`, one module a call
under `_gaos/models`, and resources whose methods build the request. It is read as syntax trees; nothing runs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

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
    make_live,
    unite,
)
from lab.drift.written_calls import CALLS, build_operations

ROOT = Path("google", "genai", "_gaos")

_SCALARS = {
    "str": "string", "UnrecognizedStr": "string", "Base64EncodedString": "string", "datetime": "string",
    "date": "string", "bytes": "string", "int": "integer", "UnrecognizedInt": "integer", "float": "number",
    "bool": "boolean", "Any": ANY, "object": ANY, "Base64FileInput": "string",
}  # fmt: skip
_ITEMS = frozenset({"List", "list", "Sequence", "Iterable", "Tuple", "Set"})
_MAPS = frozenset({"Dict", "dict", "Mapping"})
_THROUGH = frozenset({"Annotated", "Optional", "Nullable", "OptionalNullable", "NotRequired", "Required"})
_VERSION = re.compile(r"""^__version__ = ['"]([^'"\n]*)['"]""", re.MULTILINE)
_CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)
_NEXT = re.compile(r"^(?=[^\s#)])", re.MULTILINE)
_STREAM_FIELD = "data"
_SUCCESS = frozenset({"200", "2XX", "default"})


def read_python_sdk(package: Path, title: str) -> TypeModel:
    """The types of the google-genai in `package`, a folder that contains `google/genai`.

    Raises UsageFault if there is none, or one without these types (before 3.0).
    """
    root = package / ROOT
    if not (root / "types").is_dir():
        raise UsageFault(
            f"this google-genai has no types of the API (no {ROOT.as_posix()}/types in {package.name!r}): choose "
            "version 3.0 or newer"
        )
    reader = _PythonReader(root)
    operations = reader.read_operations()
    if not operations:
        raise UsageFault(
            f"no call was found in {str(root)!r}: its source differs from google-genai 3.x; name such a version"
        )
    operations |= reader.read_written_operations()
    return TypeModel(title, operations, reader.records)


def read_python_version(package: Path) -> str:
    """The version that the source states, or "" if it states none."""
    path = package / ROOT.parent / "version.py"
    found = None
    with suppress(OSError):
        found = _VERSION.search(path.read_text("utf-8"))
    return found[1] if found else ""


class _Module:
    """One source file: its classes, its aliases, and where its imported names come from."""

    def __init__(self, path: Path, top: Path) -> None:
        self.path = path
        self._top = top

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text("utf-8"), str(self.path))

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def aliases(self) -> dict[str, ast.expr]:
        found: dict[str, ast.expr] = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found[node.targets[0].id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                found[node.target.id] = node.value
        return found

    @cached_property
    def imports(self) -> dict[str, tuple[Path, str]]:
        """Name in this module → the folder or file it is looked up in, and its name there."""
        found: dict[str, tuple[Path, str]] = {}
        guarded = (part for node in self.tree.body if isinstance(node, ast.If) for part in node.body)
        for node in (*self.tree.body, *guarded):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = self._find_base(node.level).joinpath(*filter(None, (node.module or "").split(".")))
                found |= {alias.asname or alias.name: (base, alias.name) for alias in node.names}
        return found

    def _find_base(self, level: int) -> Path:
        """The folder that the dots of an import name. Raises SyntaxError for one above the package."""
        above = self.path.parents
        if level > len(above) or not above[level - 1].is_relative_to(self._top):
            raise SyntaxError(f"an import of {self.path.name} has {level} dots and leads out of the package")
        return above[level - 1]


class _WrittenTypes(_Module):
    """The types that are written by hand: of 20,000 lines only the classes of `CALLS`, and what they name.

    On the wire their fields are in camelCase.
    """

    def __init__(self, path: Path, top: Path) -> None:
        super().__init__(path, top)
        self._text = path.read_text("utf-8")
        self._starts = {found[1]: found.start() for found in _CLASS.finditer(self._text)}

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        waiting = [name for call in CALLS for name in (call.body, call.query, call.answer, call.also[0])]
        found: dict[str, ast.ClassDef] = {}
        while waiting:
            name = waiting.pop()
            start = self._starts.get(name, self._starts.get(f"_{name}"))
            if start is None or name in found:
                continue
            ending = _NEXT.search(self._text, self._text.index("\n", start))
            node = ast.parse(self._text[start : ending.start() if ending else None]).body[0]
            assert isinstance(node, ast.ClassDef)
            found[name] = node
            named = [field.annotation for field in node.body if isinstance(field, ast.AnnAssign)]
            for part in (*named, *node.bases):
                waiting += [inner.id for inner in ast.walk(part) if isinstance(inner, ast.Name)]
        return found

    @cached_property
    def aliases(self) -> dict[str, ast.expr]:
        return {}

    @cached_property
    def imports(self) -> dict[str, tuple[Path, str]]:
        return {}


class _PythonReader:
    def __init__(self, root: Path) -> None:
        self.records: dict[str, Record] = {}
        self._aliases: dict[tuple[Path, str], ValueType] = {}
        self._root = root
        self._top = root.parents[1]
        self._modules: dict[Path, _Module | None] = {}

    def _load_module(self, path: Path) -> _Module | None:
        """The module at a path without its suffix: a file, or a package's `__init__`."""
        if path not in self._modules:
            file, package = path.with_suffix(".py"), path / "__init__.py"
            found = file if file.is_file() else package if package.is_file() else None
            self._modules[path] = _Module(found, self._top) if found else None
        return self._modules[path]

    def read_operations(self) -> dict[str, OperationType]:
        found: dict[str, OperationType] = {}
        for path in sorted(self._root.glob("*.py")):
            module = self._load_module(path.with_suffix(""))
            if module is None or "._build_request(" not in path.read_text("utf-8"):
                continue
            for function in _list_functions(module):
                operation = self._read_operation(module, function)
                if operation is not None:
                    found.setdefault(operation.name, operation)
        live = []
        for name in ("ClientEvent", "ServerEvent"):
            module = self._load_module(self._root / "types" / "interactions" / name.lower())
            live += [self._read_named(module, name)] if module is not None else []
        if len(live) == 2:
            found["live"] = make_live(*live)
        return found

    def read_written_operations(self) -> dict[str, OperationType]:
        """The calls for files and file search stores, which are not generated."""
        package = self._root.parent
        path = package / "types.py"
        if not path.is_file():
            return {}
        types = _WrittenTypes(path, self._top)
        methods = []
        for name in ("file_search_stores", "documents", "files"):
            module = self._load_module(package / name)
            for made in module.classes.values() if module is not None else ():
                if not made.name.startswith(("Async", "_")):
                    own = (node.name for node in made.body if isinstance(node, ast.FunctionDef))
                    methods += [(made.name, _to_camel(method)) for method in own if not method.startswith("_")]

        def read(name: str) -> ValueType:
            return self._read_named(types, name) if name in types.classes else NOTHING

        return {each.name: each for each in build_operations(read, self.records, methods)}

    def _read_operation(self, module: _Module, function: ast.FunctionDef) -> OperationType | None:
        build = next(iter(_list_calls(function, "_build_request")), None)
        words = {node.arg: node.value for node in ast.walk(function) if isinstance(node, ast.keyword)}
        name = _read_text(words.get("operation_id"))
        if build is None or not name:
            return None
        keywords = {word.arg: word.value for word in build.keywords}
        parameters, body = self._request(module, function)
        answer, events = self._read_answers(module, function)
        method, path = _read_text(keywords.get("method")), _read_text(keywords.get("path"))
        return OperationType(name, method.lower(), path, parameters, body, answer, events)

    def _request(
        self, module: _Module, function: ast.FunctionDef
    ) -> tuple[dict[str, FieldType], ValueType | None]:
        """The query parameters and the body of a call: fields of its request class, marked by their metadata."""
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "models":
                found = self._find(module, node) if node.attr.endswith("Request") else None
                if found is not None and node.attr in found[0].classes:
                    return self._split_request(found[0], found[0].classes[node.attr])
        return {}, None

    def _split_request(self, module: _Module, made: ast.ClassDef) -> tuple[dict[str, FieldType], ValueType | None]:
        parameters, body = {}, None
        for name, annotation, required, text in _list_annotations(made):
            marks = ast.dump(annotation)
            field = FieldType(self._read_shape(module, annotation), required, text)
            if "'RequestMetadata'" in marks:
                body = field.shape
            elif "'QueryParamMetadata'" in marks:
                parameters[name] = field
        return parameters, body

    def _read_answers(
        self, module: _Module, function: ast.FunctionDef
    ) -> tuple[ValueType | None, ValueType | None]:
        answer = events = None
        for words, first in _list_matches(function):
            shape = self._read_shape(module, first)
            if "text/event-stream" in words:
                if not shape.records:
                    raise FileNotFoundError(f"the type of its events is missing, which {module.path.name} names")
                events = self.records[shape.records[0]].fields[_STREAM_FIELD].shape
            else:
                answer = shape
        return answer, events

    def _find(self, module: _Module, node: ast.expr) -> tuple[_Module, str] | None:
        """The module that defines a name or a dotted name, and the name there."""
        if isinstance(node, ast.Name):
            return self._find_name(module, node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            at = module.imports.get(node.value.id)
            inner = self._load_module(at[0] / at[1]) if at else None
            return self._find_name(inner, node.attr) if inner else None
        return None

    def _find_name(self, module: _Module, name: str) -> tuple[_Module, str] | None:
        if name in module.classes or name in module.aliases:
            return module, name
        if name not in module.imports:
            return None
        base, there = module.imports[name]
        inner = self._load_module(base)
        return self._find_name(inner, there) if inner is not None and inner is not module else None

    def _read_shape(self, module: _Module, node: ast.expr | None) -> ValueType:
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            return NOTHING
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._read_shape(module, ast.parse(node.value, mode="eval").body)
        if isinstance(node, ast.BinOp):  # A | B
            return unite((self._read_shape(module, node.left), self._read_shape(module, node.right)))
        if isinstance(node, ast.Subscript):
            return self._read_subscript(module, node)
        if isinstance(node, ast.Call) and _read_last_name(node.func) == "TypeAliasType":
            return self._read_shape(module, node.args[1])
        name = _read_last_name(node)
        found = self._find(module, node)
        if found is not None:
            return self._read_named(*found)
        return ValueType.of(_SCALARS[name]) if name in _SCALARS else ANYTHING

    def _read_named(self, module: _Module, name: str) -> ValueType:
        if name in _SCALARS:
            return ValueType.of(_SCALARS[name])
        if name in module.aliases:
            place = (module.path, name)
            if place not in self._aliases:
                self._aliases[place] = ANYTHING  # ends recursion
                self._aliases[place] = give_title(self._read_shape(module, module.aliases[name]), name)
            return self._aliases[place]
        made = module.classes[name]
        fields = _list_annotations(made)
        if any(field == "is_unknown" for field, *_ in fields):
            return NOTHING  # what the SDK makes of a member it does not know
        if _is_enum(made):
            values = [_read_text(node.value) for node in made.body if isinstance(node, ast.Assign)]
            return ValueType.of_values("string", *values)
        full = f"{module.path.parent.name}.{name}"
        if full not in self.records:
            self.records[full] = Record(full, {})  # ends recursion
            members = self._read_inherited(module, made)
            members |= {
                field: FieldType(self._read_shape(module, annotation), required, note)
                for field, annotation, required, note in fields
            }
            if isinstance(module, _WrittenTypes):
                members = {_to_camel(field): part for field, part in members.items()}
            self.records[full] = Record(full, members, ast.get_docstring(made) or "")
        return ValueType.record(full)

    def _read_inherited(self, module: _Module, made: ast.ClassDef) -> dict[str, FieldType]:
        """The fields of the models that a class is derived from."""
        fields: dict[str, FieldType] = {}
        for base in made.bases:
            found = self._find(module, base)
            if found is not None and found[1] in found[0].classes and found[1] != "BaseModel":
                fields |= self.records[self._read_named(*found).records[0]].fields
        return fields

    def _read_subscript(self, module: _Module, node: ast.Subscript) -> ValueType:
        name = _read_last_name(node.value)
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name == "Literal":
            values = [part.value for part in inside if isinstance(part, ast.Constant)]
            kinds = frozenset("string" if isinstance(value, str) else "integer" for value in values)
            return ValueType(kinds, frozenset(map(str, values)), fixed=len(values) == 1)
        if name in _THROUGH:
            return self._read_shape(module, inside[0])
        if name == "Union":
            return unite(self._read_shape(module, part) for part in inside)
        if name in _ITEMS:
            return ValueType.array_of(self._read_shape(module, inside[0]))
        if name in _MAPS:
            return ValueType.map_of(self._read_shape(module, inside[-1]))
        return ANYTHING


def _list_functions(module: _Module) -> list[ast.FunctionDef]:
    return [node for made in module.classes.values() for node in made.body if isinstance(node, ast.FunctionDef)]


def _list_annotations(made: ast.ClassDef) -> list[tuple[str, ast.expr, bool, str]]:
    """The fields of a class as name on the wire, annotation, whether it is required, and its description."""
    found = []
    for index, node in enumerate(made.body):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        if (
            node.target.id.startswith("_")
            or node.target.id == "model_config"
            or "ClassVar" in ast.dump(node.annotation)
        ):
            continue
        after = made.body[index + 1] if index + 1 < len(made.body) else None
        text = _read_text(after.value) if isinstance(after, ast.Expr) else _read_description(node.value)
        found.append((_find_alias(node.annotation) or node.target.id, node.annotation, node.value is None, text))
    return found


def _read_description(value: ast.expr | None) -> str:
    """The description of a hand-written field: `Field(default=None, description=…)`."""
    words = value.keywords if isinstance(value, ast.Call) else []
    return next((_read_text(word.value) for word in words if word.arg == "description"), "")


def _to_camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _find_alias(annotation: ast.expr) -> str:
    words = [word for call in _list_calls(annotation, "Field")[:1] for word in call.keywords]
    return next((_read_text(word.value) for word in words if word.arg == "alias"), "")


def _is_enum(made: ast.ClassDef) -> bool:
    return any(_read_last_name(base).endswith("Enum") for base in made.bases)


def _read_last_name(node: ast.expr) -> str:
    """The last name of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _read_text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _list_calls(tree: ast.AST, name: str) -> list[ast.Call]:
    """The calls in a piece of source whose function has this last name."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call for call in calls if _read_last_name(call.func) == name]


def _list_matches(function: ast.FunctionDef) -> Iterator[tuple[list[str], ast.expr]]:
    """The conditions of a call on a successful response, and the type that it reads then."""
    for node in (node for node in ast.walk(function) if isinstance(node, ast.If)):
        for match in _list_calls(node.test, "match_response"):
            words = [_read_text(word) for word in match.args[1:]]
            if words and words[0] in _SUCCESS:
                yield from ((words, call.args[0]) for call in _list_calls(node, "unmarshal_json_response")[:1])
