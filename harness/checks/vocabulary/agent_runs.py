"""Whether a create that names an agent was answered by a plain run of a model.

Layer 2. That the answer names a model alone is no proof: an agent has one. So an agent that does not exist is
asked for, too; where that runs with the same model, nobody looked at the name.
"""

from __future__ import annotations

from harness.contract import read
from harness.contract.judge.replies import SUCCESS
from harness.wire import Exchange
from harness.wire.json_value import object_or_none

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
