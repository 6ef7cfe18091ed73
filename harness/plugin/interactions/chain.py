"""Build chains of interactions outside the code under test, and check what its next turn sends.

Source of the rules: the chaining sample and the overview (a chain needs a settled predecessor, an agent's chain
also its environment; tools are not inherited; a replayed thought keeps its signature).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from harness.checks.clients.result_comparison import find_misnamed, find_server_call, find_wrong_result, plain
from harness.contract import RUNNING
from harness.contract.tables.protocol import REQUIRES_ACTION
from harness.contract.transcript import pending_calls, text_of
from harness.outcome import UsageFault
from harness.outcome.words import format_count, shorten
from harness.plugin.interactions.conversation import COME_TO_NOTHING, find_conversation, find_mistakes
from harness.plugin.interactions.emulator import InteractionsEmulator
from harness.plugin.interactions.lifecycle import TOOL
from harness.plugin.sent_requests import SentRequest
from harness.wire import Request
from harness.wire.bodies import object_or_none, objects_in

AGENT = "antigravity-preview-09-2026"


class _HasId(Protocol):
    @property
    def id(self) -> str | None: ...


Named: TypeAlias = str | Mapping[str, Any] | _HasId
"""An interaction as a test has it: its id, the interaction as `requests` or a client returns it, or its turn."""


@dataclass(slots=True)
class ChainTurn:
    """One turn: its request, its response, and the turn that it follows."""

    id: str
    input: str
    text: str
    parent: ChainTurn | None
    created: dict[str, Any] = field(repr=False)
    running: bool = False
    deleted: bool = False

    @property
    def environment_id(self) -> str | None:
        """The environment (sandbox) of an agent's turn; None for a model's."""
        return self.created.get("environment_id")

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The function calls that need a result."""
        return pending_calls(self.created.get("steps", []))

    @property
    def history(self) -> list[str]:
        """The conversation so far, inputs and outputs alternating."""
        texts: list[str] = []
        turn: ChainTurn | None = self
        while turn is not None:  # no recursion: a chain may be deeper than Python's stack
            texts += turn.text, turn.input
            turn = turn.parent
        return texts[::-1]


