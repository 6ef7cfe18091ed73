"""Compares what went into a gateway with what came out: values field by field, streams event by event.

Pure. Ids may differ as long as they correspond one to one, and names of models and agents may be aliases;
everything else has to arrive unchanged. Losing a field that is null is no change, nor is the same instant written
in another time zone. The cursors of events are not compared here.

Then come the questions that judges of streams ask: what each side got, and what became of the events on the way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import starmap
from typing import Any, NamedTuple

from harness.checks.gateway.findings import answer_line, answer_of, format_value, notice, succeeded
from harness.contract import PROTOCOL, compare_steps, read
from harness.contract.models.profiles import find_profile, list_models
from harness.contract.transcript import assemble_steps
from harness.kit.relay import RelayedExchange
from harness.outcome import Finding, Severity, Unmet
from harness.outcome.words import format_count
from harness.wire import By, Exchange, Frame
from harness.wire.bodies import loads, read_instant
from harness.wire.message import EVENT_STREAM

_IDS = PROTOCOL.id_fields - {"event_id"}
ALIASES = ("model", "agent")
"""Fields whose value may be a name of the gateway's own."""
_CURSOR = "event_id"


class Kind(StrEnum):
    """The kind of change of a field."""

    LOST = "lost"
    CHANGED = "changed"
    ADDED = "added"
    ROUNDED = "rounded"
    """A whole number became a double: equal for a client that reads all numbers as doubles, and for no other."""


class Change(NamedTuple):
    """One field that changed; `pointer` is its place, such as `$.usage.total_tokens`."""

    kind: Kind
    pointer: str
    before: Any = None
    after: Any = None

    @property
    def rank(self) -> int:
        """The rank of the harm, 0 the most: the end, the content, the identity, the cost, the rest."""
        names = _NAME.findall(self.pointer)
        ranks = [rank for rank, group in enumerate(_HARM) if group & set(names)]
        return 0 if names[-1:] == ["status"] else min(ranks, default=len(_HARM)) + 1


_KEPT = frozenset({Kind.ADDED, Kind.ROUNDED})
"""Changes with which an event is still the same event."""
_NAME = re.compile(r"[^$.\[\]]+(?=[.\[]|$)")
_HARM = (
    frozenset({"steps", "delta", "step", "content", "text", "outputs", "error", "errors", "input"}),
    PROTOCOL.id_fields,
    frozenset({"usage"}),
)
"""Fields by the harm that a wrong value below them does to a client, the worst first."""


class Pairs:
    """A one-to-one mapping of ids between the two sides, which `agree` extends."""

    def __init__(self, known: Iterable[tuple[str, str]] = ()) -> None:
        self._there: dict[str, str] = {}
        self._back: dict[str, str] = {}
        for before, after in known:
            self.agree(before, after)

    def agree(self, before: str, after: str) -> bool:
        """Pair two ids, and return whether they correspond: False if either is already paired with another."""
        return self._there.setdefault(before, after) == after and self._back.setdefault(after, before) == before


