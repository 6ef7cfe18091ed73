"""The block that explains one verdict: requirement with its source, expected, actual, exchange, curl.

Layer 5. Plain text with no colour, shared by the terminal, JUnit, Markdown and HTML reports.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.outcome import Finding, Outcome, Rule
from harness.report.curl import curl
from harness.report.finding import finding_lines
from harness.report.record import EMBEDDED_ROOT
from harness.report.story import Story
from harness.report.wirelog import exchange_lines, printable
from harness.runner.events import Result
from harness.wire import Exchange
from harness.wire.mask import Mask

_MOST_FINDINGS = 5
_MOST_EXCHANGES = 3


def failure_text(result: Result, story: Story) -> str:
    """Everything a person needs to understand one verdict and to reproduce it."""
    return "\n".join(_lines(result, story))


def _lines(result: Result, story: Story) -> Iterator[str]:
    observation = result.observation
    yield from rule_lines(result.check.rule)
    if observation.outcome in (Outcome.NOT_MET, Outcome.NON_STRICT) and result.check.accepts:
        yield f"accepted: {'; or '.join(result.check.accepts)}"
    yield from findings_lines(observation.findings, story.mask)
    if observation.reason:
        yield from printable(story.mask.text(observation.reason)).rstrip().split("\n")
    if result.reason:
        yield f"baseline: {story.mask.text(result.reason)}"
    yield from _evidence(result.exchanges, story)


def rule_lines(rule: Rule) -> Iterator[str]:
    """What is required, who says so, and what happens to users otherwise."""
    yield f"requirement ({rule.level}): {rule.statement}"
    yield f"source: {rule.source}{f' {rule.source.url}' if rule.source.url else ''}"
    if rule.breaks:
        yield f"what breaks: {rule.breaks}"


def findings_lines(findings: tuple[Finding, ...], mask: Mask) -> Iterator[str]:
    """What was found, secrets hidden; of many findings the first."""
    for finding in findings[:_MOST_FINDINGS]:
        headline, *details = finding_lines(finding, mask)
        yield f"finding: {headline}"
        yield from details
    if len(findings) > _MOST_FINDINGS:
        yield f"… and {len(findings) - _MOST_FINDINGS} more findings"


def _evidence(exchanges: tuple[Exchange, ...], story: Story) -> Iterator[str]:
    root = (story.target.url if story.target else "") or EMBEDDED_ROOT
    shown = exchanges[-_MOST_EXCHANGES:]
    if len(exchanges) > len(shown):
        yield f"exchanges (the last {len(shown)} of {len(exchanges)}; the JSON and HTML reports have all):"
    for exchange in shown:
        yield from exchange_lines(exchange, story.mask)
        yield "reproduce:"
        yield from curl(exchange.request, root, story.mask).split("\n")
