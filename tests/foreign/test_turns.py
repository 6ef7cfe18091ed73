"""Foreign servers that mix up what a turn knows, or read a part of it, each beside an odd one that is right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.checks.areas import create
from tests.foreign.answering import Json, Refused
from tests.foreign.rows import add, hold_each, refuse, rows_of
from tests.foreign.server import ForeignService, Run, say

pytestmark = pytest.mark.slow


def list_texts(given: Any) -> list[str]:
    """All texts in an input or in steps, function results included."""
    if isinstance(given, list):
        return [text for part in given for text in list_texts(part)]
    if isinstance(given, dict):
        if given.get("type") == "function_result":
            result = given.get("result")
            return list_texts(result) if isinstance(result, list) else [json.dumps(result)]
        return list_texts(given.get("content") or given.get("text") or "")
    return [str(given)]


class Reciting(ForeignService):
    """Odd, but right: it repeats the input, then all inputs of the turns before it, then its instruction."""

    takes = frozenset({"system_instruction", "response_format", "generation_config"})

    def prepare(self, run: Run) -> None:
        text = self.write(run)
        run.tokens = len(text.split()) + self.count_outputs(run)
        run.steps = [say(text)]

    def write(self, run: Run) -> str:
        """The answer."""
        if self.format_of(run):
            return '{"word": "hi"}'
        known = [*self.read(run.body["input"]), *self.remember(run), self.instruction_of(run)]
        return " ".join(filter(None, known))

    def read(self, given: Any) -> list[str]:
        """What it reads of an input."""
        return list_texts(given)

    def remember(self, run: Run) -> list[str]:
        """The inputs of the turns before."""
        parent = self.parent_of(run.body)
        return [] if parent is None else [*self.read(parent.body["input"]), *self.remember(parent)]

    def count_outputs(self, run: Run) -> int:
        """The words of the outputs of the turns before, which it reads, but does not repeat."""
        parent = self.parent_of(run.body)
        return 0 if parent is None else len(list_texts(parent.steps)[0].split()) + self.count_outputs(parent)

    def instruction_of(self, run: Run) -> str:
        """The instruction of a run."""
        return str(run.body.get("system_instruction", ""))

    def format_of(self, run: Run) -> Any:
        """The format of a run."""
        return run.body.get("response_format")


class Sticky(Reciting):
    """Wrong: an instruction is kept for the creates after it that have none."""

    last = ""

    def instruction_of(self, run: Run) -> str:
        self.last = super().instruction_of(run) or self.last
        return self.last


class Remembering(Reciting):
    """Wrong: a turn that is not stored becomes a part of its parent all the same."""

    def prepare(self, run: Run) -> None:
        super().prepare(run)
        parent = run.body.get("previous_interaction_id")
        if parent and run.body.get("store") is False:
            self.noted.setdefault(parent, []).extend(self.read(run.body["input"]))

    def remember(self, run: Run) -> list[str]:
        return [*super().remember(run), *self.noted.get(str(run.body.get("previous_interaction_id")), [])]


def repeat_answers(self: Reciting, usual: Any, run: Run) -> str:
    """Answer the same input the same, whatever conversation it is in."""
    return self.noted.setdefault(json.dumps(run.body["input"]), usual(run))


def lock_parents(self: Reciting, usual: Any, body: Json) -> None:
    """Keep the parent of a create locked that is refused."""
    parent = str(body.get("previous_interaction_id"))
    if parent in self.noted:
        raise Refused(400, "failed_precondition", "It is being continued.")
    try:
        usual(body)
    except Refused:
        self.noted |= {parent: True} if parent in self.runs else {}
        raise


def forget_background(self: Reciting, usual: Any, run: Run) -> list[str]:
    """Forget the turns that ran in the background."""
    parent = self.parent_of(run.body)
    known: list[str] = usual(run)
    return known[1:] if parent is not None and parent.body.get("background") else known


def forget_background_outputs(self: Reciting, usual: Any, run: Run) -> int:
    """Forget what the turns answered that ran in the background."""
    parent = self.parent_of(run.body)
    return 0 if parent is not None and parent.body.get("background") else usual(run)


CHAINS = "chain.*"


def write_the_last(self: Reciting, usual: Any, run: Run) -> str:
    """Answer the create before, which was kept in the same place."""
    last, self.noted["last"] = self.noted.get("last", run), run
    return str(usual(last))


def show_the_last(self: Reciting, usual: Any, run: Run) -> Json:
    """Show the newest instruction of all creates, as where a request is read into an object that is used again."""
    given = [one.body["system_instruction"] for one in self.runs.values() if "system_instruction" in one.body]
    return {**usual(run), "system_instruction": run.body.get("system_instruction", (given or [""])[-1])}


def swap(old: bytes, new: bytes) -> Any:
    """A change of `encode`: some signs take the place of others."""
    return lambda self, usual, event: usual(event).replace(old, new)


SETTINGS = "create.system-instruction get.own-input get.same"

reciting = rows_of(Reciting)
ROWS = [
    reciting(f"recites: {CHAINS} create.input* create.sys* create.zero rob.concurrent-output -> exit 0"),
    reciting("recites-at-once: rob.concurrent-output rob.concurrent -> rest pass"),
    # What is answered to another create explains what a chain lacks then.
    reciting(
        f"answers-the-last: {CHAINS} rob.concurrent-output -> fail rob.concurrent-output, exit 1",
        write=write_the_last,
        words="-j 1",
    ),
    rows_of(Sticky)("keeps-instructions: create.sys* -> fail create.system-instruction/leaks, exit 1"),
    reciting(
        f"caches: {CHAINS} -> fail chain.siblings-apart/text, exit 1",
        write=repeat_answers,
        said=["a turn returns the answer to the same input in another conversation"],
    ),
    rows_of(Remembering)(
        f"remembers-unstored: {CHAINS} -> fail chain.siblings-apart/text, exit 1",
        said=["a continuation repeats the input of a turn with `store=false`"],
    ),
    reciting(f"stays-locked: {CHAINS} -> fail chain.ok/after-refusal, exit 1", admit=lock_parents),
    reciting(
        f"forgets-background: {CHAINS} -> fail chain.whole-history/background, exit 1",
        remember=forget_background,
        count_outputs=forget_background_outputs,
    ),
    reciting(
        "reads-first-text: create.input* -> fail create.input-contents/unread create.input-steps/unread, exit 1",
        read=lambda self, usual, given: usual(given)[:1],
    ),
    # A server may have settings of its own, which a client repeats; a client's are shown in its own runs alone.
    reciting(f"shows-its-own: {SETTINGS} -> rest pass", show=add(system_instruction=create._TOLD)),
    reciting(f"shows-the-last: {SETTINGS} -> fail get.own-input/setting, exit 1", show=show_the_last),
    # A text is data: it may be escaped as JSON may be, and no sign of it is that of a format.
    reciting("escapes-signs: stream.text -> rest pass", encode=swap(b"<", b"\\u003c")),
    reciting("formats-texts: stream.text -> fail stream.text, exit 1", encode=swap(b"%d", b"%!d(MISSING)")),
    # A text that is false in some languages is one.
    reciting("misses-zero: create.zero create.ok -> fail create.zero/input, exit 1",
             admit=refuse(400, lambda body: body["input"] == "0")),
    reciting("takes-no-letter: create.zero create.ok -> exit 0",
             admit=refuse(400, lambda body: len(body["input"]) == 1)),
    # Who takes no settings at all refuses nothing in particular.
    reciting(
        "takes-no-settings: create.zero http.charset -> not_applicable create.zero, exit 0", takes=frozenset()
    ),
]  # fmt: skip


test_a_turn_knows_its_own_conversation = hold_each(ROWS)
"""What a turn must know it knows, in each mode; what belongs to another it does not."""
