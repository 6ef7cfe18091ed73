"""The HTML report: one file that needs no network, with the wire log of every verdict that it explains.

Layer 6.
"""

from __future__ import annotations

from html import escape

from harness import __version__
from harness.engine.results import Result
from harness.outcome import Verdict
from harness.outcome.words import format_count
from harness.report.evidence.evidence_text import count_evidence, logs
from harness.report.explanation import explain
from harness.report.run_state import RunState

_WIRE_SHOWN = 20_000
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { padding: .3rem .6rem; border-bottom: 1px solid #8884; text-align: left; vertical-align: top; }
pre { overflow-x: auto; padding: .7rem; background: #8881; font-size: 13px; white-space: pre-wrap;
  overflow-wrap: anywhere; }
code { font-size: 13px; }
.v { font-weight: 600; white-space: nowrap; }
.pass { color: #1a7f37; } .fail, .stale { color: #cf222e; } .error { color: #8250df; }
.warn, .xfail { color: #9a6700; } .info { color: #0969da; }
.headline { font-size: 1.2rem; font-weight: 600; }
.totals span { margin-right: 1.2rem; }
"""


def render(state: RunState) -> str:
    """The report of a finished run as one page."""
    target, finished = state.whole()
    presentation = state.presentation
    totals = "".join(f'<span class="v {v}">{n} {_words(v)}</span>' for v, n in finished.counts.items() if n)
    facts = "".join(
        f"{word} <code>{escape(state.mask.text(value))}</code>, " for word, value in presentation.facts(state)
    )
    sections = "".join(
        f"<details open><summary>{escape(section.title)}</summary><pre>{escape(chr(10).join(section.lines))}</pre>"
        "</details>"
        for section in presentation.sections(state)
    )
    rows = "".join(_row(result, state) for result in state.most_urgent_first)
    ledger = "\n".join(state.mask.text(line) for line in presentation.ledger(state))
    headline = escape(presentation.headline(state))
    told = f'<p class="headline">{headline}</p>' if headline else ""
    title = f"{presentation.subject.format(api=state.api.title)}: {state.mask.text(target.url or target.name)}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>"
        f"{told}"
        f"<p>{facts}{format_count(len(finished.results), presentation.noun)} in {finished.seconds:.1f} s, "
        f"harness {escape(__version__)}.</p>"
        f'<p class="totals">{totals}</p>'
        f"<pre>{escape(ledger)}</pre>"
        f"{_capabilities(state)}{sections}"
        f"<table><thead><tr><th>verdict</th><th>{presentation.noun}</th><th>level</th><th>what</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></body></html>\n"
    )


def _capabilities(state: RunState) -> str:
    if not len(state.capabilities):
        return ""
    items = "".join(
        f"<li><code>{'+' if c.present else '-'}{escape(c.name)}</code> {c.how}"
        f"{escape(f': {state.mask.text(c.note)}' if c.note else '')}</li>"
        for c in state.capabilities
    )
    return f"<details><summary>Capabilities</summary><ul>{items}</ul></details>"


def _row(result: Result, state: RunState) -> str:
    verdict = result.verdict
    return (
        f'<tr id="{escape(result.id)}"><td class="v {verdict}">{_words(verdict)}</td>'
        f"<td><code>{escape(result.id)}</code></td><td>{result.rule.level}</td>"
        f"<td>{escape(state.mask.text(result.title))}{_details(result, state)}</td></tr>"
    )


def _details(result: Result, state: RunState) -> str:
    if result.verdict is Verdict.PASS:
        return ""
    if not result.evidence and not result.observation.findings:
        reason = state.mask.text(result.observation.reason)
        return f"<div><small>{escape(reason)}</small></div>" if reason else ""
    told = escape(explain(result, state, evidence=False))
    opened = " open" if result.verdict in (Verdict.FAIL, Verdict.ERROR) else ""
    return f"<details{opened}><summary>why</summary><pre>{told}</pre></details>{_evidence(result, state)}"


def _evidence(result: Result, state: RunState) -> str:
    if not result.evidence:
        return ""
    found = logs(result.evidence, state.display, shown=_WIRE_SHOWN)
    wire = "".join(
        f"<pre>{escape(chr(10).join(log.lines))}</pre>{f'<pre>{escape(log.command)}</pre>' if log.command else ''}"
        for log in found
    )
    return f"<details><summary>{count_evidence(result.evidence)}</summary>{wire}</details>"


def _words(verdict: Verdict) -> str:
    return escape(verdict.replace("_", " "))
