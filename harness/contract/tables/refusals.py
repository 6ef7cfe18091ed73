"""Wrong creates: their changes to a plain create, and the accepted statuses.

A table with one row per rule, for all callers that send wrong creates. A rule may have several, each with a name
for its response. Must not know how requests are sent.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from enum import Enum
from typing import Any

from msgspec import Struct

Changes = Mapping[str, Any]

_SUCCESS = range(200, 300)
_CLIENT_ERROR = range(400, 500)


class Own(Enum):
    """Stands for a name of the target's own, which only the user knows."""

    MODEL = "model"
    AGENT = "agent"
    ENVIRONMENT = "environment"


class InvalidCreates(Struct, frozen=True):
    """The wrong creates of one rule. `creates` maps names to changes of a valid body; None removes a field.

    `accepts` are the statuses that keep the rule, `tolerates` those that keep it in a lenient reading.
    """

    rule: str
    creates: Mapping[str, Changes]
    accepts: Container[int]
    tolerates: Container[int] = ()

    def bodies(self, plain: Changes, own: Mapping[Own, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the name and the body of each create: `plain` with its changes, `own` names in their places."""
        for name, changes in self.creates.items():
            filled = {field: own[value] if isinstance(value, Own) else value for field, value in changes.items()}
            yield name, {**plain, **filled}


RESEARCHER = "deep-research-preview-04-2026"
"""A deep-research agent by its documented name."""

_HOOK = {"uris": ["https://harness.invalid/hook"]}

_ROWS = (
    # One model or agent, an input
    InvalidCreates("create.model-xor-agent",
            {"neither": {"model": None}, "neither_streamed": {"model": None, "stream": True}},
            {400}, _CLIENT_ERROR),
    InvalidCreates("create.both", {"both": {"model": Own.MODEL, "agent": Own.AGENT}}, {400}, _CLIENT_ERROR),
    InvalidCreates("create.input-missing",
            {"no_input": {"input": None}, "empty_input": {"input": []},
             "no_input_streamed": {"input": None, "stream": True},
             "no_input_in_background": {"input": None, "background": True}}, {400}, _CLIENT_ERROR),

    # Fields that exclude each other
    InvalidCreates("create.config-mismatch",
            {"agent_config": {"agent_config": {"type": "dynamic"}}}, {400}, _CLIENT_ERROR),
    InvalidCreates("create.config-agent",
            {"refused": {"agent": Own.AGENT, "generation_config": {"thinking_level": "low"}}},
            {400}, _CLIENT_ERROR),
    InvalidCreates("create.webhook-bg", {"hook": {"webhook_config": _HOOK}}, {*_SUCCESS, 400}, _CLIENT_ERROR),
    InvalidCreates("store.false-bg",
            {"refused": {"background": True, "store": False},
             "streamed": {"background": True, "store": False, "stream": True}}, {400}, _CLIENT_ERROR),

    # Types, names and values
    InvalidCreates("err.wrong-type",
        {"number_input": {"input": 7}, "text_tools": {"tools": "none"},
         "background_input": {"input": 7, "background": True},
         "streamed_tools": {"tools": "none", "stream": True}}, {400}, {422}),
    InvalidCreates("err.unknown-field", {"unknown_field": {"harness_unknown": True}}, {400}, {422}),
    InvalidCreates("err.unknown-model",
        {"unknown_model": {"model": "harness-unknown-model"}}, _CLIENT_ERROR, _SUCCESS),
    InvalidCreates("err.bad-enum",
            {"unknown_tool": {"tools": [{"type": "harness_unknown"}]},
             "unknown_level": {"generation_config": {"thinking_level": "harness"}}}, {400}, {422}),
    InvalidCreates("rob.case", {"camel": {"systemInstruction": "Be brief."}}, {400}),

    # Agents
    InvalidCreates("agent.unknown",
            {"unknown": {"agent": "harness-no-such-agent", "environment": Own.ENVIRONMENT, "background": True}},
            {400, 404}, _CLIENT_ERROR),
    InvalidCreates("agent.unknown-env",
            {"nowhere": {"agent": Own.AGENT, "environment": "harness-no-such-environment", "background": True}},
            {400, 404}, _CLIENT_ERROR),
    InvalidCreates("agent.dr-bg", {"research": {"agent": RESEARCHER}}, _CLIENT_ERROR),
)  # fmt: skip

REFUSALS: Mapping[str, InvalidCreates] = {row.rule: row for row in _ROWS}
