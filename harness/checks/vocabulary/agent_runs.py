"""Whether a create that names an agent was answered by a plain run of a model.

Layer 2. That the answer names a model alone is no proof: an agent has one. So an agent that does not exist is
asked for, too; where that runs with the same model, nobody looked at the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.contract import read
from harness.contract.judge.replies import SUCCESS
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Part, Send
from harness.wire import Exchange
from harness.wire.json_value import object_or_none

_NEEDS_MORE = frozenset({400, 422})


def start_agent(t: RequestBuilder, fields: Mapping[str, Any], **more: Any) -> Part[Exchange]:
    """Create a run of an agent in the environment of the target.

    A target that lists no environments may still need one for its agents, so a refusal is tried once with it.
    """
    body = {**fields, **more}
    created: Exchange = yield Send(t.create(body, environment=t.environment))
    if created.status in _NEEDS_MORE and t.environment is None:
        again: Exchange = yield Send(t.create(body, environment="remote"))
        return again if again.succeeded else created
    return created


NOBODY = "harness-no-such-agent"


def find_model(answer: Exchange) -> str:
    """The model that answers in place of the agent that was named; `""` if the answer does not say so."""
    body = read(answer).json if answer.status in SUCCESS else None
    if not isinstance(body, dict) or body.get("agent"):
        return ""
    named = (object_or_none(answer.request.body) or {}).get("agent")
    model = body.get("model")
    return model if isinstance(model, str) and model != named else ""


def find_stand_in(answer: Exchange, of_nobody: Exchange) -> str:
    """The model that runs whatever agent is named, one that does not exist as well; `""` if none does."""
    model = find_model(answer)
    return model if model and find_model(of_nobody) == model else ""
