"""The step types of the API, and the delta types that each of them streams. Layer 1, a table."""

from __future__ import annotations

_MODEL_DELTAS = frozenset({"text", "image", "audio", "video", "document", "text_annotation_delta"})
_SELF_NAMED = frozenset(
    f"{tool}_{half}"
    for tool in (
        "code_execution", "url_context", "google_search", "google_maps", "file_search", "retrieval",
        "mcp_server_tool", "processing",
    )
    for half in ("call", "result")
) | {"function_result"}  # fmt: skip
DELTAS_OF: dict[str, frozenset[str]] = {
    "model_output": _MODEL_DELTAS,
    "thought": frozenset({"thought_summary", "thought_signature"}),
    "function_call": frozenset({"arguments_delta"}),
    **{name: frozenset({name}) for name in sorted(_SELF_NAMED)},
}
"""The delta types that each step type allows."""

STEP_TYPES = frozenset(DELTAS_OF) | {"user_input"}
"""Every step type the reference lists."""

KNOWN_DELTAS = frozenset().union(*DELTAS_OF.values())
"""Every delta type the reference lists."""
