"""What a client is asked to do in a case, for clients that can do several things.

Layer 2, values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.kit.client_model import ClientMode

TEXT = "A text in several pieces: déjà vu, 東京 and 🦊, to the very end."
"""What the model says, unless a script says something else."""

_SAYS: Mapping[str, Any] = {"text": TEXT}
CALLS: Mapping[str, Any] = {
    "steps": [
        {"type": "thought", "signature": "VGhlIGNhbGwgaXMgbWluZS4="},
        {"type": "function_call", "id": "call_1", "name": "look", "arguments": {"place": "behind the door"}},
    ]
}
"""With a signed thought: a client may send the turn back in a transcript of its own, instead of an id."""

_HELD: Mapping[str, Any] = {"text": TEXT, "hold": {"after": 5}}

_ALL = (
    ClientMode(
        name="follow",
        about="stream the interaction with the given id, which runs in the background",
        usual_set="standard",
        script=_SAYS,
        usual=True,
    ),
    ClientMode(
        name="create",
        about="create an interaction with a stream, and read it",
        usual_set="standard",
        script=_SAYS,
        creates=True,
    ),
    ClientMode(
        name="background",
        about="create an interaction in the background with a stream, and read it",
        usual_set="standard",
        script=_SAYS,
        creates=True,
    ),
    ClientMode(
        name="poll",
        about="create an interaction in the background, and poll with GET until it settles",
        usual_set="polling",
        script=_SAYS,
        creates=True,
    ),
    ClientMode(
        name="chain",
        about="create an interaction, read it, then create one with previous_interaction_id, which is the result",
        usual_set="turns",
        script={"text": "The first turn is over."},
        further=_SAYS,
        creates=True,
        turns=True,
    ),
    ClientMode(
        name="tools",
        about="create an interaction with the function `look`, and return a function_result for each call until "
        "the model stops calling; the last turn is the result",
        usual_set="tools",
        script=CALLS,
        further=_SAYS,
        creates=True,
        turns=True,
    ),
    ClientMode(
        name="cancel",
        about="stream the interaction with the given id, cancel it after three events, and report its status",
        usual_set="cancelling",
        script=_HELD,
    ),
)
MODES: Mapping[str, ClientMode] = {mode.name: mode for mode in _ALL}
"""The modes by name. A client that can do one thing only need not look at its mode."""
