"""Histories: what a client may do to several interactions, as data.

An operation refers to an interaction by its number in the order of creation, never by id, so that a history can be
drawn, shrunk, stored, and replayed against any target. Must not know the results of operations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.outcome.words import format_count, shorten

Json = dict[str, Any]

WEATHER: Json = {
    "type": "function",
    "name": "get_weather",
    "description": "Gives the weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

_FORCED: Json = {
    "input": "Weather in Paris?",
    "tools": [WEATHER],
    "generation_config": {"tool_choice": "any"},
}

LEGAL: Mapping[str, Json] = {
    "plain": {},
    "stream": {"stream": True},
    "background": {"background": True},
    "background-stream": {"background": True, "stream": True},
    "unstored": {"store": False},
    "unstored-stream": {"store": False, "stream": True},
    "tools": _FORCED,
    "tools-stream": {**_FORCED, "stream": True},
}
"""Ways to create that a target must accept if it has the required capability, with the fields of each."""

ILLEGAL: Mapping[str, tuple[str, str]] = {
    "unstored-background": ("store.false-bg", "refused"),
    "no-model": ("create.model-xor-agent", "neither"),
    "model-and-agent": ("create.both", "both"),
    "no-input": ("create.input-missing", "no_input"),
    "unknown-field": ("err.unknown-field", "unknown_field"),
    "wrong-type": ("err.wrong-type", "number_input"),
    "unknown-model": ("err.unknown-model", "unknown_model"),
}
"""Creates that must be rejected, or that most services reject: the rule, and the name in `tables/refusals`."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "create": (*LEGAL, *ILLEGAL),
    "chain": ("plain", "background", "stream", "unknown", "foreign"),
    "answer": ("plain", "stream", "wrong-id", "orphan"),
    "poll": ("", "input", "unknown", "foreign"),
    "settle": ("",),
    "replay": ("", "unknown", "bad-cursor"),
    "cancel": ("", "unknown", "foreign"),
    "delete": ("", "unknown", "foreign"),
    "open": ("",),
    "read": ("",),
    "drop": ("",),
    "resume": ("",),
    "finish": ("",),
}
"""Every kind of operation and its modes. `subject` numbers an interaction, or a reader for `ON_READERS`."""

ON_READERS = frozenset({"read", "drop", "resume", "finish"})
COUNTED = frozenset({"open", "read", "resume"})
"""Kinds of operations with a number of events to read."""
OF_NOBODY = ("unknown", "orphan")
"""Modes of operations that have no subject."""


@dataclass(frozen=True, slots=True)
class ClientCommand:
    """One thing a client does.

    `subject` is the number of the interaction (or of the reader), modulo how many there are. `count` is the number
    of events to read. `body` contains fields of a create in addition to those of its mode.
    """

    kind: str
    subject: int = 0
    mode: str = ""
    count: int = 0
    body: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind={self.kind!r} is not an operation: there are {', '.join(KINDS)}")
        if self.mode not in KINDS[self.kind]:
            raise ValueError(f"mode={self.mode!r} is not one of {self.kind}: {', '.join(KINDS[self.kind])}")
        if type(self.subject) is not int or type(self.count) is not int:  # of a file, it may be any text
            raise ValueError(f"subject={self.subject!r} and count={self.count!r} must be numbers")

    @property
    def label(self) -> str:
        return f"{self.kind} {self.mode}".strip()

    def record(self) -> dict[str, Any]:
        """Return plain data, without defaults."""
        plain = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in asdict(self).items() if name == "kind" or value != plain[name]}

    def __str__(self) -> str:
        words = [self.label]
        if self.kind != "create" and self.mode not in OF_NOBODY:
            words.append(f"{'reader ' if self.kind in ON_READERS else '#'}{self.subject}")
        if self.count:
            words.append(format_count(self.count, "event"))
        if self.body:
            words.append(shorten(json.dumps(self.body, ensure_ascii=False), 60))
        return " ".join(words)


_ILLEGAL = frozenset({*ILLEGAL, *OF_NOBODY, "foreign", "wrong-id", "bad-cursor"})


def histories(
    *, steps: int = 20, interactions: int = 3, legal_only: bool = False
) -> SearchStrategy[list[ClientCommand]]:
    """Histories of up to `steps` operations on up to `interactions` interactions; the first one is a create.

    `legal_only`: leave out operations that are illegal whatever happened before. Whether the others are legal
    depends on what the target returns.
    """
    if steps < 1:
        raise ValueError(f"steps={steps!r} must be at least 1: a history begins with a create")
    subjects, choices = st.integers(0, max(0, interactions - 1)), []
    for kind, modes in KINDS.items():
        kept = [mode for mode in modes if not legal_only or mode not in _ILLEGAL]
        counts = st.integers(1, 12) if kind in COUNTED else st.just(0)
        subject = st.just(0) if kind == "create" else subjects
        choices.append(st.builds(ClientCommand, st.just(kind), subject, st.sampled_from(kept), counts))
    first = st.builds(ClientCommand, st.just("create"), st.just(0), st.sampled_from([*LEGAL]))
    rest = st.lists(st.one_of(choices), max_size=steps - 1)
    return st.builds(lambda begin, others: [begin, *others], first, rest)
