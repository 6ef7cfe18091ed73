"""Annotations for GitHub Actions: failures, worst first, as commands that a runner reads from the output.

A runner shows ten errors and ten warnings of a step, so the last of ten has the number of the others.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.outcome.words import format_count
from harness.report.presented_run import PresentedRun
from harness.wire.message import escape_controls

_SHOWN = 10


def list_annotations(state: PresentedRun) -> Iterator[str]:
    """One workflow command a line: why it could not judge, failures, warnings, and the verdict of the run."""
    yield from (_format_command("error", why, title=state.subject) for why in state.obstacles)
    for level, most in (("error", _SHOWN - len(state.obstacles)), ("warning", _SHOWN)):
        results = [shown for shown in state.urgent_first if shown.annotation == level]
        named = results if len(results) <= most else results[: most - 1]
        for shown in named:
            title = f"{shown.id} [{shown.standing_level}] {shown.title}"
            yield _format_command(level, shown.why, file=shown.file, title=title)
        if rest := results[len(named) :]:
            title = format_count(len(rest), f"more {state.noun}")
            yield _format_command(level, ", ".join(shown.id for shown in rest), title=title)
    yield _format_command("notice", state.verdict_text, title=state.subject)


def _format_command(name: str, message: str, **properties: str) -> str:
    """A workflow command. What came from a target is escaped, so that it cannot be a command of its own."""
    given = ",".join(f"{key}={_escape(value, ':,')}" for key, value in properties.items() if value)
    return f"::{name} {given}::{_escape(message)}"


def _escape(text: str, more: str = "") -> str:
    """Percent-encode what would end the line or the property; control characters become visible."""
    escaped = "\n".join(map(escape_controls, text.splitlines()))
    return "".join(f"%{ord(char):02X}" if char in "%\n" + more else char for char in escaped)
