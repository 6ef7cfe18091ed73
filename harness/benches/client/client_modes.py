"""What a client is asked to do in a case, for clients that can do several things.

Layer 5, values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TEXT = "A text in several pieces: déjà vu, 東京 and 🦊, to the very end."
"""What the model says, unless a script says something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMode:
    """One thing to do. `script` is the answer to a create, `further` to one that refers to a previous interaction.

    `usual_set` are the cases that are played if no others are asked for. If it has `turns`, the client's result is
    that of a further turn.
    """

    about: str
    usual_set: str = "standard"
    script: Mapping[str, Any]
    further: Mapping[str, Any] | None = None
    turns: bool = False


_SAYS: Mapping[str, Any] = {"text": TEXT}
_CALLS: Mapping[str, Any] = {
    "steps": [{"type": "function_call", "id": "call_1", "name": "look", "arguments": {"place": "behind the door"}}]
}
_HELD: Mapping[str, Any] = {"text": TEXT, "hold": {"after": 5}}

MODES: Mapping[str, ClientMode] = {
    "follow": ClientMode(
        about="stream the interaction with the given id, which runs in the background", script=_SAYS
    ),
    "create": ClientMode(about="create an interaction with a stream, and read it", script=_SAYS),
    "background": ClientMode(
        about="create an interaction in the background with a stream, and read it", script=_SAYS
    ),
    "poll": ClientMode(
        about="create an interaction in the background, and ask with GET until it has ended",
        usual_set="polling",
        script=_SAYS,
    ),
    "chain": ClientMode(
        about="create an interaction, read it, then one with previous_interaction_id, which is the result",
        usual_set="turns",
        script={"text": "The first turn is over."},
        further=_SAYS,
        turns=True,
    ),
    "tools": ClientMode(
        about="create an interaction with the function `look`, answer its call with a function_result; the result "
        "is that of this second turn",
        usual_set="turns",
        script=_CALLS,
        further=_SAYS,
        turns=True,
    ),
    "cancel": ClientMode(
        about="stream the interaction with the given id, cancel it after three events, and report its status",
        usual_set="cancelling",
        script=_HELD,
    ),
}
"""The modes by name. A client that can do one thing only need not look at its mode."""

DEFAULT_MODE = "follow"
"""What a client does that was told nothing."""
