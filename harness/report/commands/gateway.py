"""A run against a gateway in words: rules instead of checks, and where it stopped answering.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.engine.results import Evidence, Result
from harness.outcome import Accounted
from harness.report.accounting import accounting_record
from harness.report.causes import list_causes
from harness.report.commands.presentation import Presentation, Section
from harness.report.evidence.evidence_text import logs
from harness.report.json_report import (
    finding_record,
    outcome_record,
    source_record,
    target_record,
    unanswered_record,
)
from harness.report.presented_result import PresentedResult
from harness.report.screen import Line
from harness.wire.message import escape_controls

if TYPE_CHECKING:
    from harness.report.collected_run import CollectedRun
    from harness.report.finding_text import SharedFixes

_QUIET = frozenset({Accounted.PASSED, Accounted.NOT_OFFERED})
_WAITING = {
    "idle": "waiting for an idle stream",
    "watch": "watching for requests that no client sent",
}
"""What an exercise that spans the others does at its end."""


class GatewayPresentation(Presentation):
    """The words of `harness gateway`; `upstream` is where the gateway had to find its upstream."""

    subject = "Gateway"
    badge = "gateway"
    command = "gateway"
    target_word = "gateway"
    explains_warning = False  # each warning has its findings
    begins = "sending the first requests to the gateway"

    def __init__(self, upstream: str = "") -> None:
        self._upstream = upstream

    def record(self, state: CollectedRun) -> dict[str, Any]:
        target, finished = state.whole()
        shown = [PresentedResult(result, state, self) for result in finished.results]
        causes = list_causes(sorted(shown, key=lambda one: one.result.urgency), state.api.load_rules())
        stopped = state.stopped and {
            "reason": state.stopped.reason,
            "passage": _record_passages([state.stopped.evidence], state)[0],
            "silent": state.stopped.silent,
            "unfinished": list(state.stopped.unfinished),
        }
        return {
            "harness": __version__,
            "gateway": target_record(target),
            "upstream": self._upstream,
            "exit": int(finished.exit),
            "accounting": accounting_record(finished, self.accounting(state), self.verdict(state)),
            "started": state.started_text,
            "seconds": round(finished.seconds, 3),
            "causes": [cause.record() for cause in causes],
            "stopped": stopped,
            "not_judged": [result.id for result in finished.unjudged],
            "rules": [_record_result(one, state) for one in shown],
        }

    def sections(self, state: CollectedRun) -> Iterator[Section]:
        if state.stopped is not None:
            (log,) = logs([state.stopped.evidence], state.display)
            reason = escape_controls(state.stopped.reason)
            yield Section("Stopped early", (reason, f"exchange {log.name}:", *log.lines))

    def suite(self, result: Result) -> str:
        return "gateway"

    def progress(self, name: str, *, again: bool) -> str:
        return _WAITING.get(name, name) if again else super().progress(name, again=again)

    def is_quiet(self, result: Result) -> bool:
        return result.outcome in _QUIET and not result.observation.findings

    def brief(
        self, result: Result, summary: str, fixes: SharedFixes, *, verbose: bool
    ) -> tuple[str, Sequence[str]]:
        """Each finding; the explanation of a failure has its known fix."""
        reason = result.excuse or result.observation.reason
        words = [reason.strip().splitlines()[0]] if reason.strip() else []
        findings = result.observation.findings
        most = len(findings) if verbose else 3
        for finding in findings[:most]:
            actual = finding.actual if finding.actual != "nothing" else ""
            words.append(f"{finding.message}{f': {actual}' if actual else ''}")
            if finding.cure and result.outcome is Accounted.WARNED:
                words.append(f"known fix: {fixes.write(finding.cure, finding.rule)}")
        lines = [escape_controls(" ".join(text.split())) for text in dict.fromkeys(words)]
        lines += [f"… and {len(findings) - most} more (-v)"] if len(findings) > most else []
        return "", [Line(f"{'':12}{line}", hang=14) for line in lines]


def _record_result(shown: PresentedResult, state: CollectedRun) -> dict[str, Any]:
    result, rule, observation = shown.result, shown.result.rule, shown.result.observation
    return {
        "id": rule.id,
        "level": str(rule.level),
        **outcome_record(result),
        "statement": rule.statement,
        "silent": rule.silent,
        "breaks": rule.breaks,
        "source": source_record(rule),
        "details": observation.reason,
        **unanswered_record(result),
        "baseline": result.excuse,
        "findings": [finding_record(finding) for finding in observation.findings],
        "passages": _record_passages(result.evidence, state),
        **({"story": shown.story.record()} if shown.story is not None else {}),
    }


def _record_passages(evidence: Sequence[Evidence], state: CollectedRun) -> list[dict[str, Any]]:
    return [
        {"name": log.name, "log": list(log.lines), "curl": log.command} for log in logs(evidence, state.display)
    ]
