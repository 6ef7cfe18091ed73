"""Judges what only all exchanges of a run show of resources: denials, members that are lost once, repeated ids.

Layer 1, pure and incremental. A single refusal may mean that a call is not offered, and a member that no response
shows that the server shows none. Both are defects once the same server did otherwise, before or later. Must not
know which exercise sent a request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from harness.contract.data.json_parse import as_object, objects_in
from harness.contract.judge.answer import is_open, is_success
from harness.contract.judge.history.resources import (
    TOKENS,
    Key,
    identify,
    key_of,
    name_call,
    read_sent,
    read_shown,
    rule_of,
)
from harness.contract.judge.reading import read
from harness.contract.judge.wording import format_answer, format_request, format_value
from harness.outcome import Finding
from harness.wire import Exchange
from harness.wire.json_value import object_or_none
from harness.wire.message import REDIRECTS

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

Judged = Iterator[tuple[Exchange, Finding]]


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

    _made: set[Key] = field(default_factory=set)
    _precedents: Precedents = field(default_factory=Precedents)

    def begin_service(self) -> None:
        """Forget the resources, but not which calls were accepted: another service gives the same ids again."""
        self._made.clear()

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
        if not (named := identify(collection, shown)):
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
            was_there = key_of(exchange, owner, of_one) in self._made
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
            message = f"{format_request(exchange)} was rejected, and is accepted otherwise"
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
