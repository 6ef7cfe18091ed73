"""Strategies for the next operation of a history, one for each kind, so that whole kinds can be left out.

Layer 2. What is drawn never depends on the target's responses: an operation without a subject does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.strategies.client.operations_table import able_to
from harness.strategies.operations import CREATE_MODES, ILLEGAL_MODES, KINDS, ClientCommand

INTERACTIONS = 4
"""Number of subjects that a strategy chooses from; more may be created."""

_FIRST = (*CREATE_MODES, "background", "background-stream", "background")
"""Modes of the first create; background is more frequent, as most defects need a run in progress."""

_SUBJECTS = st.integers(0, INTERACTIONS - 1)
_COUNTED = frozenset({"open", "read", "resume"})
_NOBODY = ("unknown", "orphan")


def draw_steps(able: frozenset[str]) -> dict[str, SearchStrategy[ClientCommand]]:
    """The strategies by name; those with nothing that the target is able to would only take up steps."""
    found: dict[str, SearchStrategy[ClientCommand]] = {}

    def add(name: str, kinds: Sequence[str], modes: Sequence[str]) -> None:
        kept = {
            kind: [m for m in modes if m in KINDS[kind] and able_to(able, ClientCommand(kind, mode=m))]
            for kind in kinds
        }
        choices = [_draw_operations(kind, tuple(modes)) for kind, modes in kept.items() if modes]
        if choices:
            found[name] = st.one_of(choices)

    add("first", ["create"], _FIRST)
    for kind, modes in KINDS.items():
        add(f"{kind}_", [kind], [mode for mode in modes if mode not in (*ILLEGAL_MODES, *_NOBODY, "foreign")])
    add("open_again_", ["open"], [""])  # twice as likely: reading in parts begins with it
    add("create_wrongly", ["create"], ILLEGAL_MODES)
    for name in ("unknown", "foreign"):
        add(f"{name}_", [kind for kind, modes in KINDS.items() if name in modes], [name])
    add("orphan_", ["answer"], ["orphan"])
    return found


def _draw_operations(kind: str, modes: tuple[str, ...]) -> SearchStrategy[ClientCommand]:
    subject = st.just(0) if kind == "create" or modes[0] in _NOBODY else _SUBJECTS
    count = st.integers(1, 12) if kind in _COUNTED else st.just(0)
    return st.builds(ClientCommand, st.just(kind), subject, st.sampled_from(modes), count)
