"""Foreign servers with continuation tokens on the way: one that is odd but right, two with a defect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.foreign.judging import check
from tests.foreign.server import WORDS, ForeignService, Json, Refused, Run

PAUSES = ("--capability", "+continuation")
TOKEN = "after-two-words"


class Checkpointing(ForeignService):
    """Odd, but right: the token comes while the step is open, and the rest begins within the sentence."""

    def create(self, body: Json) -> object:
        token = body.pop("continuation_token", None)
        if token is None:
            return super().create(body)
        return self.go_on(token, {**body, "input": "Go on."})

    def go_on(self, token: str, body: Json) -> Json:
        """Answer what came after the token."""
        if token != TOKEN:
            raise Refused(400, "invalid_request", "There is no such token.")
        super().create(body)
        run = self.runs[f"i{self.made}"]
        run.steps = [{"type": "model_output", "content": [{"type": "text", "text": "".join(self.rest())}]}]
        return self.show(run)

    def rest(self) -> list[str]:
        """The words after the token."""
        return WORDS[2:]

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        for due, event in super().events(run):
            yield due, event
            if event.get("delta", {}).get("text") == WORDS[1]:
                update = {"interaction_id": run.id, "status": "in_progress", "continuation_token": TOKEN}
                yield due, {**update, "event_type": "interaction.status_update"}


class RefusesIt(Checkpointing):
    """Wrong: only the token of an answer that paused is known."""

    def go_on(self, token: str, body: Json) -> Json:
        raise Refused(400, "invalid_request", "There is no such token.")


class BeginsAgain(Checkpointing):
    """Wrong: the token is taken for the parent, and the whole answer comes again."""

    def rest(self) -> list[str]:
        return WORDS


def test_a_token_in_an_open_step_is_right() -> None:
    """Where the token comes, and with which words the rest begins, is the server's choice."""
    assert check(Checkpointing(), "cont.checkpoint", words=PAUSES).verdicts == {"cont.checkpoint": "pass"}


@pytest.mark.parametrize("defect", [RefusesIt, BeginsAgain])
def test_each_defect_is_found(defect: type[Checkpointing]) -> None:
    """A token that leads nowhere, or to the beginning, breaks the promise."""
    assert check(defect(), "cont.checkpoint", words=PAUSES).faults == {"cont.checkpoint": "warn"}


def test_streams_without_a_token_are_not_judged() -> None:
    """A server that gives no tokens on the way breaks nothing."""
    assert check(ForeignService(), "cont.checkpoint", words=PAUSES).faults == {}
