"""Judges the conversation of a test: each create of the code under test against those before it.

Only what no correct client sends makes a test fail by itself; what may be meant is a warning.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice, takewhile
from typing import Any, Literal

from harness.benches.client.judgement.received_responses import ReceivedResponse
from harness.contract import Contract
from harness.contract.tables.protocol import CANCELLED, COMPLETED, FAILED, INCOMPLETE, REQUIRES_ACTION
from harness.contract.transcript import (
    as_steps,
    assemble_steps,
    count_transcript,
    given_text,
    output_of,
    pending_calls,
)
from harness.outcome.words import shorten
from harness.wire import Request
from harness.wire.bodies import object_or_none, objects_in

COME_TO_NOTHING = frozenset({FAILED, CANCELLED})
"""The statuses of a run that has no result to go on from."""


class Turn:
    """A create that was accepted, with what it made. `number` counts them from 1."""

    def __init__(
        self, number: int, received: ReceivedResponse, found: Mapping[str, Any] | None, contract: Contract
    ):
        self.number = number
        self._received = received
        self._found = found or {}
        self._contract = contract
        self.body: Mapping[str, Any] = object_or_none(received.request.body) or {}
        self.id = received.find_created_id() or ""
        self.status = str(self._found.get("status") or received.find_end() or "")

    @cached_property
    def steps(self) -> list[dict[str, Any]]:
        """The steps of its response, stored or not."""
        return read_steps(self._received, self._contract)

    @property
    def previous(self) -> str:
        """The interaction that it names as the one before; "" if it names none."""
        return str(self.body.get("previous_interaction_id") or "")

    @cached_property
    def input(self) -> list[dict[str, Any]]:
        """Its whole input as steps."""
        given = self.body.get("input")
        return as_steps(given if isinstance(given, str | dict) else objects_in(given), self._contract.contents)

    @property
    def own_text(self) -> str:
        """The user's words in this turn, behind the earlier ones that it may repeat."""
        return given_text(self.input[count_transcript(self.input) :])


@dataclass(frozen=True, slots=True)
class TurnMistake:
    """The mistake in a turn, as a sentence about a create; `certain` if no correct client sends it."""

    kind: Literal["results", "tools", "parent", "input"]
    text: str
    certain: bool = True


Look = Callable[[str], Mapping[str, Any] | None]
"""Returns an interaction as it is now, by its id."""


def read_steps(answer: ReceivedResponse, contract: Contract) -> list[Any]:
    """The steps in the response to a create."""
    if answer.is_stream:
        return assemble_steps(answer.events(), contract)
    return list(answer.read_json().get("steps", ()))


def find_mistakes(turns: Sequence[Turn], look: Look, *, last_alone: bool = False) -> Iterator[TurnMistake]:
    """The mistakes in each turn, or in the last alone, beside those before it."""
    for place in range(max(0, len(turns) - 1) if last_alone else 0, len(turns)):
        turn, earlier = turns[place], turns[:place]
        parent = next((one for one in earlier if one.id and one.id == turn.previous), None)
        steps = parent.steps if parent is not None else ((look(turn.previous) or {}).get("steps") or [])
        calls = [step for step in (*steps, *turn.input) if step.get("type") == "function_call"]
        exchanged = ""
        if calls:
            from harness.checks.clients.result_comparison import find_exchanged  # late: its rules cost 0.2 s once

            exchanged = find_exchanged(turn.body.get("input"), calls)
        if exchanged:
            # Its words show it, and a function such as `opposite` returns such words rightly.
            yield TurnMistake("results", f"create {turn.number} {exchanged}", certain=False)
        if _lacks_tools(turn, parent, steps):
            yield TurnMistake(
                "tools",
                f"create {turn.number} returned the results of function calls without `tools`: they are not "
                "inherited, so the model cannot call again",
                certain=False,
            )
        if parent is not None:
            yield from _judge_parent(turn, parent, earlier, look)
        if forgotten := _find_forgotten(turn, earlier):
            yield TurnMistake("input", forgotten)


def find_conversation(turns: Sequence[Turn]) -> list[Turn]:
    """The turns before the last whose steps it has to repeat: from the latest on that repeats none itself."""
    earlier = list(turns[:-1])
    if turns and count_transcript(turns[-1].input):
        begins = [place for place, turn in enumerate(earlier) if not count_transcript(turn.input)]
        return earlier[begins[-1] :] if begins else earlier
    return earlier[-1:]


