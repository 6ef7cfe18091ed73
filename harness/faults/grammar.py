"""The grammar of fault plans, such as `event:5+60,rst/event:2,fin`; `docs/faults.md` describes all of it.

Knows syntax and nothing else; `plan` decides which values are allowed. Spaces around separators are allowed, `str`
of a plan omits them, and `parse(str(plan)) == plan` for every plan.

    plan       = part {"/" scope "=" part}, the first of them with or without a scope
    part       = [scope "="] (connection {"/" connection}  |  "random:" seed ["+" events])
    connection = ("pass" | fault {"," fault}) ["," "times:" (n | "all")]
    fault      = place "," drop  |  "status:" code {"," more}  |  name [":" value]
"""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn, TypeVar
from urllib.parse import unquote

from msgspec.structs import replace

from harness.faults.plan import Connection, Plan, Scope, Seed
from harness.faults.values import (
    BareError,
    Chunks,
    Coding,
    Comment,
    Compress,
    Crlf,
    Cut,
    Drop,
    Edit,
    ErrorEvent,
    ErrorShape,
    Fault,
    Garble,
    Glue,
    Ids,
    Inclusive,
    Late,
    Members,
    Omit,
    Part,
    Ping,
    Place,
    Raw,
    Replay,
    Reshape,
    Silence,
    Spot,
    Status,
    Trickle,
    Unknown,
)
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean, shorten
from harness.wire.message import escape_controls

_NUMBER = re.compile(r"[0-9]{1,12}")
_SECONDS = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,3}))?")
_SPOTS = {spot.value: spot for spot in Spot}
_DROPS = {drop.value: drop for drop in Drop}
_SCOPES = {scope.value: scope for scope in Scope}
_SHAPES = {shape.value: shape for shape in ErrorShape}
_RETRIES = ("retry-after", "retry-after-ms")
_OF_STATUS = (*_RETRIES, "retry-info", "shape", "body")
_SHOWN = 300
"""Characters of a plan that an error shows before the mistake, and after it."""

_FREE = re.compile(r"(?:[A-Za-z0-9_.~!*'()-]|%[0-9A-Fa-f]{2})*")
_Made = TypeVar("_Made")


def parse(text: str) -> Plan:
    """Parse `text` into a plan; raises `UsageFault` with the column (from 1) and a suggestion."""
    return _Parser(text).plan()


