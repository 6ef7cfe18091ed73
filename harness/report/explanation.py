"""The block that explains one verdict: requirement with its source, expected, actual, evidence, how to repeat it.

Layer 6. Plain text without colour, shared by the terminal, JUnit, Markdown and HTML reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.engine.results import Replays, Reproduction, Result
from harness.outcome import Finding, Outcome, Rule
from harness.outcome.words import format_count, shorten
from harness.report.evidence.curl import Display
from harness.report.evidence.evidence_text import shown_lines
from harness.report.evidence.stream_events import EventRow, list_events, number_in_whole
from harness.report.finding_text import finding_lines
from harness.report.run_state import RunState, order_findings
from harness.wire.message import escape_controls
from harness.wire.stream_picture import CellKind, picture_lines

_MOST_FINDINGS, _FEW_FINDINGS = 5, 2
"""Most findings that are shown, in full and otherwise: many are often one defect at many places."""


def explain(result: Result, state: RunState, *, noun: str = "", verbose: bool = False, whole: bool = False) -> str:
    """Everything a person needs to understand one verdict and to reproduce it; `noun` says what it is one of.

    `verbose`: each exchange that is shown in full; `whole`: all exchanges, whole.
    """
    observation, lines = result.observation, list[str]()
    if observation.cause:
        word = "blocked by" if observation.outcome is Outcome.BLOCKED else "a consequence of"
        lines.append(f"{word} {observation.cause}, which has its own explanation")
    lines += rule_lines(result.rule, title=result.title)
    if observation.outcome in (Outcome.NOT_MET, Outcome.NON_STRICT) and result.accepts:
        lines.append(f"accepted: {'; or '.join(result.accepts)}")
    findings = [number_in_whole(found, result, state.display) for found in order_findings(result, state)]
    lines += findings_lines(findings, most=_MOST_FINDINGS if verbose else _FEW_FINDINGS)
    if observation.reason:
        lines += escape_controls(observation.reason).rstrip().split("\n")
    if result.excuse:
        lines.append(f"baseline: {result.excuse}")
    if result.evidence and not observation.cause:
        lines += _list_evidence(result, state.display, verbose=verbose, whole=whole)
    if result.reproduction is not None:
        lines += again_lines(result.reproduction, noun=noun)
    return "\n".join(lines)


def _list_evidence(result: Result, display: Display, *, verbose: bool, whole: bool) -> Iterator[str]:
    named = [finding.where.exchange for finding in result.observation.findings if finding.where.exchange]
    of_name = dict(reversed([*zip(result.named, result.evidence, strict=False)]))  # of several, the first one
    yield from shown_lines(
        result.evidence,
        display,
        named=bool(named),
        accused=of_name.get(named[0]) if named else None,
        verbose=verbose,
        whole=whole,
        events=[] if verbose else list(event_lines(result, display)),
    )


def rule_lines(rule: Rule, *, title: str = "") -> Iterator[str]:
    """What is required unless the `title` says so, by which source, and what breaks for users otherwise."""
    if title.lower() != rule.statement.rstrip(".").lower():
        yield f"requirement ({rule.level}): {rule.statement}"
    yield f"source: {rule.source}{f' {rule.source.url}' if rule.source.url else ''}"
    if rule.breaks:
        yield f"what breaks: {rule.breaks}"


def findings_lines(findings: Sequence[Finding], *, most: int = _MOST_FINDINGS) -> Iterator[str]:
    """The findings; if there are many, only the first ones."""
    roots = [finding for finding in findings if not finding.cause]
    for finding in roots[:most]:
        headline, *details = finding_lines(finding)
        yield f"finding: {headline}"
        yield from details
    if len(roots) > most:
        yield f"… and {format_count(len(roots) - most, 'more finding')}"
    for finding in (finding for finding in findings if finding.cause):
        yield f"finding: {next(finding_lines(finding))}; a consequence of {finding.cause}"


def reproduction_lines(reproduction: Reproduction, *, noun: str = "") -> Iterator[str]:
    """How to see it again; `noun` is what a command line is for."""
    if reproduction.steps:
        why = f" ({reproduction.unshrunk})" if reproduction.unshrunk else ""
        words = f"request sequence, not fully shrunk{why}" if why else "shortest request sequence"
        yield f"{words}: {' > '.join(map(str, reproduction.steps))}"
    elif reproduction.unshrunk:
        yield f"its requests are not fully shrunk: {reproduction.unshrunk}"
    if reproduction.consequences:
        yield f"consequences: {escape_controls(', '.join(reproduction.consequences))}"
    if reproduction.command:
        yield f"this {noun or 'one'} alone: {escape_controls(reproduction.command)}"


def again_lines(reproduction: Reproduction, *, noun: str = "") -> Iterator[str]:
    """How to see it again, and what came of doing so before it was reported."""
    yield from reproduction_lines(reproduction, noun=noun)
    if reproduction.replays.played:
        yield replay_words(reproduction.replays)


def replay_words(replays: Replays) -> str:
    """What came of doing it again."""
    if replays.lost:
        return f"flaky: did not reproduce, 0 of {replays.played}"
    if replays.played:
        return f"{'flaky: ' if replays.flaky else ''}reproduced {replays.shown} of {replays.played}"
    return f"not run again: {replays.why_not or 'not attempted'}"


_SAID = 31
"""Most characters of what an event says: with its number and kind it fits 80 columns."""


def event_lines(result: Result, display: Display) -> Iterator[str]:
    """The picture of the streams, then the event that a finding names with its neighbors; or no line."""
    listed = list_events(result, display)
    if listed is None or not (listed.folds or listed.picture.kinds & {CellKind.MISSING, CellKind.TWICE}):
        return
    yield f"events{f' {listed.about}' if listed.about else ''}:"
    yield from (f"  {line}" for line in picture_lines(listed.picture))
    for fold in listed.folds:
        if not fold.summary:
            yield from map(_format, fold.rows)


def _format(row: EventRow) -> str:
    if row.kind == "cut":
        return f"          -- {row.name} --"
    arrow = "->" if row.accused else "  "
    number = "" if row.number is None else row.number
    said = "MISSING" if row.kind == "missing" else shorten(row.summary, _SAID)
    return f"  {arrow} {number:>4}  {row.name:<29} {said}".rstrip()
