"""Requests that are drawn from the types of an SDK: each declared field, listed value and kind, once.

A drawn body holds what its type requires and one thing more. Where a text must have a form, its
field's name decides which (`samples.yaml`); all else follows from the types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lab.drift.type_model import ANY, OperationType, Record, TypeModel, ValueType

Json = dict[str, Any]
Place = Callable[[Any], Json]
"""Puts a value where it belongs in a whole body."""

_PLAIN: Mapping[str, Any] = {"string": "x", "integer": 1, "number": 1, "boolean": True, "object": {}, ANY: "x"}
_DEEPEST = 8
_NUMBER = re.compile(r"_\d+$")


@dataclass(frozen=True, slots=True)
class DrawnRequest:
    """One request. `what` is the field, value or kind for which it was drawn; `operation` is method and path."""

    operation: str
    what: str
    body: Json


def draw_requests(model: TypeModel, operation: OperationType) -> Iterator[DrawnRequest]:
    """Yield a request for each thing that the body of an operation may hold, however deep."""
    if operation.body is None:
        return
    samples = load_samples()
    drawing = _Drawing(model, samples)
    records = [model.records[name] for name in operation.body.records]
    for record in sorted(records, key=lambda record: samples["last"] in record.fields):
        drawn = [(_label(record), drawing.fill(record)), *drawing.walk(record, lambda value: dict(value), 0)]
        for what, body in drawn:
            changes = [own for glob, own in samples["roots"].items() if fnmatchcase(what, glob)]
            whole = {name: value for own in (body, *changes) for name, value in own.items()}
            yield DrawnRequest(operation.key, what, {k: value for k, value in whole.items() if value is not None})


@cache
def load_samples() -> Mapping[str, Any]:
    """The samples for fields whose text must have a form: `fields` for any record, `records` by its constant."""
    found: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("samples.yaml").read_bytes())
    return found


class _Drawing:
    """The state of drawing from one body: the records that were walked through."""

    def __init__(self, model: TypeModel, samples: Mapping[str, Any]) -> None:
        self._model, self._samples = model, samples
        self._seen: set[str] = set()

    def walk(self, record: Record, place: Place, depth: int) -> Iterator[tuple[str, Json]]:
        """Yield a body for each field of a record, and of the records in it, with what it was drawn for."""
        if record.name in self._seen or depth > _DEEPEST:
            return
        self._seen.add(record.name)
        for name, part in record.fields.items():
            if part.shape.fixed:
                continue
            base = self.fill(record, besides=name)

            def put(value: Any, base: Json = base, name: str = name) -> Json:
                return place({**base, name: value})

            for label, value in self._vary(record, name, part.shape):
                yield f"{_label(record)}.{name}{label}", put(value)
            for inner, wrap in self._list_inner(part.shape):
                yield from self.walk(inner, _chain(wrap, put), depth + 1)

    def fill(self, record: Record, besides: str = "") -> Json:
        """A record with what it requires, and what its samples add, but for the field `besides`."""
        own = {name: value for name, value in self._own(record).items() if name in record.fields}
        needed = {
            name: next(self._vary(record, name, part.shape))[1]
            for name, part in record.fields.items()
            if (part.required or part.shape.fixed) and name not in own
        }
        clashes = self._samples["clashes"].get(f"{_label(record)}.{besides}", ())
        held = {**needed, **own}
        return {name: value for name, value in held.items() if name != besides and name not in clashes}

    def _own(self, record: Record) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._samples["records"].get(_label(record), {})
        return found

    def _vary(self, record: Record, name: str, shape: ValueType) -> Iterator[tuple[str, Any]]:
        """Yield what a field may hold: each listed value and each kind, the plainest first."""
        own = self._own(record).get(name, self._samples["fields"].get(name))
        if own is not None:
            yield "", own
        for value in sorted(shape.values):
            yield f"={value}", value
        for member in shape.records:
            inner = self._model.records[member]
            yield f":{_label(inner)}", self.fill(inner)
        if shape.item is not None:
            for label, value in self._vary(record, "", shape.item):
                yield f"[]{label}", self._precede(value)
        if shape.entry is not None:
            for label, value in self._vary(record, "", shape.entry):
                yield f"{{}}{label}", {"key": value}
        if own is None and not shape.values:
            for kind in _list_plain(shape):
                yield "" if len(shape.kinds) == 1 else f" ({kind})", _PLAIN[kind]

    def _list_inner(self, shape: ValueType) -> Iterator[tuple[Record, Callable[[Any], Any]]]:
        """The records that a shape holds, each with how a value of it is wrapped."""
        for name in shape.records:
            yield self._model.records[name], lambda value: value
        if shape.item is not None:
            for record, wrap in self._list_inner(shape.item):
                yield record, _chain(wrap, self._precede)
        if shape.entry is not None:
            for record, wrap in self._list_inner(shape.entry):
                yield record, _chain(wrap, lambda value: {"key": value})

    def _precede(self, item: Any) -> list[Any]:
        """An item of a list, after what must come before it."""
        kind = item.get("type") if isinstance(item, dict) else None
        return [*self._samples["before"].get(kind, ()), item]


def _chain(first: Callable[[Any], Any], second: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: second(first(value))


def _label(record: Record) -> str:
    """The name of a record, without that of its module, and without the number that a bundler gave it."""
    return _NUMBER.sub("", record.name.rpartition(".")[2])


def find_lost(sent: Any, shown: Any, path: str = "$") -> Iterator[str]:
    """Yield where a response holds something else than was sent. What it leaves out altogether is not lost."""
    if isinstance(sent, dict) and isinstance(shown, dict):
        for name in sent.keys() & shown.keys():
            yield from find_lost(sent[name], shown[name], f"{path}.{name}")
    elif isinstance(sent, list) and isinstance(shown, list):
        if len(sent) != len(shown):
            yield f"{path}: {len(sent)} items were sent, and {len(shown)} are shown"
            return
        for number, (one, other) in enumerate(zip(sent, shown, strict=True)):
            yield from find_lost(one, other, f"{path}[{number}]")
    elif sent != shown and not _are_equal_numbers(sent, shown):
        yield f"{path}: {sent!r} was sent, and {shown!r} is shown"


def _are_equal_numbers(sent: Any, shown: Any) -> bool:
    return isinstance(sent, int | float) and isinstance(shown, str) and str(sent) == shown


def _list_plain(shape: ValueType) -> list[str]:
    """The kinds of a shape that say no more of their values."""
    covered = {"object"} if shape.records or shape.entry else set()
    covered |= {"array"} if shape.item is not None else set()
    return sorted(shape.kinds - covered & _PLAIN.keys())
