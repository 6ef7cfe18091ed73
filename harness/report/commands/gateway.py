"""A run against a gateway in words: rules instead of checks, and where it stopped answering."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.engine.events import Evidence, Result
from harness.report.collected_run import accounting_record
from harness.report.evidence.evidence_text import logs
from harness.report.json_report import (
    finding_record,
    outcome_record,
    source_record,
    target_record,
    unanswered_record,
)
from harness.report.presented_run import Presentation, PresentedResult, Section, list_causes
from harness.wire.message import escape_controls

if TYPE_CHECKING:
    from harness.report.collected_run import CollectedRun

_WAITING = {
    "idle": "waiting for an idle stream",
    "slow": "waiting for a slow response",
    "watch": "watching for requests that no client sent",
}
"""What an exercise that spans the others does at its end."""


class GatewayPresentation(Presentation):
    """The words of `harness gateway`; `upstream` is where the gateway had to find its upstream."""

    subject = "Gateway"
    badge = "gateway"
    command = "gateway"
    target_word = "gateway"
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
