"""The HTML report: one file that needs no network, with the wire log of every verdict that it explains.

Layer 6.
"""

from __future__ import annotations

from html import escape

from harness import __version__
from harness.engine.events import Result
from harness.outcome import Verdict
from harness.outcome.words import counted
from harness.report.curl import curl_lines
from harness.report.exchange_text import exchange_lines
from harness.report.explanation import failure_text
from harness.report.records import EMBEDDED_ROOT
from harness.report.run_state import Story

_WIRE_SHOWN = 20_000
_FIRST = (
    Verdict.ERROR,
    Verdict.FAIL,
    Verdict.STALE,
    Verdict.WARN,
    Verdict.XFAIL,
    Verdict.INFO,
    Verdict.UNTESTABLE,
)
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
.totals span { margin-right: 1.2rem; }
"""


def render(story: Story) -> str:
    """The report of a finished run as one page."""
    target, finished = story.whole()
    totals = "".join(f'<span class="v {v}">{n} {_words(v)}</span>' for v, n in finished.counts.items() if n)
    capabilities = "".join(
        f"<li><code>{'+' if c.present else '-'}{escape(c.name)}</code> {c.how}"
        f"{escape(f': {story.mask.text(c.note)}' if c.note else '')}</li>"
        for c in story.capabilities
    )
    rows = "".join(_row(result, story) for result in sorted(finished.results, key=_urgency))
    title = f"Interactions API: {story.mask.text(target.url or target.name)}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>"
        f"<p>API version <code>{escape(target.version)}</code>, model <code>{escape(target.model)}</code>, "
        f"{counted(len(finished.results), 'check')} in {finished.seconds:.1f} s, "
        f"harness {escape(__version__)}.</p>"
        f'<p class="totals">{totals}</p>'
        f"<details><summary>Capabilities</summary><ul>{capabilities}</ul></details>"
        "<table><thead><tr><th>verdict</th><th>check</th><th>level</th><th>what</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></body></html>\n"
    )


def _urgency(result: Result) -> int:
    """Sort key: verdicts that need attention first, otherwise in the order of the catalogue."""
    return _FIRST.index(result.verdict) if result.verdict in _FIRST else len(_FIRST)


def _row(result: Result, story: Story) -> str:
    check, verdict = result.check, result.verdict
    return (
        f'<tr id="{escape(check.id)}"><td class="v {verdict}">{_words(verdict)}</td>'
        f"<td><code>{escape(check.id)}</code></td><td>{check.rule.level}</td>"
        f"<td>{escape(check.title)}{_details(result, story)}</td></tr>"
    )


def _details(result: Result, story: Story) -> str:
    if result.verdict is Verdict.PASS:
        return ""
    if not result.exchanges:
        reason = story.mask.text(result.observation.reason)
        return f"<div><small>{escape(reason)}</small></div>" if reason else ""
    root = (story.target.url if story.target else "") or EMBEDDED_ROOT
    wire = "".join(
        f"<pre>{escape(chr(10).join(exchange_lines(e, story.mask, shown=_WIRE_SHOWN)))}</pre>"
        f"<pre>{escape(command)}</pre>"
        for e, command in zip(result.exchanges, curl_lines(result.exchanges, root, story.mask), strict=True)
    )
    told = escape(failure_text(result, story, evidence=False))
    opened = " open" if result.verdict in (Verdict.FAIL, Verdict.ERROR) else ""
    return (
        f"<details{opened}><summary>why</summary><pre>{told}</pre></details>"
        f"<details><summary>{counted(len(result.exchanges), 'exchange')}</summary>{wire}</details>"
    )


def _words(verdict: Verdict) -> str:
    return escape(verdict.replace("_", " "))
