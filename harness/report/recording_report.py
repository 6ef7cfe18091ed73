"""The report on a session that records scenarios: text while it runs, and the session as plain data.

Layer 6. Colour and the progress line appear only on a terminal. What a target says is masked before it is shown.
The shape of the data is published in `schemas/output/record-scenarios.schema.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

from harness.benches.record.session import (
    NOT_BEGUN,
    Begun,
    Event,
    Recorded,
    RecordingSession,
    ScenarioState,
    Waits,
)
from harness.outcome.words import format_count
from harness.report.recording_drift import drift_record, shape_line
from harness.report.screen import Screen
from harness.wire.mask import Mask

_COLOUR = {
    ScenarioState.UNFAITHFUL: "35;1",
    ScenarioState.REFUSED: "31;1",
    ScenarioState.FAILED: "31;1",
    ScenarioState.STOPPED: "33",
    ScenarioState.UNSUPPORTED: "36",
}
_FINE, _NEWS = "32", "31;1"


class RecordingReport:
    """Writes to `out` during a session: one line per scenario, and below it what a person should look at."""

    def __init__(self, out: TextIO, mask: Mask, *, colour: bool = False) -> None:
        self._out = out
        self._screen = Screen(out, colour=colour)
        self._mask = mask
        self._told: set[str] = set()

    def hear(self, event: Event) -> None:
        """React to what happens between two results."""
        match event:
            case Begun(name, number, of):
                self._screen.draw(f"[{number}/{of}] {name} …")
            case Waits(seconds, asked):
                self._write_line(f"waiting {seconds:g} s, as the target requests: {asked}")

    def result(self, result: Recorded) -> None:
        """Report the result of a scenario. What an earlier one showed, too, is counted but not shown again."""
        if result.reason == NOT_BEGUN:
            return
        told = [f"{finding.rule} {finding.message}" for finding in result.findings]
        told += [shape_line(drift) for drift in (result.drifts.shape if result.drifts else ())]
        new = [text for text in dict.fromkeys(told) if text not in self._told]
        self._told.update(new)
        state = self._screen.paint(_COLOUR.get(result.state, _NEWS if result.is_news else _FINE), result.state)
        self._write_line(_write_details(result), before=f"{result.name}: {state}")
        for text in new:
            self._write_line(f"  {text}")
        for path in result.left:
            self._write_line(f"  left behind (its deletion failed): {path}")

    def end(self, session: RecordingSession, results: Sequence[Recorded], wanted: Sequence[str]) -> None:
        """Write the totals and, if something is missing, how to continue."""
        there = [
            result.name for result in results if result.state in (ScenarioState.RECORDED, ScenarioState.SKIPPED)
        ]
        self._write_line(
            f"{len(there)} of {len(wanted)} scenarios recorded in {session.folder}; "
            f"{format_count(session.spent, 'request')} sent"
        )
        unable = {result.name for result in results if result.state is ScenarioState.UNSUPPORTED}
        if missing := [name for name in wanted if name not in unable.union(there)]:
            self._write_line(f"missing: {', '.join(missing)}; add --continue to the command to record these")

    def _write_line(self, text: str, *, before: str = "") -> None:
        """Write one line; `text` is masked and made safe for a terminal, `before` is our own."""
        self._screen.line(before + self._mask.show(text))
        self._out.flush()  # a session takes minutes, and somebody may follow the log


def _write_details(result: Recorded) -> str:
    parts = [format_count(result.exchanges, "exchange")] if result.exchanges else []
    if result.reason:
        parts.append(result.reason)
    if result.findings:
        parts.append(format_count(len(result.findings), "finding"))
    if result.drifts is not None:
        shape = len(result.drifts.shape)
        parts.append(format_count(shape, "structural drift") if shape else "no structural drift")
    elif result.had_predecessor and result.state is not ScenarioState.SKIPPED:
        parts.append("the older recording stays")
    return "".join(f", {part}" for part in parts)


def session_record(session: RecordingSession, results: Sequence[Recorded], mask: Mask) -> dict[str, Any]:
    """The session as data."""
    return {
        "target": mask.text(session.target.info.url),
        "class": str(session.provenance.target),
        "folder": str(session.folder),
        "requests": session.spent,
        "scenarios": [mask.tree(_record_result(result)) for result in results],
    }


def _record_result(result: Recorded) -> dict[str, Any]:
    return {
        "name": result.name,
        "state": str(result.state),
        "reason": result.reason,
        "exchanges": result.exchanges,
        "findings": [
            {"exchange": finding.where.exchange, "rule": finding.rule, "message": finding.message}
            for finding in result.findings
        ],
        "drifts": None if result.drifts is None else drift_record(result.drifts),
        "left": list(result.left),
    }
