"""The judges of the checks on tool search, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import answer, case, interaction, refusal
from tests.checks._streams import CALL, streamed, text_events

SEARCH = {"type": "tool_search_call", "id": "s1", "arguments": {"function_names": ["get_weather"]}}
LOADED = {"type": "tool_search_result", "call_id": "s1", "result": [{"type": "function", "name": "get_weather"}]}
OTHERS = [{"type": "function", "name": "other"}]


def found(*steps, status="requires_action"):
    """An answer with these steps."""
    return answer(body=interaction(status=status, steps=list(steps)))


TEXT = streamed(text_events("Sunny."))
WHOLE = found(SEARCH, LOADED, CALL)
ANSWER = answer(body=interaction())

CASES = [
    case("toolsearch.pair-matched", "met", "both halves", asked=WHOLE, streamed=TEXT),
    case("toolsearch.pair-matched", "untestable", "no search", asked=found(CALL), streamed=TEXT),
    case("toolsearch.pair-matched", "untestable", "refused", asked=refusal(400), streamed=refusal(400)),
    case("toolsearch.pair-matched", "not_met", "crash", asked=refusal(500), streamed=TEXT),
    case("toolsearch.pair-matched", "not_met", "no result", asked=found(SEARCH, CALL), streamed=TEXT),
    case("toolsearch.pair-matched", "not_met", "no search before", asked=found(LOADED, CALL), streamed=TEXT),
    case("toolsearch.pair-matched", "not_met", "twice", asked=found(SEARCH, LOADED, LOADED), streamed=TEXT),
    case("toolsearch.names-declared", "met", "as declared", asked=WHOLE, streamed=TEXT),
    case("toolsearch.names-declared", "met", "none", asked=found(SEARCH, {**LOADED, "result": []}), streamed=TEXT),
    case(
        "toolsearch.names-declared", "not_met", "another", streamed=TEXT,
        asked=found(SEARCH, {**LOADED, "result": OTHERS}),
    ),
    case("toolsearch.not-pending", "met", "only the call", asked=WHOLE, streamed=TEXT, answered=ANSWER),
    case(
        "toolsearch.not-pending", "not_met", "the search waits", streamed=TEXT, answered=ANSWER,
        asked=found(SEARCH, LOADED),
    ),
    case("toolsearch.not-pending", "not_met", "result refused", asked=WHOLE, streamed=TEXT, answered=refusal(400)),
]  # fmt: skip
