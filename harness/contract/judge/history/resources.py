"""Judges what several exchanges say of one resource that is no interaction, such as a webhook, a file or an agent.

Layer 1, pure. What a resource is must be the same wherever it is shown: in the answer to its create, in a read, in
a list and after a change. Must not know which exercise sent a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from harness.contract.data.json_parse import as_object, objects_in, read_instant
from harness.contract.judge.answer import is_success
from harness.contract.judge.finding_log import place_finding
from harness.contract.judge.reading import read
from harness.contract.judge.wording import format_answer, format_request, format_value
from harness.contract.requests import KEY_HEADER
from harness.outcome import Finding
from harness.wire import Exchange
from harness.wire.json_value import object_or_none

RULES = {
    "agents": "agents.crud",
    "credentials": "cred.crud",
    "environments": "env.crud",
    "files": "file.crud",
    "fileSearchStores": "filesearch.crud",
    "triggers": "trigger.crud",
    "voices": "voice.crud",
    "webhooks": "hook.crud",
}
"""The rule of each collection."""

_ENDS_BY_ITSELF = frozenset({"environments"})
"""Collections whose members a server may delete before their client does."""

_MOVES = re.compile("updat|access|state|status|expir|secret|next|last|run|count|size|token|total", re.IGNORECASE)
"""Members of resources that may be another at the next look."""

_DENIES = frozenset({403, 404, 410})
"""Refusals that deny a resource; of a file, a server says 403 whether it is there or not."""

Key = tuple[str, str, str]


class ChangedMember(Struct, frozen=True):
    """A member that two views of a resource show as different texts."""

    place: str
    known: Any
    shown: Any


def compare_views(known: Mapping[str, Any], shown: Mapping[str, Any], path: str = "") -> Iterator[ChangedMember]:
    """The contradictions between two views of a resource; a view may leave members out.

    Only texts are compared: a server may write the rest in another form.
    """
    for name, value in known.items():
        other, place = shown.get(name), f"{path}{name}"
        if _MOVES.search(name):
            continue
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            yield from compare_views(value, other, f"{place}.")
        elif _are_texts(value) and _are_texts(other) and not is_alike(other, value):
            yield ChangedMember(place, value, other)


def _are_texts(value: object) -> bool:
    """Whether this is a text or a list of texts, and not empty."""
    texts = value if isinstance(value, list) else [value]
    return bool(texts) and all(isinstance(text, str) and text for text in texts)


def is_alike(found: object, expected: object) -> bool:
    """Whether a value is the expected one: lists in any order, whole numbers as digits, times in any spelling."""
    if isinstance(expected, list):
        return isinstance(found, list) and sorted(map(str, found)) == sorted(map(str, expected))
    if isinstance(expected, int):
        return str(found) == str(expected)
    return found == expected or ((moment := read_instant(expected)) is not None and moment == read_instant(found))


def judge_resources(trail: Sequence[Exchange]) -> Iterator[tuple[Exchange, Finding]]:
    """The contradictions between the exchanges of one exercise about the resources that they show."""
    kept = _Kept()
    for exchange in trail:
        method, collection, identity = _name_call(exchange)
        if not collection or not is_success(exchange) or exchange.excuse:
            continue
        if method == "DELETE":
            kept.known.pop(_key(exchange, collection, identity), None)
        elif method == "GET" and not identity:
            for entry in objects_in(as_object(read(exchange).json).get(collection)):
                identity = _identify(collection, entry)
                if _key(exchange, collection, identity) in kept.known:  # a list alone may show only some members
                    yield from kept.compare(exchange, collection, identity, entry)
        else:
            yield from kept.note(method, collection, identity, exchange)


class _Kept(Struct):
    """The resources that one exercise has seen, by caller, collection and id."""

    known: dict[Key, dict[str, Any]] = field(default_factory=dict)

    def note(
        self, method: str, collection: str, identity: str, exchange: Exchange
    ) -> Iterator[tuple[Exchange, Finding]]:
        """Judge the answer to a create, a read or a change."""
        shown = _read_shown(method, collection, exchange)
        named, sent = _identify(collection, shown), object_or_none(exchange.request.body) or {}
        if identity and named and named != identity:
            message = f"{method} returns another resource than its path names"
            yield exchange, _find(collection, "another", message, identity, named)
        elif method == "POST" and named:
            key = _key(exchange, collection, named)
            if key in self.known and named not in str(sent):
                message = "two creates return one id"
                yield exchange, _find(collection, "another", message, "a new id", named)
            self.known[key] = {**shown}
        elif identity:
            changed = sent if method == "PATCH" else {}
            yield from self.compare(exchange, collection, identity, shown, changed)

    def compare(
        self,
        exchange: Exchange,
        collection: str,
        identity: str,
        shown: Mapping[str, Any],
        changed: Mapping[str, Any] | None = None,
    ) -> Iterator[tuple[Exchange, Finding]]:
        """Judge a view of a resource by those before it; what its client `changed` may differ."""
        if not identity:
            return
        key = _key(exchange, collection, identity)
        before = self.known.get(key)
        self.known[key] = {**(before or {}), **shown}
        for one in compare_views(before or {}, shown):
            if one.place.partition(".")[0] not in (changed or {}):
                message = f"`{one.place}` differs from what the server returned before"
                yield exchange, _find(collection, "changed", message, one.known, one.shown)


def _name_call(exchange: Exchange) -> tuple[str, str, str]:
    """The method of a call about a resource, its collection ("" for other calls), and the id in its path."""
    method, _, path = read(exchange).call.partition(" ")
    collection, _, rest = path.partition("/")
    if collection not in RULES or rest not in ("", "{id}"):
        return method, "", ""
    return method, collection, exchange.request.segments[-1] if rest else ""


def _read_shown(method: str, collection: str, exchange: Exchange) -> Mapping[str, Any]:
    """The resource that an answer shows; that to an upload has it under `file`."""
    body = as_object(read(exchange).json)
    return as_object(body.get("file")) if method == "POST" and collection == "files" else body


def _key(exchange: Exchange, collection: str, identity: str) -> Key:
    """The identity of a resource in a run: each key has its own; the last part of an upload may have none."""
    caller = "" if collection == "files" else exchange.request.headers.get(KEY_HEADER)
    return caller, collection, identity


def _identify(collection: str, shown: Mapping[str, Any]) -> str:
    """The `id` of a resource, or the last segment of a `name` such as `files/f1`; another `name` is for people."""
    identity, name = shown.get("id"), shown.get("name")
    if isinstance(identity, str) and identity:
        return identity
    return name.rpartition("/")[2] if isinstance(name, str) and name.startswith(f"{collection}/") else ""


def _find(collection: str, variant: str, message: str, expected: object, actual: object) -> Finding:
    code = f"{RULES[collection]}/{variant}"
    return place_finding(code, message, format_value(expected), format_value(actual), "$")


class Deletions(Struct):
    """The resources of a run that were created and not deleted, and the deletes that did not find them.

    A server without the route denies all; so a denial counts once another member of the collection was deleted. It
    shows that an earlier DELETE, or whatever else, removed another resource than it named.
    """

    _made: set[Key] = field(default_factory=set)
    _offered: dict[str, str] = field(default_factory=dict)
    _denied: dict[str, list[Exchange]] = field(default_factory=dict)

    def note(self, exchange: Exchange) -> Iterator[tuple[Exchange, Finding]]:
        """Judge the next exchange, and the denials before it that it shows to be wrong."""
        method, collection, identity = _name_call(exchange)
        if not collection or collection in _ENDS_BY_ITSELF or exchange.excuse:
            return
        if method == "POST" and is_success(exchange):
            if named := _identify(collection, _read_shown(method, collection, exchange)):
                self._made.add(_key(exchange, collection, named))
        elif method == "DELETE" and identity:
            was_there = _key(exchange, collection, identity) in self._made
            if is_success(exchange):
                self._made.discard(_key(exchange, collection, identity))
                self._offered.setdefault(collection, format_request(exchange))
            elif was_there and exchange.status in _DENIES:
                self._denied.setdefault(collection, []).append(exchange)
        if collection in self._offered:
            for denied in self._denied.pop(collection, ()):
                message = f"{format_request(denied)} denies a resource that was created and not deleted"
                expected = f"success, as for {self._offered[collection]}"
                code = f"{RULES[collection]}/lost"
                yield denied, Finding.from_code(code, message, expected, format_answer(denied))
