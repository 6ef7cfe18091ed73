"""What identifies a defect in a search: its code, the call whose answer shows it, and where in the answer.

Layer 4. The sentence of a finding never counts, nor do numbers of steps and events: one defect is counted as one,
however often it is seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.contract.tables.operations import operation_of
from harness.outcome import Finding, Severity
from harness.wire import Request


@dataclass(frozen=True, slots=True)
class SeenDefect:
    """A finding, and the call whose answer shows it; "" if that is unknown."""

    finding: Finding
    call: str = ""

    @property
    def rule(self) -> str:
        """The id of the rule that is broken."""
        return self.finding.rule

    @property
    def name(self) -> str:
        """The code, with `?` if it is broken only in a strict reading."""
        return mark_strict(self.finding, self.finding.stable_code)

    @property
    def key(self) -> str:
        """What is equal for equal defects, as text; the two readings of a rule are different defects."""
        _, call, pointer = self.finding.kind(self.call)
        return " ".join(filter(None, (self.name, call, pointer)))


def mark_strict(finding: Finding, name: str) -> str:
    """The name, with `?` if the finding breaks its rule only in a strict reading."""
    return name if finding.severity is Severity.BROKEN else f"{name}?"


_UPLOAD = "upload"
"""What the paths of uploads begin with."""

_WORD = re.compile(r"[A-Za-z][A-Za-z_.:]{0,39}")


def call_of(request: Request) -> str:
    """The call that a request makes, without its ids: `GET interactions/{id}`.

    Of other resources only the collection and what is done there are named; everything else may be random.
    """
    operation = operation_of(request)
    if operation is not None:
        return operation.call
    segments = [segment for segment in request.segments if segment]
    _version, *path = segments[1:] if segments[:1] == [_UPLOAD] else segments or [""]
    named = [
        segment if place in (0, 2) and _WORD.fullmatch(segment) else "{id}" if place < 3 else "{path}"
        for place, segment in enumerate(path[:4])
    ]
    return " ".join(filter(None, (request.method, "/".join(named))))
