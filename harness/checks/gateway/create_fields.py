"""A value for each documented field of a create, chosen so that it cannot arrive by accident. Layer 2, data.

It does not matter whether the upstream accepts the create; what counts is what arrives there. `{}` in an input is
replaced by words that no other request has.
"""

from __future__ import annotations

from typing import Any

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TEXT = {"type": "text"}
IMAGE = {"type": "image", "mime_type": "image/png", "data": _PIXEL}
_SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
_FUNCTION = {
    "type": "function",
    "name": "look_up",
    "description": "Looks a word up.",
    "parameters": {"type": "object", "properties": {"word": {"type": "string", "enum": ["hi", "ho"]}}},
}
_STEPS = [
    {"type": "user_input", "content": [TEXT | {"text": "Remember: 東京 🦊."}]},
    {"type": "model_output", "content": [TEXT | {"text": "I do."}]},
    {
        "type": "user_input",
        "content": [TEXT | {"text": "{}"}, IMAGE],
    },
]
AGENT = "agent"
"""Placeholder for the name of the agent under test, in fields that need an agent."""

FIELDS: dict[str, dict[str, Any]] = {
    "model": {"input": " {}\n\n\tKeep  this as it is. "},
    "agent": {"agent": AGENT},
    "input": {"input": _STEPS},
    "stream": {"stream": True},
    "store": {"store": False},
    "background": {"background": True},
    "continuation_token": {"continuation_token": "AAAAAAAAAAE="},
    "tools": {"tools": [_FUNCTION, {"type": "google_search"}]},
    "system_instruction": {"system_instruction": "Answer like a “harness”: briefly."},
    "response_format": {"response_format": {"type": "text", "mime_type": "application/json", "schema": _SCHEMA}},
    "response_mime_type": {"response_mime_type": "application/json"},
    "response_modalities": {"response_modalities": ["text"]},
    "safety_settings": {"safety_settings": [{"type": "harassment", "threshold": "block_none"}]},
    "service_tier": {"service_tier": "flex"},
    "labels": {"labels": {"team": "harness", "run": "gateway"}},
    "webhook_config": {
        "background": True,
        "webhook_config": {"uris": ["https://example.org/hook"], "user_metadata": {"job": "7"}},
    },
    "previous_interaction_id": {"previous_interaction_id": "v1_harness_unknown"},
    "environment": {"agent": AGENT, "environment": "remote"},
    "agent_config": {"agent": AGENT, "agent_config": {"type": "antigravity", "max_total_tokens": 4321}},
    "generation_config": {
        "generation_config": {
            "temperature": 0.25,
            "top_p": 0.5,
            "seed": 7,
            "max_output_tokens": 321,
            "stop_sequences": ["STOP"],
            "thinking_level": "low",
            "thinking_summaries": "auto",
            "tool_choice": "none",
        }
    },
    "cached_content": {"cached_content": "cachedContents/harness"},
}
"""For each field, what is added to a create with a model and an input in order to see that field arrive."""

STRANGER = "harness_unknown_field"
"""A field that no revision of the API documents."""
