"""Rules of tool search: the model asks for deferred functions by name, and the service loads them.

Layer 1. Data only. Whether a model searches is its own decision, so every rule is about searches that were made.
"""

from __future__ import annotations

from harness.contract.rules.pages import SDK, TOOL_RETRIEVAL
from harness.outcome import Basis, Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        id="toolsearch.pair-matched",
        level=Level.SHOULD,
        statement="Each tool_search_call is followed by a tool_search_result that names it, and by no other.",
        breaks="A client that shows or replays the search cannot tell which result belongs to which search.",
        source=SDK.cite(Basis.SCHEMA, "ToolSearchResultStep: call_id"),
    ),
    Rule(
        id="toolsearch.names-declared",
        level=Level.SHOULD,
        statement="A search loads only functions that the request declares.",
        breaks="The model may call a function that the client does not have.",
        source=TOOL_RETRIEVAL.cite(Basis.DOCUMENTED, "deferred functions are loaded by name"),
    ),
    Rule(
        id="toolsearch.not-pending",
        level=Level.SHOULD,
        statement="A search that the service executes waits for nothing: only function calls need a result.",
        breaks="A client is asked to answer a tool that only the service has, and the conversation ends there.",
        source=TOOL_RETRIEVAL.cite(Basis.DOCUMENTED, "search, loading and call happen in one request"),
    ),
)
