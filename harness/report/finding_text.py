"""One finding in words: what is wrong, where, what was expected and what came, each in a line.

The only place that words a finding for people; must not know what a run, a file or a test does with it. Secrets
are hidden before, by `hide_secrets`, and nowhere else.

Texts of the wire get into a line of a terminal here alone: short values whole, long ones by their beginning and
their length. With -vv, and in reports, they stand in full (`evidence_text`).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from msgspec.structs import replace

from harness.outcome import Accounted, Finding, Where
from harness.outcome.words import shorten
from harness.report.screen import ROLES, Line, Paint, Role
from harness.wire.bodies import json_or_none
from harness.wire.message import escape_controls

LONG, ROW = 40, 66
"""Most characters of a value that is shown whole, and of a row of a body in a terminal."""

_TOKEN = re.compile(rf"[\w=%+~-]{{{LONG + 1},}}…?")
_PART = re.compile(r"(?<=[/=])[\w%+~-]{17,}(?![\w%+~.-])")
STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
"""A step of the pointer of a finding: the name of a member, or the index of an element."""


def shorten_token(text: str) -> str:
    """`Eo4C… (344)`; of a long text with spaces, its first words."""
    if len(text) <= LONG:
        return text
    begin = text[: LONG - 8].rpartition(" ")[0] or text[:4]
    return f"{begin}… ({len(text)})"


def shorten_tokens(text: str) -> str:
    """A text, such as a path or a sentence, with its long words shortened so; of a cut one no length is known."""
    return _TOKEN.sub(
        lambda found: f"{found[0][:4]}…" if found[0].endswith("…") else shorten_token(found[0]), text
    )


def shorten_target(text: str) -> str:
    """The path of a request with its ids shortened, which are long from 17 characters on."""
    return _PART.sub(lambda found: f"{found[0][:4]}… ({len(found[0])})", text)


def shorten_values(value: Any) -> Any:
    """A value of JSON with its long strings shortened so."""
    match value:
        case str():
            return shorten_token(value)
        case list():
            return [shorten_values(item) for item in value]
        case dict():
            return {shorten_token(name): shorten_values(item) for name, item in value.items()}
    return value


def quote(text: str, most: int = 150) -> str:
    """A body in a line of at most `most` characters, by default two rows of a terminal; never ends in a word."""
    line = shorten_tokens(" ".join(text.split()))
    try:
        if isinstance(value := json_or_none(text.encode("utf-8", "replace")), dict | list | str):
            line = json.dumps(shorten_values(value), ensure_ascii=False)
    except RecursionError:  # nested so deep that nobody reads it
        pass
    if len(line) <= most:
        return line
    return f"{line[: max(most, LONG // 2) - 1].rpartition(' ')[0] or shorten(line, most - 1)} …"


def quote_place(text: str, pointer: str) -> Iterator[Line]:
    """The member of a body that a finding names, between its two neighbors; nothing if the body has none there."""
    value = json_or_none(text.encode("utf-8", "replace"))
    steps: list[str | int] = [name or int(index) for name, index in STEP.findall(pointer)]
    for step in steps[:-1]:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return
    members: list[tuple[str | int, Any]]
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    else:
        return
    at = next((number for number, (name, _) in enumerate(members) if steps and name == steps[-1]), None)
    if at is None:
        return
    for number, (name, item) in enumerate(members):
        if abs(number - at) <= 1:
            label = f"{json.dumps(name, ensure_ascii=False)}: " if isinstance(name, str) else ""
            most = 150 if number == at and not isinstance(item, dict | list) else ROW - len(label)
            row = f"{label}{quote(json.dumps(item, ensure_ascii=False), most)}"
            arrow, role = ("->", Role.ACTUAL) if number == at else ("  ", Role.QUIET)
            yield Line(f"  {arrow} {row}", role, hang=5 + len(label))


def write_headline(paint: Paint, outcome: Accounted, name: str, level: str, title: str, *, word: str = "") -> Line:
    """The first line about a result in every command: the outcome, or another `word`, then id, level and title."""
    label = paint(Role.QUIET if word else ROLES[outcome], f"{word or outcome.word.upper():<11}")
    return Line(f"{label} {paint(Role.ID, name)} {paint(Role.LEVEL, f'[{level}]')} {title}", hang=12)


class ExplainedFailure(NamedTuple):
    """A failure as every command explains it: its headline, and the lines below it."""

    headline: Line
    lines: Sequence[Line]


def finding_lines(finding: Finding, fixes: SharedFixes | None = None, *, brief: bool = False) -> Iterator[Line]:
    """The message with its place, then what was expected, what came and a cure, if known.

    In `brief` the evidence below shows the exchange.
    """
    where = place(replace(finding.where, exchange="", start=None) if brief else finding.where)
    text = finding.message.removesuffix(f"; expected {finding.expected}") + (f" ({where})" if where else "")
    yield Line(_put_on_one_line(shorten_target(shorten_tokens(text)) if brief else text))
    yield from compared_lines(finding, brief=brief)
    if finding.cure:
        cure = finding.cure if fixes is None else fixes.write(finding.cure, finding.rule)
        yield Line(_put_on_one_line(f"  known fix: {cure}"), Role.HELP)


class SharedFixes:
    """The known fixes of a report that is read from top to bottom: each stands in full where it is first met."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}

    def write(self, fix: str, rule: str) -> str:
        """A fix for a finding of this rule, or, if it is long and stands above, the rule where."""
        reference = f"the same as for `{self._first.setdefault(fix, rule)}`"
        return fix if self._first[fix] == rule or len(fix) <= len(reference) else reference


