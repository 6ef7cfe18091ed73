"""The Markdown report, made for `$GITHUB_STEP_SUMMARY`: totals, what failed and why, the rest folded away.

Layer 6.
"""

from __future__ import annotations

import re

from harness.engine.events import Result
from harness.outcome import Verdict
from harness.outcome.words import counted
from harness.report.explanation import failure_text
from harness.report.run_state import Story

_TOLD = (Verdict.FAIL, Verdict.ERROR, Verdict.STALE, Verdict.WARN, Verdict.XFAIL, Verdict.UNTESTABLE)
_OPEN = frozenset({Verdict.FAIL, Verdict.ERROR})


def render(story: Story) -> str:
    """The report of a finished run."""
    target, finished = story.whole()
    place, judged = story.mask.text(target.url or target.name), counted(len(finished.results), "check")
    lines = [
        f"## Interactions API: {_cell(place)} — {finished.exit.name.lower().replace('_', ' ')}",
        "",
        f"API version `{_cell(target.version)}`, model `{_cell(target.model)}`, {judged}.",
        "",
        "| verdict | checks |",
        "| --- | ---: |",
    ]
    lines += [f"| {v.replace('_', ' ')} | {n} |" for v, n in finished.counts.items() if n]
    for verdict in _TOLD:
        results = [result for result in finished.results if result.verdict is verdict]
        if results:
            lines += ["", f"### {verdict.replace('_', ' ').capitalize()}", ""]
            lines += [line for result in results for line in _entry(result, story)]
    return "\n".join(lines) + "\n"


def _entry(result: Result, story: Story) -> list[str]:
    text = failure_text(result, story)
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    opened = " open" if result.verdict in _OPEN else ""
    check = result.check
    heading = f"<code>{_html(check.id)}</code> [{check.rule.level}] {_html(check.title)}"
    return [
        f"<details{opened}><summary>{heading}</summary>",
        "",
        f"{fence}text",
        text,
        fence,
        "",
        "</details>",
        "",
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'").replace("\n", " ")


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
