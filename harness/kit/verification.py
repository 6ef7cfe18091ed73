"""What the judgement of recorded files collects. Layer 1, values.

Must not know which API was recorded.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.outcome import Finding

ANSWERS = (".json", ".sse", ".events.jsonl")
"""Suffixes of the files that hold the response to a request, beside the file of that request."""


class UnjudgedEntry(NamedTuple):
    """A file that is not judged, or an entry of it; `entry` is empty if it is the file."""

    file: str
    entry: str
    reason: str


class Answer(NamedTuple):
    """A file that holds the response, beside the file of the request."""

    data: bytes
    is_json: bool


@dataclass(slots=True)
class Verification:
    """What was judged, what was not, and what was found.

    `entries` counts what was judged: exchanges, and files with a single stream, body or request. `judged` counts
    what they contained, `rules` how often each rule was looked at. An exchange may contain two, such as a request
    and a stream, or none, such as a delete without a body.
    """

    entries: int = 0
    judged: dict[str, int] = field(default_factory=lambda: {"streams": 0, "bodies": 0, "requests": 0})
    rules: Counter[str] = field(default_factory=Counter)
    left_out: list[UnjudgedEntry] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