def changes(before: Any, after: Any, pairs: Pairs | None, pointer: str = "$") -> Iterator[Change]:
    """The differences between two values; without `pairs` any id may correspond to any other."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            place = f"{pointer}.{name}"
            if name not in after:
                if value is not None:
                    yield Change(Kind.LOST, place, value)
            # a gateway may rename an id and an alias
            elif (name in _IDS or name in ALIASES) and isinstance(value, str) and isinstance(after[name], str):
                if name in _IDS and pairs is not None and not pairs.agree(value, after[name]):
                    yield Change(Kind.CHANGED, place, value, after[name])
            else:
                yield from changes(value, after[name], pairs, place)
        for name in after.keys() - before.keys():
            yield Change(Kind.ADDED, f"{pointer}.{name}", None, after[name])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from changes(one, other, pairs, f"{pointer}[{index}]")
    elif not _is_same(before, after):
        yield Change(Kind.ROUNDED if _is_rounded(before, after) else Kind.CHANGED, pointer, before, after)


def _is_rounded(before: Any, after: Any) -> bool:
    """Whether a whole number is now written as a double, such as 5.0 for 5, or lost digits that no double holds.

    RFC 8259, section 6: numbers agree everywhere only as far as doubles hold them. Clients with integer types read
    more, and reject 5.0.
    """
    if type(before) is not int or type(after) not in (int, float) or abs(before) > 10**300:
        return False
    return float(before) == after and (type(after) is float or abs(before) > 2**53)


def _is_same(before: Any, after: Any) -> bool:
    """Equality of JSON values: 1.0 equals 1, true equals no number; an instant may have another spelling."""
    if isinstance(before, bool) != isinstance(after, bool) or _is_rounded(before, after):
        return False
    return bool(before == after) or (
        (instant := read_instant(before)) is not None and instant == read_instant(after)
    )


def is_another_model(before: Any, after: Any) -> bool:
    """Whether two names are those of two models or agents of Google: then neither is an alias.

    A name that means the latest model, and one that Google itself routes elsewhere, may be replaced.
    """
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    asked, got = (name.removeprefix("models/") for name in (before, after))
    known = {profile.name for profile in list_models()}
    if asked == got or asked.endswith("-latest") or not {asked, got} <= known:
        return False
    life = find_profile(asked).value("lifecycle")
    return not isinstance(life, dict) or life.get("then") != got


@dataclass(frozen=True, eq=False)
class RelayedEvent:
    """One event of a stream; `number` counts from 0."""

    number: int
    frame: Frame

    @cached_property
    def value(self) -> dict[str, Any] | None:
        """The payload without its cursor; None if it is not a JSON object."""
        value = loads(self.frame.data).value
        return {k: v for k, v in value.items() if k != _CURSOR} if isinstance(value, dict) else None

    @property
    def kind(self) -> str:
        """Its type; "" if it has none."""
        kind = self.value.get("event_type") if self.value is not None else None
        return kind if isinstance(kind, str) else ""

    @cached_property
    def cursor(self) -> str | None:
        value = loads(self.frame.data).value
        return PROTOCOL.cursor(value) if isinstance(value, dict) else None

    def __str__(self) -> str:
        return self.frame.data.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class StreamDifference:
    """How the events that were `got` differ from those that were `sent`.

    `kept` holds the pairs that correspond in order, `changed` the pairs whose content differs.
    """

    sent: list[RelayedEvent]
    got: list[RelayedEvent]
    kept: list[tuple[RelayedEvent, RelayedEvent]] = field(default_factory=list)
    changed: list[tuple[RelayedEvent, RelayedEvent]] = field(default_factory=list)
    lost: list[RelayedEvent] = field(default_factory=list)
    doubled: list[RelayedEvent] = field(default_factory=list)
    moved: list[RelayedEvent] = field(default_factory=list)
    invented: list[RelayedEvent] = field(default_factory=list)


def compare_streams(before: Sequence[Frame], after: Sequence[Frame]) -> StreamDifference:
    """Find out what became of each event of a stream on its way."""
    sent, got = (list(starmap(RelayedEvent, enumerate(frames))) for frames in (before, after))
    # Whether another event has everything that one has; additions are fine.
    alike = [
        [
            one.frame.data == other.frame.data
            if one.value is None or other.value is None
            else all(change.kind in _KEPT for change in changes(one.value, other.value, None))
            for other in got
        ]
        for one in sent
    ]
    pairs = dict(_pair_in_order(alike))
    found = StreamDifference(sent, got, kept=[(sent[i], got[j]) for i, j in pairs.items()])
    left = [one for one in sent if one.number not in pairs]
    for other in got:
        if other.number not in pairs.values():
            _place(other, left, alike, found)
    found.lost.extend(left)
    return found


def _place(
    other: RelayedEvent, left: list[RelayedEvent], alike: list[list[bool]], found: StreamDifference
) -> None:
    """Classify an event that was not matched in order, and remove the sent event it corresponds to from `left`."""
    for one in left:
        if alike[one.number][other.number]:
            found.moved.append(other)
            left.remove(one)
            return
    if any(row[other.number] for row in alike):
        found.doubled.append(other)
        return
    for one in left:
        if (
            one.value is None
            or other.value is None
            or one.value.get("event_type") != other.value.get("event_type")
        ):
            continue
        if all((a.number < one.number) == (b.number < other.number) for a, b in found.kept):  # the same place
            found.changed.append((one, other))
            left.remove(one)
            return
    found.invented.append(other)


def _pair_in_order(alike: list[list[bool]]) -> list[tuple[int, int]]:
    """The longest pairing of rows with columns in which both increase (a longest common subsequence)."""
    rows, columns = len(alike), len(alike[0]) if alike else 0
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            paired = best[i + 1][j + 1] + 1 if alike[i][j] else 0
            best[i][j] = max(paired, best[i + 1][j], best[i][j + 1])
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while best[i][j]:  # how many pairs are still to come
        if alike[i][j] and best[i][j] == best[i + 1][j + 1] + 1:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


NO_STREAM = "the upstream sent no stream"
PUT_OFF = "the gateway itself refused {} for now"

_OF_THE_API = ("interaction.", "step.", "error")


def difference(relayed: RelayedExchange) -> StreamDifference:
    """The differences between the events of both sides of a stream; computed once per exchange."""
    found = relayed.client.notes.get(__name__)
    if not isinstance(found, StreamDifference):
        found = compare_streams(read(answer_of(relayed)).frames, read(relayed.client).frames)
        relayed.client.notes[__name__] = found
    return found


def tells(relayed: RelayedExchange) -> bool:
    """Whether the upstream sent a stream."""
    return relayed.answer is not None and succeeded(relayed.answer) and read(relayed.answer).is_stream


def arrived(relayed: RelayedExchange) -> bool:
    """Whether the client got a stream."""
    return succeeded(relayed.client) and read(relayed.client).is_stream


def held_back(relayed: RelayedExchange) -> bool:
    """Whether the upstream waited for its client, and this one had got nothing when our time was up.

    That is a buffer, and no loss: what it holds would have come after the end.
    """
    client = relayed.client
    return relayed.arrivals == () and client.status is None and client.ending.by is By.LIMIT


def is_unfinished(relayed: RelayedExchange) -> bool:
    """Whether bytes were still coming when our own time was up: what is missing then was not lost."""
    client = relayed.client
    # a stream that got its last byte within this second has not stopped
    return client.hung and bool(client.arrivals.moments) and client.silence < 1.0


def lacks_time(relayed: RelayedExchange) -> Unmet:
    """The reason why an unfinished stream cannot be judged."""
    return Unmet(
        f"{relayed.name} had not ended at the time limit, after {relayed.client.seconds:.1f} s",
        remedy="with more time (--timeout)",
    )


def no_stream(rule: str, relayed: RelayedExchange) -> Finding:
    """The finding that the client got no stream. Raises Unmet if the gateway refused the request for now."""
    if relayed.put_off:
        raise Unmet(PUT_OFF.format(relayed.name))
    return notice(f"{rule}/no-stream", relayed, "no stream arrived", EVENT_STREAM, answer_line(relayed.client))


def touched(found: StreamDifference) -> bool:
    """Whether the events differ in any way."""
    return any((found.changed, found.lost, found.doubled, found.moved, found.invented))


def completes(exchange: Exchange) -> bool:
    """Whether a stream has the completion of its interaction."""
    return any(PROTOCOL.completes(event) for event in read(exchange).events)


def has(exchange: Exchange, data: bytes) -> bool:
    """Whether a stream has an event with this payload."""
    return any(frame.data == data for frame in read(exchange).frames)


def tells_error(exchange: Exchange) -> bool:
    """Whether a stream reports an error, in whatever form."""
    return read(exchange).is_stream and any("error" in event for event in read(exchange).events)


STREAM_WORDS = ("no-stream", "lost", "twice", "moved", "invented", "changed")
"""What can become of a stream: the words after the rule in the codes of findings that compare one."""


_INSTEAD = {"lost": "nothing", "twice": "the same event twice"}
"""What arrived in the place of an event."""


def differences(rule: str, relayed: RelayedExchange, found: StreamDifference) -> Iterator[Finding]:
    """The differences of the events, as findings; the same text split into other deltas counts leniently."""
    others = [*found.lost, *found.doubled, *found.moved, *found.invented]
    others += [event for pair in found.changed for event in pair]
    mild = all(event.value is not None and event.value.get("event_type") == "step.delta" for event in others)
    if mild:  # only deltas differ: together they may assemble to the same steps
        contract = read(relayed.client).contract
        sent, got = (
            [event.value for event in some if event.value is not None] for some in (found.sent, found.got)
        )
        mild = not compare_steps(assemble_steps(sent, contract), assemble_steps(got, contract))
    for word, what, wanted, some in (
        ("lost", "did not arrive", "", found.lost),
        ("twice", "came twice", "", found.doubled),
        ("moved", "arrived out of order", "the order of the upstream", found.moved),
        ("invented", "arrived that the upstream did not send", "nothing", found.invented),
    ):
        weak = [event for event in some if mild or not weighs(event)]
        strong = [event for event in some if event not in weak]
        for severity, those in ((Severity.BROKEN, strong), (Severity.NON_STRICT, weak)):
            if not those:
                continue
            message = f"{format_count(len(those), 'event')} {what}"
            first = those[0]
            expected, actual = (wanted, str(first)) if wanted else (str(first), _INSTEAD[word])
            more: dict[str, Any] = {"severity": severity, "event": first.number}
            yield notice(f"{rule}/{word}", relayed, message, expected, actual, **more)
    if not found.changed:
        return
    # The finding that events were changed shows the change that does the most harm.
    both = ((change, one) for one, other in found.changed for change in changes(one.value, other.value, None))
    change, before = min((item for item in both if item[0].kind not in _KEPT), key=lambda item: item[0].rank)
    count = len(found.changed)
    message = f"{format_count(count, 'event')} {'was' if count == 1 else 'were'} changed"
    message += f": {change.pointer.removeprefix('$.')} of {before.kind}"
    after_text = "no such field" if change.kind is Kind.LOST else format_value(change.after)
    severity = Severity.NON_STRICT if mild else Severity.BROKEN
    place: dict[str, Any] = {"severity": severity, "event": before.number, "pointer": change.pointer}
    yield notice(f"{rule}/changed", relayed, message, format_value(change.before), after_text, **place)


def weighs(event: RelayedEvent) -> bool:
    """Whether a client relies on this event; it must manage without the sentinel and events of unknown types."""
    if event.frame.data == PROTOCOL.sentinel:
        return False
    return not event.kind or event.kind.startswith(_OF_THE_API)
