"""The JSON report: one object, described by `schemas/output/check.schema.json`.

Layer 6.
"""

from __future__ import annotations

import json

from harness.report.records import run_record
from harness.report.run_state import Story


def render(story: Story) -> str:
    """The report of a finished run, indented, with a final newline."""
    target, finished = story.whole()
    return dump(run_record(target, story.capabilities, finished, story.mask))


def dump(value: object) -> str:
    """Format JSON as every command prints it; escape lone surrogates, so that the text can always be encoded."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"
