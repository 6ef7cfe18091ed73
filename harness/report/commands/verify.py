"""A verification in words: every finding with its file and place, what was left out, and how much was judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from harness.benches.record.verify import REVISION, UNJUDGED, UNRECOGNIZED
from harness.engine.events import RecordedPlace, Result
from harness.outcome import Accounted, Finding, Observation, Verdict, account
from harness.outcome.words import format_count
from harness.report.collected_run import CollectedRun, RunVerdict, accounting_record, conclude
from harness.report.evidence.evidence_text import Detail, place_line
from harness.report.finding_text import ExplainedFailure, compared_lines, write_headline
from harness.report.json_report import code_record, place_record
from harness.report.presented_run import FoldedLines, PresentedRun, Section
from harness.report.screen import Line, Paint, Role
from harness.wire.message import escape_controls

_KINDS = ("streams", "bodies", "requests")
_PLACES_SHOWN = 5
_EMPTY = (
    "the paths contain no recorded response to judge: name .yaml, .har, .sse, .events.jsonl or .json files, "
    "or record some with `harness record`"
)


_EXCLUDED = (
    (UNRECOGNIZED, "is not recognized as a call of the API", "are not recognized as calls of the API"),
    (UNJUDGED, "is an API call that was excluded", "are API calls that were excluded"),
)


class VerifyRun(PresentedRun):
    """The words of `harness verify`."""

    title = "Recordings"
    badge = "recordings"
    command = "verify"
    live = False
    judges_server = False
    begins = "reading the recordings"

    def conclude_run(self) -> RunVerdict:
        """The sum of the checks, unless the paths held nothing to judge."""
        finished, excluded = self.whole()[1], tuple(self._count_excluded())
        if not finished.results:
            return conclude(finished, "" if finished.holes else "; ".join(excluded) or _EMPTY)
        verdict = super().conclude_run()
        return replace(verdict, clauses=(*verdict.clauses, *excluded))

    def _count_excluded(self) -> Iterator[str]:
        """How many exchanges are no call of the API, and how many calls were not judged."""
        total = _sum(self, "entries") + sum(map(len, _list_left_out(self).values()))
        for count, of_one, of_many in _EXCLUDED:
            if number := _sum(self, count):
                yield f"{number} of {format_count(total, 'entry', 'entries')} {of_one if number == 1 else of_many}"

    def record(self) -> dict[str, Any]:
        finished = self.whole()[1]
        left_out = [
            {"file": file, **({"entry": entry} if entry else {}), "reason": reason}
            for reason, places in _list_left_out(self).items()
            for file, entry in places
        ]
        return {
            "entries": {
                "judged": _sum(self, "entries"),
                "left_out": len(left_out),
                "unrecognized": _sum(self, UNRECOGNIZED),
            },
            "judged": {kind: _sum(self, kind) for kind in _KINDS},
            "accounting": accounting_record(finished, self.accounting, self.verdict),
            "rules": {result.id: str(result.outcome) for result in self.results},
            "left_out": left_out,
            "revisions": _by_revision(self),
            "unusable": [{"file": one.name, "reason": reason} for one in self.phases for reason in one.vacuous],
            "findings": [_record_finding(result, finding) for result, _, finding in list_findings(self)],
            **({"halted": finished.halted} if finished.halted else {}),
        }

    def list_facts(self) -> list[tuple[str, str]]:
        revisions = ", ".join(_by_revision(self))
        counts = [(kind, str(_sum(self, kind))) for kind in _KINDS]
        return [*counts, ("API revision", revisions)] if revisions else counts

    def sections(self) -> Iterator[Section]:
        if groups := tuple(_fold_left_out(self)):
            yield Section("Excluded", folded=groups)
        if notes := _list_notes(self):
            yield Section("Notes on the recordings", tuple(notes))

    def format_result(self, result: Result, paint: Paint) -> str:
        return f"{result.outcome.word.upper():<11} {result.id} [{result.rule.level}] {result.title}"

    def closing(self, paint: Paint, *, verbose: bool) -> Iterator[str]:
        for revision, files in _by_revision(self).items():
            yield f"{format_count(files, 'file')} judged by revision {revision}"
        if _sum(self, "entries") or _list_left_out(self):
            yield self._describe_judged()
        for group in _fold_left_out(self):
            shown = (
                group.lines if verbose or len(group.lines) <= _PLACES_SHOWN else group.lines[: _PLACES_SHOWN - 1]
            )
            yield Line(f"excluded: {group.summary}", Role.QUIET)
            yield from (Line(f"  {line}", Role.QUIET) for line in shown)
            if len(shown) < len(group.lines):
                yield Line(f"  and {len(group.lines) - len(shown)} more (-v lists them)", Role.QUIET)
        notes = _list_notes(self)
        if len(notes) > 2 and not verbose:
            yield Line(f"{len(notes)} notes on the recordings (-v prints all), the first:", Role.QUIET)
            del notes[1:]
        yield from (Line(note, Role.QUIET) for note in notes)

    def explain_failures(self, paint: Paint, *, detail: Detail) -> Iterator[ExplainedFailure]:
        """Each finding, the worst first; a note, which breaks nothing, only if more is wanted."""
        explained: set[str] = set()
        order = list(Accounted)
        found = [(account(one[1].verdict, Observation.of([one[2]])), *one) for one in list_findings(self)]
        for outcome, result, place, finding in sorted(found, key=lambda one: order.index(one[0])):
            word = "NOTE" if place.verdict is Verdict.INFO else ""
            if word and detail is Detail.BRIEF:
                continue
            message = escape_controls(finding.message)
            lines = [
                Line(f"found in: {place_line(place)}"),
                *compared_lines(finding, brief=detail is Detail.BRIEF),
            ]
            if result.outcome in (Accounted.FAILED, Accounted.WARNED) and result.id not in explained:
                explained.add(result.id)
                lines.append(Line(f"what breaks: {result.rule.breaks}"))
                lines.append(Line(f"source: {result.rule.source}", Role.QUIET))
            yield ExplainedFailure(
                write_headline(paint, outcome, finding.rule, result.rule.level, message, word=word), lines
            )

    def _describe_judged(self) -> str:
        """How much was read, and how much of it was judged."""
        entries = _sum(self, "entries")
        left_out = sum(map(len, _list_left_out(self).values()))
        bodies = format_count(_sum(self, "bodies"), "body", "bodies")
        found = list_findings(self)
        rules = len({finding.rule for _, _, finding in found})
        sums = f"{format_count(len(found), 'finding')} on {format_count(rules, 'rule')}" if found else "no finding"
        if notes := sum(place.verdict is Verdict.INFO for _, place, _ in found):
            sums += f" ({format_count(notes, 'note')}: -v prints all)"
        return (
            f"judged {format_count(_sum(self, 'streams'), 'stream')}, {bodies}, "
            f"{format_count(_sum(self, 'requests'), 'request')} in {entries} of "
            f"{format_count(entries + left_out, 'entry', 'entries')}; excluded {left_out}; {sums}"
        )


def list_findings(state: CollectedRun) -> list[tuple[Result, RecordedPlace, Finding]]:
    """Every finding with its result and place, in the order of the files."""
    pairs = [
        (result, place, finding)
        for result in state.results
        for place, finding in zip(result.evidence, result.observation.findings, strict=True)
        if isinstance(place, RecordedPlace)
    ]
    return sorted(pairs, key=lambda item: item[1].number)


def _list_notes(state: CollectedRun) -> list[str]:
    """The facts about the files that break no rule, first those of files with findings, which they may explain."""
    phases = sorted(state.phases, key=lambda phase: -phase.findings)
    return [escape_controls(f"{phase.name}: {note}") for phase in phases for note in phase.notes]


def _list_left_out(state: CollectedRun) -> dict[str, list[tuple[str, str]]]:
    """The parts that were not judged, by reason: the file, and the entry of it, "" if all of it."""
    places: dict[str, list[tuple[str, str]]] = {}
    for phase in state.phases:
        for reason, entries in phase.left_out.items():
            places.setdefault(reason, []).extend((phase.name, entry) for entry in entries)
    return places


def _fold_left_out(state: CollectedRun) -> Iterator[FoldedLines]:
    """The parts that were not judged: their places below each reason, the reason of most of them first."""
    for reason, places in sorted(_list_left_out(state).items(), key=lambda item: -len(item[1])):
        lines = tuple(escape_controls(f"{file}: {entry}" if entry else file) for file, entry in places)
        yield FoldedLines(escape_controls(f"{len(places)} × {reason}"), lines)


def _by_revision(state: CollectedRun) -> dict[str, int]:
    """How many files were judged by each revision."""
    files: Counter[str] = Counter()
    for phase in state.phases:
        files.update(
            {name.removeprefix(REVISION): n for name, n in phase.counts.items() if name.startswith(REVISION)}
        )
    return dict(files)


def _sum(state: CollectedRun, name: str) -> int:
    return sum(phase.counts[name] for phase in state.phases)


def _record_finding(result: Result, finding: Finding) -> dict[str, Any]:
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
