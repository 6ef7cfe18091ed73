"""Which defects of a stream make which others unavoidable: the second is no news once the first is known.

Layer 1, a table. Codes as in `schemas/output/codes.json`; one that ends with a slash stands for all that begin so.
It holds within one stream, from a cause to what follows it. A cause never changes a verdict.
"""

from __future__ import annotations

_LOST = ("stream.json/", "stream.framing/utf8", "stream.event-type", "stream.schema/")
"""An event that could not be read: a client has to go on as if it had not come."""

_READ_ALL_THE_SAME = frozenset({"stream.schema/null"})
"""Defects of the same kinds that keep nobody from reading the event."""

CAUSES: dict[str, tuple[str, ...]] = {
    "stream.first/other-event": _LOST,
    "stream.first/no-event": (*_LOST, "stream.framing/unended"),
    "stream.start-before/never": _LOST,
    "stream.index-contiguous": _LOST,
    "stream.start-before/stopped": ("stream.completed-last",),
    "stream.stop-once/open": _LOST,
    "stream.no-interleave": _LOST,
    "stream.terminal": (*_LOST, "stream.framing/unended"),
}
"""For each defect that may be unavoidable, the codes that make it so."""


def may_cause(cause: str, code: str) -> bool:
    """Whether a finding with the code `cause` can be why there is one with `code`."""
    if cause in _READ_ALL_THE_SAME:
        return False
    return any(cause == known or (known[-1] == "/" and cause.startswith(known)) for known in CAUSES.get(code, ()))
