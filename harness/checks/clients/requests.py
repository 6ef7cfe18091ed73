"""What the requests and answers of a client say of the interactions that it makes.

Layer 2, pure; never raises on odd input.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.contract.data.output import count_transcript
from harness.outcome.words import format_count
from harness.wire import Request
from harness.wire.json_value import object_or_none


def find_previous(create: Request) -> str | None:
    """What a create goes on from; None if it begins a conversation.

    That is the interaction it names as its previous turn or, where it sends the earlier turns along, their number
    of steps in words: a client may keep the conversation itself.
    """
    body = object_or_none(create.body) or {}
    named, given = body.get("previous_interaction_id"), body.get("input")
    if isinstance(named, str):
        return named
    steps = count_transcript(given)
    return f"a transcript of {format_count(steps, 'step')}" if steps else None


def find_input(create: Request) -> str:
    """The input of a create, as JSON."""
    return json.dumps((object_or_none(create.body) or {}).get("input"), sort_keys=True)


def goes_on(create: Request) -> bool:
    """Whether a create continues an interaction that stopped with a continuation token."""
    return b"continuation_token" in create.body


def find_id(answer: Mapping[str, Any]) -> str | None:
    """The id of the interaction in the answer to a create."""
    found = answer.get("id")
    return found if isinstance(found, str) else None


def find_error(answer: Mapping[str, Any]) -> str:
    """The message of a refusal; "" if it has none."""
    error = answer.get("error")
    message = error.get("message") if isinstance(error, Mapping) else None
    return str(message or "")
