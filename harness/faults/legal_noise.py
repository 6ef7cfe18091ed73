"""The faults that break nothing, in words: a reader of event streams must not notice them.

Layer 1.
"""

from __future__ import annotations

LEGAL_NOISE = {
    "ping": "comment lines between events",
    "unknown": "events of an unknown type",
    "glue": "data first, no space after colons, a comment and a retry field in each frame",
    "comment": "a comment line inside a frame",
    "members": "a member that no reader knows in each event",
    "crlf": "lines that end in CR LF",
    "trickle": "pieces that come one by one",
    "chunks": "pieces that split characters, names and line ends",
}
"""The words of the grammar, and what a client sees."""


def spell_out(connection: str) -> str:
    """The faults of a connection as a plan spells them, and in words what of them is legal noise."""
    words = (fault.partition(":")[0] for fault in connection.split(","))
    noise = "; ".join(LEGAL_NOISE[word] for word in dict.fromkeys(words) if word in LEGAL_NOISE)
    return f"{connection} (legal: {noise})" if noise else connection
