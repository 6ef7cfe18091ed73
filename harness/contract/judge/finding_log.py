"""The findings of one response: a few of each rule, with their causes, and one for each kind of unknown part.

Pure. If a target breaks a rule in each of a million events, some examples are kept. A defect that makes another
one in the same stream unavoidable is its cause (`CAUSES`); a cause never changes a verdict. A part that no
published schema names (a step, an event, a field of a newer API, or a mistake) is no defect: clients have to
accept it, so it is reported once for each kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from harness.contract.schema.validator import Review, UnknownPart
from harness.outcome import Finding, Severity, Where
from harness.wire.json_value import find_ambiguous


def place_finding(
    code: str,
    message: str,
    expected: str,
    actual: str,
    pointer: str,
    severity: Severity = Severity.BROKEN,
) -> Finding:
    """A finding against `rule` or `rule/word`, at one place of a JSON value."""
    return Finding.from_code(code, message, expected, actual, where=Where(pointer=pointer), severity=severity)


def judge_ambiguous(code: str, where: str, data: bytes, value: Any) -> list[Finding]:
    """The finding that readers of JSON `data`, which has this value, see two values of one name."""
    name = find_ambiguous(data, value)
    message = f"an object in the {where} has a name twice, with two values"
    return [Finding.from_code(code, message, "each name once", name[:80])] if name else []


PER_RULE = 20
"""The most findings of one rule that are kept from one answer."""


class FindingLog:
    """The findings of a judge so far: at most `PER_RULE` of each rule."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._kept: Counter[str] = Counter()

    def is_full(self, rule: str) -> bool:
        """Whether this rule has all the findings it may keep, so that no more need be created."""
        return self._kept[rule] >= PER_RULE

    def add(self, finding: Finding) -> None:
        """Keep the finding, unless its rule has enough."""
        if not self.is_full(finding.rule):
            self._kept[finding.rule] += 1
            self.findings.append(finding)


UNLISTED = frozenset({"http.unlisted"})
"""The rule about parts that no schema names, unknown events included: a MAY, so it fails no run."""


def judge_unlisted_in(review: Review, revision: str) -> Iterator[Finding]:
    """The members of a JSON value that its schema in this revision does not name."""
    return judge_unlisted([(None, part) for part in review.unknowns], revision)


def judge_unlisted(parts: Iterable[tuple[int | None, UnknownPart]], revision: str) -> Iterator[Finding]:
    """One finding for each of the first kinds of unknown parts of an answer, each with the number of its event."""
    seen: set[str] = set()
    for event, part in parts:
        name = part.name[:60]
        subject = f"{part.kind} {name}"
        if not part.name or subject in seen:  # what has no name is an odd form of something known
            continue
        if len(seen) == 64:
            return
        seen.add(subject)
        yield Finding(
            "http.unlisted",
            f"the {part.kind} `{name}` is in no published schema",
            f"a name of revision {revision}",
            name,
            Where(event=event, pointer=part.pointer),
            subject=subject,
        )


_LOST = ("stream.json/", "stream.framing/utf8", "stream.event-type", "stream.schema/")
"""An event that could not be read: a client has to go on as if it had not come."""

_READ_ALL_THE_SAME = frozenset({"stream.schema/null"})
"""Defects of the same kinds that keep nobody from reading the event."""

CAUSES: dict[str, tuple[str, ...]] = {
    "stream.first/other-event": _LOST,
    "stream.first/no-event": (*_LOST, "stream.framing/unended"),
    "stream.start-before/never": _LOST,
    "stream.index-contiguous": _LOST,
    "stream.start-before/stopped": ("stream.completed-last",),
    "stream.completed-last": ("stream.event-type",),
    "stream.stop-once/open": _LOST,
    "stream.no-interleave": _LOST,
    "stream.terminal": (*_LOST, "stream.framing/unended"),
    "stream.terminal/resumed": (*_LOST, "stream.framing/unended"),
}
"""For each defect that may be unavoidable, the codes that make it so."""


def may_cause(cause: str, code: str) -> bool:
    """Whether a finding with the code `cause` can be why there is one with `code`."""
    if cause in _READ_ALL_THE_SAME:
        return False
    return any(cause == known or (known[-1] == "/" and cause.startswith(known)) for known in CAUSES.get(code, ()))


def with_causes(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings of one stream in their order, each with its cause; a cause weighs one more for each of them."""
    causes = [_cause_of(finding, findings) for finding in findings]
    caused = Counter(number for number in causes if number is not None)
    return tuple(
        replace(
            finding,
            cause=finding.cause if number is None else findings[number].stable_code,
            weight=finding.weight + caused[place],
        )
        for place, (finding, number) in enumerate(zip(findings, causes, strict=True))
    )


def _cause_of(finding: Finding, findings: Sequence[Finding]) -> int | None:
    """The number of the first finding that makes this one unavoidable."""
    for number, other in enumerate(findings):
        if (
            other is not finding
            and _comes_before(other, finding)
            and may_cause(other.stable_code, finding.stable_code)
        ):
            return number
    return None


def _comes_before(first: Finding, second: Finding) -> bool:
    """Whether it is known to be at an event no later; what has no event is about the end of the stream."""
    if first.where.event is None:
        return False
    return second.where.event is None or first.where.event <= second.where.event
