"""A verification in words: every finding with its file and place, what was left out, and how much was judged.

Layer 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.benches.recordings.run import REVISION, USABLE
from harness.engine.results import RecordedPlace, Result
from harness.outcome import Finding
from harness.outcome.words import format_count
from harness.report.commands.presentation import Paint, Presentation, Section
from harness.report.evidence.evidence_text import place_line
from harness.report.evidence.exchange_text import printable
from harness.report.finding_text import compared_lines
from harness.report.records import code_record, place_record

if TYPE_CHECKING:
    from harness.engine.events import PhaseFinished, Planned
    from harness.report.run_state import RunState

_KINDS = ("streams", "bodies", "requests")


class VerifyPresentation(Presentation):
    """The words of `harness verify`."""

    subject = "Recordings"
    badge = "recordings"
    command = "verify"
    states = ("no finding", "findings")
    noun = "rule"
    live = False
    conclusions = {}

    def ledger(self, state: RunState) -> Iterator[str]:
        return iter(())

    def record(self, state: RunState) -> dict[str, Any]:
        left_out = [{"file": phase.name, "reason": why} for phase in state.phases for why in phase.vacuous]
        record: dict[str, Any] = state.mask.tree(
            {
                "entries": {"judged": _sum(state, "entries"), "left_out": len(left_out)},
                "judged": {kind: _sum(state, kind) for kind in _KINDS},
                "rules": {result.id: str(result.verdict) for result in state.results if result.rule is not USABLE},
                "left_out": left_out,
                "revisions": _by_revision(state),
                "unusable": [{"file": file, "reason": reason} for file, reason in _unusable(state)],
                "findings": [_finding_record(result, finding) for result, _, finding in list_findings(state)],
            }
        )
        return record

    def facts(self, state: RunState) -> list[tuple[str, str]]:
        return [(kind, str(_sum(state, kind))) for kind in _KINDS]

    def sections(self, state: RunState) -> Iterator[Section]:
        if lines := tuple(self._left_out(state)):
            yield Section("Left out", lines)
        if lines := tuple(line for phase in state.phases for line in self.phase(phase, state)):
            yield Section("As recorded", lines)

    def opening(self, state: RunState) -> Iterator[str]:
        return iter(())

    def format_plan(self, planned: Planned) -> Iterator[str]:
        return iter(())

    def phase(self, phase: PhaseFinished, state: RunState) -> Iterator[str]:
        yield from (printable(state.mask.text(f"{phase.name}: {note}")) for note in phase.notes)

    def format_result(self, result: Result, state: RunState, paint: Paint) -> str:
        return f"{result.verdict.upper():<10} {result.id} [{result.rule.level}] {result.title}"

    def closing(self, state: RunState, paint: Paint, *, verbose: bool) -> Iterator[str]:
        for result, place, finding in list_findings(state):
            kind = f"{place.verdict.upper()} {finding.rule} [{result.rule.level}]"
            yield f"{place_line(place, state.mask)}: {kind} {printable(state.mask.text(finding.message))}"
            yield from (f"  {line}" for line in compared_lines(finding, state.mask))
        yield from self._left_out(state)
        for revision, files in _by_revision(state).items():
            yield f"{format_count(files, 'file')} judged by revision {revision}"
        for file, reason in _unusable(state):
            yield printable(state.mask.text(f"broken: {file}: {reason}"))

    def _left_out(self, state: RunState) -> Iterator[str]:
        for phase in state.phases:
            for why in phase.vacuous:
                yield printable(state.mask.text(f"left out: {phase.name}: {why}"))

    def totals(self, state: RunState, paint: Paint) -> str | None:
        entries = _sum(state, "entries")
        left_out = sum(len(phase.vacuous) for phase in state.phases)
        bodies = format_count(_sum(state, "bodies"), "body", "bodies")
        return (
            f"judged {format_count(_sum(state, 'streams'), 'stream')}, {bodies}, "
            f"{format_count(_sum(state, 'requests'), 'request')} in {entries} of "
            f"{format_count(entries + left_out, 'entry', 'entries')}; left out {left_out}; "
            f"{format_count(len(list_findings(state)), 'finding')}"
        )


def list_findings(state: RunState) -> list[tuple[Result, RecordedPlace, Finding]]:
    """Every finding with its result and place, in the order of the files."""
    pairs = [
        (result, place, finding)
        for result in state.results
        if result.rule is not USABLE
        for place, finding in zip(result.evidence, result.observation.findings, strict=True)
        if isinstance(place, RecordedPlace)
    ]
    return sorted(pairs, key=lambda item: item[1].number)


def _unusable(state: RunState) -> list[tuple[str, str]]:
    findings = [finding for r in state.results if r.rule is USABLE for finding in r.observation.findings]
    return [(finding.where.file, finding.message) for finding in findings]


def _by_revision(state: RunState) -> dict[str, int]:
    """How many files were judged by each revision."""
    files: Counter[str] = Counter()
    for phase in state.phases:
        files.update(
            {name.removeprefix(REVISION): n for name, n in phase.counts.items() if name.startswith(REVISION)}
        )
    return dict(files)


def _sum(state: RunState, name: str) -> int:
    return sum(phase.counts[name] for phase in state.phases)


def _finding_record(result: Result, finding: Finding) -> dict[str, Any]:
    place = place_record(finding.where)
    return {
        "file": place.pop("file", ""),
        "rule": finding.rule,
        **code_record(finding),
        "level": str(result.rule.level),
        "severity": str(finding.severity),
        "message": finding.message,
        "expected": finding.expected,
        "actual": finding.actual,
        **place,
    }
