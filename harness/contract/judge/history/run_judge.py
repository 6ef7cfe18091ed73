"""Judges what only all the exchanges of a run can show: denials of what is granted otherwise, and mixtures.

Pure and incremental. Takes the exchanges in the order in which they ended, and may prove an earlier one wrong.
Must not know which exercise sent a request, nor why.

A single refusal may mean that a call, or a mode, is not offered. It is a defect once the same request was
accepted, before or later; or once the call works for other interactions, and the one that it names was just shown
to the same caller.

A cache that ignores queries shows in a GET that returns what one with another query did.

A stream whose text is not the stored one may have lost or repeated some of its own. It was mixed with another if
what its own text lacks is text of another interaction of the run.

`RunEnds` notes how the plain runs of a target ended: a target whose runs never complete has shown nothing of its
output.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Set

from msgspec import Struct, field
from msgspec.structs import replace

from harness.contract.judge.agreement import lost_characters
from harness.contract.judge.answer import is_open, is_success
from harness.contract.judge.body import count_tokens, judge_counted
from harness.contract.judge.history.resources import ACCEPTED, Judged, Precedents, ResourceRun
from harness.contract.judge.reading import (
    Reading,
    describe_request,
    format_answer,
    format_request,
    format_value,
    odd_letters,
    read,
)
from harness.contract.requests import KEY_HEADER, caller_of, named_interaction, read_new_id, summarise_create
from harness.contract.tables.protocol import CANCEL, CREATE, DELETE, GET, RUNNING, is_resume, is_settled
from harness.contract.transcript import common_length, output_of, output_steps, steps_text
from harness.outcome import Finding, Severity
from harness.outcome.words import format_count, shorten
from harness.wire import Exchange, Request
from harness.wire.bodies import object_or_none, objects_in, write_sorted
from harness.wire.message import BUSY, REDIRECTS

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

Caller = tuple[str, str]

_ORDINARY = re.compile(r"|[\t\n\x20-\x7e]{2,1000}")
"""A text that no limit of length or of characters is about."""

_VARIES = frozenset({KEY_HEADER, "accept-encoding", "content-length", "host", "user-agent"})
"""Headers that do not tell two creates of one caller apart."""


_NO_CURSOR = frozenset({400, 404})
"""Statuses that may mean the cursor of a resume, and not its run (`resume.unknown`)."""


class _Shown(Struct):
    """The request that showed an interaction to a caller last, and what that showed."""

    request: Request
    status: str
    background: bool
    was_read: bool = False
    streamed: bool = False
    """Whether the stream of its create showed it, and nothing since."""
    began: float | None = None
    """When that request was sent, as in `Exchange`."""
    denied_get: Exchange | None = None
    vain: dict[str, Exchange] = field(default_factory=dict)
    """The calls that did not find it, by their rules, though it may only not have been found yet."""


class Known(Struct):
    """One interaction, as the exchanges of a run showed it; keeps no exchange but those that may be proven wrong.

    `owner` is the caller that created it; another one that sees it shows a defect. `lost_child` is the DELETE of
    one that continued it, which may have taken it along. `lost_parent` is that of the one which it continues, and
    `canceled` is its cancel. `creates` counts the creates that brought its id: an id of several names no output.

    `asked` is the input of its create, `opening` the id of the first turn of its conversation. `first` is the
    number of its steps and their text when it was first shown as settled. `text` is that of its output as last
    shown outside a stream. `output` is what a GET of the settled run shows, with the ids of its calls. `streamed`
    and `posted` are responses to its create that are still to be compared. `members` are those of its create, if
    that names no agent and continues nothing: these have settings of their own.
    """

    owner: Caller | None = None
    parent: str = ""
    deleted: bool = False
    lost_child: str = ""
    lost_parent: str = ""
    canceled: str = ""
    shown: dict[Caller, _Shown] = field(default_factory=dict)
    creates: int = 0
    asked: str = ""
    opening: str = ""
    first: tuple[int, str] | None = None
    text: str = ""
    completed: bool = False
    output: str = ""
    streamed: tuple[Exchange, str] | None = None
    posted: tuple[Exchange, str] | None = None
    members: Set[str] | None = None


Run = defaultdict[str, Known]
"""The interactions of a run by id."""


def _describe_denial(create: Exchange, parent: _Shown | None, asked: str) -> Finding:
    """The finding on a rejected create, which continues `parent` with this input, once one alike was accepted."""
    cause, expected = "", f"{ACCEPTED}, as for the same turn of another interaction"
    if parent is None:
        message = "a create was rejected that the server accepts otherwise"
        expected = f"{ACCEPTED}, as for the same create at another time"
    elif parent.background:
        message, cause = "a turn that continues a background run was rejected", "chain.after-settled"
    elif '"function_result"' in asked:
        message = "a turn after function results was rejected, as if the history of its chain lacked them"
    else:
        how = "an interaction whose stream has just completed" if parent.streamed else "a completed interaction"
        message = f"a turn that continues {how} was rejected"
    return Finding.from_code("create.ok/denied", message, expected, format_answer(create), cause=cause)


class Denials(Struct):
    """Judges what was denied of the interactions that were shown so far."""

    _run: Run = field(default_factory=lambda: Run(Known))
    _precedents: Precedents = field(default_factory=Precedents)
    _read: set[str] = field(default_factory=set)
    """The ids that a GET found."""

    def note(self, exchange: Exchange) -> Judged:
        status, request = exchange.status, exchange.request
        order, name = summarise_create(request), named_interaction(request)
        if is_open(exchange) and read(exchange).call == DELETE:
            self._note_delete(name, exchange)
        if status is None or status >= 500 or exchange.excuse:
            return
        caller = caller_of(request)
        if order is not None:
            parent = self._find_continued(caller, order.parent, status)
            if sign := _sign_create(exchange, parent is not None):
                if status >= 300 and status not in _PASSES:
                    denial = _describe_denial(exchange, parent, self._run[order.parent].asked)
                    yield from self._precedents.refuse((*caller, sign), exchange, denial)
                elif is_success(exchange):
                    yield from self._precedents.accept((*caller, sign), format_answer(exchange))
            if new := read_new_id(exchange):
                known = self._run[new]
                known.deleted, known.owner, known.parent = False, caller, order.parent or known.parent
                stream = read(exchange).stream
                # Which of the interactions exists that a stream names is not known.
                if stream is None or all(found.rule != "stream.id-constant" for found in stream.findings):
                    self._show(caller, new, exchange, order.background)
        elif name and read(exchange).call in (GET, DELETE, CANCEL):
            for seen, found in self._judge_call(caller, name, exchange):
                odd = odd_letters(named_interaction(seen.request), self._read)
                named = f"{found.message.partition(', which')[0]}, whose id has {odd}" if odd else found.message
                yield seen, replace(found, message=named)

    def _find_continued(self, caller: Caller, parent: str, status: int) -> _Shown | None:
        """The interaction that a chained create continues by right: this caller was shown it as completed.

        Only a GET shows that an interaction can be found by now. One that was continued already may be refused
        (`chain.branch` is a MAY).
        """
        if not parent or (status >= 400 and any(known.parent == parent for known in self._run.values())):
            return None
        shown = self._run[parent].shown.get(caller)
        can_be = shown is not None and shown.status == "completed" and (status != 404 or shown.was_read)
        return shown if can_be else None

    def _note_delete(self, name: str, exchange: Exchange) -> None:
        """Forget an interaction that is gone, or that may be: a DELETE without an answer may act at any time."""
        gone, words = self._run[name], format_request(exchange)
        gone.deleted = True
        gone.shown.clear()
        if gone.parent:
            self._run[gone.parent].lost_child = f"{words}, which continued it"
        for known in self._run.values():
            if known.parent == name:
                known.lost_parent = f"{words}, which it continues"

    def _judge_call(self, caller: Caller, name: str, exchange: Exchange) -> Judged:
        """Judge a call about one interaction, and keep what it shows.

        A plain GET may return 404 for a moment (see `judge_causes`).
        """
        call, known = read(exchange).call, self._run[name]
        shown = known.shown.get(caller)
        if (asks := is_resume(exchange.request)) is not None:
            kind = _STREAM if asks[1] is None else _RESUME
        else:
            kind = {GET: _LOOK, CANCEL: _CANCEL, DELETE: _DELETE}[call]
        key = (*caller, *kind.key)
        if shown is not None and exchange.status in _DENIES:
            yield from self._judge_denial(key, kind, shown, exchange)
        if not is_success(exchange):
            return
        self._read.update([name] if kind is _LOOK else ())
        if kind is _LOOK and shown is not None:
            late = shown.denied_get
            if late is not None and late.status == 404 and not shown.was_read:
                message = "a GET after the create does not find the interaction, and a later one does"
                words = (message, "200 at once", format_answer(late))  # the documented poll loop ends with a 404
                yield late, Finding.from_code("get.ok/late", *words, severity=Severity.NON_STRICT)
            for rule, vain in shown.vain.items():
                if rule == _CANCEL.rule and read(exchange).status not in RUNNING:
                    continue  # by now it need not be canceled
                message = f"{describe_request(vain.request)} after the create does not find the interaction"
                words = (f"{message}, and a later GET does", ACCEPTED, format_answer(vain))
                cause = "get.ok/late"  # where plain GETs miss it, too, that is the fact
                denial = Finding.from_code(f"{rule}/late", *words, severity=Severity.NON_STRICT, cause=cause)
                yield from self._precedents.refuse((*caller, *_KINDS[rule].key), vain, denial)
        if asks is None or read(exchange).stream is not None:  # else the stream was not granted, either
            yield from self._precedents.accept(key, format_answer(exchange))
        if call == DELETE:  # a client that received the deletion did delete it
            self._note_delete(name, exchange)
        elif known.owner in (None, caller) and (shown is not None or call == GET):
            known.canceled = format_request(exchange) if call == CANCEL else known.canceled
            self._show(caller, name, exchange, shown is not None and shown.background)

    def _judge_denial(self, key: tuple[str, ...], kind: _Kind, shown: _Shown, exchange: Exchange) -> Judged:
        """Judge a call that denies an interaction which was shown, or keep it until more is known.

        A 404 may be due to the moment: of a background run that only its create has shown.
        """
        known, rule, seen = self._run[named_interaction(exchange.request)], kind.rule, exchange
        since = known.lost_child
        denied = kind.is_wrong(shown, exchange)
        is_new = exchange.status == 404 and not shown.was_read
        is_early = is_new and shown.background
        is_brief = (  # a client tolerates it within a second after the create (API errors, 404)
            (is_early or (is_new and not (since or known.lost_parent)))
            and shown.began is not None
            and exchange.began is not None
            and exchange.began - shown.began < 1.0
        )
        if kind is _LOOK:
            shown.denied_get = exchange
        elif is_brief and (kind is not _DELETE or shown.denied_get is not None):
            denied = False
        elif denied and shown.denied_get is not None:  # no GET ever found it, which is reported instead
            key, rule = (*key[:2], *_LOOK.key), _LOOK.rule
            seen, shown.denied_get = shown.denied_get, None
        elif kind is _DELETE and not since and is_early:
            denied = False
        if not denied:
            if is_early and not since and kind in _KINDS.values():
                shown.vain.setdefault(rule, exchange)
            return
        how = "with `stream=true` " if shown.streamed else ""
        made = f", which was created {how.strip()}" if shown.streamed else ""
        if known.parent and not shown.was_read:  # nothing but its create has shown it
            made = f"{made or ', which was created'} in a chain"
        after = f", after {lost_by}" if (lost_by := since or known.lost_parent or known.canceled) else ""
        message = f"{format_request(seen)} denies an existing interaction{made}{after}"
        expected = f"success, as {describe_request(shown.request)} {how}shows it"
        by_cancel = rule == "get.ok" and known.canceled and lost_by == known.canceled
        code = "cancel.state/lost" if by_cancel else f"{rule}/denied"
        denial = Finding.from_code(code, message, expected, format_answer(seen))
        # Where plain GETs miss it, too, that is the one fact; a cause that is not reported is dropped.
        denial = replace(denial, cause="get.ok/late" if rule == "resume.opens" else "")
        yield from self._precedents.refuse(key, seen, denial)

    def _show(self, caller: Caller, name: str, exchange: Exchange, background: bool) -> None:
        """Note an exchange that shows an interaction.

        Of a deleted one this is the defect, and no denial; and a GET that shows another one (`get.ok`), or none,
        proves nothing about this one.
        """
        reading = read(exchange)
        was_read = reading.call == GET
        if self._run[name].deleted or (was_read and reading.stream is None and reading.id != name):
            return
        self._run[name].shown[caller] = _Shown(
            exchange.request.without_body(),
            reading.status or "",
            background,
            was_read,
            reading.stream is not None and not was_read,
            began=exchange.began,
        )


class _Kind(Struct, frozen=True):
    """A kind of calls about one interaction, and the rule that a wrong denial of it breaks.

    One call that succeeds proves that others of the same `key` had to. `is_wrong` is the judge of a denial that
    nothing else explains.
    """

    rule: str
    key: tuple[str, ...]
    is_wrong: Callable[[_Shown, Exchange], bool]


# A settled run need not be canceled, nor a foreground one streamed again; and a run that only its create has shown
# may need a moment until its stream is found.
_LOOK = _Kind("get.ok", (GET,), lambda shown, seen: seen.status in _RIGHTS)
_STREAM = _Kind("resume.opens", (GET, "stream"), lambda shown, seen: shown.background and shown.was_read)
_RESUME = _Kind(
    "resume.opens",
    (GET, "stream"),
    lambda shown, seen: shown.background and shown.was_read and seen.status not in _NO_CURSOR,
)
_CANCEL = _Kind("cancel.ok", (CANCEL,), lambda shown, seen: shown.background and shown.status in RUNNING)
_DELETE = _Kind("del.ok", (DELETE,), lambda shown, seen: True)
_KINDS = {kind.rule: kind for kind in (_STREAM, _CANCEL, _DELETE)}
"""Calls that one may send as soon as a background run is created, by their rules."""


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
    if _ORDINARY.fullmatch(text):  # with any text; a server may reject others for their content
        body = {**body, "input": bool(text.strip())}
    headers = sorted((name.lower(), value) for name, value in request.headers if name.lower() not in _VARIES)
    # White space around a body counts for a limit of its size.
    return write_sorted([request.target, headers, body, len(request.body) - len(request.body.strip())])


_TELLING = 12
"""Characters that no two texts are likely to have in common by chance."""

_LONGEST = 20_000
"""Characters that are kept of a text."""


_ANOTHER, _MIXED, _SHARED = "create.ok/another", "rob.concurrent-streams/mixed", "create.ok/shared"

_STRANGE = {
    _ANOTHER: "a create returns the output of another interaction, which GET shows under its own id",
    _MIXED: "a stream contains text of another interaction",
    _SHARED: "interactions share their steps: a settled one has got those of another beside its own",
}
"""What is wrong with an answer that has output of another interaction, by code."""


class _Strange(Struct, frozen=True):
    """An answer with output that its interaction `own` does not have: as its whole output, or among it."""

    exchange: Exchange
    own: str
    output: str
    code: str

    def is_of(self, known: Known) -> bool:
        """Whether this is the output of an interaction, or a part of it."""
        return self.output == known.output if self.code == _ANOTHER else self.output in known.text

    def describe(self, origin: str) -> Finding:
        what = "the output" if self.code == _ANOTHER else "text"
        actual = f"{format_value(shorten(self.output, 60))}, {what} of {origin}"
        return Finding.from_code(self.code, _STRANGE[self.code], f"{what} of {self.own}", actual)


_SETTINGS = ("system_instruction", "response_format", "tools", _PARENT)
"""Members of a create that an interaction may show, and that nobody sets but its client."""


class Outputs(Struct):
    """Judges whether interactions have output, or settings, of others."""

    _run: Run = field(default_factory=lambda: Run(Known))
    _strange: list[_Strange] = field(default_factory=list)
    _sent: set[tuple[str, str]] = field(default_factory=set)
    """The settings of all creates."""
    _absent: set[tuple[str, bool, str]] = field(default_factory=set)
    """What a call, as a stream or not, has shown without a setting that the create did not have."""

    def note(self, exchange: Exchange) -> Judged:
        reading = read(exchange)
        if not exchange.succeeded or exchange.excuse or not reading.call:
            return
        if reading.id:
            self._strange += self._compare(reading.id, exchange)
            for name, value in self._list_foreign_settings(self._run[reading.id], reading):
                message = f"an interaction whose create has no `{name}` shows that of another create"
                words = (message, f"no {name}", format_value(value))
                yield exchange, Finding.from_code("get.own-input/setting", *words)
        for strange in list(self._strange):
            own = self._run[strange.own]
            # The same input may have the same output; and a turn that has that of another one is about the chain.
            others = ((name, one) for name, one in self._run.items() if one.opening != own.opening)
            if origin := next((name for name, one in others if one.asked != own.asked and strange.is_of(one)), ""):
                self._strange.remove(strange)
                yield strange.exchange, strange.describe(origin)

    def _list_foreign_settings(self, known: Known, reading: Reading) -> Iterator[tuple[str, object]]:
        """The settings that an interaction shows, and that other creates had, but its own one did not.

        A server may have a default that a create repeats, and shows it wherever a create sets no other one.
        """
        own = _SETTINGS if known.members is None or known.creates > 1 else known.members
        shown = reading.interaction or {}
        for name in _SETTINGS if shown else ():
            way = (reading.call, reading.stream is None, name)
            if name in own:
                continue
            if not shown.get(name):
                self._absent.add(way)
            elif way in self._absent and (name, write_sorted(shown[name])) in self._sent:
                yield name, shown[name]

    def _compare(self, name: str, exchange: Exchange) -> Iterator[_Strange]:
        """Keep the output that an exchange shows, and compare what the create and a GET showed of it."""
        reading, known = read(exchange), self._run[name]
        is_create = reading.call == CREATE
        known.creates += is_create
        if is_create:
            body = object_or_none(exchange.request.body) or {}
            known.asked = _GIVEN_NAME.sub("", write_sorted(body.get("input")))
            known.members = None if body.get(_PARENT) or "agent" in body else body.keys()
            self._sent |= {(member, write_sorted(body[member])) for member in _SETTINGS if body.get(member)}
            known.opening = (self._run[known.parent].opening or known.parent) if known.parent else name
        if reading.stream is not None and reading.stream.completed is not None and not reading.is_resumed:
            known.streamed = (exchange, steps_text(output_of(reading.streamed_steps)))
        elif reading.interaction is not None:
            steps = output_steps(reading.interaction)
            text = steps_text(steps)[:_LONGEST]
            if text:
                known.text, known.completed = text, known.completed or reading.status == "completed"
            if reading.status in _WHOLE and text:
                number, first = known.first = known.first or (len(steps), text)
                rest = text.removeprefix(first)
                is_more = len(steps) > number and text != rest and rest not in first
                if is_more and min(len(first), len(rest)) >= _TELLING and known.creates < 2:
                    yield _Strange(exchange, name, rest, _SHARED)
            calls = [str(step.get("id")) for step in steps if step.get("type") == "function_call"]
            output = "\n".join([text, *calls])[:_LONGEST]
            if reading.status in _WHOLE and len(output) >= _TELLING and known.creates < 2:
                if is_create:
                    known.posted = (exchange, output)
                else:
                    known.output = output
        if known.creates > 1:
            return
        if known.completed and known.streamed is not None:
            (streamed, shown), known.streamed = known.streamed, None
            start = common_length(shown, known.text)
            end = common_length(shown[start:][::-1], known.text[start:][::-1])
            rest = shown[start : len(shown) - end].strip()
            # The stored text, which may be a part of the response: its begin, or its last delta.
            is_cut = len(known.text) in (start, end, _LONGEST)
            is_own = is_cut or lost_characters(shown, known.text) or rest in known.text
            is_own = is_own or sorted(shown) == sorted(known.text)  # its deltas came in another order
            if len(rest) >= _TELLING and not is_own:
                yield _Strange(streamed, name, rest, _MIXED)
        if known.output and known.posted is not None:
            (posted, shown), known.posted = known.posted, None
            if shown not in known.output:
                yield _Strange(posted, name, shown, _ANOTHER)


class Queries(Struct):
    """Judges whether GETs with and without `stream` of one path got the same bytes: a cache ignores the query.

    No server returns events to a GET without `stream`. It may return JSON to one with it; but what a header calls
    a copy is one of a response to another request, if this one is new.
    """

    _seen: dict[tuple[Caller, str, bool], bytes] = field(default_factory=dict)
    _sent: set[tuple[Caller, str]] = field(default_factory=set)

    def note(self, exchange: Exchange) -> Judged:
        request, caller, came = exchange.request, caller_of(exchange.request), exchange.is_stream
        if read(exchange).call != GET or not is_success(exchange) or not exchange.body:
            return
        key, body = (caller, request.raw_path, came), exchange.body[:_LONGEST]
        copied = exchange.headers.get("age", "0") != "0" or "hit" in exchange.headers.get("x-cache").lower()
        if (is_resume(request) is not None) is came:
            self._seen[key] = body
        elif key in self._seen and (came or (copied and (caller, request.target) not in self._sent)):
            with_it, other = ("without", "with") if came else ("with", "without")
            message = (
                f"a GET {with_it} `stream=true` returns the bytes of an earlier one {other} it: a cache before"
            )
            words = (f"{message} the target ignores the query", "JSON" if came else "a stream")
            if body.startswith(self._seen[key][: len(body)]):
                yield exchange, Finding.from_code("get.ok/query", *words, format_answer(exchange))
        self._sent.add((caller, request.target))


class Costs(Struct):
    """Judges whether a usage counts tokens of others: a text has fewer than one that is far longer."""

    _long: list[tuple[int, int]] = field(default_factory=list)
    """The characters of long texts, and their input tokens; those from a cache are among them, or apart."""
    _plain: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """The input tokens of texts in plain creates: equal ones show that equal creates cost the same."""
    _streamed: list[tuple[int, int]] = field(default_factory=list)
    """The input tokens of texts in plain creates, and in streams."""

    def note(self, exchange: Exchange) -> Judged:
        reading, body = read(exchange), object_or_none(exchange.request.body) or {}
        end = reading.stream and reading.stream.completed
        shown = reading.interaction or (end and {**end, "steps": reading.streamed_steps}) or {}
        text, most = str(body.get("input")), count_tokens(shown, "input", "cached")
        is_told = reading.call == CREATE and is_success(exchange) and not exchange.excuse
        is_plain = text == body.get("input") and body.keys() <= _OWN - {"tools", "response_format"}
        if not is_told or not is_plain:
            return
        name, own = write_sorted({**body, "stream": None}), count_tokens(shown, "input")
        known = [*self._plain.values()]
        is_steady = any(len(its) > 1 for its in known) and all(len({*its}) == 1 for its in known)
        costs = self._plain.get(name, [0])[-1]
        if end and is_steady and costs and judge_counted(shown):
            words = "a stream counts no token, and a plain create of its input does", f"{costs} input tokens", "0"
            yield exchange, Finding.from_code("usage.counted/none", *words)
        if not most:
            return
        for length, more in self._long:  # in any language, and also if it repeats one character
            if length >= 100 * len(text) and more < own:
                fewer = f"fewer for {format_count(len(text), 'character')} than {more} for {length}"
                words = "the usage of a create counts tokens of others", fewer, str(own)
                yield exchange, Finding.from_code("usage.counted/others", *words, severity=Severity.NON_STRICT)
        if not exchange.is_stream:
            self._plain[name].append(own)
        elif 0 < 2 * costs <= own:
            self._streamed.append((costs, own))
            # What a server puts before each stream costs the same for each text; what it adds up grows with it.
            (least, its), (longest, more) = min(self._streamed), max(self._streamed)
            grows = is_steady and longest - least >= 8 and more - its >= 1.5 * (longest - least)
            message = "a stream counts the tokens of its input several times"
            words = (message, f"{costs} input tokens, as a plain create of the same input", str(own))
            mild = Finding.from_code("usage.counted/stream", *words, severity=Severity.NON_STRICT)
            yield exchange, Finding.from_code("usage.counted/several", *words) if grows else mild
        self._long.append((len(text), most))


_WHOLE = frozenset({"completed", "requires_action"})

_GIVEN_NAME = re.compile(r'"(call_id|id|signature)": ?"[^"]*"')
"""What a client sends back of an earlier turn, and a model does not read."""


# --- all of them


class RunJudge:
    """Judges what was denied and granted elsewhere, and streams, answers and costs that were mixed."""

    def __init__(self, accepted: tuple[Precedents, Precedents] | None = None) -> None:
        self._accepted = accepted or (Precedents(), Precedents())
        run, (of_runs, of_resources) = Run(Known), self._accepted
        self._judges = (Denials(run, of_runs), Outputs(run), Queries(), Costs(), ResourceRun(of_resources))

    def for_service(self) -> RunJudge:
        return RunJudge(self._accepted)

    def note(self, exchange: Exchange) -> Judged:
        for judge in self._judges:
            yield from judge.note(exchange)


_FAILED, _CANCELLED = "failed", "cancelled"
_NOT_PLAIN = frozenset({"agent", "tools", "continuation_token"})
"""Fields of creates that may fail for reasons of their own."""

_CHAINED = "chained background"
"""The kind of background runs that continue another one, which may be a reason to fail, but none to go on."""

GETS = 8
"""Looks after which one has waited for the end of a run: they come less and less often."""


class RunEnds:
    """The last words of the runs of a target, by kind of create; several threads may share one."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}
        self._seen: dict[str, set[str]] = defaultdict(set)
        self._gets: Counter[str] = Counter()
        self._cancelled: set[str] = set()
        self._lock = threading.Lock()

    def note(self, exchange: Exchange) -> None:
        if not exchange.succeeded:
            return
        reading = read(exchange)
        with self._lock:
            kind = _name_kind(exchange)
            identity = reading.id or (f"#{len(self._kinds)}" if kind else "")
            if kind:
                self._kinds[identity] = kind
            if identity not in self._kinds:
                return
            if end := _find_end(reading):
                self._seen[identity].add(end)
            elif reading.status == _CANCELLED:
                self._cancelled.add(identity)
            elif not kind:
                self._gets[identity] += 1

    def describe(self) -> Iterator[str]:
        """For each kind of create of which runs ended, and none other than as failed: that, and what to do.

        Also of a kind of which none ends any more: a pool gets no worker back from what was canceled or deleted.
        """
        ends: dict[str, list[set[str]]] = defaultdict(list)
        for identity, seen in self._seen.items():
            ends[self._kinds[identity]].append(seen)
        # runs that were polled often enough to have waited for their end
        waited = {one for one, times in self._gets.items() if times >= GETS and one not in self._cancelled}
        for kind in dict.fromkeys(self._kinds[one] for one in waited):
            alike = [one for one, its in self._kinds.items() if its == kind]
            number = len(waited.intersection(itertools.takewhile(lambda one: one not in self._seen, alike[::-1])))
            if kind not in ends or number > 1:
                had, more = format_count(number, "run was", "runs were"), " any more" if kind in ends else ""
                if lost := self._cancelled.intersection(alike):
                    more += f" (canceled: {len(lost)})"
                yield (
                    f"no {kind} run completed{more}: {had} looked at {GETS} times and more, and went on each "
                    "time; give it more time (--timeout), or find out why it never settles"
                )
        ends.pop(_CHAINED, None)
        failed = {kind: len(seen) for kind, seen in ends.items() if all(one == {_FAILED} for one in seen)}
        if failed and failed.keys() == ends.keys():
            failed = {"": sum(failed.values())}
        for kind, number in failed.items():
            runs = format_count(number, "run")
            yield (
                f"no {kind and f'{kind} '}run completed: {runs} ended as {_FAILED!r}, and no other; "
                "check the model and its quota, or name another model (--model)"
            )


def _name_kind(exchange: Exchange) -> str:
    """The kind of a plain create; `""` if it is none."""
    if read(exchange).call != CREATE:
        return ""
    body = object_or_none(exchange.request.body) or {}
    if not isinstance(body.get("input"), str) or _NOT_PLAIN & body.keys():
        return ""
    if _PARENT in body:
        return _CHAINED if body.get("background") is True else ""
    if body.get("background") is True:
        return "background"
    return "streamed" if body.get("stream") is True else "plain"


def _find_end(reading: Reading) -> str:
    """The status that a run ended with by itself, not by us; a stream that ends in an error has failed."""
    if reading.status == _CANCELLED:
        return ""
    if is_settled(reading.status):
        return str(reading.status)
    return _FAILED if any(event.get("event_type") == "error" for event in reading.events) else ""
