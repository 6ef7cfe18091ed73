"""The known differences say where they are known from, so that everybody can look it up."""

from __future__ import annotations

from harness.rules.tables import load_sources
from lab.drift.comparison import load_explanations

OTHERS = {"@google/genai 3.3.0", "ProtoJSON", "Inferred"}
"""Sources that no rule of the API cites."""


def test_every_source_is_a_document_and_a_place_in_it() -> None:
    """Each begins with the title of a document that rules cite, and goes on with the place."""
    titles = {page["title"] for page in load_sources().values()} | OTHERS
    sources = [source for known in load_explanations() for source in known.source.split("; ")]
    vague = [one for one in sources if one.partition(": ")[0] not in titles or not one.partition(": ")[2]]
    assert (vague, bool(sources)) == ([], True)
