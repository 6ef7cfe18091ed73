"""The grammar of fault plans, such as `event:5+60,rst/event:2,fin`; `docs/faults.md` describes all of it.

Knows syntax and nothing else: each fault reads its own word (`fault`), and `plan` decides what can be combined.
Spaces around separators are allowed, `str` of a plan omits them, and `parse(str(plan)) == plan` for every plan.

    plan       = part {"/" scope "=" part}, the first of them with or without a scope
    part       = [scope "="] (connection {"/" connection}  |  "random:" seed ["+" events])
    connection = ("pass" | fault {"," fault}) ["," "times:" (n | "all")]
    fault      = place "," drop  |  "status:" code {"," more}  |  name [":" value]
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from typing import NoReturn
from urllib.parse import unquote

from msgspec.structs import replace

from harness.faults.answer_faults import OF_STATUS, Coding, Compress, Edit, Inclusive, Reshape, Status
from harness.faults.byte_faults import Chunks, Crlf, Trickle
from harness.faults.cut_faults import Cut, Drop, Place, Spot
from harness.faults.event_faults import (  # fmt: skip
    BareError,
    Comment,
    ErrorEvent,
    Garble,
    Glue,
    Ids,
    Late,
    Long,
    Members,
    Omit,
    Part,
    Ping,
    Raw,
    Replay,
    Silence,
    Unknown,
)
from harness.faults.fault import Fault, Word
from harness.faults.plan import Connection, Plan, Scope, Seed
from harness.outcome.words import shorten
from harness.wire.message import escape_controls

FAULTS: Mapping[str, type[Fault]] = {
    **dict.fromkeys(map(str, Spot), Cut), "status": Status,
    "inclusive": Inclusive, "crlf": Crlf, "glue": Glue, "long": Long, "members": Members,
    **dict.fromkeys(map(str, Part), Omit), **dict.fromkeys(map(str, Coding), Compress),
    "dup": Replay, "replay": Replay, "ping": Ping, "unknown": Unknown,
    "error": ErrorEvent, "bare-error": BareError, "ids": Ids, "late": Late, "trickle": Trickle, "garble": Garble,
    "comment": Comment, "raw": Raw, "silence": Silence, **dict.fromkeys(map(str, Edit), Reshape), "chunks": Chunks,
}  # fmt: skip
"""The fault that each word of a plan names."""


@lru_cache(maxsize=1024)  # a set of cases checks each plan before one of them plays it
def parse(text: str) -> Plan:
    """Parse `text` into a plan; raises `UsageFault` with the column (from 1) and a suggestion."""
    return _Parser(text).plan()


class _Parser:
    """The parser of one text; its methods go from the whole to the parts."""

    def __init__(self, text: str) -> None:
        self._text = text

    def plan(self) -> Plan:
        starts, start = [0], 0
        for connection in self._text.split("/"):
            if start and "=" in connection:
                starts.append(start)
            start += len(connection) + 1
        ends = [*(start - 1 for start in starts[1:]), len(self._text)]
        first, *others = [self._part(start, end) for start, end in zip(starts, ends, strict=True)]
        return self._word("", starts[-1]).build(lambda: replace(first, also=tuple(others))) if others else first

    def _word(self, text: str, column: int, more: deque[Word] | None = None) -> Word:
        column += len(text) - len(text.lstrip())
        return Word(text.strip(), column, self._text, deque() if more is None else more)

    def _part(self, start: int, end: int) -> Plan:
        """The plan of one scope, from one column to another."""
        head, equals, _ = self._text[start:end].partition("=")
        scope = Scope.STREAMS
        if equals:
            name = self._word(head, start)
            if name.text not in list(Scope):
                name.reject("is not a kind of request", name.text, Scope)
            scope = Scope(name.text)
            start += len(head) + 1
        rest = self._text[start:end]
        if rest.strip().startswith("random:"):
            word = self._word(rest, start)
            number, plus, events = (word.value or "").partition("+")
            given = (word.number(number), *([word.number(events)] if plus else []))
            return word.build(lambda: draw(Seed(*given), scope))
        parts = [self._connection(words) for words in self._split(start, end)]
        return self._word("", start).build(lambda: Plan(tuple(parts), scope))

    def _split(self, start: int, end: int) -> Iterable[deque[Word]]:
        """Yield the words of each connection; an empty word is rejected here."""
        column = start
        for part in self._text[start:end].split("/"):
            words: deque[Word] = deque()
            for raw in part.split(","):
                word = self._word(raw, column, words)
                if not word.text:
                    word.fail("a fault is missing here: write one, or `pass` for a connection without")
                words.append(word)
                column += len(raw) + 1
            yield words

    def _connection(self, words: deque[Word]) -> Connection:
        first, times, faults = words[0], self._times(words), list[Fault]()
        if [word.text for word in words] == ["pass"]:
            words.clear()
        elif not words:
            first.fail("times of what? write a fault before it, or `pass`")
        while words:
            word = words.popleft()
            if word.name not in FAULTS:
                _reject(word)
            faults.append(word.build(partial(FAULTS[word.name].read, word)))
        return first.build(lambda: Connection(tuple(faults), times))

    def _times(self, words: deque[Word]) -> int | None:
        if words[-1].name != "times":
            return 1
        word = words.pop()
        if word.value == "all":
            return None
        times = word.number()
        if times < 1:
            word.fail("times:0 would be no connection at all: leave it out")
        return times


def _reject(word: Word) -> NoReturn:
    """Refuse a word that names no fault: it may stand in the wrong place."""
    if word.text in list(Drop):
        word.fail(f"this names the ending, not the place: write for example event:5,{word.text}")
    if word.name in OF_STATUS:
        word.fail(f"{word.name} belongs to a status: write for example status:429,{word.text}")
    if word.name == "times":
        word.fail("times comes last in its connection")
    if word.name == "pass":
        word.fail("pass stands alone: a connection either has faults or passes")
    word.reject("is not a fault", word.name, FAULTS)


# Plans drawn from a seed: the same seed draws the same plan, everywhere and for ever.
# Knows how likely each fault is; must not know how faults are applied. Code that runs a drawn plan prints it:
# its `str` is `random:SEED`, which the grammar parses.


_BODY_SPOTS = (Spot.EVENT, Spot.EVENT, Spot.EVENT, Spot.BYTE, Spot.DATA, Spot.BLANK, Spot.UTF8, Spot.COMPLETION)
_DRAWN_DROPS = (Drop.FIN, Drop.RST, Drop.END, Drop.STALL, Drop.BAD_CHUNK, Drop.SHORT_LENGTH)
_HEAD_CUTS = (
    Cut(Place(Spot.BEFORE_HEADERS), Drop.FIN),
    Cut(Place(Spot.BEFORE_HEADERS), Drop.RST),
    Cut(Place(Spot.HEADERS), Drop.FIN),
)
_STATUSES = (Status(408), Status(409), Status(429, 1), Status(429, None, 20), Status(500), Status(503, None, 20))
_BYTES_AN_EVENT = 150


def random_plan(seed: int, *, events: int = 12) -> Plan:
    """Draw the plan of `seed` for streams of about `events` events."""
    return draw(Seed(seed, events))


def draw(seed: Seed, scope: Scope = Scope.STREAMS) -> Plan:
    """Draw the plan that `seed` stands for: one to three connections with faults."""
    source = random.Random(f"harness.faults 1 {seed.number} {seed.events}")  # a string seeds the same everywhere
    connections = [_draw_connection(source, seed.events) for _ in range(source.randrange(1, 4))]
    return Plan(tuple(connections), scope, seed)


def _draw_connection(source: random.Random, events: int) -> Connection:
    kind = source.random()
    if kind < 0.15:
        return Connection((source.choice(_STATUSES),))
    faults = [_draw_noise(source, events) for _ in range(source.choice((0, 0, 0, 1, 1, 2)))]
    if kind < 0.25:
        faults.append(source.choice(_HEAD_CUTS))
    elif kind < 0.95 or not faults:
        faults.append(Cut(_place(source, events), source.choice(_DRAWN_DROPS)))
    return Connection(tuple(faults))


def _place(source: random.Random, events: int) -> Place:
    spot = source.choice(_BODY_SPOTS)
    if spot is Spot.COMPLETION:
        return Place(spot)
    if spot is Spot.BYTE:
        return Place(spot, source.randrange(events * _BYTES_AN_EVENT))
    inside = source.choice((0, source.randrange(1, _BYTES_AN_EVENT))) if spot is Spot.EVENT else 0
    return Place(spot, source.randrange(events + 1), inside)


def _draw_noise(source: random.Random, events: int) -> Fault:
    after = source.randrange(1, events + 1)
    return source.choice(
        (
            Replay(after),
            Replay(after, source.randrange(1, min(after, 8) + 1)),
            Ping(source.choice((None, after))),
            Unknown(source.choice((None, after))),
            ErrorEvent(after, source.choice((True, False))),
            Ids(source.choice((None, 2, 3))),
            Late(source.randrange(1, 5) * 250),
            Inclusive(),
            Crlf(),
            Chunks(source.choice((1, 7, 64))),
        )
    )


# The faults that break nothing, in words: a reader of event streams must not notice them.


LEGAL_NOISE = {
    "ping": "comment lines between events",
    "unknown": "events of an unknown type",
    "glue": "data first and in two lines, no space after colons, a comment and a retry field in each frame",
    "comment": "a comment line inside a frame",
    "members": "members that no reader knows in each event",
    "long": "a member of 100,000 characters in each event",
    "crlf": "lines that end in CR LF",
    "trickle": "pieces that come one by one",
    "chunks": "pieces that split characters, names and line ends",
    "gzip": "a compressed body, as the request allows",
    "deflate": "a compressed body, as the request allows",
    "no-done": "no final [DONE]",
}
"""The words of the grammar, and what a client sees."""


def spell_out(connection: str) -> str:
    """The faults of a connection as a plan spells them, and in words what of them is legal noise.

    A value that is percent-encoded is decoded and shortened: a person reads it, and no command needs it.
    """
    faults = connection.split(",")
    words = (fault.partition(":")[0] for fault in faults)
    noise = "; ".join(LEGAL_NOISE[word] for word in dict.fromkeys(words) if word in LEGAL_NOISE)
    spelled = ",".join(
        shorten(" ".join(escape_controls(unquote(fault)).split()), 120) if "%" in fault else fault
        for fault in faults
    )
    return f"{spelled} (legal: {noise})" if noise else spelled
