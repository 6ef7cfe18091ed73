"""The judges of the checks on search steps, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import answer, case, interaction, refusal
from tests.checks._streams import CALL


def searched(*steps, status="completed"):
    """An answer with these steps."""
    return answer(body=interaction(status=status, steps=list(steps)))


TEXT = answer(body=interaction())
SEARCH = {"type": "google_search_call", "id": "s1", "arguments": {"queries": ["x"]}}
FOUND = {"type": "google_search_result", "call_id": "s1"}

CASES = [
    case("tool.search", "met", "both halves", answer=searched(SEARCH, FOUND)),
    case("tool.search", "met", "no search", answer=TEXT),
    case("tool.search", "untestable", "refused", answer=refusal(400)),
    case("tool.search", "not_met", "crash", answer=refusal(500)),
    case("tool.search", "not_met", "something else", answer=answer(body=[])),
    case("tool.search", "not_met", "left to the client", answer=searched(SEARCH, status="requires_action")),
    case("tool.search", "not_met", "a call of nothing declared", answer=searched(CALL)),
    case("tool.search-shape", "met", "both halves", answer=searched(SEARCH, FOUND)),
    case("tool.search-shape", "untestable", "no search", answer=TEXT),
    case("tool.search-shape", "not_met", "no result", answer=searched(SEARCH)),
    case("tool.search-shape", "not_met", "a stray result", answer=searched(SEARCH, {**FOUND, "call_id": "s2"})),
]
