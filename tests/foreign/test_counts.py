"""Foreign servers that count tokens in odd ways, which is legal, and servers that forget, whatever they count."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.rows import vary
from tests.foreign.server import ForeignService, Json, Run, as_list, say

pytestmark = pytest.mark.slow

LONG = " ".join(f"{number}," for number in range(1, 60))
LIMIT, INSTRUCTION = "generation_config", "system_instruction"


def read_words(value: Any) -> list[str]:
    """The words of all texts in an input."""
    if isinstance(value, str):
        return value.split()
    parts = value.values() if isinstance(value, dict) else as_list(value)
    return [word for part in parts for word in read_words(part)]


class Remembers(ForeignService):
    """Correct: it repeats what it read, obeys limits and instructions, and counts words."""

    takes = frozenset({LIMIT, INSTRUCTION})

    def __init__(self) -> None:
        super().__init__()
        self.read: dict[str, list[str]] = {}
        self.first: dict[str, str] = {}

    def prepare(self, run: Run) -> None:
        self.read[run.id] = [*self.recall(run), *self.read_input(run)]
        words = [*re.findall(r"[0-9]{5}", " ".join(self.reads(run))), *LONG.split()]
        text = " ".join(words[:3] if self.limits(run) else words)
        run.steps, run.end = [say(self.speak(text))], "incomplete" if self.limits(run) else "completed"

    def speak(self, text: str) -> str:
        """What it says."""
        return text

    def reads(self, run: Run) -> list[str]:
        """The words that the model reads."""
        return [*self.instruct(run), *self.read[run.id]]

    def read_input(self, run: Run) -> list[str]:
        """The words of an input."""
        return read_words(run.body["input"])

    def recall(self, run: Run) -> list[str]:
        """The words of the turns before."""
        parent = run.body.get("previous_interaction_id", "")
        return [*self.read[parent], *read_words(self.runs[parent].steps)] if parent in self.runs else []

    def instruct(self, run: Run) -> list[str]:
        """The words of the instruction."""
        return str(run.body.get(INSTRUCTION, "")).split()

    def limits(self, run: Run) -> bool:
        """Whether a limit cuts a run."""
        return LIMIT in run.body

    def usage(self, run: Run) -> Json:
        read, said = self.count(run), 3 if self.limits(run) else 60
        return {"total_input_tokens": read, "total_output_tokens": said, "total_tokens": read + said}

    def count(self, run: Run) -> int:
        """The input tokens of a run."""
        return len(self.reads(run))


class Recites(Remembers):
    """Correct: a mock that counts what it reads, and always says the same."""

    def speak(self, text: str) -> str:
        return LONG[: len(text)]


def count_apart(self: Remembers, usual: Any, run: Run) -> Json:
    """Count what came from a cache apart: whatever was read before."""
    cached = len(self.recall(run))
    return {**usual(run), "total_input_tokens": self.count(run) - cached, "total_cached_tokens": cached}


def leave_cache_out(self: Remembers, usual: Any, run: Run) -> int:
    """Count what no cache has: the first run that reads a history puts it into one."""
    first = self.first.setdefault(run.body.get("previous_interaction_id", ""), run.id)
    return int(usual(run)) - (first != run.id) * len(self.recall(run) + self.instruct(run))


COUNTS: dict[str, Json] = {
    "nothing": {"usage": lambda self, usual, run: {}},
    "always-the-same": {"count": lambda self, usual, run: 10},
    "the-new-turn": {"count": lambda self, usual, run: len(self.read_input(run))},
    "the-last-step": {"count": lambda self, usual, run: len(read_words(as_list(run.body["input"])[-1:]))},
    "in-steps-of-fifty": {"count": lambda self, usual, run: -(-usual(run) // 50) * 50},
    "in-steps-of-ten": {"count": lambda self, usual, run: -(-usual(run) // 10) * 10},
    "without-its-cache": {"count": leave_cache_out},
    "its-cache-apart": {"usage": count_apart},
    "too-late": {"count": lambda self, usual, run: usual(run) if run.age > 0.4 + run.lasts else 0},
    "as-it-goes": {"count": lambda self, usual, run: 12 * int(run.id[1:])},
    "plain-runs-alone": {
        "count": lambda self, usual, run: 3 if run.body.get("stream") or run.body.get("background") else usual(run)
    },
}  # fmt: skip
GLOBS = [
    "chain.*",
    "create.max-tokens",
    "create.system-instruction",
    "create.cut-short",
    "bg.settles",
    "stream.done",
]


@pytest.mark.parametrize("name", COUNTS)
def test_no_count_fails_a_server_that_is_right(name: str) -> None:
    """A right server may count as it likes. The counts of one that always says the same are all that is judged."""
    report = check(vary(Recites, **COUNTS[name])(), *GLOBS)
    assert [rule for rule, word in report.verdicts.items() if word in ("fail", "error")] == []


def continue_the_sibling(self: Remembers, usual: Any, run: Run) -> list[str]:
    """Recall what an earlier child of the same parent read."""
    parent = run.body.get("previous_interaction_id")
    before = [
        one
        for one in list(self.runs.values())
        if one is not run and one.body.get("previous_interaction_id") == parent
    ]
    return [*usual(run), *itertools.chain(*(self.read[one.id] for one in before if parent))]


def lose(mode: str) -> Any:
    """A change of a method: it returns nothing in one mode."""
    return lambda self, usual, run: type(usual(run))() if run.body.get(mode) else usual(run)


DEFECTS: list[tuple[str, str, str, Json]] = [
    ("chain.siblings-apart", "/text", "warn", {"recall": continue_the_sibling}),
    (
        "chain.stateless",
        "/dropped",
        "warn",
        {"read_input": lambda self, usual, run: read_words(as_list(run.body["input"])[-1:]) or usual(run)},
    ),
    ("chain.streamed", "", "warn", {"recall": lose("stream")}),
    ("chain.background", "", "warn", {"recall": lose("background")}),
    ("create.max-tokens", "/ignored", "fail", {"limits": lose("background")}),
    ("create.max-tokens", "/ignored", "fail", {"limits": lose("stream")}),
    ("create.system-instruction", "", "warn", {"instruct": lose("background")}),
    ("create.system-instruction", "", "warn", {"instruct": lose("stream")}),
]


@pytest.mark.parametrize(("rule", "code", "word", "changes"), DEFECTS)
def test_what_was_read_shows_in_the_text(rule: str, code: str, word: str, changes: Json) -> None:
    """What the text proves is a failure; of a mock with one text, whose counts alone differ, it is a warning."""
    said, counted = (
        check(vary(kind, **changes)(), rule, "bg.settles", "stream.done") for kind in (Remembers, Recites)
    )
    assert (said.verdicts[rule], {*said.codes[rule]}, said.exit) == ("fail", {f"{rule}{code}"}, 1)
    assert counted.verdicts[rule] == word
