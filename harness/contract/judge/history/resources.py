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
from harness.contract.judge.answer import is_open, is_success
from harness.contract.judge.finding_log import place_finding
from harness.contract.judge.reading import read
from harness.contract.judge.wording import format_value
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

_MOVES = re.compile("updat|access|state|status|expir|secret|next|last|run|count|size|token|total", re.IGNORECASE)
"""Members of resources that may be another at the next look."""

_MAY_DROP = frozenset({"tools"})
"""Lists of which a server may keep what it offers (`agents.tools`)."""

_STAYS = frozenset({"sizeBytes", "execution_timeout_seconds"})
"""Members with such a name that do not move: the size of a file, and a setting."""

_RUNS = "trigger_executions"
"""The array in a list of the runs of a trigger, which belong to the triggers' rule."""

Key = tuple[str, str, str]


class ChangedMember(Struct, frozen=True):
    """A member that two views of a resource show as different texts."""

    place: str
    known: Any
    shown: Any


def compare_views(known: Mapping[str, Any], shown: Mapping[str, Any], path: str = "") -> Iterator[ChangedMember]:
    """The contradictions between two views of a resource; a view may leave members out, and show more of them.

    A server may write anything but texts and whole numbers in another form.
    """
    for name, value in known.items():
        other, place = shown.get(name), f"{path}{name}"
        if name in _MAY_DROP or (_MOVES.search(name) and name not in _STAYS):
            continue
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            yield from compare_views(value, other, f"{place}.")
        elif isinstance(other, list) and value and value == objects_in(value):
            entries = objects_in(other)
            if any(all(any(compare_views(one, entry)) for entry in entries) for one in value):
                yield ChangedMember(place, value, other)
        elif _are_comparable(value, other) and not is_alike(other, value):
            yield ChangedMember(place, value, other)


