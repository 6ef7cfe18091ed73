"""Foreign servers whose token counts give a defect away, and such whose counts are odd but right."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.rows import hold_each, rows_of
from tests.foreign.server import ForeignService, Json, Refused, Run, say

pytestmark = pytest.mark.slow

COSTS = "chain.* cancel.* get.* stream.end-matches-get rob.concurrent-streams"


def count(read: int, written: int = 4) -> Json:
    """A usage."""
    return {"total_input_tokens": read, "total_output_tokens": written, "total_tokens": read + written}


class ForgetsParents(ForeignService):
    """It looks for the parent, and throws away what was said there: only the new input is counted."""

    def usage(self, run: Run) -> Json:
        return count(len(json.dumps(run.body["input"]).split()))


def end_otherwise(self: ForeignService, usual: Any, run: Run) -> Json:
    """Say that a background run failed whose stream says that it is completed."""
    body = usual(run)
    lied = run.body.get("background") and body["status"] == "completed"
    return {**body, "status": "failed"} if lied else body


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


class TakesLimits(ForeignService):
    """Wrong: it takes a limit of tokens, and its answers are as long as ever."""

    takes = frozenset({"generation_config"})

    def usage(self, run: Run) -> Json:
        return count(run.tokens, 200)


class KeepsLimits(TakesLimits):
    """Odd, but right: it says what an answer that was cut would have cost, and that it is incomplete."""

    def prepare(self, run: Run) -> None:
        run.end = "incomplete" if "generation_config" in run.body else "completed"


def recall_one(self: Echoes, usual: Any, run: Run) -> None:
    """Repeat the inputs of the last two turns; an output costs a token less than what is sent again."""
    parent = self.parent_of(run.body)
    before = self.listen(parent.body["input"]) if parent else []
    words = [*before, *self.listen(run.body["input"])]
    run.steps, run.tokens = [say(" ".join(words))], len(words)
    if parent:
        run.tokens += len(self.listen(parent.steps)) - 1


row, forgetful, echo = rows_of(ForeignService), rows_of(ForgetsParents), rows_of(Echoes)
ROWS = [
    row(f"ends-otherwise: {COSTS} -> warn stream.end-matches-get", show=end_otherwise),
    # Where no two streams run at once, nothing is said of them.
    rows_of(OneStreamAtATime)("one-stream-at-a-time: rob.concurrent-streams"),
    # Whether a parent takes effect shows in the counts, and -v names what stands in the way of that.
    forgetful(
        f"forgets-parents: {COSTS} -> warn chain.history, blocked chain.takes-effect",
        words="-v",
        said=["1 MUST check was not tested (chain.takes-effect): chain.history blocks this check"],
    ),
    row(f"counts-no-history: {COSTS} -> pass chain.takes-effect", usage=lambda self, usual, run: count(4)),
    # What it answers is for free.
    row("counts-input-only: usage.counted -> rest pass", usage=lambda self, usual, run: count(run.tokens, 0)),
    echo("echoes: chain.whole-history -> rest pass"),
    # It forgets the first turn, but the answer to the second repeats it: the count shows what no text does.
    echo(
        "echoes-one-turn: chain.whole-history -> fail chain.whole-history/, exit 1",
        said=["does not include the first: the chain is followed for one link"],
        history=lambda self, usual, body, deep=True: usual(body, False),
    ),
    echo(
        "recalls-one-turn: chain.whole-history -> fail chain.whole-history/, exit 1",
        said=["includes the second, as its text shows, but not the first"],
        prepare=recall_one,
    ),
    # A background run that is no shorter cannot show how a truncated one looks; the report says why.
    rows_of(TakesLimits)(
        "ignored-limit-named: bg.incomplete-visible -> untestable bg.incomplete-visible",
        words="-v",
        said=["the limit of one output token was ignored"],
    ),
    rows_of(KeepsLimits)("keeps-limits: create.max-tokens bg.incomplete-visible -> rest pass"),
]


test_counts_are_looked_at = hold_each(ROWS)
"""A server with one defect has the finding that names it, at the level of its source, and an odd one none."""


def test_a_must_that_only_a_warning_blocks_is_untested_and_fails_under_strict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody looked at it, so the last line says so, -v says what to do, and `--strict` is not green."""
    assert check(ForgetsParents(), "chain.*").exit == 0
    brief = capsys.readouterr().out.splitlines()
    assert "not tested: 4 blocked by chain.history (-v gives details)." in brief
    assert check(ForgetsParents(), "chain.*", words=("-v",)).exit == 0
    said = capsys.readouterr().out
    assert re.search(
        r"^1 MUST check was not tested \(chain\.takes-effect\): .*\n  help: test it once chain\.history passes",
        said,
        re.MULTILINE,
    )
    assert said.splitlines()[-1] == brief[-1]
    assert ", 4 not tested, " in brief[-1]
    strict = check(ForgetsParents(), "chain.*", words=("--strict",))
    assert strict.exit == 1
    assert strict.verdicts["chain.history"] == "fail"
