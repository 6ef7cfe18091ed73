"""Finds text and event ids of one interaction in what was sent for another, over all the exchanges of a run.

Layer 1, pure and incremental. A stream whose text is not the stored one may have lost or repeated some of its own.
It was mixed with another if what its own text lacks is text of another interaction of the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.contract.data.output import output_of, output_steps, steps_text
from harness.contract.data.step_diff import common_length
from harness.contract.judge.agreement import lost_characters
from harness.contract.judge.reading import read
from harness.contract.judge.wording import format_value
from harness.outcome import Finding
from harness.outcome.words import shorten
from harness.wire import Exchange

_TELLING = 12
"""Characters that no two texts are likely to have in common by chance."""

_LONGEST = 20_000
"""Characters that are kept of a text."""


@dataclass(frozen=True, slots=True)
class _Strange:
    """What stands in the stream of an interaction and not in its stored text."""

    exchange: Exchange
    own: str
    text: str


@dataclass(slots=True)
class Mixtures:
    """The texts of a run by interaction, and what was strange in its streams.

    An id that several creates were given names no text.
    """

    _stored: dict[str, str] = field(default_factory=dict)
    _whole: set[str] = field(default_factory=set)
    _given: set[str] = field(default_factory=set)
    _shared: set[str] = field(default_factory=set)
    _streamed: dict[str, tuple[Exchange, str]] = field(default_factory=dict)
    _strange: list[_Strange] = field(default_factory=list)

    def note(self, exchange: Exchange) -> Iterator[tuple[Exchange, Finding]]:
        """Judge the next exchange, and those before it that it shows to be wrong."""
        if not exchange.succeeded or exchange.excuse or not read(exchange).call:
            return
        if name := read(exchange).id:
            self._learn(name, exchange)
            if name in self._whole and name in self._streamed and name not in self._shared:
                self._compare(name)
        yield from self._find_origins()

    def _learn(self, name: str, exchange: Exchange) -> None:
        """Keep the text that an exchange shows of an interaction."""
        reading = read(exchange)
        if reading.call == "POST interactions":
            (self._shared if name in self._given else self._given).add(name)
        if reading.stream is not None and reading.stream.completed is not None and not reading.is_resumed:
            self._streamed[name] = (exchange, steps_text(output_of(reading.streamed_steps)))
        elif reading.interaction is not None and (text := steps_text(output_steps(reading.interaction))):
            self._stored[name] = text[:_LONGEST]
            if reading.status == "completed":
                self._whole.add(name)

    def _compare(self, name: str) -> None:
        exchange, shown = self._streamed.pop(name)
        stored = self._stored[name]
        start = common_length(shown, stored)
        end = common_length(shown[start:][::-1], stored[start:][::-1])
        strange = shown[start : len(shown) - end].strip()
        if start == len(stored) or len(stored) == _LONGEST:  # it may be the stored text that is cut
            return
        if lost_characters(shown, stored):
            return
        if len(strange) >= _TELLING and strange not in stored:
            self._strange.append(_Strange(exchange, name, strange))

    def _find_origins(self) -> Iterator[tuple[Exchange, Finding]]:
        for one in list(self._strange):
            origin = next((n for n, text in self._stored.items() if n != one.own and one.text in text), "")
            if origin:
                self._strange.remove(one)
                expected, actual = f"text of {one.own}", f"{format_value(shorten(one.text, 60))}, text of {origin}"
                message = "a stream contains text of another interaction"
                yield one.exchange, Finding.from_code("rob.concurrent-streams/mixed", message, expected, actual)


@dataclass(slots=True)
class Crossings:
    """The outputs of a run by interaction: an answer to a create must not have that of another one.

    An id that several creates were given names no output.
    """

    _posted: dict[str, tuple[Exchange, str]] = field(default_factory=dict)
    _stored: dict[str, str] = field(default_factory=dict)
    _given: Counter[str] = field(default_factory=Counter)
    _strange: dict[str, list[tuple[Exchange, str]]] = field(default_factory=dict)

    def note(self, exchange: Exchange) -> Iterator[tuple[Exchange, Finding]]:
        """Judge the next exchange, and the creates before it that it shows to be wrong."""
        reading = read(exchange)
        if not exchange.succeeded or exchange.excuse or not reading.call or not (name := reading.id):
            return
        is_create = reading.call == "POST interactions"
        self._given[name] += is_create
        if reading.interaction is None or reading.status not in _WHOLE or self._given[name] > 1:
            return
        told = _describe_output(reading.interaction)
        if is_create and told:
            self._posted[name] = (exchange, told)
        elif told:
            self._stored[name] = told
        yield from self._compare(name)

    def _compare(self, name: str) -> Iterator[tuple[Exchange, Finding]]:
        """Compare what an id was created with and what it shows, then what it shows with strange answers."""
        stored = self._stored.get(name, "")
        if stored and (posted := self._posted.pop(name, None)) and posted[1] not in stored:
            if origin := next((other for other, text in self._stored.items() if text == posted[1]), ""):
                yield _tell_crossing(*posted, name, origin)
            else:
                self._strange.setdefault(posted[1], []).append((posted[0], name))
        for crossed, own in self._strange.pop(stored, ()):
            if own != name:
                yield _tell_crossing(crossed, stored, own, name)


_WHOLE = frozenset({"completed", "requires_action"})


def _describe_output(body: Mapping[str, Any]) -> str:
    """The text of an output and the ids of its calls; "" if there is little that could be told from another."""
    steps = output_steps(body)
    calls = [str(step.get("id")) for step in steps if step.get("type") == "function_call"]
    told = "\n".join([steps_text(steps), *calls])[:_LONGEST]
    return told if len(told) >= _TELLING else ""


def _tell_crossing(exchange: Exchange, told: str, own: str, origin: str) -> tuple[Exchange, Finding]:
    message = "a create returns the output of another interaction, which GET shows under its own id"
    actual = f"{format_value(shorten(told, 60))}, the output of {origin}"
    return exchange, Finding.from_code("create.ok/another", message, f"the output of {own}", actual)


_LEAST = 4
"""Events with an id that a stream needs so that one strange id among them tells something."""


@dataclass(slots=True)
class EventIds:
    """The ids of events by the interaction whose stream had them first.

    Ids are unique in one stream only: a server may count its events, and then two streams have most ids in common.
    One id of another stream among ids of its own is a mistake, and a resume from it begins elsewhere, or nowhere.
    """

    _owners: dict[str, str] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)

    def note(self, exchange: Exchange) -> Iterator[tuple[Exchange, Finding]]:
        """Judge the ids of the next stream by those of the streams before it."""
        name = read(exchange).id if exchange.succeeded and read(exchange).stream is not None else None
        if not name or exchange.excuse:
            return
        ids = [one for event in read(exchange).events if isinstance(one := event.get("event_id"), str) and one]
        if strange := self._find_strange(name, ids):
            message, expected = "an event has the id of an event in another stream", "an id of its own"
            code, actual = "resume.ids-stable/foreign", format_value(strange)
            yield exchange, Finding.from_code(code, message, expected, actual)
        for one in ids:
            self._owners.setdefault(one, name)
        self._counts[name] = max(self._counts[name], len(ids))

    def _find_strange(self, name: str, ids: list[str]) -> str:
        """The one id that another stream had first, if both have enough; "" if there is none, or several."""
        strange = [one for one in dict.fromkeys(ids) if self._owners.get(one, name) != name]
        if len(strange) != 1 or min(len(ids), self._counts[self._owners[strange[0]]]) < _LEAST:
            return ""
        return strange[0]
