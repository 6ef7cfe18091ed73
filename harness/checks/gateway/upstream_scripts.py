"""The fields of creates, the scripts of the upstream's runs, and how its responses fail. Layer 2, data.

Each documented field of a create has a value that cannot arrive by accident. Whether the upstream accepts the
create does not matter, only what arrives there. `{}` in an input is replaced by words that no other request has.
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


_DELTAS = ["Hello", " brave", " new", " world,\n\n", "  déjà vu,", " 東京,", " 🦊🦊", "!"]
SCRIPT: dict[str, Any] = {"deltas": _DELTAS, "thought": False, "times": 0}
LARGE = {**SCRIPT, "deltas": [f"{number} " + "long " * 4000 for number in range(5)]}
LONG = {**SCRIPT, "ticks": 1_000_000}
"""The script of a background run that does not end, however often it is polled."""

TRUNCATIONS = {
    "none": "event:0,end",
    "boundary": "event:5,end",
    "between-chunks": "event:5,fin",
    "in-event": "event:6+25,fin",
    "in-character": "utf8:5,rst",
    "reset": "event:5,rst",
    "uncompleted": "completion,end",
    "uncompleted-reset": "completion,rst",
}
"""Where and how the upstream's stream breaks off, as fault plans."""
CLOSING = {"closing": "event:5,end", "closing-reset": "event:5,rst"}
"""The same for a body that ends with its connection, where a reset alone tells an end from a drop."""

REFUSALS: tuple[tuple[int, str, str, tuple[tuple[str, str], ...]], ...] = (
    (400, "invalid_request", "The harness refuses this call: wrong.", ()),
    (403, "permission_denied", "The harness refuses this call: not allowed.", ()),
    (404, "model_not_found", "The harness refuses this call: no such model.", ()),
    (429, "rate_limit_exceeded", "The harness refuses this call: too many.", (("retry-after", "7"),)),
    (500, "api_error", "The harness refuses this call: broken.", ()),
    (503, "service_unavailable", "The harness refuses this call: busy.", (("retry-after", "7"),)),
)
"""What the upstream refuses with: status, code, message, header fields."""

_CALL = {"id": "call_1", "name": "look_up", "arguments": {"word": "hi", "more": [1, 2.5]}}

RICH: dict[str, Any] = {
    "steps": [
        {
            "type": "thought",
            "signature": "c2lnbmF0dXJlLW9mLXRob3VnaHQ=",
            "summary": [TEXT | {"text": "Look it up."}],
        },
        {"type": "model_output", "content": [TEXT | {"text": "Here: 東京 🦊"}, IMAGE]},
        {"type": "function_call", **_CALL, "signature": "c2lnbmF0dXJlLWI="},
    ],
    "status": "requires_action",
}
"""A run that thinks, shows an image and calls a function, with the signatures that the next turn must repeat."""

_EXACT = 2**53 + 1
"""The first whole number that a double cannot hold; JavaScript rounds it."""

CALLS: dict[str, Any] = {
    "steps": [
        {"type": "thought", "signature": "c2lnbmF0dXJlLW9mLXRob3VnaHQ="},
        {"type": "function_call", "id": "call_a", "name": "look_up", "arguments": {"row": _EXACT, "count": 5}},
        {
            "type": "function_call",
            "id": "call_b",
            "name": "look_up",
            "arguments": {"word": "hi"},
            "signature": "YQ==",
        },
    ],
    "status": "requires_action",
    "ticks": 1,
}
"""A run that waits for the results of two calls; one argument is a number that only integers hold exactly."""

RESULTS: list[dict[str, Any]] = [
    {
        "type": "function_result",
        "call_id": "call_b",
        "name": "look_up",
        "is_error": True,
        "signature": "YQ==",
        "result": [TEXT | {"text": "{}"}, IMAGE],
    },
    {"type": "function_result", "call_id": "call_a", "name": "look_up", "result": {"row": _EXACT, "count": 5}},
]
"""The results of both calls in the other order, with every field that a result may have."""

ENDS: dict[str, dict[str, Any]] = {
    "failed": {"status": "failed"},
    "cancelled": {"status": "cancelled"},
    "incomplete": {"status": "incomplete"},
    "error": {"error_event": {"after": 5, "code": "service_unavailable", "message": "The harness is busy."}},
    "failed-error": {
        "status": "failed",
        "error_event": {"after": 5, "code": "api_error", "message": "The harness failed."},
    },
}
"""How a stream can end other than well, and still in order."""

BARE_ERRORS = {
    "list": b"""[{
  "error": {
    "code": 503,
    "message": "The harness is currently unavailable.",
    "status": "UNAVAILABLE"
  }
}
]
""",
    "line": b'{"error":{"message":"The harness blocked the input.","code":"prohibited_content"}}\n',
}
"""Errors as the service writes them into a stream that it cannot go on with: JSON that belongs to no event."""
