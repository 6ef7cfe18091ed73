"""The JSON report: one object, described by the schema of the command in `schemas/output`.

Layer 6.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.report.commands.presentation import PresentedRun


def render(state: PresentedRun) -> str:
    """The report of a finished run, indented, with a final newline."""
    state.whole()
    return dump(state.presentation.record(state))


def dump(value: object) -> str:
    """Format JSON as every command prints it; escape lone surrogates, so that the text can always be encoded."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"
