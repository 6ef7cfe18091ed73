"""A fuzz run as text and as data: what each engine did, and each failure with its shortest history.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.engine.events import TargetInfo
from harness.engine.search.failure import EngineRun, Failure
from harness.engine.search.rules import rule_of
from harness.outcome import Verdict
from harness.outcome.words import counted
from harness.report import junit
from harness.report.exchange_text import printable
from harness.report.records import target_record
from harness.report.reproduction import commands, pytest_module
from harness.wire.mask import Mask

_EXPLAINED = frozenset({Verdict.FAIL})
_RANK = {Verdict.FAIL: 0, Verdict.WARN: 1, Verdict.INFO: 2}


def engine_lines(run: EngineRun, mask: Mask) -> Iterator[str]:
    """One line for an engine, then its notes and, if it proved nothing, the reasons."""
    counts = ", ".join(f"{number:,} {word}".replace(",", " ") for word, number in run.counts.items())
    found = counted(len(run.failures), "finding") if run.failures else "no finding"
    yield f"{run.engine:<10} {counts} in {run.seconds:.1f} s: {found}"
    yield from (f"  note: {printable(mask.text(note))}" for note in run.notes)
    yield from (f"  VACUOUS: {printable(mask.text(why))}" for why in run.vacuous)


def failure_lines(
    failure: Failure, target: TargetInfo, mask: Mask, *, strict: bool, verbose: bool
) -> Iterator[str]:
    """Explain one failure to a person; a warning only in brief unless `verbose`."""
    rule, verdict = rule_of(failure.rule), failure.verdict(strict=strict)
    known = " (known)" if failure.known else ""
    yield f"{verdict.upper()} {failure.rule} [{rule.level}]{known} {_shown(failure.finding.message, mask)}"
    if failure.history:
        words = "least history" if failure.shrunk else "history, not fully shrunk"
        yield f"  {words}: {' > '.join(map(str, failure.history))}"
    if verdict not in _EXPLAINED and not verbose:
        return
    yield f"  promise: {rule.statement}"
    yield f"  source: {rule.source}"
    for word, text in (("expected", failure.finding.expected), ("actual", failure.finding.actual)):
        if text:
            yield f"  {word}: {_shown(text, mask)}"
    for command in commands(failure, target, mask):
        yield from (f"  {line}" for line in command.split("\n"))


def ordered(runs: Sequence[EngineRun], *, strict: bool) -> list[Failure]:
    """All failures, worst first."""
    failures = [failure for run in runs for failure in run.failures]
    return sorted(failures, key=lambda failure: (_RANK[failure.verdict(strict=strict)], failure.key))


def fuzz_record(
    runs: Sequence[EngineRun], target: TargetInfo, mask: Mask, *, seed: int, strict: bool, code: int
) -> dict[str, Any]:
    """The run as `schemas/output/fuzz.schema.json` describes it."""
    record = {
        "target": target_record(target),
        "seed": seed,
        "exit": int(code),
        "engines": [
            {
                "engine": run.engine,
                "seconds": round(run.seconds, 3),
                "counts": dict(run.counts),
                "vacuous": list(run.vacuous),
                "notes": list(run.notes),
            }
            for run in runs
        ],
        "failures": [
            _failure_record(failure, target, mask, strict=strict) for failure in ordered(runs, strict=strict)
        ],
    }
    masked: dict[str, Any] = mask.tree(record)
    return masked


def junit_cases(
    runs: Sequence[EngineRun], target: TargetInfo, mask: Mask, *, strict: bool
) -> Iterator[junit.Case]:
    """A case for each engine (an error if it proved nothing) and one for each failure."""
    for run in runs:
        vacuous = "; ".join(mask.text(why) for why in run.vacuous)
        yield junit.Case(
            suite="fuzz",
            name=run.engine,
            tag=junit.Tag.ERROR if vacuous else junit.Tag.PASSED,
            kind="vacuous" if vacuous else "",
            message=vacuous,
            text="\n".join(engine_lines(run, mask)),
            seconds=run.seconds,
        )
    for failure in ordered(runs, strict=strict):
        verdict = failure.verdict(strict=strict)
        lines = failure_lines(failure, target, mask, strict=strict, verbose=True)
        yield junit.Case(
            suite=f"fuzz.{failure.engine}",
            name=f"{failure.rule}: {rule_of(failure.rule).statement}",
            tag=junit.tag_of(verdict),
            kind=str(verdict),
            message=mask.text(failure.finding.message),
            text="\n".join(lines),
        )


def _failure_record(failure: Failure, target: TargetInfo, mask: Mask, *, strict: bool) -> dict[str, Any]:
    rule, finding = rule_of(failure.rule), failure.finding
    return {
        "rule": failure.rule,
        "level": str(rule.level),
        "severity": str(finding.severity),
        "verdict": str(failure.verdict(strict=strict)),
        "engine": failure.engine,
        "known": failure.known,
        "shrunk": failure.shrunk,
        "message": finding.message,
        "expected": finding.expected,
        "actual": finding.actual,
        "history": [operation.record() for operation in failure.history],
        "curl": commands(failure, target, mask),
        "pytest": pytest_module(failure, target),
    }


def _shown(text: str, mask: Mask) -> str:
    return printable(mask.text(text))
