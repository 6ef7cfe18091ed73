"""The JSON report: one object, described by the schema of the command in `schemas/output`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.engine.events import Result, TargetInfo
from harness.kit.check import Check
from harness.outcome import Finding, Rule, Verdict, Where
from harness.outcome.words import dump
from harness.report.collected_run import accounting_record, timing_records
from harness.report.evidence.curl import Display
from harness.report.evidence.evidence_text import body_text, logs
from harness.wire import Exchange

if TYPE_CHECKING:
    from harness.report.presented_run import PresentedResult, PresentedRun


def render(state: PresentedRun) -> str:
    """The report of a finished run, indented, with a final newline."""
    state.whole()
    own = state.record()
    return dump(run_record(state) if own is None else own)


# A result or a run as plain data: the JSON report prints it, and other machine formats are made from it.


def check_record(check: Check) -> dict[str, Any]:
    """One entry of the catalog."""
    rule = check.rule
    return {
        "id": check.id,
        "area": rule.area,
        "level": str(rule.level),
        "title": check.title,
        "profile": check.profile,
        "requires": sorted(check.requires),
        "accepts": list(check.accepts),
        "statement": rule.statement,
        "breaks": rule.breaks,
        "source": source_record(rule),
        "since": rule.since,
        "until": rule.until,
        "exercise": check.exercise.name,
        "cost": {"requests": check.exercise.requests, "interactions": check.exercise.interactions},
    }


def source_record(rule: Rule) -> dict[str, str]:
    """Where a rule comes from."""
    source = rule.source
    return {"basis": str(source.basis), "page": source.page, "section": source.section, "url": source.url}


def finding_record(finding: Finding) -> dict[str, Any]:
    """One finding; unknown parts of its place, and a cause or cure it does not have, are omitted."""
    return {
        "rule": finding.rule,
        **code_record(finding),
        "severity": str(finding.severity),
        "message": finding.message,
        "expected": finding.expected,
        "actual": finding.actual,
        "where": place_record(finding.where),
        **({"cure": finding.cure} if finding.cure else {}),
    }


def code_record(finding: Finding) -> dict[str, Any]:
    """The identity of a finding, its cause, and how many responses show it or follow from it."""
    cause = {"cause": finding.cause} if finding.cause else {}
    subject = {"subject": finding.subject} if finding.subject else {}
    return {"code": finding.stable_code, "weight": finding.weight, **cause, **subject}


def place_record(where: Where) -> dict[str, Any]:
    """The known parts of a place."""
    parts = {name: getattr(where, name) for name in ("exchange", "file", "event", "start", "end", "pointer")}
    return {name: value for name, value in parts.items() if value not in ("", None)}


def result_record(shown: PresentedResult, display: Display) -> dict[str, Any]:
    """One verdict with its evidence."""
    result, rule = shown.result, shown.result.rule
    record: dict[str, Any] = {
        "id": result.id,
        "area": rule.area,
        "level": str(rule.level),
        **outcome_record(result),
        "title": result.title,
        "silent": rule.silent,
        "profile": result.profile,
        "requirement": rule.statement,
        "source": source_record(rule),
        "details": result.observation.reason,
        "seconds": round(result.seconds, 6),
        "findings": [finding_record(finding) for finding in result.observation.findings],
    }
    record |= unanswered_record(result)
    if result.observation.cause:
        record["cause"] = result.observation.cause
    if result.excuse:
        record["baseline"] = result.excuse
    if shown.meaning:
        record["meaning"] = shown.meaning
    if not result.evidence:
        return record
    found = logs(result.evidence, display)
    named = list(zip(result.named or ("",) * len(found), result.evidence, found, strict=True))
    record["exchanges"] = [{"name": name, "log": list(log.lines), "curl": log.command} for name, _, log in named]
    if shown.story is not None:
        record["story"] = shown.story.record()
    if result.observation.findings:
        wire = [wire_record(name, item, display) for name, item, _ in named if isinstance(item, Exchange)]
        record |= {"wire": wire[:_MOST_WIRE]} if wire else {}
    return record


_MOST_WIRE, _MOST_BODY = 24, 65_536
"""Most exchanges of a failure, and most characters of a body, that the report has."""


def wire_record(name: str, exchange: Exchange, display: Display) -> dict[str, Any]:
    """An exchange as it went over the wire, secrets hidden; `cut` if a body is longer than what is here."""
    request, mask = exchange.request, display.mask
    body, answer = (body_text(data, request, display) for data in (request.body, exchange.body))
    ending = exchange.ending
    return {
        "name": name,
        "method": request.method,
        "target": mask.text(request.target),
        "request_headers": [[mask.text(key), mask.header(key, value)] for key, value in request.headers.items()],
        "request_body": body[:_MOST_BODY],
        "status": exchange.status,
        "headers": [[mask.text(key), mask.header(key, value)] for key, value in exchange.headers.items()],
        "body": answer[:_MOST_BODY],
        "ending": [str(ending.by), str(ending.how), str(ending.at)],
        "cut": max(len(body), len(answer)) > _MOST_BODY,
    }


def outcome_record(result: Result) -> dict[str, Any]:
    """The outcome of a result; of one that was not tested the reason, and of an entry of the baseline its part."""
    reason = {} if result.reason is None else {"reason": str(result.reason)}
    stale = {"stale": True} if result.verdict is Verdict.STALE else {}
    return {"outcome": str(result.outcome), **reason, **stale}


def unanswered_record(result: Result) -> dict[str, str]:
    """The event in place of a response, and the way to test a check; empty if it was judged."""
    observation = result.observation
    if result.judged:
        return {}
    instead = {"unanswered": observation.instead} if observation.instead else {}
    remedy = {"remedy": observation.remedy} if observation.remedy else {}
    return {**instead, **remedy}


def target_record(target: TargetInfo) -> dict[str, str]:
    """The target; never includes a key."""
    return {
        "name": target.name,
        "url": target.url,
        "api_version": target.version,
        "model": target.model,
        "agent": target.agent,
    }


def run_record(state: PresentedRun) -> dict[str, Any]:
    """The whole run of checks."""
    target, finished = state.whole()
    timings = {"timings": timing_records(state.exercises)} if state.exercises else {}
    return {
        "harness": __version__,
        "target": target_record(target),
        "capabilities": [
            {
                "name": one.name,
                "present": one.present,
                "how": str(one.how),
                "note": one.note,
                **({} if one.present else {"lack": str(one.lack)}),
            }
            for one in state.capabilities
        ],
        "exit": int(finished.exit),
        "accounting": accounting_record(finished, state.accounting, state.verdict),
        "started": state.started_text,
        "seconds": round(finished.seconds, 3),
        "causes": [cause.record() for cause in state.causes],
        "not_judged": [result.id for result in finished.unjudged],
        "waited": {"times": finished.waited.times, "seconds": round(finished.waited.seconds, 3)},
        "cut": {
            "answers": finished.cut.answers,
            "seconds": round(finished.cut.seconds, 3),
            "unsent": finished.cut.unsent,
        },
        "mishaps": len(finished.mishaps),
        "leftovers": list(finished.leftovers),
        "checks": [result_record(shown, state.display) for shown in state.presented],
        **timings,
    }
