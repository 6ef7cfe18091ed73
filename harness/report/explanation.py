"""The block that explains one verdict: requirement with its source, expected, actual, exchange, curl.

Layer 6. Plain text without colour, shared by the terminal, JUnit, Markdown and HTML reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.engine.events import Result
from harness.engine.evidence import addressed, made_or_changed
from harness.outcome import Finding, Outcome, Rule
from harness.outcome.words import counted
from harness.report.curl import curl_lines
from harness.report.exchange_text import exchange_lines, printable
from harness.report.finding_text import finding_lines
from harness.report.records import EMBEDDED_ROOT
from harness.report.run_state import Story
from harness.wire import Exchange
from harness.wire.mask import Mask

_MOST_FINDINGS = 5
_MOST_EXCHANGES = 3


def failure_text(result: Result, story: Story, *, evidence: bool = True) -> str:
    """Everything a person needs to understand one verdict and, with `evidence`, to reproduce it."""
    return "\n".join(_lines(result, story, evidence))


def _lines(result: Result, story: Story, evidence: bool) -> Iterator[str]:
    observation = result.observation
    yield from rule_lines(result.check.rule)
    if observation.outcome in (Outcome.NOT_MET, Outcome.NON_STRICT) and result.check.accepts:
        yield f"accepted: {'; or '.join(result.check.accepts)}"
    yield from findings_lines(observation.findings, story.mask)
    if observation.reason:
        yield from printable(story.mask.text(observation.reason)).rstrip().split("\n")
    if result.reason:
        yield f"baseline: {story.mask.text(result.reason)}"
    if evidence:
        yield from _evidence(result, story)


def rule_lines(rule: Rule) -> Iterator[str]:
    """What is required, by which source, and what breaks for users otherwise."""
    yield f"requirement ({rule.level}): {rule.statement}"
    yield f"source: {rule.source}{f' {rule.source.url}' if rule.source.url else ''}"
    if rule.breaks:
        yield f"what breaks: {rule.breaks}"


def findings_lines(findings: tuple[Finding, ...], mask: Mask) -> Iterator[str]:
    """The findings with secrets hidden; if there are many, only the first ones."""
    for finding in findings[:_MOST_FINDINGS]:
        headline, *details = finding_lines(finding, mask)
        yield f"finding: {headline}"
        yield from details
    if len(findings) > _MOST_FINDINGS:
        yield f"… and {counted(len(findings) - _MOST_FINDINGS, 'more finding')}"


def _evidence(result: Result, story: Story) -> Iterator[str]:
    root = (story.target.url if story.target else "") or EMBEDDED_ROOT
    exchanges = result.exchanges
    named = any(finding.where.exchange for finding in result.observation.findings)
    shown = _first(exchanges) if named else list(exchanges[-_MOST_EXCHANGES:])
    if len(exchanges) > len(shown):
        yield f"exchanges ({len(shown)} of {len(exchanges)}; the JSON and HTML reports have all):"
    for exchange, command in zip(shown, curl_lines(shown, root, story.mask), strict=True):
        yield from exchange_lines(exchange, story.mask)
        yield "reproduce:"
        yield from command.split("\n")


def _first(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """The exchanges to show: the first that findings name, each preceded by those that made or changed its ids."""
    spoken_of = [set(addressed(exchange)) for exchange in exchanges]
    needed = [[at for at in range(n) if made_or_changed(exchanges[at], ids)] for n, ids in enumerate(spoken_of)]
    only_needed = {at for each in needed for at in each}
    shown: list[int] = []
    for number, before in enumerate(needed):
        more = [at for at in (*before, number) if at not in shown]
        if number in only_needed:
            continue
        if shown and len(shown) + len(more) > _MOST_EXCHANGES:
            break
        shown += more
    return [exchanges[number] for number in shown]
