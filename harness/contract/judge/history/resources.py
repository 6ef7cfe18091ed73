"""Judges what several exchanges say of one resource that is no interaction, such as a webhook, a file or an agent.

Pure. What a resource is must be the same wherever it is shown: in the answer to its create, in a read, in a list
and after a change. Must not know which exercise sent a request.

`ResourceRun` judges all exchanges of a run. A single refusal may mean that a call is not offered, and a member
that no response shows that the server shows none. Both are defects once the same server did otherwise, before or
later.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from harness.contract.judge.answer import is_open, is_success
from harness.contract.judge.body import place_finding
from harness.contract.judge.reading import format_answer, format_request, format_value, read
from harness.contract.requests import KEY_HEADER
from harness.contract.tables.protocol import RESERVED_PREFIXES
from harness.outcome import Finding
from harness.wire import Exchange
from harness.wire.bodies import as_object, object_or_none, objects_in, read_instant
from harness.wire.message import REDIRECTS

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
"""The identity of a resource in a run: its caller, its collection and its id."""

Judged = Iterator[tuple[Exchange, Finding]]


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


class _Resource(Struct):
    """All that one exercise has seen of a resource; `made` is when its create had returned.

    It is `doubted` after a DELETE or a PATCH without a response, which may act at any time. `missed` are the lists
    of one page that lack it, since the last one that has it.
    """

    shown: Mapping[str, Any] = field(default_factory=dict)
    made: float = inf
    doubted: bool = False
    missed: list[Exchange] = field(default_factory=list)

    def forget(self) -> None:
        self.shown, self.made = {}, inf

    def compare(
        self, exchange: Exchange, collection: str, shown: Mapping[str, Any], changed: Mapping[str, Any]
    ) -> Judged:
        """Judge a view of a resource by those before it; what its client `changed` may differ."""
        if self.doubted:
            return
        before, self.shown = self.shown, {**self.shown, **shown}
        for one in compare_views(before, shown):
            if one.place.partition(".")[0] not in changed:
                message = f"`{one.place}` differs from what the server returned before"
                yield exchange, _find(collection, "changed", message, one.known, one.shown)


def judge_resources(trail: Sequence[Exchange]) -> Judged:
    """The contradictions between the exchanges of one exercise about the resources that they show."""
    known = defaultdict[Key, _Resource](_Resource)
    for exchange in trail:
        method, collection, identity = name_call(exchange)
        succeeded = is_success(exchange) and not exchange.excuse
        if succeeded:
            yield from _judge_path(exchange)
        if not collection:
            continue
        own = known[key_of(exchange, collection, identity)]
        if is_open(exchange) and method in ("DELETE", "PATCH"):
            own.forget()
            own.doubted = True
        if not succeeded:
            continue
        if method == "DELETE":
            own.forget()
        elif method == "GET" and not identity:
            yield from _judge_list(known, exchange, collection)
        else:
            yield from _judge_shown(known, method, collection, identity, exchange)
    for (_, collection, identity), one in known.items():
        if len(one.missed) > 1:  # a list may lag behind: only a second look decides
            message = "the list has no further page and lacks a resource that was created and not deleted"
            yield one.missed[-1], _find(collection, "unlisted", message, identity, "not listed")


def _judge_path(exchange: Exchange) -> Judged:
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


def _judge_list(known: defaultdict[Key, _Resource], exchange: Exchange, collection: str) -> Judged:
    """Judge the entries of a list by what was shown of them, and note what a list of one page lacks."""
    body = as_object(read(exchange).json)
    listed = set()
    for entry in objects_in(body.get(collection)):
        identity = identify(collection, entry)
        listed.add(identity)
        own = known[key_of(exchange, collection, identity)]
        own.missed.clear()
        if own.shown and identity:  # a list alone may show only some members
            yield from own.compare(exchange, collection, entry, {})
    # A whole list is requested without a filter, in pages larger than what is shown.
    sizes = [size if name in _SIZES else "" for name, size in exchange.request.query]
    is_whole = all(size.isdigit() and int(size) > len(listed) for size in sizes)
    if any(body.get(name) for name in TOKENS) or not is_whole:
        return
    caller = key_of(exchange, collection, "")[0]
    for (owner, kind, identity), one in known.items():
        is_due = (owner, kind) == (caller, collection) and one.made <= (exchange.began or 0.0)
        if is_due and identity not in listed:
            one.missed.append(exchange)


def _judge_shown(
    known: defaultdict[Key, _Resource], method: str, collection: str, identity: str, exchange: Exchange
) -> Judged:
    """Judge the answer to a create, a read or a change."""
    shown = read_shown(method, collection, exchange)
    named, sent = identify(collection, shown), read_sent(collection, exchange)
    if identity and named and named != identity:
        message = f"{method} returns another resource than its path names"
        yield exchange, _find(collection, "another", message, identity, named)
    elif method == "POST" and named:
        if isinstance(own := sent.get("id"), str) and own and own != named:
            message = "a create returns another id than was sent"
            yield exchange, _find(collection, "another", message, own, named)
        for one in compare_views({name: value for name, value in sent.items() if name != "id"}, shown):
            message = f"`{one.place}` differs from what the client sent"
            yield exchange, _find(collection, "changed", message, one.known, one.shown)
        made = known[key_of(exchange, collection, named)]
        made.shown, made.made = {**shown}, (exchange.began or 0.0) + exchange.seconds
    elif identity:
        changed = sent if method == "PATCH" else {}
        yield from known[key_of(exchange, collection, identity)].compare(exchange, collection, shown, changed)


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
    """The key of a resource: each key of the API has its own; the last part of an upload may have none."""
    return "" if collection == "files" else _caller_of(exchange), collection, identity


def _caller_of(exchange: Exchange) -> str:
    return exchange.request.headers.get(KEY_HEADER)


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


# --- what only all exchanges of a run show: denials, members that are lost once, repeated ids


_ENDS_BY_ITSELF = frozenset({"environments"})
"""Collections whose members a server may delete before their client does."""

_DENIES = frozenset({403, 404, 410})
"""Refusals that deny a resource; of a file, a server says 403 whether it is there or not."""

_KEEPS = frozenset({400, 409, 412})
"""Refusals to delete what has contents, which `force=true` deletes, too."""

_REFUSES = frozenset({400, 401, 405, 422, *_DENIES, *REDIRECTS})
"""Refusals of a list or a create that do not depend on the moment."""

_NAMES = frozenset({"name", "display_name", "displayName"})
"""Members of a create of which any text is as good as another."""

_REFERS = re.compile(r'"(from_environment|base_environment|environment_id|credential)"')
"""Members of a create that name something which may be gone by now."""

_TOKEN = frozenset({"page_token", "pageToken"})

_UNSEEN = frozenset({"auth", "token", "value", "client_secret", "refresh_token", "content"})
"""Members of a create that no response need show: secrets, and what may be large."""

ACCEPTED = "\0"
"""Stands in what a finding expected for the request that was accepted."""


class Precedents(Struct):
    """Accepted requests by what makes others alike, and the findings on refusals that wait for one."""

    accepted: dict[tuple[str, ...], str] = field(default_factory=dict)
    _refused: dict[tuple[str, ...], list[tuple[Exchange, Finding]]] = field(default_factory=dict)

    def accept(self, sign: tuple[str, ...], words: str) -> Judged:
        """Note an accepted request, and report the refusals of those that are alike."""
        first = self.accepted.setdefault(sign, words)
        for refused, finding in self._refused.pop(sign, ()):
            yield refused, replace(finding, expected=finding.expected.replace(ACCEPTED, first))

    def refuse(self, sign: tuple[str, ...], exchange: Exchange, finding: Finding) -> Judged:
        """Report a finding now if something alike was accepted, or when it is."""
        self._refused.setdefault(sign, []).append((exchange, finding))
        if sign in self.accepted:
            yield from self.accept(sign, "")


class ResourceRun(Struct):
    """The resources of a run that were created and not deleted, and what was refused or left out."""

    _precedents: Precedents = field(default_factory=Precedents)
    _made: set[Key] = field(default_factory=set)
    _owners: dict[Key, str] = field(default_factory=dict)
    """The API keys with which calls about resources first succeeded; an upload may end without a key."""

    def note(self, exchange: Exchange) -> Judged:
        """Judge the next exchange, and the refusals before it that it shows to be wrong."""
        method, collection, identity = name_call(exchange)
        if method == "DELETE" and is_open(exchange):  # it may be gone, or soon
            self._made.discard(key_of(exchange, collection, identity))
        if not collection or exchange.excuse:
            return
        succeeded = is_success(exchange)
        if method == "GET" and not identity:
            yield from self._judge_page(exchange, collection)
        if not succeeded:
            yield from self._judge_refusal(exchange, method, collection, identity)
            return
        if sign := _sign(exchange, method, collection, identity):
            yield from self._precedents.accept(sign, format_request(exchange))
        if identity:
            self._owners.setdefault(key_of(exchange, collection, identity), _caller_of(exchange))
        if method == "DELETE":
            self._made.discard(key_of(exchange, collection, identity))
        elif method == "POST":
            yield from self._judge_create(exchange, collection)

    def _judge_page(self, exchange: Exchange, collection: str) -> Judged:
        """A page whose token leads to itself is read forever."""
        body, query = as_object(read(exchange).json), dict(exchange.request.query)
        asked = next((query[name] for name in _TOKEN if query.get(name)), "")
        if asked and asked in [body.get(name) for name in TOKENS] and objects_in(body.get(collection)):
            message = "a page of a list names itself as the next one"
            code = f"{rule_of(collection)}/page"
            yield exchange, Finding.from_code(code, message, "another token, or none", format_value(asked))

    def _judge_create(self, exchange: Exchange, collection: str) -> Judged:
        shown, sent = read_shown("POST", collection, exchange), read_sent(collection, exchange)
        named = identify(collection, shown)
        # A server that accepts a reserved id (`agents.reserved`) loses nothing if it does not have it.
        if not named or (collection == "agents" and named.lower().startswith(RESERVED_PREFIXES)):
            return
        key = key_of(exchange, collection, named)
        if key in self._made and named != sent.get("id"):
            words = ("two creates return one id", "a new id", format_value(named))
            yield exchange, Finding.from_code(f"{rule_of(collection)}/another", *words)
        self._made.add(key)
        have = {path for path, _ in _list_leaves(shown)}
        for path, value in _list_leaves(sent):
            if path in have:
                yield from self._precedents.accept(("member", collection, path), "")
            else:
                message = f"`{path}` was sent, and this create does not return it, as others do"
                code = f"{rule_of(collection)}/lacking"
                lacking = Finding.from_code(code, message, format_value(value), "nothing")
                yield from self._precedents.refuse(("member", collection, path), exchange, lacking)

    def _judge_refusal(self, exchange: Exchange, method: str, collection: str, identity: str) -> Judged:
        sign = _sign(exchange, method, collection, identity)
        of_one = identity or (exchange.request.segments[-2] if collection not in exchange.request.segments else "")
        if of_one:
            owner = collection if identity else exchange.request.segments[-3]
            key, caller = key_of(exchange, owner, of_one), _caller_of(exchange)
            was_there = key in self._made and self._owners.get(key, caller) == caller
            is_forced = (exchange.request.parameter("force") or "").lower() == "true"
            denies = _DENIES | _KEEPS if is_forced else _DENIES
            if not was_there or exchange.status not in denies or owner in _ENDS_BY_ITSELF:
                return
            message = f"{format_request(exchange)} denies a resource that was created and not deleted"
            code = f"{rule_of(collection)}/lost"
        else:
            own = read_sent(collection, exchange).get("id")
            is_there = key_of(exchange, collection, str(own)) in self._made
            if not sign or exchange.status not in _REFUSES or is_there:
                return
            message = f"{format_request(exchange)} was rejected, although a similar request was accepted"
            code = f"{rule_of(collection)}/denied"
        denied = Finding.from_code(code, message, f"success, as for {ACCEPTED}", format_answer(exchange))
        yield from self._precedents.refuse(sign, exchange, denied)


def _sign(exchange: Exchange, method: str, collection: str, identity: str) -> tuple[str, ...]:
    """Return what calls have in common of which one proves that another had to succeed; () if nothing does."""
    if identity or collection not in exchange.request.segments:
        return method, collection, "one"
    caller = key_of(exchange, collection, "")[0]
    if method != "POST":  # a token may belong to another list
        query = sorted(name for name, _ in exchange.request.query)
        return () if _TOKEN.intersection(query) else (method, collection, caller, *query)
    sent = object_or_none(exchange.request.body)
    if sent is None or collection == "files":
        return ()
    text = json.dumps({name: "" if name in _NAMES else value for name, value in sent.items()}, sort_keys=True)
    return () if _REFERS.search(text) else (method, collection, text, caller)


def _list_leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The texts and numbers of a JSON value with their paths, in which `*` is each item of a list."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            if name not in _UNSEEN:
                yield from _list_leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for item in value:
            yield from _list_leaves(item, f"{path}.*")
    elif value and isinstance(value, str | int) and not isinstance(value, bool):
        yield path, value