def summarize(message: str, pointer: str | None) -> str:
    """A message that names its place in the JSON, for where no more than a line is shown."""
    if message.startswith("should "):  # the words of a schema, whose subject is the place
        return f"{pointer or 'it'} {message}"
    named = pointer in (None, "", "$") or pointer in message  # `$` is all of the body
    return message if named else f"{message} (at {pointer})"


def compared_lines(finding: Finding, *, brief: bool = False) -> Iterator[Line]:
    """The expected and the actual value, if known, indented, with a mark below each part that differs.

    In `brief` long words lack their middle, unless it is there that the two differ.
    """
    texts = [finding.expected, finding.actual]
    if brief:
        texts = [shorten(shorten_tokens(text), 200) for text in texts]
        kept = {_LENGTH.sub("", text) for text in texts}
        if len(kept) == 1 and finding.expected != finding.actual:
            first = max(0, _count_alike(finding.expected, finding.actual) - 20)
            texts = [f"…{shorten(text[first:], MARKED)}" for text in (finding.expected, finding.actual)]
    labels = ("expected: ", Role.EXPECTED), ("actual:   ", Role.ACTUAL)
    for (label, role), parts in zip(labels, compare_texts(*map(_put_on_one_line, texts)), strict=True):
        text = "".join(part.text for part in parts)
        if text:
            yield Line(f"  {label}{text}", role, hang=12)
        if len(text) <= MARKED and any(not part.differs for part in parts):
            marks = "".join(("^" if part.differs else " ") * len(part.text) for part in parts).rstrip()
            yield from [Line(f"{'':12}{marks}", role)] if marks else []


MARKED = 64
"""Most characters of a value with marks below it, which a terminal must not wrap."""

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_LENGTH = re.compile(r"(?<=…) \(\d+\)")
"""The length of a word that `shorten_tokens` cut."""


class MarkedText(NamedTuple):
    """A piece of text, and whether it differs from the other side."""

    text: str
    differs: bool


def compare_texts(expected: str, actual: str) -> tuple[tuple[MarkedText, ...], tuple[MarkedText, ...]]:
    """Both texts in parts, in their order; both as a whole if they are long, or have little text in common."""
    if not expected or not actual or max(len(expected), len(actual)) > 4_000:
        return _mark_whole(expected), _mark_whole(actual)
    before, after = _WORDS.findall(expected), _WORDS.findall(actual)
    matcher = SequenceMatcher(None, before, after)
    blocks = matcher.get_matching_blocks()
    common = sum(len("".join(before[block.a : block.a + block.size]).strip()) for block in blocks)
    if common < 0.25 * max(len(expected), len(actual)):  # few words in common; an id is one word
        first = _count_alike(expected, actual)
        last = _count_alike(expected[first:][::-1], actual[first:][::-1])
        if first + last < 0.5 * max(len(expected), len(actual)):
            return _mark_whole(expected), _mark_whole(actual)
        return _mark_middle(expected, first, last), _mark_middle(actual, first, last)
    left: list[MarkedText] = []
    right: list[MarkedText] = []
    for tag, i, j, m, n in matcher.get_opcodes():
        for parts, words in ((left, before[i:j]), (right, after[m:n])):
            parts += [MarkedText("".join(words), tag != "equal")] if words else []
    return tuple(left), tuple(right)


def _count_alike(one: str, other: str) -> int:
    """How many first characters two texts have in common."""
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in alike)


def _mark_middle(text: str, first: int, last: int) -> tuple[MarkedText, ...]:
    end = len(text) - last
    parts = MarkedText(text[:first], False), MarkedText(text[first:end], True), MarkedText(text[end:], False)
    return tuple(part for part in parts if part.text)


def _mark_whole(text: str) -> tuple[MarkedText, ...]:
    return (MarkedText(text, True),) if text else ()


def _put_on_one_line(text: str) -> str:
    """Make the text one line, even if it quotes a body with line breaks."""
    return escape_controls(text).replace("\n", r"\n")


def place(where: Where) -> str:
    """The known parts of `exchange 'x', event 3, bytes 10–20, at $.id`; the file is left to the headline."""
    parts = [
        f"exchange {where.exchange!r}" if where.exchange else "",
        f"event {where.event}" if where.event is not None else "",
        f"bytes {where.start}–{where.end}" if where.start is not None else "",
        f"at {where.pointer}" if where.pointer not in (None, "", "$") else "",
    ]
    return ", ".join(part for part in parts if part)
