"""How the runs of plain creates ended: a target of which none ever completes has shown nothing of its answers.

One of which no background run ever ends has shown nothing of their results.

Layer 1, pure; never raises on odd input. A failed run is an honest answer, so no rule is broken. But whoever only
fails, because of a wrong model or a quota, is not shown to keep the promises that need output.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator

from harness.contract.judge.reading import Reading, read
from harness.contract.tables.lifecycle import is_settled
from harness.outcome.words import format_count
from harness.wire import Exchange
from harness.wire.json_value import object_or_none

_FAILED, _CANCELLED = "failed", "cancelled"
_NOT_PLAIN = frozenset({"agent", "tools", "previous_interaction_id", "continuation_token"})
"""Fields of creates that may fail for reasons of their own."""

LOOKS = 8
"""Whoever looks so often waits for the end of a run: the looks come less and less often."""

_MORE_TIME = "give it more time (--timeout), or find out why it never settles"
_CURE = "check the model and its quota, or name another model (--model)"


class RunEnds:
    """The last words of the runs of a target, by kind of create; several threads may share one."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}
        self._seen: dict[str, set[str]] = defaultdict(set)
        self._looks: Counter[str] = Counter()
        self._cancelled: set[str] = set()
        self._lock = threading.Lock()

    def note(self, exchange: Exchange) -> None:
        """Note what an answer says of the end of a run, if it says anything."""
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
                self._looks[identity] += 1

    def describe(self) -> Iterator[str]:
        """For each kind of create of which runs ended, and none other than as failed: that, and what to do."""
        failed, kinds = self._list_failed(), set(map(self._kinds.__getitem__, self._seen))
        waited = [one for one, looks in self._looks.items() if looks >= LOOKS and one not in self._cancelled]
        for kind in dict.fromkeys(self._kinds[one] for one in waited if self._kinds[one] not in kinds):
            same = [one for one in waited if self._kinds[one] == kind]
            had = format_count(len(same), "run was", "runs were")
            yield (
                f"no {kind} run completed: {had} looked at {LOOKS} times and more, and went on each time; "
                f"{_MORE_TIME}"
            )
        if failed and failed.keys() == kinds:
            yield _say("", sum(failed.values()))
            return
        for kind, number in failed.items():
            yield _say(f"{kind} ", number)

    def _list_failed(self) -> dict[str, int]:
        """The kinds of which all runs that ended have failed, and how many."""
        ends: dict[str, list[set[str]]] = defaultdict(list)
        for identity, seen in self._seen.items():
            ends[self._kinds[identity]].append(seen)
        return {kind: len(seen) for kind, seen in ends.items() if all(one == {_FAILED} for one in seen)}


def _say(kind: str, number: int) -> str:
    return f"no {kind}run completed: {format_count(number, 'run')} ended as {_FAILED!r}, and no other; {_CURE}"


def _name_kind(exchange: Exchange) -> str:
    """What kind of plain create it is; `""` if it is none."""
    if read(exchange).call != "POST interactions":
        return ""
    body = object_or_none(exchange.request.body) or {}
    if not isinstance(body.get("input"), str) or _NOT_PLAIN & body.keys():
        return ""
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