@dataclass(frozen=True, slots=True)
class _Word:
    """One comma-separated word, `name` or `name:value`, and the 0-based column of its first character."""

    text: str
    column: int

    @property
    def name(self) -> str:
        return self.text.partition(":")[0].rstrip()

    @property
    def value(self) -> str | None:
        _, colon, value = self.text.partition(":")
        return value.strip() if colon else None


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
        return self._build_at(lambda: replace(first, also=tuple(others)), starts[-1]) if others else first

    def _part(self, start: int, end: int) -> Plan:
        """The plan of one scope, from one column to another."""
        head, equals, _ = self._text[start:end].partition("=")
        scope = Scope.STREAMS
        if equals:
            name = _Word(head.strip(), start + _indent(head))
            if name.text not in _SCOPES:
                self._reject_unknown(name, "is not a kind of request", name.text, _SCOPES)
            scope = _SCOPES[name.text]
            start += len(head) + 1
        rest = self._text[start:end]
        if rest.strip().startswith("random:"):
            word = _Word(rest.strip(), start + _indent(rest))
            number, plus, events = (word.value or "").partition("+")
            seed = self._number(word, number)
            if not plus:
                return self._build_at(lambda: draw(Seed(seed), scope), word.column)
            size = self._number(word, events)
            return self._build_at(lambda: draw(Seed(seed, size), scope), word.column)
        parts = [self._parse_connection(words) for words in self._split(start, end)]
        return self._build_at(lambda: Plan(tuple(parts), scope), start)

    def _split(self, start: int, end: int) -> Iterable[deque[_Word]]:
        """Yield the words of each connection; an empty word is rejected here."""
        column = start
        for part in self._text[start:end].split("/"):
            words: deque[_Word] = deque()
            for raw in part.split(","):
                word = _Word(raw.strip(), column + _indent(raw))
                if not word.text:
                    self._fail(word, "a fault is missing here: write one, or `pass` for a connection without")
                words.append(word)
                column += len(raw) + 1
            yield words

    def _parse_connection(self, words: deque[_Word]) -> Connection:
        first = words[0]
        times = self._parse_times(words)
        faults: list[Fault] = []
        if [word.text for word in words] == ["pass"]:
            words.clear()
        elif not words:
            self._fail(first, "times of what? write a fault before it, or `pass`")
        while words:
            column = words[0].column
            faults.append(self._build_at(lambda: self._parse_fault(words), column))
        return self._build_at(lambda: Connection(tuple(faults), times), first.column)

    def _parse_times(self, words: deque[_Word]) -> int | None:
        if words[-1].name != "times":
            return 1
        word = words.pop()
        if word.value == "all":
            return None
        times = self._number(word, word.value)
        if times < 1:
            self._fail(word, "times:0 would be no connection at all: leave it out")
        return times

    def _parse_fault(self, words: deque[_Word]) -> Fault:
        word = words.popleft()
        if word.name in _SPOTS:
            return Cut(self._place(word), self._drop(word, words))
        if word.name == "status":
            return self._parse_status(word, words)
        if word.name in _BARE:
            if word.value is not None:
                self._fail(word, f"{word.name} takes no value: write {word.name} alone")
            return _BARE[word.name]
        if word.name in _VALUED:
            return _VALUED[word.name](self, word)
        return self._reject_misplaced(word)

    def _place(self, word: _Word) -> Place:
        spot = _SPOTS[word.name]
        if word.value is None:
            return Place(spot)
        number, plus, extra = word.value.partition("+")
        return Place(spot, self._number(word, number), self._number(word, extra) if plus else 0)

    def _drop(self, place: _Word, words: deque[_Word]) -> Drop:
        if not words:
            others = ", ".join(_DROPS)
            self._fail(
                place, f"this names the place, not the ending: write for example {place.text},rst (or {others})"
            )
        word = words.popleft()
        if word.text not in _DROPS:
            self._reject_unknown(word, f"is not a way for {place.text} to end", word.text, _DROPS)
        return _DROPS[word.text]

    def _parse_status(self, word: _Word, words: deque[_Word]) -> Status:
        code = self._number(word, word.value)
        more: dict[str, _Word] = {}
        while words and words[0].name in _OF_STATUS:
            option = words.popleft()
            if option.name in more:
                self._fail(option, f"{option.name} appears twice")
            more[option.name] = option
        waits = {name: self._number(more[name], more[name].value) for name in _RETRIES if name in more}
        retry_info = more["retry-info"].value or "" if "retry-info" in more else None
        return Status(
            code,
            waits.get("retry-after"),
            waits.get("retry-after-ms"),
            shape=self._read_shape(more.get("shape"), retry_info),
            retry_info=retry_info,
            body=None if "body" not in more else self._free_text(more["body"], more["body"].value or ""),
        )

    def _read_shape(self, word: _Word | None, retry_info: str | None) -> ErrorShape:
        if word is None:
            return ErrorShape.SERVICE if retry_info is None else ErrorShape.FRONT_END
        if word.value not in _SHAPES:
            self._reject_unknown(word, "is not a shape of an error", word.value or "", _SHAPES)
        return _SHAPES[word.value]

    def _free_text(self, word: _Word, text: str) -> str:
        """A text of the user's own, which is percent-encoded in a plan."""
        if _FREE.fullmatch(text) is None:
            self._fail(word, "a text in a plan is percent-encoded, as in a URL: write for example Bad%20gateway")
        try:
            return unquote(text, errors="surrogatepass")
        except UnicodeDecodeError:
            self._fail(word, "the percent-encoded bytes of this text are not UTF-8")

    def _number(self, word: _Word, text: str | None) -> int:
        digits = (text or "").strip()
        if _NUMBER.fullmatch(digits) is None:
            what = f"{digits!r} is not a whole number of at most 12 digits" if digits else "a number is missing"
            self._fail(word, f"{what}: write for example {word.name}:{_EXAMPLES.get(word.name, '5')}")
        return int(digits)

    def _parse_optional(self, word: _Word, special: str) -> int | None:
        """A number, or None for `special`, the one word that is allowed in its place."""
        return None if word.value == special else self._number(word, word.value)

    def _split_value(self, word: _Word) -> tuple[int, str]:
        """The number in `name:K+rest`, and the rest."""
        after, _, rest = (word.value or "").partition("+")
        return self._number(word, after), rest.strip()

    def _parse_flagged(self, word: _Word, flag: str, effect: str) -> tuple[int, bool]:
        """The number in `name:K` or `name:K+flag`, and whether the flag is there."""
        after, plus, extra = (word.value or "").partition("+")
        if plus and extra.strip() != flag:
            hint = f"{word.name}:{after.strip()}+{flag} {effect}"
            self._fail(word, f"+{extra.strip()} means nothing here: {hint}")
        return self._number(word, after), bool(plus)

    def _replay(self, word: _Word) -> Replay:
        after, count = self._split_value(word)
        return Replay(after, self._number(word, count))

    def _parse_raw(self, word: _Word) -> Raw:
        after, text = self._split_value(word)
        return Raw(after, self._free_text(word, text))

    def _parse_silence(self, word: _Word) -> Silence:
        after, seconds = self._split_value(word)
        return Silence(after, self._parse_millis(word, seconds, "silence:5+120"))

    def _parse_millis(self, word: _Word, text: str | None, example: str) -> int:
        match = _SECONDS.fullmatch(text or "")
        if match is None:
            self._fail(word, f"{text!r} is not a number of seconds: write for example {example}")
        return int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0"))

    def _reject_misplaced(self, word: _Word) -> NoReturn:
        if word.text in _DROPS:
            self._fail(word, f"this names the ending, not the place: write for example event:5,{word.text}")
        if word.name in _OF_STATUS:
            self._fail(word, f"{word.name} belongs to a status: write for example status:429,{word.text}")
        if word.name == "times":
            self._fail(word, "times comes last in its connection")
        if word.name == "pass":
            self._fail(word, "pass stands alone: a connection either has faults or passes")
        self._reject_unknown(word, "is not a fault", word.name, _NAMES)

    def _reject_unknown(self, word: _Word, what: str, given: str, known: Iterable[str]) -> NoReturn:
        listed = tuple(known)
        near = did_you_mean(given, listed, otherwise=": known are " + ", ".join(listed))
        self._fail(word, f"{given!r} {what}{near}")

    def _build_at(self, make: Callable[[], _Made], column: int) -> _Made:
        """Return `make()`; a ValueError that it raises is reported with the column."""
        try:
            return make()
        except ValueError as error:
            self._fail_at(column, str(error))

    def _fail(self, word: _Word, problem: str) -> NoReturn:
        self._fail_at(word.column, problem)

    def _fail_at(self, column: int, problem: str) -> NoReturn:
        start = max(0, column - _SHOWN) if len(self._text) > 2 * _SHOWN else 0
        shown = self._text[start : start + 2 * _SHOWN].replace("\n", " ").replace("\t", " ")
        raise UsageFault(f"fault plan, column {column + 1}: {problem}\n  {shown}\n  {' ' * (column - start)}^")


