"""A run against a gateway as text and as data: each verdict, and what passed on both sides of the gateway.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TextIO

from harness import __version__
from harness.benches.gateway import (
    GatewayEvent,
    GatewayFinished,
    GatewayStarted,
    GatewayStopped,
    Judged,
    Passage,
    TrialStarted,
)
from harness.contract import read
from harness.engine.events import TargetInfo
from harness.outcome import Verdict
from harness.outcome.words import counted, shortened
from harness.report import junit
from harness.report.curl import curl
from harness.report.exchange_text import ending_line, printable
from harness.report.explanation import findings_lines, rule_lines
from harness.report.records import finding_record, target_record
from harness.report.screen import Screen
from harness.report.terminal import COLOUR
from harness.wire import Exchange, Request
from harness.wire.mask import Mask

_EXPLAINED = frozenset({Verdict.FAIL, Verdict.ERROR})
_QUIET = frozenset({Verdict.PASS, Verdict.NOT_APPLICABLE})
_SHOWN, _SHOWN_IN_FULL = 160, 2_000
"""Most characters of a body in one line, normally and in full."""
_MOST_PASSAGES = 2
_WAITING = "watch"


class GatewayReport:
    """Writes during the run. `verbose` explains warnings in full, shows longer bodies and names every rule."""

    def __init__(
        self, out: TextIO, target: TargetInfo, mask: Mask, *, colour: bool = False, verbose: bool = False
    ) -> None:
        self._screen = Screen(out, colour=colour)
        self._target = target
        self._mask = mask
        self._verbose = verbose
        self._trials = self._begun = 0
        self._stopped = False

    def hear(self, event: GatewayEvent) -> None:
        """React to one event."""
        match event:
            case GatewayStarted(checks, trials):
                self._trials = trials
                place = f"{self._target.url} (API version {self._target.version}), model {self._target.model}"
                self._screen.line(f"gateway: {printable(self._mask.text(place))}")
                self._screen.line(f"{checks} rules, {trials} trials")
            case TrialStarted(name):
                self._progress(name)
            case GatewayStopped():
                self._stopped = True
                self._screen.line(f"stopped early: {stopped_words(event)}")
                self._screen.line(f"  passage {event.passage.name}:")
                for line in passage_lines(event.passage, self._mask):
                    self._screen.line(f"    {line}")
            case Judged():
                self._judged(event)
            case GatewayFinished():
                self._end(event)

    def _progress(self, name: str) -> None:
        self._begun += 1
        last = name == _WAITING and self._begun > 1
        said = "waiting for requests that nobody makes" if last else name
        self._screen.draw(f"[{min(self._begun, self._trials)}/{self._trials}] {said}")

    def _judged(self, result: Judged) -> None:
        verdict, rule = result.verdict, result.check.rule
        explained = verdict in _EXPLAINED or (self._verbose and verdict in (Verdict.WARN, Verdict.XFAIL))
        told_at_the_end = self._stopped and result.unjudged
        if (verdict in _QUIET or told_at_the_end) and not self._verbose:
            return
        word = verdict.upper().replace("_", " ")
        label = self._screen.paint(COLOUR.get(verdict, "2"), f"{word:<10}")
        headline = f"{label} {rule.id} [{rule.level}] {rule.statement}"
        if not explained:
            self._screen.line(headline)
            self._short(result)
            return
        self._screen.line("")
        self._screen.line(headline)
        for line in _explained(result, self._target, self._mask, verbose=self._verbose):
            self._screen.line(f"  {line}" if line else "")

    def _short(self, result: Judged) -> None:
        """The findings of a verdict that needs no explaining, one line each."""
        reason = result.reason or result.observation.reason
        said = [reason.strip().splitlines()[0]] if reason.strip() else []
        findings = result.observation.findings
        most = len(findings) if self._verbose else 3
        said += [f"{finding.message}{_actual(finding.actual)}" for finding in findings[:most]]
        for text in said:
            self._screen.line(f"             {printable(self._mask.text(' '.join(text.split())))}")
        if len(findings) > most:
            self._screen.line(f"             … and {len(findings) - most} more (-v)")

    def _end(self, finished: GatewayFinished) -> None:
        counts = [(verdict, number) for verdict, number in finished.counts.items() if number]
        words = [self._screen.paint(COLOUR.get(v, "2"), f"{n} {v.replace('_', ' ')}") for v, n in counts]
        self._screen.line("")
        judged = counted(len(finished.results), "rule")
        self._screen.line(f"{judged}: {', '.join(words)} in {finished.seconds:.1f} s")
        if finished.unjudged:
            named = ", ".join(result.check.id for result in finished.unjudged)
            number = counted(len(finished.unjudged), "rule")
            self._screen.line(f"not judged: {number} had no answer ({named})")
        self._screen.line(_CONCLUSION[finished.exit.name])


_CONCLUSION = {
    "OK": "the gateway passes on what it is given: no rule failed that is not excused",
    "FAILED": "the gateway does not pass on what it is given: unexpected failures or stale baseline entries",
    "UNREACHABLE": "nobody knows whether the gateway passes on what it is given: not every rule had an answer",
    "NOTHING_RAN": "nothing ran: no selected rule could be judged, so this says nothing of the gateway",
    "HARNESS_ERROR": "the harness itself erred: the ERROR blocks above are bugs of ours, please report them",
}


def stopped_words(stopped: GatewayStopped) -> str:
    """Why a run stopped early, and what to do about it."""
    exchange = stopped.passage.client
    came = "no answer" if exchange.status is None else f"an answer ({exchange.status}) without an end"
    also = f", nor had the next {stopped.silent - 1}" if stopped.silent > 1 else ""
    left = f"{len(stopped.unfinished)} of {counted(stopped.trials, 'trial')}"
    return (
        f"the passage {stopped.passage.name} had {came} ({exchange.ending.words}){also}, nor had a plain create, "
        f"which the gateway had answered before; {left} not made, or not to the end. See what the gateway logged "
        "then; if it is only slow, allow more with --timeout"
    )


def _explained(result: Judged, target: TargetInfo, mask: Mask, *, verbose: bool) -> Iterator[str]:
    yield from (line for line in rule_lines(result.check.rule) if not line.startswith("requirement"))
    yield from findings_lines(result.observation.findings, mask)
    if result.observation.reason:
        yield from printable(mask.text(result.observation.reason)).rstrip().split("\n")
    if result.reason:
        yield f"baseline: {mask.text(result.reason)}"
    shown = _SHOWN_IN_FULL if verbose else _SHOWN
    passages = result.passages if verbose else result.passages[:_MOST_PASSAGES]
    for passage in passages:
        yield f"passage {passage.name}:"
        yield from (f"  {line}" for line in passage_lines(passage, mask, shown))
    if passages:
        yield "the client's request again (the upstream's part is the harness's):"
        yield from (f"  {line}" for line in _curl(passages[0], target, mask).split("\n"))
    yield f"this rule alone: harness gateway {mask.text(target.url)} --only {result.check.id}"


def passage_lines(passage: Passage, mask: Mask, shown: int = _SHOWN) -> Iterator[str]:
    """The four directions of a passage in order: a line for each request and each answer."""
    yield f"client → gateway    {_request(passage.client.request, mask, shown)}"
    behind = (*passage.upstream, *passage.astray)
    if not behind:
        yield "gateway → upstream  nothing"
    for exchange in behind:
        yield f"gateway → upstream  {_request(exchange.request, mask, shown)}"
        yield f"upstream → gateway  {_answer(exchange, mask, shown)}"
    yield f"gateway → client    {_answer(passage.client, mask, shown)}"


def _request(request: Request, mask: Mask, shown: int) -> str:
    line = f"{request.method} {mask.text(request.target)}"
    body = _body(request.body, mask, shown)
    return printable(f"{line} {body}" if body else line)


def _answer(exchange: Exchange, mask: Mask, shown: int) -> str:
    if exchange.status is None:
        return f"no answer, {ending_line(exchange, mask)}"
    end = "" if exchange.ending.complete else f", {ending_line(exchange, mask)}"
    if read(exchange).is_stream:
        events = read(exchange).frames
        last = f", the last {_body(events[-1].data, mask, shown)}" if events else ""
        return printable(f"{exchange.status} stream of {counted(len(events), 'event')}{last}{end}")
    return printable(f"{exchange.status} {_body(exchange.body, mask, shown)}{end}")


def _body(data: bytes, mask: Mask, shown: int) -> str:
    return shortened(" ".join(mask.text(data.decode("utf-8", "replace")).split()), shown)


def _actual(actual: str) -> str:
    return f": {actual}" if actual else ""


def _curl(passage: Passage, target: TargetInfo, mask: Mask) -> str:
    return curl(passage.client.request, target.url, mask)


def gateway_record(target: TargetInfo, upstream: str, finished: GatewayFinished, mask: Mask) -> dict[str, Any]:
    """The run as `schemas/output/gateway.schema.json` describes it."""
    return {
        "harness": __version__,
        "gateway": mask.tree(target_record(target)),
        "upstream": upstream,
        "exit": int(finished.exit),
        "seconds": round(finished.seconds, 3),
        "counts": {str(verdict): number for verdict, number in finished.counts.items()},
        "stopped": _stopped_record(finished.stopped, target, mask),
        "not_judged": [result.check.id for result in finished.unjudged],
        "rules": [_judged_record(result, target, mask) for result in finished.results],
    }


def _stopped_record(stopped: GatewayStopped | None, target: TargetInfo, mask: Mask) -> dict[str, Any] | None:
    if stopped is None:
        return None
    return {
        "reason": stopped_words(stopped),
        "passage": _passage_record(stopped.passage, target, mask),
        "silent": stopped.silent,
        "unfinished": list(stopped.unfinished),
    }


def junit_cases(target: TargetInfo, finished: GatewayFinished, mask: Mask) -> Iterator[junit.Case]:
    """A case for each rule."""
    for result in finished.results:
        rule, findings = result.check.rule, result.observation.findings
        plain = findings[0].message if findings else result.observation.reason.strip().partition("\n")[0]
        if finished.stopped is not None and result.unjudged:
            plain += f": {stopped_words(finished.stopped)}"
        lines = _explained(result, target, mask, verbose=True) if result.verdict is not Verdict.PASS else ()
        yield junit.Case(
            suite="gateway",
            name=f"{rule.id}: {rule.statement}",
            tag=junit.Tag.ERROR if result.unjudged else junit.tag_of(result.verdict),
            kind=str(result.verdict),
            message=mask.text(result.reason or plain),
            text="\n".join(lines),
        )


def _judged_record(result: Judged, target: TargetInfo, mask: Mask) -> dict[str, Any]:
    rule = result.check.rule
    source = rule.source
    unanswered = result.observation.unanswered
    return {
        "id": rule.id,
        "level": str(rule.level),
        "verdict": str(result.verdict),
        "statement": rule.statement,
        "breaks": rule.breaks,
        "source": {"basis": str(source.basis), "page": source.page, "section": source.section, "url": source.url},
        "reason": mask.text(result.observation.reason),
        **({"unanswered": unanswered} if unanswered else {}),
        "baseline": mask.text(result.reason),
        "findings": [mask.tree(finding_record(finding)) for finding in result.observation.findings],
        "passages": [_passage_record(passage, target, mask) for passage in result.passages],
    }


def _passage_record(passage: Passage, target: TargetInfo, mask: Mask) -> dict[str, Any]:
    return {
        "name": passage.name,
        "log": list(passage_lines(passage, mask, _SHOWN_IN_FULL)),
        "curl": _curl(passage, target, mask),
    }
