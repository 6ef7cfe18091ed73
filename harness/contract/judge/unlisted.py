"""Names what an answer holds that the published schemas do not: steps, events, fields of a newer API, or mistakes.

Layer 1, pure. That is no fault, and clients have to live with it; it is told once for each kind, however often it
comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.contract.schema.validator import Review, UnknownPart
from harness.outcome import Finding, Where

UNLISTED = frozenset({"http.unlisted"})
"""The rule that says so."""

_SHOWN = 60
_KINDS = 64


def judge_unlisted_in(review: Review, revision: str) -> Iterator[Finding]:
    """What a JSON value holds that its schema in this revision does not name."""
    return judge_unlisted([(None, part) for part in review.unknowns], revision)


def judge_unlisted(parts: Iterable[tuple[int | None, UnknownPart]], revision: str) -> Iterator[Finding]:
    """One finding for each of the first kinds of unknown parts of an answer, each with the number of its event."""
    seen: set[str] = set()
    for event, part in parts:
        subject = f"{part.kind} {part.name[:_SHOWN]}"
        if not part.name or subject in seen:  # what has no name is an odd form of something known
            continue
        if len(seen) == _KINDS:
            return
        seen.add(subject)
        yield Finding(
            "http.unlisted",
            f"the {part.kind} `{part.name[:_SHOWN]}` is in no published schema",
            f"a name of revision {revision}",
            part.name[:_SHOWN],
            Where(event=event, pointer=part.pointer),
            subject=subject,
        )