def _are_comparable(value: object, other: object) -> bool:
    """Whether these are texts, lists of texts or whole numbers, and not empty."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (isinstance(other, int) and not isinstance(other, bool)) or (
            isinstance(other, str) and other.isdigit()
        )
    return _are_texts(value) and _are_texts(other)


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
    if isinstance(found, str) and isinstance(expected, str) and found.strip("/") == expected.strip("/"):
        return True  # a path may begin with a slash
    return found == expected or ((moment := read_instant(expected)) is not None and moment == read_instant(found))


def judge_resources(trail: Sequence[Exchange]) -> Iterator[tuple[Exchange, Finding]]:
    """The contradictions between the exchanges of one exercise about the resources that they show."""
    kept = _Kept()
    for exchange in trail:
        method, collection, identity = name_call(exchange)
        if is_open(exchange) and method in ("DELETE", "PATCH"):
            kept.drop(exchange, collection, identity)
            kept.doubted.add(key_of(exchange, collection, identity))
        if not is_success(exchange) or exchange.excuse:
            continue
        yield from _judge_path(exchange)
        if not collection:
            continue
        if method == "DELETE":
            kept.drop(exchange, collection, identity)
        elif method == "GET" and not identity:
            yield from kept.judge_list(exchange, collection)
        else:
            yield from kept.note(method, collection, identity, exchange)
    for (_, collection, identity), lists in kept.missed.items():
        if len(lists) > 1:  # a list may lag behind: only a second look decides
            message = "a list of one page lacks a resource that was created and not deleted"
            yield lists[-1], _find(collection, "unlisted", message, identity, "not listed")


def _judge_path(exchange: Exchange) -> Iterator[tuple[Exchange, Finding]]:
    """Judge a read of a part of a store: it must show what its path names, and nothing of another store."""
    method, _, path = read(exchange).call.partition(" ")
    if method != "GET" or not path.startswith(f"{_STORES}/{{id}}/") or not path.endswith("/{id}"):
        return
    body, parts = as_object(read(exchange).json), exchange.request.segments
    store = parts[parts.index(_STORES) + 1] if _STORES in parts[:-1] else ""
    name, made = body.get("name"), as_object(body.get("response"))
    if isinstance(name, str) and name and name.rpartition("/")[2] != parts[-1]:
        message = "GET returns another resource than its path names"
        yield exchange, _find(_STORES, "another", message, parts[-1], name)
    for member in ("parent", "documentName"):
        found = re.match(rf"{_STORES}/([^/]+)", str(made.get(member)))
        if found is not None and found[1] != store:
            message = f"`{member}` of an operation names another store"
            yield exchange, _find(_STORES, "another", message, store, found[1])


_STORES = "fileSearchStores"


class _Kept(Struct):
    """The resources that one exercise has seen, by caller, collection and id."""

    known: dict[Key, dict[str, Any]] = field(default_factory=dict)
    made: dict[Key, float] = field(default_factory=dict)
    """When the create of each resource that is still there had returned."""
    doubted: set[Key] = field(default_factory=set)
    """Those that a DELETE or a PATCH without an answer may change at any time."""
    missed: dict[Key, list[Exchange]] = field(default_factory=dict)
    """The lists of one page that lacked a resource since one showed it."""

    def drop(self, exchange: Exchange, collection: str, identity: str) -> None:
        """Forget a resource that was deleted."""
        self.known.pop(key_of(exchange, collection, identity), None)
        self.made.pop(key_of(exchange, collection, identity), None)

    def judge_list(self, exchange: Exchange, collection: str) -> Iterator[tuple[Exchange, Finding]]:
        """Judge the entries of a list by what was shown of them, and note what a list of one page lacks."""
        body = as_object(read(exchange).json)
        listed = set()
        for entry in objects_in(body.get(collection)):
            identity = identify(collection, entry)
            listed.add(identity)
            self.missed.pop(key_of(exchange, collection, identity), None)
            if key_of(exchange, collection, identity) in self.known:  # a list alone may show only some members
                yield from self.compare(exchange, collection, identity, entry)
        if any(body.get(name) for name in TOKENS) or not _asks_for_all(exchange, len(listed)):
            return
        caller = key_of(exchange, collection, "")[0]
        for key, since in self.made.items():
            owner, kind, identity = key
            is_due = (owner, kind) == (caller, collection) and since <= (exchange.began or 0.0)
            if is_due and identity not in listed:
                self.missed.setdefault(key, []).append(exchange)

    def note(
        self, method: str, collection: str, identity: str, exchange: Exchange
    ) -> Iterator[tuple[Exchange, Finding]]:
        """Judge the answer to a create, a read or a change."""
        shown = read_shown(method, collection, exchange)
        named, sent = identify(collection, shown), read_sent(collection, exchange)
        if identity and named and named != identity:
            message = f"{method} returns another resource than its path names"
            yield exchange, _find(collection, "another", message, identity, named)
        elif method == "POST" and named:
            if isinstance(own := sent.get("id"), str) and own and own != named:
                yield (
                    exchange,
                    _find(collection, "another", "a create returns another id than was sent", own, named),
                )
            for one in compare_views({name: value for name, value in sent.items() if name != "id"}, shown):
                message = f"`{one.place}` differs from what the client sent"
                yield exchange, _find(collection, "changed", message, one.known, one.shown)
            key = key_of(exchange, collection, named)
            self.known[key] = {**shown}
            self.made[key] = (exchange.began or 0.0) + exchange.seconds
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
        key = key_of(exchange, collection, identity)
        if not identity or key in self.doubted:
            return
        before = self.known.get(key)
        self.known[key] = {**(before or {}), **shown}
        for one in compare_views(before or {}, shown):
            if one.place.partition(".")[0] not in (changed or {}):
                message = f"`{one.place}` differs from what the server returned before"
                yield exchange, _find(collection, "changed", message, one.known, one.shown)


def _asks_for_all(exchange: Exchange, shown: int) -> bool:
    """Whether a whole list is requested, without a filter, in pages larger than the `shown` entries."""
    return all(name in _SIZES and size.isdigit() and int(size) > shown for name, size in exchange.request.query)


_SIZES = frozenset({"page_size", "pageSize"})

TOKENS = ("next_page_token", "nextPageToken")
"""The members of a page that lead to the next one."""


def name_call(exchange: Exchange) -> tuple[str, str, str]:
    """The method of a call about a resource, its collection ("" for other calls), and the id in its path."""
    method, _, path = read(exchange).call.partition(" ")
    collection, _, rest = path.partition("/")
    if path == "triggers/{id}/executions":
        return method, _RUNS, ""
    if collection not in RULES or rest not in ("", "{id}"):
        return method, "", ""
    return method, collection, exchange.request.segments[-1] if rest else ""


def read_sent(collection: str, exchange: Exchange) -> Mapping[str, Any]:
    """The members of a resource that a create sends; that of a voice has them under `voice`."""
    sent = object_or_none(exchange.request.body) or {}
    return as_object(sent.get("voice")) if collection == "voices" else sent


def read_shown(method: str, collection: str, exchange: Exchange) -> Mapping[str, Any]:
    """The resource that an answer shows; that to an upload has it under `file`."""
    body = as_object(read(exchange).json)
    return as_object(body.get("file")) if method == "POST" and collection == "files" else body


def key_of(exchange: Exchange, collection: str, identity: str) -> Key:
    """The identity of a resource in a run: each key has its own; the last part of an upload may have none."""
    caller = "" if collection == "files" else exchange.request.headers.get(KEY_HEADER)
    return caller, collection, identity


def identify(collection: str, shown: Mapping[str, Any]) -> str:
    """The `id` of a resource, or the last segment of a `name` such as `files/f1`; another `name` is for people."""
    identity, name = shown.get("id"), shown.get("name")
    if isinstance(identity, str) and identity:
        return identity
    return name.rpartition("/")[2] if isinstance(name, str) and name.startswith(f"{collection}/") else ""


def rule_of(collection: str) -> str:
    """The rule of a collection; the runs of triggers belong to theirs."""
    return RULES["triggers" if collection == _RUNS else collection]


def _find(collection: str, variant: str, message: str, expected: object, actual: object) -> Finding:
    code = f"{rule_of(collection)}/{variant}"
    return place_finding(code, message, format_value(expected), format_value(actual), "$")
