"""A run against a gateway in words: rules instead of checks, and where it stopped answering."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness import __version__
from harness.engine.events import Evidence, Result
from harness.report.collected_run import CollectedRun, accounting_record
from harness.report.evidence.evidence_text import logs
from harness.report.json_report import (
    finding_record,
    outcome_record,
    source_record,
    target_record,
    unanswered_record,
)
from harness.report.presented_run import PresentedResult, PresentedRun, Section
from harness.wire.message import escape_controls

_WAITING = {
    "idle": "waiting for an idle stream",
    "slow": "waiting for a slow response",
    "watch": "watching for requests that no client sent",
}
"""What an exercise that spans the others does at its end."""


@dataclass
class GatewayRun(PresentedRun):
    """The words of `harness gateway`; `upstream` is where the gateway had to find its upstream."""

    title = "Gateway"
    badge = "gateway"
    command = "gateway"
    target_word = "gateway"
    begins = "sending the first requests to the gateway"

    upstream: str = field(default="", kw_only=True)

    def record(self) -> dict[str, Any]:
        target, finished = self.whole()
        stopped = self.stopped and {
            "reason": self.stopped.reason,
            "passage": _record_passages([self.stopped.evidence], self)[0],
            "silent": self.stopped.silent,
            "unfinished": list(self.stopped.unfinished),
        }
        return {
            "harness": __version__,
            "gateway": target_record(target),
            "upstream": self.upstream,
            "exit": int(finished.exit),
            "accounting": accounting_record(finished, self.accounting, self.verdict),
            "started": self.started_text,
            "seconds": round(finished.seconds, 3),
            "causes": [cause.record() for cause in self.causes],
            "stopped": stopped,
            "not_judged": [result.id for result in finished.unjudged],
            "rules": [_record_result(one, self) for one in self.presented],
        }

    def sections(self) -> Iterator[Section]:
        if self.stopped is not None:
            (log,) = logs([self.stopped.evidence], self.display)
            reason = escape_controls(self.stopped.reason)
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
