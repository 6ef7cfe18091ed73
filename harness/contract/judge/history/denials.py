"""Judges denials of what the same server grants otherwise, over all the exchanges of a run.

Layer 1, pure and incremental. A single refusal may mean that a call, or a mode, is not offered. It is a defect
once the same request was accepted, before or later; or once the call works for other interactions, and the one
that it names was just shown to the same caller. Must not know which exercise sent a request, nor why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.contract.data.json_parse import objects_in
from harness.contract.judge.answer import is_success
from harness.contract.judge.reading import read
from harness.contract.judge.wording import format_answer, format_request
from harness.contract.requests import KEY_HEADER
from harness.contract.runs import named_interaction, read_new_id, summarise_create
from harness.contract.tables.lifecycle import RUNNING
from harness.contract.tables.protocol import is_resume
from harness.outcome import Finding, Severity
from harness.wire import Exchange
from harness.wire.json_value import object_or_none
from harness.wire.message import BUSY, REDIRECTS

_GET, _DELETE, _CANCEL = "GET interactions/{id}", "DELETE interactions/{id}", "POST interactions/{id}/cancel"

_RULES = {_GET: "resume.opens", _DELETE: "del.ok", _CANCEL: "cancel.ok"}
"""The rules of calls about one interaction; a GET is a stream here, as a plain one breaks `get.ok`."""

_RIGHTS = frozenset({401, 403, *REDIRECTS})
"""Denials that are never due to the moment; a redirect leads away from where the interaction was just shown."""

_DENIES = frozenset({404, 410, *_RIGHTS})
"""Refusals that deny an interaction, or the right to it; any other may be about its state."""

_PASSES = frozenset({*BUSY, 409, 425})
"""Refusals that depend on the moment: the server is busy, or another request is under way."""

_OWN = frozenset(
    {"model", "input", "stream", "background", "store", "generation_config", "response_format", "tools"}
)
"""Members of a create that name nothing which may be gone by now; any other may."""

_PARENT = "previous_interaction_id"

_ORDINARY = re.compile(r"[\t\n\x20-\x7e]{0,1000}")
"""A text that no limit of length or of characters is about."""

_VARIES = frozenset({KEY_HEADER, "accept-encoding", "content-length", "host", "user-agent"})
"""Headers that do not tell two creates of one caller apart."""


@dataclass(slots=True)
class _Shown:
    """An interaction that the server has: the request that showed it last, and what that showed."""

    request: str
    status: str
    background: bool
    looked_at: bool = False
    denied_look: Exchange | None = None


@dataclass(slots=True)
class _Alike:
    """Requests that are alike: the first that was accepted, and the denials that wait for one."""

    accepted: str = ""
    denied: list[tuple[Exchange, str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Denials:
    """What was granted and what was denied so far; keeps no exchange but denials that wait to be proven."""

    _shown: dict[tuple[str, str, str], _Shown] = field(default_factory=dict)
    _alike: dict[tuple[str, ...], _Alike] = field(default_factory=dict)
    _deleted: set[str] = field(default_factory=set)
    _continued: dict[str, str] = field(default_factory=dict)
    """The parent of each interaction that continues another."""
    _lost_child: dict[str, str] = field(default_factory=dict)
    """The DELETE of an interaction that continued this one, which may have taken this one along."""

    def note(self, exchange: Exchange) -> Iterator[tuple[Exchange, Finding]]:
        """Judge the next exchange, and those before it that it shows to be wrong."""
        status, request = exchange.status, exchange.request
        if status is None or status >= 500 or exchange.excuse:
            return
        caller = (request.headers.get(KEY_HEADER), request.segments[0])
        order, name = summarise_create(request), named_interaction(request)
        if order is not None:
            if sign := _sign_create(exchange, self._can_be_continued(caller, order.parent, status)):
                denied = status >= 300 and status not in _PASSES
                yield from self._compare((*caller, sign), "create.ok", exchange, denied)
            if new := read_new_id(exchange):
                self._deleted.discard(new)
                if order.parent:
                    self._continued[new] = order.parent
                if not _names_several(exchange):
                    self._show(caller, new, exchange, order.background)
        elif name and read(exchange).call in (_GET, _DELETE, _CANCEL):
            yield from self._note_call(caller, name, exchange)

    def _can_be_continued(self, caller: tuple[str, str], parent: str, status: int) -> bool:
        """Whether a chained create names what this caller was shown as completed.

        Only a look shows that an interaction can be found by now. One that was continued already may be refused
        (`chain.branch` is a MAY).
        """
        if status >= 400 and parent in self._continued.values():
            return False
        shown = self._shown.get((*caller, parent))
        return shown is not None and shown.status == "completed" and (status != 404 or shown.looked_at)

    def _note_call(
        self, caller: tuple[str, str], name: str, exchange: Exchange
    ) -> Iterator[tuple[Exchange, Finding]]:
        """Judge a call about one interaction, and keep what it shows."""
        call, shown = read(exchange).call, self._shown.get((*caller, name))
        yield from self._judge_call(caller, call, shown, exchange)
        if not is_success(exchange):
            return
        if call == _DELETE:  # the client that was told of a deletion did delete it
            self._deleted.add(name)
            if parent := self._continued.get(name):
                self._lost_child[parent] = format_request(exchange)
            for key in [key for key in self._shown if key[-1] == name]:
                del self._shown[key]
        elif shown is not None or call == _GET:
            self._show(caller, name, exchange, shown is not None and shown.background)

    def _judge_call(
        self, caller: tuple[str, str], call: str, shown: _Shown | None, exchange: Exchange
    ) -> Iterator[tuple[Exchange, Finding]]:
        """Judge a call about one interaction. A plain GET may return 404 for a moment (see `roots.py`)."""
        streams = is_resume(exchange.request) is not None
        looks = call == _GET and not streams
        key = (*caller, call) if looks else (*caller, call, str(streams))
        rule = "get.ok" if looks else _RULES[call]
        if shown is None or exchange.status not in _DENIES:
            if looks and is_success(exchange) and shown is not None and shown.denied_look is not None:
                yield from _report_late(shown, shown.denied_look)
            yield from self._compare(key, rule, exchange, denied=False)
            return
        if looks:
            shown.denied_look = exchange
            denied = exchange.status in _RIGHTS
        else:
            denied = call == _DELETE or _is_due(shown, streams)
            if denied and shown.denied_look is not None:  # no look ever found it, which is told instead
                key, rule, exchange, shown.denied_look = (*caller, _GET), "get.ok", shown.denied_look, None
        why = f"{shown.request} shows it"
        yield from self._compare(
            key, rule, exchange, denied, why, self._lost_child.get(named_interaction(exchange.request), "")
        )

    def _compare(
        self, key: tuple[str, ...], rule: str, exchange: Exchange, denied: bool, why: str = "", since: str = ""
    ) -> Iterator[tuple[Exchange, Finding]]:
        if not denied and not is_success(exchange):
            return
        alike = self._alike.setdefault(key, _Alike())
        if denied:
            alike.denied.append((exchange, why, since))
        elif not alike.accepted:
            alike.accepted = format_answer(exchange)
        if alike.accepted:
            waiting, alike.denied = alike.denied, []
            for one, reason, deleted in waiting:
                yield one, _report(rule, one, reason, alike.accepted, deleted)

    def _show(self, caller: tuple[str, str], name: str, exchange: Exchange, background: bool) -> None:
        """Note what shows an interaction.

        Of one that was deleted, this is the defect, and no denial; and a look that shows another one (`get.ok`)
        says nothing of this one.
        """
        reading = read(exchange)
        looked_at = reading.call == _GET
        if name in self._deleted or (looked_at and reading.id not in (None, name)):
            return
        self._shown[(*caller, name)] = _Shown(
            format_request(exchange), reading.status or "", background, looked_at
        )


def _is_due(shown: _Shown, streams: bool) -> bool:
    """Whether a stream of an interaction, or its cancel, has to succeed.

    A settled run need not be canceled, nor a foreground one streamed again; and a run that only its create has
    shown may need a moment until its stream is found.
    """
    return shown.background and (shown.looked_at if streams else shown.status in RUNNING)


def _names_several(exchange: Exchange) -> bool:
    """Whether a stream names different interactions (`stream.id-constant`): which of them exists is not known."""
    stream = read(exchange).stream
    return stream is not None and any(found.rule == "stream.id-constant" for found in stream.findings)


def _report_late(shown: _Shown, denied: Exchange) -> Iterator[tuple[Exchange, Finding]]:
    """Tell of a look that did not find yet what was just created: the documented poll loop ends with a 404."""
    if not shown.looked_at and denied.status == 404:
        message, expected = (
            "a GET after the create does not find the interaction, and a later one does",
            "200 at once",
        )
        actual, severity = format_answer(denied), Severity.NON_STRICT
        yield denied, Finding.from_code("get.ok/late", message, expected, actual, severity=severity)


def _report(rule: str, exchange: Exchange, why: str, accepted: str, since: str) -> Finding:
    message = "a create was rejected that the server accepts otherwise"
    if why:
        message = f"{format_request(exchange)} denies an existing interaction"
    if why and since:
        message += f", after {since}, which continued it"
    expected = f"success, as {why}" if why else f"{accepted}, as for the same create at another time"
    return Finding.from_code(f"{rule}/denied", message, expected, format_answer(exchange))


def _sign_create(exchange: Exchange, continues: bool) -> str:
    """Return what makes two creates alike: all but an ordinary text; "" if the create may name what is gone.

    All parents are alike that the create `continues` by right.
    """
    request = exchange.request
    body = object_or_none(request.body)
    if body is not None and continues:
        body = {**body, _PARENT: True}
    known = _OWN | {_PARENT} if continues else _OWN
    if body is None or not body.keys() <= known or not isinstance(body.get("input"), str):
        return ""
    tools = body.get("tools") or []
    if tools != [tool for tool in objects_in(tools) if tool.get("type") == "function"]:
        return ""
    text = body["input"]
    if _ORDINARY.fullmatch(text):  # whatever such a text says; a server may refuse others for what they contain
        body = {**body, "input": bool(text.strip())}
    headers = sorted((name.lower(), value) for name, value in request.headers if name.lower() not in _VARIES)
    return json.dumps([request.target, headers, body], sort_keys=True)
