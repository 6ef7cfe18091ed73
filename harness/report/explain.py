"""The block that explains one verdict: requirement with its source, expected, actual, exchange, curl.

Layer 5. Plain text with no colour, shared by the terminal, JUnit, Markdown and HTML reports.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.outcome import Finding, Outcome
from harness.report.curl import curl
from harness.report.record import EMBEDDED_ROOT
from harness.report.story import Story
from harness.report.wirelog import exchange_lines, printable
from harness.runner.events import Result
from harness.wire import Exchange

_MOST_FINDINGS = 5
_MOST_EXCHANGES = 3


def failure_text(result: Result, story: Story) -> str:
    """Everything a person needs to understand one verdict and to reproduce it."""
    return "\n".join(_lines(result, story))


def _lines(result: Result, story: Story) -> Iterator[str]:
    rule, observation = result.check.rule, result.observation
    yield f"requirement ({rule.level}): {rule.statement}"
    yield f"source: {rule.source}{f' {rule.source.url}' if rule.source.url else ''}"
    if rule.breaks:
        yield f"what breaks: {rule.breaks}"
    if observation.outcome in (Outcome.NOT_MET, Outcome.NON_STRICT) and result.check.accepts:
        yield f"accepted: {'; or '.join(result.check.accepts)}"
    yield from _findings(observation.findings, story)
    if observation.reason:
        yield from printable(story.mask.text(observation.reason)).rstrip().split("\n")
    if result.reason:
        yield f"baseline: {story.mask.text(result.reason)}"
    yield from _evidence(result.exchanges, story)


def _findings(findings: tuple[Finding, ...], story: Story) -> Iterator[str]:
    for finding in findings[:_MOST_FINDINGS]:
        mask = story.mask.text
        yield printable(f"finding: {mask(finding.message)}{place(finding)}")
        if finding.expected:
            yield printable(f"  expected: {mask(finding.expected)}")
        if finding.actual:
            yield printable(f"  actual:   {mask(finding.actual)}")
    if len(findings) > _MOST_FINDINGS:
        yield f"… and {len(findings) - _MOST_FINDINGS} more findings"


def place(finding: Finding) -> str:
    """` (exchange 'x', event 3, bytes 10–20, at $.id)`, or nothing when no place is known."""
    where = finding.where
    parts = [
        f"exchange {where.exchange!r}" if where.exchange else "",
        f"event {where.event}" if where.event is not None else "",
        f"bytes {where.start}–{where.end}" if where.start is not None else "",
        f"at {where.pointer}" if where.pointer else "",
    ]
    known = ", ".join(part for part in parts if part)
    return f" ({known})" if known else ""


def _evidence(exchanges: tuple[Exchange, ...], story: Story) -> Iterator[str]:
    root = (story.target.url if story.target else "") or EMBEDDED_ROOT
    shown = exchanges[-_MOST_EXCHANGES:]
    if len(exchanges) > len(shown):
        yield f"exchanges (the last {len(shown)} of {len(exchanges)}; the JSON and HTML reports have all):"
    for exchange in shown:
        yield from exchange_lines(exchange, story.mask)
        yield "reproduce:"
        yield from curl(exchange.request, root, story.mask).split("\n")
