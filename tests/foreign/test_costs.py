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
from tests.foreign.server import ForeignService, Json, Refused, Run

COSTS = ("chain.*", "cancel.*", "get.*", "stream.end-matches-get", "rob.concurrent-streams")


class HalvesUsage(ForeignService):
    """GET shows half the tokens that the create brought."""

    def get(self, run: Run, query: Json) -> Any:
        shown = super().get(run, query)
        if isinstance(shown, dict) and "usage" in shown:
            return {**shown, "usage": {name: count // 2 for name, count in shown["usage"].items()}}
        return shown


class BillsOn(ForeignService):
    """A cancelled run is billed as long as it is looked at; `most` bounds the seconds."""

    most = 1e9

    def usage(self, run: Run) -> Json:
        usage = super().usage(run)
        if run.cancelled_at is None:
            return usage
        more = int(20 * min(self.most, time.monotonic() - run.cancelled_at))
        return {**usage, "total_output_tokens": 4 + more, "total_tokens": usage["total_tokens"] + more}


class BillsLate(BillsOn):
    """Correct, but odd: the last tokens of a cancelled run are counted in the second after it."""

    most = 0.7


class ForgetsGrandparents(ForeignService):
    """A turn carries over the turn before it, and none of those before that."""

    def find(self, identity: str) -> Run:
        found = super().find(identity)
        found.tokens = min(found.tokens, 12)
        return found

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        run = self.runs.get(f"i{self.made}")
        if run is None or run.tokens <= 12:
            return answer
        run.tokens = 12
        return self.events(run) if body.get("stream") else self.show(run)


class ForgetsIfStreamed(ForeignService):
    """A streamed turn carries nothing over."""

    def create(self, body: Json) -> Any:
        if body.get("stream") and "previous_interaction_id" in body:
            self.find(body["previous_interaction_id"])
            return super().create(
                {name: value for name, value in body.items() if name != "previous_interaction_id"}
            )
        return super().create(body)


class CountsNoHistory(ForeignService):
    """Correct, but odd: input tokens are those of the new input alone."""

    def usage(self, run: Run) -> Json:
        return {"total_input_tokens": 4, "total_output_tokens": 4, "total_tokens": 8}


class ForgetsParents(ForeignService):
    """It looks for the parent, and throws away what was said there: only the new input is counted."""

    def usage(self, run: Run) -> Json:
        read = len(json.dumps(run.body["input"]).split())
        return {"total_input_tokens": read, "total_output_tokens": 4, "total_tokens": read + 4}


class CountsCachedApart(ForgetsParents):
    """Correct, but odd: the history comes out of a cache, and is counted there alone."""

    def usage(self, run: Run) -> Json:
        return {**super().usage(run), "total_cached_tokens": run.tokens - 4}


class ForgetsCounting(ForeignService):
    """Correct, but poor: an answer says nothing of tokens."""

    def show(self, run: Run) -> Json:
        return {name: value for name, value in super().show(run).items() if name != "usage"}


class EndsOtherwise(ForeignService):
    """The stream of a background run says that it is completed; GET says that it failed."""

    def show(self, run: Run) -> Json:
        body = super().show(run)
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "faults"),
    [
        (HalvesUsage(), {"get.usage": "warn"}),
        (BillsOn(), {"cancel.result-stays": "warn"}),
        (ForgetsGrandparents(), {"chain.whole-history": "warn"}),
        (ForgetsIfStreamed(), {"chain.streamed": "fail"}),
        (ForgetsParents(), {"chain.history": "warn"}),
        (CountsCachedApart(), {}),
        (EndsOtherwise(), {"stream.end-matches-get": "warn"}),
        (MixesStreams(), {"rob.concurrent-streams": "fail"}),
        (BillsLate(), {}),
        (CountsNoHistory(), {}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ForeignService) else "",
)
def test_each_defect_is_found_once_and_nothing_else(service: ForeignService, faults: dict[str, str]) -> None:
    """A server with one defect has the findings that name it, and an odd one has none."""
    assert check(service, *COSTS).faults == faults


def test_a_server_that_streams_one_at_a_time_mixes_nothing() -> None:
    """Where no two streams run at once, nothing is said of them."""
    report = check(OneStreamAtATime(), "rob.concurrent-streams")
    assert report.faults == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "verdict", "words"),
    [
        (
            ForgetsParents(),
            "blocked",
            "1 MUST check was not tested (chain.takes-effect): chain.history blocks this check",
        ),
        (CountsNoHistory(), "pass", ""),
        (ForgetsCounting(), "pass", ""),
        (CountsCachedApart(), "pass", ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ForeignService) else "",
)
def test_a_parent_that_is_looked_up_is_not_yet_one_that_is_continued(
    service: ForeignService, verdict: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether a parent takes effect shows in the counts, and the report names what stands in the way of that."""
    report = check(service, "chain.*")
    assert report.verdicts["chain.takes-effect"] == verdict
    assert words in " ".join(capsys.readouterr().out.split())


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
    assert ", 3 not tested, " in said.splitlines()[-1]
    strict = check(ForgetsParents(), "chain.*", words=("--strict",))
    assert strict.exit == 1
    assert strict.verdicts["chain.history"] == "fail"
