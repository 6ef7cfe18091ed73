"""Foreign servers whose token counts give a defect away, and such whose counts are odd but right."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.rows import Row, rows_of, without
from tests.foreign.server import ForeignService, Json, Refused, Run, say

COSTS = "chain.* cancel.* get.* stream.end-matches-get rob.concurrent-streams"


def count(read: int, written: int = 4) -> Json:
    """A usage."""
    return {"total_input_tokens": read, "total_output_tokens": written, "total_tokens": read + written}


def halve_usage(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Show half the tokens that the create brought."""
    shown = usual(run, query)
    if "usage" in shown:
        return {**shown, "usage": {name: tokens // 2 for name, tokens in shown["usage"].items()}}
    return shown


class BillsOn(ForeignService):
    """A cancelled run is billed as long as it is looked at; `most` bounds the seconds."""

    most = 1e9

    def usage(self, run: Run) -> Json:
        late = 0.0 if run.cancelled_at is None else min(self.most, time.monotonic() - run.cancelled_at)
        return count(run.tokens, 4 + int(20 * late))


class CarriesOneTurn(ForeignService):
    """A turn carries over the turn before it, and none of those before that."""

    def find(self, identity: str) -> Run:
        found = super().find(identity)
        found.tokens = min(found.tokens, 12)
        return found

    def prepare(self, run: Run) -> None:
        run.tokens = min(run.tokens, 12)


def forget_if_streamed(self: ForeignService, usual: Any, body: Json) -> Any:
    """Carry nothing over into a streamed turn."""
    if not body.get("stream") or "previous_interaction_id" not in body:
        return usual(body)
    self.find(body["previous_interaction_id"])
    return usual(without(body, "previous_interaction_id"))


class ForgetsParents(ForeignService):
    """It looks for the parent, and throws away what was said there: only the new input is counted."""

    def usage(self, run: Run) -> Json:
        return count(len(json.dumps(run.body["input"]).split()))


def end_otherwise(self: ForeignService, usual: Any, run: Run) -> Json:
    """Say that a background run failed whose stream says that it is completed."""
    body = usual(run)
    lied = run.body.get("background") and body["status"] == "completed"
    return {**body, "status": "failed"} if lied else body


class MixesStreams(ForeignService):
    """Streams that run side by side get each other's words."""

    live = 0

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        self.live += 1
        try:
            for due, event in super().events(run):
                time.sleep(0.03)  # a model takes its time; four streams overlap
                other = {"delta": {"type": "text", "text": " (for somebody else)"}}
                yield due, {**event, **(other if "delta" in event and self.live > 1 else {})}
        finally:
            self.live -= 1


class OneStreamAtATime(ForeignService):
    """Correct, but odd: while one answer is streamed, another one is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Lock()

    def create(self, body: Json) -> Any:
        if not body.get("stream"):
            return super().create(body)
        if not self.free.acquire(blocking=False):
            raise Refused(429, "rate_limit_exceeded", "One at a time.")
        return self.let_go(super().create(body))

    def let_go(self, events: Iterator[tuple[float, Json]]) -> Iterator[tuple[float, Json]]:
        """The events of the one stream."""
        try:
            yield from events
        finally:
            self.free.release()


class Echoes(ForeignService):
    """Right: it answers with all that it was told, so that every answer is longer than the one before."""

    def prepare(self, run: Run) -> None:
        words = [*self.history(run.body), *self.listen(run.body["input"])]
        run.steps = [say(" ".join(words))]
        run.tokens = len(words)

    def history(self, body: Json, deep: bool = True) -> list[str]:
        """The words of the turns before, or of the last one."""
        parent = self.parent_of(body)
        if parent is None:
            return []
        before = self.history(parent.body) if deep else []
        return [*before, *self.listen(parent.body["input"]), *self.listen(parent.steps)]

    def listen(self, given: Any) -> list[str]:
        """The words of an input or of steps."""
        if isinstance(given, list):
            return [word for part in given for word in self.listen(part)]
        if isinstance(given, dict):
            return self.listen(given.get("content") or given.get("text") or "")
        return str(given).split()

    def usage(self, run: Run) -> Json:
        return count(run.tokens, len(self.listen(run.steps)))


def show_input(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Bring what was asked where include_input=true."""
    answer = usual(run, query)
    return {**answer, "input": run.body["input"]} if query.get("include_input") == "true" else answer


class TakesLimits(ForeignService):
    """Wrong: it takes a limit of tokens, and its answers are as long as ever."""

    takes = frozenset({"generation_config"})

    def usage(self, run: Run) -> Json:
        return count(run.tokens, 200)


class KeepsLimits(TakesLimits):
    """Odd, but right: it says what an answer that was cut would have cost, and that it is incomplete."""

    def prepare(self, run: Run) -> None:
        run.end = "incomplete" if "generation_config" in run.body else "completed"


def count_cached_apart(self: ForeignService, usual: Any, run: Run) -> Json:
    """Take the history out of a cache, and count it there alone."""
    return {**usual(run), "total_cached_tokens": run.tokens - 4}


row, forgetful, echo = rows_of(ForeignService), rows_of(ForgetsParents), rows_of(Echoes)
ROWS = [
    row(f"halves-usage: {COSTS} -> warn get.usage", slow=True, get=halve_usage),
    rows_of(BillsOn)(f"bills-on: {COSTS} -> warn cancel.result-stays", slow=True),
    # The last tokens of a cancelled run are counted in the second after it.
    rows_of(BillsOn)(f"bills-late: {COSTS}", thorough=True, most=0.7),
    rows_of(CarriesOneTurn)(f"carries-one-turn: {COSTS} -> fail chain.whole-history", slow=True),
    row(
        f"forgets-if-streamed: {COSTS} -> fail chain.running chain.whole-history, warn chain.streamed",
        slow=True,
        create=forget_if_streamed,
    ),
    row(f"ends-otherwise: {COSTS} -> warn stream.end-matches-get", slow=True, show=end_otherwise),
    rows_of(MixesStreams)(f"mixes-streams: {COSTS} -> fail rob.concurrent-streams", slow=True),
    # Where no two streams run at once, nothing is said of them.
    rows_of(OneStreamAtATime)("one-stream-at-a-time: rob.concurrent-streams"),
    # Whether a parent takes effect shows in the counts, and the report names what stands in the way of that.
    forgetful(
        f"forgets-parents: {COSTS} -> warn chain.history, blocked chain.takes-effect",
        slow=True,
        said=["1 MUST check was not tested (chain.takes-effect): chain.history blocks this check"],
    ),
    forgetful(f"counts-cached-apart: {COSTS} -> pass chain.takes-effect", thorough=True, usage=count_cached_apart),
    row(
        f"counts-no-history: {COSTS} -> pass chain.takes-effect",
        slow=True,
        usage=lambda self, usual, run: count(4),
    ),
    row(
        "forgets-counting: chain.* -> pass chain.takes-effect",
        thorough=True,
        slow=True,
        show=lambda self, usual, run: without(usual(run), "usage"),
    ),
    row(
        "counts-nothing: usage.counted -> warn usage.counted/",
        slow=True,
        usage=lambda self, usual, run: dict.fromkeys(usual(run), 0),
    ),
    # What it answers is for free.
    row("counts-input-only: usage.counted -> rest pass", usage=lambda self, usual, run: count(run.tokens, 0)),
    echo("echoes: chain.whole-history -> rest pass", slow=True),
    # It forgets the first turn, but the answer to the second repeats it: neither a text nor a count shows the
    # loss, since equal turns do not cost the same.
    echo(
        "echoes-one-turn: chain.whole-history -> rest pass",
        slow=True,
        history=lambda self, usual, body, deep=True: usual(body, False),
    ),
    row("ignores-include-input: get.include-input -> info get.include-input/ignored"),
    row("shows-input: get.include-input -> rest pass", get=show_input),
    rows_of(TakesLimits)("ignores-limits: create.max-tokens -> warn create.max-tokens/ignored"),
    # A background run that is no shorter cannot show how a truncated one looks; the report says why.
    rows_of(TakesLimits)(
        "ignored-limit-named: bg.incomplete-visible -> untestable bg.incomplete-visible",
        words="-v",
        said=["the limit of one output token was ignored"],
    ),
    rows_of(KeepsLimits)("keeps-limits: create.max-tokens bg.incomplete-visible -> rest pass", slow=True),
]


@pytest.mark.parametrize("case", ROWS)
def test_counts_are_looked_at(case: Row, capsys: pytest.CaptureFixture[str]) -> None:
    """A server with one defect has the finding that names it, at the level of its source, and an odd one none."""
    case.hold(capsys)


@pytest.mark.slow
def test_a_must_that_only_a_warning_blocks_is_untested_and_fails_under_strict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody looked at it, so the last line says so, and `--strict` is not green."""
    assert check(ForgetsParents(), "chain.*").exit == 0
    said = capsys.readouterr().out
    assert re.search(
        r"^1 MUST check was not tested \(chain\.takes-effect\): .*\n  help: test it once chain\.history passes",
        said,
        re.MULTILINE,
    )
    assert ", 4 not tested, " in said.splitlines()[-1]
    strict = check(ForgetsParents(), "chain.*", words=("--strict",))
    assert strict.exit == 1
    assert strict.verdicts["chain.history"] == "fail"
