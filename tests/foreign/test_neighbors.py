"""Foreign servers that confuse what runs or was read beside something: which rule is reported, and how."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.foreign.answering import Json
from tests.foreign.rows import each, hold_each, rows_of
from tests.foreign.server import ForeignService, Run, say

pytestmark = pytest.mark.slow

LONG_ENOUGH = 2.0


def fail_a_bystander(self: ForeignService, usual: Any, run: Run) -> Json:
    """Correct: a run that nobody cancelled ends as it likes, here as failed."""
    body: Json = usual(run)
    if "(bystander)" in str(run.body["input"]) and body["status"] == "in_progress":
        return {**body, "status": "failed", "steps": [], "updated": "2026-11-20T10:00:01Z"}
    return body


class Answers(ForeignService):
    """Correct: each interaction has a text of its own."""

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        return answer if isinstance(answer, Iterator) or body.get("background") else self.finish(answer)

    def prepare(self, run: Run) -> None:
        run.steps = [say("".join(self.words(run)))]

    def pieces(self, run: Run, text: str) -> list[str]:
        return self.words(run)

    def words(self, run: Run) -> list[str]:
        """The text of a run, in the parts in which it is streamed."""
        return ["The answer ", f"to {run.id} ", "is in ", f"its own words, number {run.id} of all."]

    def finish(self, body: Json) -> Json:
        """Answer a create."""
        return body


class Crosses(Answers):
    """The answer to the later of two parallel creates goes into both bodies."""

    def finish(self, body: Json) -> Json:
        time.sleep(0.05)  # a moment for the others to begin
        last = list(self.runs.values())[-1:]
        return {**body, "steps": last[0].steps} if last else body


class Trims(Answers):
    """Correct: the answer to a create has no period at its end, and GET has one."""

    def finish(self, body: Json) -> Json:
        text = body["steps"][0]["content"][0]["text"]
        return {**body, "steps": [say(text[:-1])]}


def show_steps_once(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Show no steps in the second and each later GET of what is finished."""
    answer = usual(run, query)
    if not isinstance(answer, dict) or answer["status"] != "completed":
        return answer
    self.noted[run.id] = self.noted.get(run.id, 0) + 1
    return answer if self.noted[run.id] < 2 else {**answer, "steps": []}


class DoublesOnce(ForeignService):
    """One delta of the fourth stream since the start comes twice; all others are right."""

    streams = 0

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        self.streams += bool(body.get("stream"))
        return self.double(answer) if body.get("stream") and self.streams == 4 else answer

    def double(self, events: Iterator[tuple[float, Json]]) -> Iterator[tuple[float, Json]]:
        """The events of a stream, one of them twice."""
        for due, event in events:
            yield due, event
            if event.get("delta", {}).get("text") == " there,":
                yield due, {**event, "event_id": f"{event['event_id']}-again"}


class LosesCharacters(Answers):
    """What is stored has `?` in place of each character beyond the first plane."""

    def words(self, run: Run) -> list[str]:
        return ["Rockets ", "\U0001f680 and ", "caf\u00e9s ", f"\U0001f355, said {run.id}."]

    def get(self, run: Run, query: Json) -> Any:
        answer = super().get(run, query)
        if isinstance(answer, dict) and "steps" in answer:
            text = "".join("?" if one > "\uffff" else one for one in "".join(self.words(run)))
            answer["steps"] = [say(text)]
        return answer


class Asks(LosesCharacters):
    """Correct: the answers are full of question marks and of other characters, which all are stored."""

    def words(self, run: Run) -> list[str]:
        return ["??? ", "\U0001f680? ", "\ufffd\ufffd ", f"?\U0001f355? said {run.id}?"]

    def get(self, run: Run, query: Json) -> Any:
        return ForeignService.get(self, run, query)


def complete_at_once(self: ForeignService, usual: Any, body: Json) -> Any:
    """Say `completed` to the create of a background run, before it has run."""
    answer = usual(body)
    early = isinstance(answer, dict) and body.get("background")
    return {**answer, "status": "completed", "steps": []} if early else answer


def count_in_steps(self: ForeignService, usual: Any, run: Run) -> Iterator[tuple[float, Json]]:
    """Begin the ids of events anew with each step; a resume takes the first match."""
    number = 0
    for due, event in usual(run):
        number = 0 if event["event_type"] == "step.start" else number + 1
        yield due, {**event, "event_id": f"{run.id}-{number}"}


def lead_with_zero(self: ForeignService, usual: Any, run: Run) -> Iterator[tuple[float, Json]]:
    """Correct: ids with leading zeros, counted through."""
    for number, (due, event) in enumerate(usual(run)):
        yield due, {**event, "event_id": f"{run.id}-00{number}"}


TEXTS = "stream.text stream.equals-get get.matches-post get.same rob.*-streams create.ok"
READS = "bg.result bg.settles get.same get.ok"

service = rows_of(ForeignService)
ROWS = [
    service("cancels-and-fails: cancel.state bg.transition -> rest pass untestable", lasts=LONG_ENOUGH,
            show=fail_a_bystander),
    rows_of(Crosses)("crosses: create.* get.matches-post rob.concurrent -> fail create.ok/another", words="-j 4",
                     said=["a create returns the output of another interaction"]),
    rows_of(Trims)("trims: create.ok rob.concurrent -> rest pass", words="-j 4"),
    service(f"forgetful: {READS} -> fail bg.result/lost, warn get.same", get=show_steps_once,
            said=["a later GET of a completed run no longer returns its output"]),
    rows_of(DoublesOnce)(f"doubles-once: {TEXTS} -> fail stream.text/twice", said=["the stream sends text twice"],
                         words="-j 1"),
    rows_of(LosesCharacters)(
        f"loses-characters: {TEXTS} -> fail stream.text/stored get.matches-post",
        said=["GET shows a replacement in place of a character of the stream, from character 8"]),
    rows_of(Asks)(f"asks: {TEXTS} -> rest pass"),
    service("completes-at-once: bg.at-once create.comp* -> fail bg.at-once/ create.completed-has-output",
            lasts=LONG_ENOUGH, create=complete_at_once,
            said=["FAILED bg.at-once", "before there is any output", "(1 cause: bg.at-once)"]),
    service("counts-in-steps: stream.evid-unique resume.exclusive -> fail stream.evid-unique/", lasts=0.6,
            events=count_in_steps),
    service("leads-with-zero: stream.evid-unique resume.exclusive -> rest pass", lasts=0.6, events=lead_with_zero),
    service("extra-events: stream.evid-unique cancel.ok -> rest pass", lasts=LONG_ENOUGH,
            events=each(lambda event: {**event, "trace": "t"})),
]  # fmt: skip


test_what_stands_beside_something = hold_each(ROWS)
"""The rule of the defect is the only one that fails, and its sentence says what a maintainer has to mend."""