def _lacks_tools(turn: Turn, parent: Turn | None, steps: list[Any]) -> bool:
    """Whether a turn returns results without the tools that its parent declared; an agent has tools of its own.

    The test may have made the parent (None), whose steps show that it declared them.
    """
    if turn.body.get("tools") or "agent" in turn.body:
        return False
    return bool((parent is None or parent.body.get("tools")) and pending_calls(steps))


def _judge_parent(turn: Turn, parent: Turn, earlier: Sequence[Turn], look: Look) -> Iterator[TurnMistake]:
    """How a turn continues one that has no result, although another one was at hand.

    That is one that took the place of the parent, or the one before it. What a limit ended may be continued for
    its rest.
    """
    is_empty = parent.status == INCOMPLETE and not output_of(parent.steps)
    if parent.status not in (*COME_TO_NOTHING, INCOMPLETE):
        return
    again = (one for one in earlier if (one.previous, one.own_text) == (parent.previous, parent.own_text))
    good = next((one.id for one in again if one.number > parent.number and one.status == COMPLETED), "")
    if not good and (look(parent.previous) or {}).get("status") in (COMPLETED, REQUIRES_ACTION):
        good = parent.previous
    text = f"create {turn.number} continues {parent.id!r}, which ended as {parent.status!r}"
    text += f", although {good!r} was at hand, the last before it with its whole result" if good else ""
    yield TurnMistake("parent", text, certain=bool(good) and (is_empty or parent.status in COME_TO_NOTHING))


def _find_forgotten(turn: Turn, earlier: Sequence[Turn]) -> str:
    """How a turn repeats the steps of an earlier one, and not the user's input there; "" if it does not.

    A client that shortens its conversation leaves out whole turns, from both sides.
    """
    if turn.previous or not count_transcript(turn.input):
        return ""
    sent, said = {_mark(step) for step in turn.input}, given_text(turn.input)
    for one in earlier:
        repeats = any(_mark(step) in sent for step in one.steps if step.get("type") != "user_input")
        missing = [line for line in one.own_text.splitlines() if line not in said]
        if repeats and missing:
            return (
                f"create {turn.number} repeats the steps of the response to create {one.number}, without the "
                f"user's input there ({shorten(missing[0], 40)!r})"
            )
    return ""


def _mark(step: Mapping[str, Any]) -> str:
    """The text by which a step is known: its signature, its id, or all of it."""
    known = step.get("signature") or step.get("id") or step.get("content")
    return json.dumps([step.get("type"), known], sort_keys=True, default=str)


MOST_ROUNDS = 50
"""A model that gets the same results for the same calls goes on for ever."""


def is_endless(request: Request, look: Look) -> bool:
    """Whether a create returns, once more than `MOST_ROUNDS` times in a row, the same results for the same calls.

    The rounds are those of its own conversation: many side by side, with a round each, are no loop.
    """
    if b"function_result" not in request.body:
        return False
    rounds = _list_rounds(object_or_none(request.body) or {}, look)
    this = next(rounds, None)
    return sum(1 for _ in islice(takewhile(this.__eq__, rounds), MOST_ROUNDS)) == MOST_ROUNDS


def _list_rounds(turn: Mapping[str, Any], look: Look) -> Iterator[list[Any]]:
    """Each round of a tool loop, the latest first: what was returned for the calls, and the calls.

    It ends at words of the user that come without results, unless the loop itself adds these to its results.
    """
    returned: list[Any] = []
    for is_given, steps in groupby(_walk_back(turn, look), key=lambda step: step.get("type") in _GIVEN):
        kinds = _GIVEN if is_given else ("function_call",)
        marks = [[step.get(name) for name in _MARKS] for step in steps if step.get("type") in kinds]
        if not is_given and marks:
            yield [returned, marks]
        elif any(kind == "function_result" for kind, *_ in marks):
            returned = marks
        elif any(mark not in returned for mark in marks):
            return


def _walk_back(turn: Mapping[str, Any], look: Look) -> Iterator[Mapping[str, Any]]:
    """The steps of a conversation, the latest first."""
    given: Mapping[str, Any] | None = turn
    while given is not None:
        yield from reversed(objects_in(given.get("steps") or given.get("input")))
        given = look(str(given.get("previous_interaction_id") or ""))


_GIVEN = ("user_input", "function_result")
_MARKS = ("type", "content", "name", "arguments", "result")