def _indent(text: str) -> int:
    """The column of the first character that is not a space; the length of a text that is all spaces."""
    return len(text) - len(text.lstrip())


_UNVALUED: tuple[Fault, ...] = (
    Inclusive(), Crlf(), Glue(), Members(), *map(Omit, Part), *map(Compress, Coding),
)  # fmt: skip
_BARE = {str(fault): fault for fault in _UNVALUED}
_VALUED: dict[str, Callable[[_Parser, _Word], Fault]] = {
    "dup": lambda parser, word: Replay(parser._number(word, word.value)),
    "replay": _Parser._replay,
    "ping": lambda parser, word: Ping(parser._parse_optional(word, "all")),
    "unknown": lambda parser, word: Unknown(parser._parse_optional(word, "all")),
    "error": lambda parser, word: ErrorEvent(*parser._parse_flagged(word, "id", "gives it its own id")),
    "bare-error": lambda parser, word: BareError(*parser._parse_flagged(word, "refusal", "makes it a refusal")),
    "ids": lambda parser, word: Ids(parser._parse_optional(word, "none")),
    "late": lambda parser, word: Late(parser._parse_millis(word, word.value, "late:2 or late:0.25")),
    "trickle": lambda parser, word: Trickle(parser._number(word, word.value)),
    "garble": lambda parser, word: Garble(parser._number(word, word.value)),
    "comment": lambda parser, word: Comment(parser._parse_optional(word, "all")),
    "raw": _Parser._parse_raw,
    "silence": _Parser._parse_silence,
    "strip": lambda parser, word: Reshape(Edit.STRIP, word.value or ""),
    "empty": lambda parser, word: Reshape(Edit.EMPTY, word.value or ""),
    "chunks": lambda parser, word: Chunks(parser._number(word, word.value)),
}
_EXAMPLES = {
    "status": "429", "replay": "5+3", "ids": "none", "headers": "20", "event": "5+60", "random": "42",
    "times": "3", "retry-after": "2", "retry-after-ms": "250",
}  # fmt: skip
_NAMES = (*_SPOTS, "status", *_BARE, *_VALUED)


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
    "glue": "data first, no space after colons, a comment and a retry field in each frame",
    "comment": "a comment line inside a frame",
    "members": "a member that no reader knows in each event",
    "crlf": "lines that end in CR LF",
    "trickle": "pieces that come one by one",
    "chunks": "pieces that split characters, names and line ends",
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
