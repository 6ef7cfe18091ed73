"""The documents that rules cite, one constant each: its title, and its address if known.

Layer 1. Data only. No address is made up: a page without a known address has none, and is found by its title.
What a page can say limits the levels of its rules (`outcome/rule.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.outcome import Basis, Source

_GUIDES = "https://ai.google.dev/gemini-api/docs"
_RFC = "https://www.rfc-editor.org/rfc"


_GUIDE = frozenset({Basis.DOCUMENTED, Basis.SCHEMA, Basis.INFERRED, Basis.OBSERVED})
_TYPES = frozenset({Basis.SCHEMA, Basis.INFERRED})
_WITNESS = frozenset({Basis.OBSERVED})
_STANDARD = frozenset({Basis.GENERIC})


@dataclass(frozen=True, slots=True)
class Page:
    """One document, and what kinds of statement it can make: a witness saw, and promises nothing."""

    title: str
    url: str = ""
    bases: frozenset[Basis] = _GUIDE

    def cite(self, basis: Basis, section: str) -> Source:
        """Cite a section, in words a reader can search for; `basis` is the kind of statement found there.

        Raises ValueError for a kind that the document cannot make.
        """
        if basis not in self.bases:
            can = ", ".join(sorted(self.bases))
            raise ValueError(
                f"{self.title!r} is cited as {basis!r}, and all it can say is {can}: cite another page"
            )
        return Source(basis, self.title, section, self.url)


REFERENCE = Page("Interactions API reference", "https://ai.google.dev/api/interactions-api")
OVERVIEW = Page("Interactions API overview", f"{_GUIDES}/interactions-overview")
STREAMING = Page("Streaming interactions", f"{_GUIDES}/interactions/streaming")
BACKGROUND = Page("Background execution", f"{_GUIDES}/background-execution")
LONG_DECODE = Page("Long decode", f"{_GUIDES}/long-decode")
THINKING = Page("Thinking", f"{_GUIDES}/thinking")
STRUCTURED_OUTPUT = Page("Structured output", f"{_GUIDES}/structured-output")
PRIORITY = Page("Priority inference")
BREAKING_CHANGES = Page("Breaking changes, May 2026", f"{_GUIDES}/interactions-breaking-changes-may-2026")
FUNCTION_CALLING = Page("Function calling", f"{_GUIDES}/function-calling")
FILE_SEARCH = Page("File search", f"{_GUIDES}/file-search")
ENVIRONMENTS = Page("Environments", f"{_GUIDES}/agent-environment")
DEEP_RESEARCH = Page("Deep research", f"{_GUIDES}/deep-research")
CUSTOM_AGENTS = Page("Building managed agents", f"{_GUIDES}/custom-agents")
WEBHOOKS = Page("Webhooks", f"{_GUIDES}/webhooks")
CREDENTIALS = Page("Credentials")
ANTIGRAVITY = Page("Antigravity agent")
QUICKSTART = Page("Managed agents quickstart")
NOTEBOOK = Page(
    "Notebooks on managed agents", "https://github.com/GoogleCloudPlatform/generative-ai", bases=_WITNESS
)
ERRORS = Page("API errors")
TOOL_RETRIEVAL = Page("Tool Retrieval, announcement of 19 November 2026")
MIGRATION = Page("Migrating to interactions")
OPENAPI = Page("OpenAPI document, v1beta", bases=_TYPES)

SDK = Page("google-genai 3.4.0", "https://github.com/googleapis/python-genai", bases=_TYPES)
RECORDINGS = Page("Public recordings of the service", bases=_WITNESS)
PROBES = Page("Live probes of a third party", "https://github.com/evansenter/genai-rs", bases=_WITNESS)
ADK_ISSUE = Page(
    "google/adk-python, issue 5169", "https://github.com/google/adk-python/issues/5169", bases=_WITNESS
)
FILES_ISSUES = Page(
    "deprecated-generative-ai-python, issue 692",
    "https://github.com/google-gemini/deprecated-generative-ai-python/issues/692",
    bases=_WITNESS,
)
STORES_ISSUE = Page(
    "python-genai, issue 1774", "https://github.com/googleapis/python-genai/issues/1774", bases=_WITNESS
)
DECISIONS_GUIDE = Page("Decisions guide")

URIS = Page("RFC 3986", f"{_RFC}/rfc3986", bases=_STANDARD)
JSON = Page("RFC 8259", f"{_RFC}/rfc8259", bases=_STANDARD)
HTTP = Page("RFC 9110", f"{_RFC}/rfc9110", bases=_STANDARD)
HTTP_1 = Page("RFC 9112", f"{_RFC}/rfc9112", bases=_STANDARD)
SERVER_SENT_EVENTS = Page(
    "WHATWG HTML, server-sent events",
    "https://html.spec.whatwg.org/multipage/server-sent-events.html",
    bases=_STANDARD,
)