class Chain:
    """A chain of turns. `turn` adds one after `last` or, to fork, another; assertions judge the client's turns."""

    def __init__(self, emulator: InteractionsEmulator) -> None:
        self.emulator = emulator
        self.links: list[ChainTurn] = []
        self._seen: list[tuple[str | None, str | None]] = []
        emulator.before.append(self._watch)

    @property
    def last(self) -> ChainTurn:
        """The turn that was added last. Raises UsageFault if there is none."""
        if not self.links:
            raise UsageFault("the chain is empty: call turn() or build() first")
        return self.links[-1]

    def build(self, length: int, *, agent: bool = False) -> ChainTurn:
        """Add `length` turns one after the other; return the last."""
        for _ in range(length):
            self.turn(agent=agent)
        return self.last

    def turn(
        self,
        text: str | None = None,
        *,
        after: Named | None = None,
        agent: bool = False,
        function_call: bool = False,
        running: bool = False,
        deleted: bool = False,
    ) -> ChainTurn:
        """Add one turn with the response `text`.

        `after` is the turn to follow, by default the last; `agent` uses an agent with an environment;
        `function_call` ends the turn with a function call that needs a result; `running` leaves the turn in
        progress until `emulator.release()`; `deleted` deletes it.
        """
        parent = next(reversed(self.links), None) if after is None else self._find(after)
        number = len(self.links) + 1
        question, answer = f"Question {number}.", text or f"Answer {number}."
        script: dict[str, Any] = {} if function_call else {"text": answer}
        self.emulator.script({**script, "hold": True} if running else {**script, "ticks": 0})
        fields: dict[str, Any] = {} if parent is None else {"previous_interaction_id": parent.id}
        if agent:
            environment = parent.environment_id if parent is not None else None
            fields |= {"agent": AGENT, "environment": environment or "remote"}
        if function_call:
            fields["tools"] = [TOOL]
        created = self.emulator.create(input=question, **fields)
        if not running:
            created = self.emulator.call("GET", f"interactions/{created['id']}")
        link = ChainTurn(
            created["id"], question, "" if function_call else answer, parent, created, running, deleted
        )
        self.links.append(link)
        if deleted:
            self.emulator.call("DELETE", f"interactions/{link.id}")
        return link

    def assert_continued(
        self,
        after: Named | None = None,
        *,
        new_environment: bool = False,
        results: Mapping[str, str] | None = None,
        any_results: bool = False,
        without_tools: bool = False,
    ) -> dict[str, Any]:
        """Assert that the client's latest create correctly continues a turn; return its body.

        `after` is the turn, by default the last one of the chain, else the one that the client itself created
        before; then no earlier create may have continued a turn that was continued already, unless the
        turn in between failed or was cancelled. Without `after`, each earlier create of the client is judged, too:
        its results, its tools, and whether a better turn to continue was at hand. The create must have been
        accepted. `results` has for the id of a call, of any round, a text that its result contains. With
        `new_environment`, an agent may go on without the files so far. With `any_results`, the result of a call
        may speak of another call's arguments. With `without_tools`, the results of calls may come without the
        tools, so that the model cannot call again.
        """
        __tracebackhide__ = True
        own = after is None and not self.links
        creates = [sent for sent in self.emulator.requests if sent.call.startswith("create")]
        if own and (problem := self._describe_end(creates)):
            raise AssertionError(f"the client {problem.rstrip('.')}.")
        link = self._find_made(creates[-1]) if own else self._find(after or self.last)
        problem = self._judge_link(link, creates, new_environment) or (self._describe_fork(creates) if own else "")
        problem = problem or self._judge_results(creates, results or {})
        problem = problem or self._judge_rounds(any_results, without_tools, last_alone=after is not None)
        if problem:
            raise AssertionError(f"the client {problem.rstrip('.')}.\n  the turn to continue from: {link.id}")
        body: dict[str, Any] = creates[-1].body
        return body

    def assert_replayed(self, steps: Sequence[Any] | Named | None = None) -> None:
        """Assert that the client's latest create sends steps back, as a stateless client must.

        `steps` are those steps, or an interaction. By default they are those of each response so far, and
        each input of the user has to come back, too.
        """
        __tracebackhide__ = True
        said: list[str] = []
        if steps is None:
            turns = self.emulator.list_turns()
            if len(turns) < 2:
                raise UsageFault(
                    f"{format_count(len(turns), 'create')} of the code under test got a response: there is none "
                    "whose steps a later create could send back"
                )
            earlier = find_conversation(turns)
            back: Sequence[Any] = [step for turn in earlier for step in turn.steps]
            said = [turn.own_text for turn in earlier]
        elif isinstance(steps, Sequence) and not isinstance(steps, str):
            back = steps
        else:
            back = self._look(steps)["steps"]
        bodies = self.emulator.requests.bodies("create")
        given = bodies[-1].get("input") if bodies else None
        sent = objects_in(given)
        wanted = [step for step in map(plain, back) if step.get("type") != "user_input"]
        problem = ""
        for kind in dict.fromkeys(step.get("type") for step in wanted):
            ours, theirs = ([step for step in side if step.get("type") == kind] for side in (wanted, sent))
            signatures = {step.get("signature") for step in theirs}
            if len(theirs) < len(ours):
                lost = f"{len(ours) - len(theirs)} of {len(ours)} {kind} steps" if theirs else f"a {kind} step"
                problem = f"left out {lost}: send back every step of the response"
            elif any(step.get("signature") and step["signature"] not in signatures for step in ours):
                problem = f"forgot the signature of a {kind} step: without it the turn is refused"
            elif kind == "function_call":
                problem = _describe_changed_call(ours, theirs)
            if problem:
                break
        texts = json.dumps(given, ensure_ascii=False)
        if not problem and (
            missing := next((one for one in said if json.dumps(one, ensure_ascii=False)[1:-1] not in texts), "")
        ):
            problem = f"left out the user's input of an earlier turn ({shorten(missing, 40)!r}): send it back, too"
        if problem:
            raise AssertionError(f"the client {problem}.\n  it sent: {[item.get('type') for item in sent]}")

    def assert_history(self, interaction: Named, *expected: str) -> None:
        """Assert the texts of a turn's history: inputs and outputs in order, from the beginning of the chain.

        Raises UsageFault for a list of texts.
        """
        __tracebackhide__ = True
        if wrong := next((text for text in expected if not isinstance(text, str)), None):
            raise UsageFault(
                f"assert_history takes texts one by one, and got {wrong!r}: write assert_history(id, *texts)"
            )
        seen = self.history_of(interaction)
        if seen != list(expected):
            raise AssertionError(
                f"the turn {_find_id(interaction)} has another history:\n  {seen}\n  expected: {list(expected)}"
            )

    def history_of(self, interaction: Named) -> list[str]:
        """The texts of a turn and of all before it. Raises UsageFault for an unknown id."""
        turns: list[list[str]] = []
        turn: Named | None = interaction
        while turn:  # no recursion, for the same reason
            found = self._look(turn)
            turns.append([text for step in found["steps"] if (text := text_of(step.get("content")))])
            turn = found.get("previous_interaction_id")
        return [text for texts in reversed(turns) for text in texts]

    # Inside

    def _judge_rounds(self, any_results: bool, without_tools: bool, *, last_alone: bool) -> str:
        """The mistake in one of the client's creates, or in the results of the last alone; "" if there is none."""
        meant = {"results": any_results, "tools": without_tools}
        for mistake in find_mistakes(self.emulator.list_turns(), self.emulator.look, last_alone=last_alone):
            if mistake.kind in meant and not meant[mistake.kind]:
                option = "any_results" if mistake.kind == "results" else "without_tools"
                return (
                    f"sent a wrong turn: {mistake.text}. If that is meant, write assert_continued({option}=True)"
                )
            if mistake.kind not in meant and mistake.certain and not last_alone:
                return f"sent a wrong turn: {mistake.text}. If that is meant, name the turn to continue from"
        return ""

    @staticmethod
    def _judge_results(creates: Sequence[SentRequest], results: Mapping[str, str]) -> str:
        """How the result of a call in one of the creates is not what the test expects; "" if each is."""
        inputs = [sent.body.get("input") for sent in creates]
        if wrong := next(filter(None, (find_wrong_result(given, results) for given in inputs)), ""):
            return wrong
        returned = [step.get("call_id") for given in inputs for step in objects_in(given)]
        missing = next((call for call in results if call not in returned), None)
        return "" if missing is None else f"returned no result for the call {missing!r}"

    def _look(self, named: Named) -> Mapping[str, Any]:
        interaction_id = _find_id(named)
        found = self.emulator.look(interaction_id)
        if found is None:
            raise UsageFault(
                f"there is no interaction {interaction_id!r}: was it deleted, or made in another session?"
            )
        return found

    def _find(self, named: Named) -> ChainTurn:
        """The turn of an interaction, which the code under test may have made."""
        if isinstance(named, ChainTurn):
            return named
        wanted = _find_id(named)
        known = next((link for link in self.links if link.id == wanted), None)
        return known or self._take_up(self._look(named))

    @staticmethod
    def _take_up(interaction: Mapping[str, Any]) -> ChainTurn:
        """The turn of an interaction that the code under test has made."""
        return ChainTurn(str(interaction["id"]), "", "", None, dict(interaction))

    def _find_made(self, last: SentRequest) -> ChainTurn:
        """The turn that the code under test made before its latest one.

        No document states whether a turn that failed or was cancelled is part of the conversation: a client may go
        on from it, or from the last one before it that was not. It may delete what it has continued, too.
        """
        before = self.emulator.find_created(before_last=True)
        named = last.body.get("previous_interaction_id")
        right = (one for one in reversed(before) if one["id"] == named or not self._came_to_nothing(one["id"]))
        return self._take_up(next(right, before[-1]))

    def _describe_end(self, creates: Sequence[SentRequest]) -> str:
        """Why no earlier turn of the code under test could be continued by its last create; "" if one could."""
        if not creates:
            return "created no interaction"
        last = creates[-1]
        if len(creates) == 1:
            made = last.interaction or {}
            if made.get("status") == REQUIRES_ACTION and (calls := pending_calls(made.get("steps", []))):
                return f"left the function call {calls[0]['id']!r} without a result"
            refused = f"; it was refused: {last.refusal.rstrip('.')}" if last.refusal else ""
            return (
                f"created one interaction and none that continues it{refused}. Build an earlier turn with turn()"
            )
        if self.emulator.find_created(before_last=True):
            return ""
        if last.refusal:
            return f"was refused: {last.refusal}"
        return (
            "stored no interaction that a create could continue: without `store` a turn sends the steps back, "
            "which assert_replayed() judges"
        )

    def _describe_deleted(self, link: ChainTurn, last: SentRequest) -> str:
        """How the last create comes after the deletion of the turn that it should continue; "" if it does not."""
        named = last.body.get("previous_interaction_id")
        gone = next((one for one in (named, link.id) if one and self.emulator.look(str(one)) is None), None)
        known = {link.id, *(turn.id for turn in self.links), *(one["id"] for one in self.emulator.find_created())}
        if gone not in known or not (last.refusal or named is None):
            return ""
        how = "chained to" if named == gone else "sent no previous_interaction_id after the deletion of"
        return (
            f"{how} {gone!r}, which was deleted before: no create can continue it. Delete an interaction after "
            "the last turn that continues it"
        )

    def _came_to_nothing(self, interaction_id: str) -> bool:
        """Whether an interaction failed or was cancelled."""
        return (self.emulator.look(interaction_id) or {}).get("status") in COME_TO_NOTHING

    def _describe_fork(self, creates: Sequence[SentRequest]) -> str:
        """How two accepted creates continue one turn; "" if none do. One that came to nothing is left out."""
        continued: dict[str, str] = {}
        for number, sent in enumerate(creates, 1):
            previous = sent.body.get("previous_interaction_id")
            if previous is None or sent.interaction is None or self._came_to_nothing(sent.interaction["id"]):
                continue
            if previous in continued:
                return (
                    f"continued {previous!r} twice: create {number} leaves out {continued[previous]!r}, which an "
                    "earlier create made from the same turn. If that is meant, name the turn to continue from"
                )
            continued[previous] = str(sent.interaction["id"])
        return ""

    def _watch(self, request: Request) -> None:
        """Note the predecessor that a create named, and that predecessor's status at the time."""
        if request.method != "POST" or request.segments[-1] != "interactions":
            return
        body = object_or_none(request.body)
        if body is None:
            return
        previous = body.get("previous_interaction_id")
        now = self.emulator.look(previous) if isinstance(previous, str) else None
        self._seen.append((previous, now["status"] if now else None))

    def _judge_link(self, link: ChainTurn, creates: Sequence[SentRequest], new_environment: bool) -> str:
        if not creates:
            return "created no interaction"
        for previous, status in self._seen:
            if previous == link.id and status in RUNNING:
                return (
                    f"chained to an interaction that was still {status!r}: wait until it has settled, it is a 400"
                )
        last = creates[-1]
        if deleted := self._describe_deleted(link, last):
            return deleted
        previous = last.body.get("previous_interaction_id")
        if previous is None:
            return "sent no previous_interaction_id: the model has forgotten the conversation"
        if previous != link.id:
            return f"chained to {previous!r}, which is not the turn to continue from"
        given, kept = last.body.get("environment"), link.environment_id
        if kept and not given:
            return f"dropped `environment`: an agent's chain needs it too (it was {kept!r})"
        if kept and not new_environment and kept not in json.dumps(given):  # a fork names it, and is right
            return (
                f"continued in another environment: {given!r} has none of the files that the agent has made in "
                f"{kept!r}. If that is meant, write assert_continued(new_environment=True)"
            )
        sent = last.body.get("input")
        steps = (self.emulator.look(link.id) or {}).get("steps", ())
        if of_server := find_server_call(sent, steps, self.emulator.emulator.contract):
            return of_server
        answered = [step.get("call_id") for step in objects_in(sent) if step.get("type") == "function_result"]
        if missing := [call["id"] for call in link.calls if call["id"] not in answered]:
            return f"left the function call {missing[0]!r} without a result"
        return find_misnamed(sent, link.calls) or (f"was refused: {last.refusal}" if last.refusal else "")


def _describe_changed_call(made: Sequence[Mapping[str, Any]], sent: Sequence[Mapping[str, Any]]) -> str:
    """How a function call comes back as another one; "" if none does. A client may give calls ids of its own."""
    for call in made:
        same = [one for one in sent if one.get("id") == call.get("id")] or sent
        name, arguments = call.get("name"), call.get("arguments") or {}
        if not any((one.get("name"), one.get("arguments") or {}) == (name, arguments) for one in same):
            other, asked = (
                shorten(f"{one.get('name')}({json.dumps(one.get('arguments') or {}, ensure_ascii=False)})", 60)
                for one in (same[0], call)
            )
            return (
                f"sent the function_call {call.get('id')!r} back as {other}, and the model made {asked}: send "
                "back every step as it came"
            )
    return ""


def _find_id(named: Named) -> str:
    found = named.get("id") if isinstance(named, Mapping) else getattr(named, "id", named)
    if not isinstance(found, str):
        raise UsageFault(f"{shorten(repr(named), 60)} names no interaction: pass its id, or the interaction")
    return found
