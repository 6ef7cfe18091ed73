"""Annotations for GitHub Actions: what failed, worst first, as commands that a runner reads from the output.

Layer 6. A runner shows ten errors and ten warnings of a step, so the last of ten says how many more there are.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.engine.results import RecordedPlace, Result
from harness.outcome import Accounted, Reason, Verdict
from harness.outcome.words import format_count
from harness.report.causes import describe
from harness.report.commands.presentation import PresentedRun
from harness.wire.control_characters import escape_controls

_SHOWN = 10


def list_annotations(state: PresentedRun) -> Iterator[str]:
    """One workflow command a line: failures, warnings, and the verdict of the run."""
    levels: dict[str, list[Result]] = {"error": [], "warning": []}
    for result in state.most_urgent_first:
        if result.outcome is Accounted.FAILED or result.reason is Reason.HARNESS_ERROR:
            levels["error"].append(result)
        elif result.outcome is Accounted.WARNED and result.verdict is not Verdict.XFAIL:
            levels["warning"].append(result)
    for level, results in levels.items():
        shown = results if len(results) <= _SHOWN else results[: _SHOWN - 1]
        for result in shown:
            yield _annotate(result, level, state)
        if len(results) > len(shown):
            names = ", ".join(result.id for result in results[len(shown) :])
            title = f"{format_count(len(results) - len(shown), 'more ' + state.presentation.noun)}"
            yield _format_command(level, state.mask.text(names), title=title)
    yield _format_command("notice", state.verdict_text, title=state.subject)


def _annotate(result: Result, level: str, state: PresentedRun) -> str:
    why = state.mask.text(result.excuse) or describe(result, state)
    place = next((item for item in result.evidence if isinstance(item, RecordedPlace)), None)
    title = state.mask.text(f"{result.id} [{result.rule.level}] {result.title}")
    file = state.mask.text(place.where.file) if place is not None else ""
    return _format_command(level, why, file=file, title=title)


def _format_command(name: str, message: str, **properties: str) -> str:
    """A workflow command. What came from a target is escaped, so that it cannot be a command of its own."""
    given = ",".join(f"{key}={_escape(value, ':,')}" for key, value in properties.items() if value)
    return f"::{name} {given}::{_escape(message)}"


def _escape(text: str, more: str = "") -> str:
    """Percent-encode what would end the line or the property; control characters become visible."""
    escaped = "\n".join(map(escape_controls, text.splitlines()))
    return "".join(f"%{ord(char):02X}" if char in "%\n" + more else char for char in escaped)
