"""A fuzz run in words: what each engine did, and each failure with its shortest history.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engine.results import Reproduction, Result
from harness.engine.search.rules import SEARCHED
from harness.outcome import Verdict
from harness.outcome.words import format_count
from harness.report.commands.presentation import EXPLAINED, Paint, Presentation, Section
from harness.report.exchange_text import printable
from harness.report.explanation import reproduction_lines
from harness.report.records import code_record, target_record
from harness.report.reproduction import commands, pytest_module
from harness.wire.mask import Mask

if TYPE_CHECKING:
    from harness.engine.events import PhaseFinished, Planned, RunFinished
    from harness.report.run_state import RunState


class FuzzPresentation(Presentation):
    """The words of `harness fuzz`; `written` has the files of each failure, by the identity of its result."""

    subject = "{api}, fuzzed"
    badge = "fuzzing"
    noun = "result"
    live = False
    conclusions = {}

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.written: dict[int, Sequence[Path]] = {}

    def headline(self, state: RunState) -> str:
        return ""

    def ledger(self, state: RunState) -> Iterator[str]:
        return iter(())

    def record(self, state: RunState) -> dict[str, Any]:
        target, finished = state.whole()
        record: dict[str, Any] = state.mask.tree(
            {
                "target": target_record(target),
                "seed": self._seed,
                "exit": int(finished.exit),
                "engines": [_engine_record(phase) for phase in state.phases],
                "failures": [_failure_record(result, state) for result in failures(finished.results)],
            }
        )
        return record

    def facts(self, state: RunState) -> list[tuple[str, str]]:
        return [*super().facts(state), ("seed", str(self._seed))]

    def sections(self, state: RunState) -> Iterator[Section]:
        lines = [line for phase in state.phases for line in engine_lines(phase, state)]
        yield Section("Engines", tuple(lines))

    def suite(self, result: Result) -> str:
        return "fuzz" if result.rule is SEARCHED else f"fuzz.{result.phase}"

    def case(self, result: Result) -> str:
        return result.title if result.rule is SEARCHED else f"{result.rule.id}: {result.rule.statement}"

    def kind(self, result: Result) -> str:
        return "vacuous" if result.rule is SEARCHED and result.unjudged else str(result.verdict)

    def opening(self, state: RunState) -> Iterator[str]:
        return iter(())

    def format_plan(self, planned: Planned) -> Iterator[str]:
        return iter(())

    def phase(self, phase: PhaseFinished, state: RunState) -> Iterator[str]:
        return engine_lines(phase, state)

    def closing(self, state: RunState, paint: Paint, *, verbose: bool) -> Iterator[str]:
        for result in failures(state.results):
            yield ""
            yield from failure_lines(result, state, verbose=verbose)
            yield from (f"  written: {path}" for path in self.written.get(id(result), ()))

    def totals(self, state: RunState, paint: Paint) -> str | None:
        return f"\n{format_count(len(failures(state.results)), 'finding')}, seed {self._seed}"

    def not_judged(self, finished: RunFinished) -> Iterator[str]:
        return iter(())


def failures(results: Sequence[Result]) -> list[Result]:
    """The results that are no engine's own, worst first as the run has them."""
    return [result for result in results if result.rule is not SEARCHED]


def engine_lines(phase: PhaseFinished, state: RunState) -> Iterator[str]:
    """One line for an engine, then its notes and, if it proved nothing, the reasons."""
    counts = ", ".join(f"{number:,} {word}".replace(",", " ") for word, number in phase.counts.items())
    found = format_count(phase.findings, "finding") if phase.findings else "no finding"
    yield f"{phase.name:<10} {counts} in {phase.seconds:.1f} s: {found}"
    yield from (f"  note: {_mask_text(note, state.mask)}" for note in phase.notes)
    yield from (f"  VACUOUS: {_mask_text(why, state.mask)}" for why in phase.vacuous)


def failure_lines(result: Result, state: RunState, *, verbose: bool) -> Iterator[str]:
    """Explain one failure to a person; a warning only in brief unless `verbose`."""
    rule, finding = result.rule, result.observation.findings[0]
    reproduction = result.reproduction or Reproduction()
    known = " (known)" if reproduction.known else ""
    yield f"{result.verdict.upper()} {rule.id} [{rule.level}]{known} {_mask_text(finding.message, state.mask)}"
    if result.verdict is Verdict.XFAIL:
        yield f"  baseline: {_mask_text(result.excuse, state.mask)}"
    yield from (f"  {line}" for line in reproduction_lines(reproduction, state.mask))
    if result.verdict not in EXPLAINED and not verbose:
        return
    yield f"  promise: {rule.statement}"
    yield f"  source: {rule.source}"
    for word, text in (("expected", finding.expected), ("actual", finding.actual)):
        if text:
            yield f"  {word}: {_mask_text(text, state.mask)}"
    for command in commands(result, state.display):
        yield from (f"  {line}" for line in command.split("\n"))


def _engine_record(phase: PhaseFinished) -> dict[str, Any]:
    return {
        "engine": phase.name,
        "seconds": round(phase.seconds, 3),
        "counts": dict(phase.counts),
        "vacuous": list(phase.vacuous),
        "notes": list(phase.notes),
    }


def _failure_record(result: Result, state: RunState) -> dict[str, Any]:
    target, _ = state.whole()
    finding = result.observation.findings[0]
    reproduction = result.reproduction or Reproduction()
    return {
        "rule": result.rule.id,
        **code_record(finding),
        "level": str(result.rule.level),
        "severity": str(finding.severity),
        "verdict": str(result.verdict),
        "engine": result.phase,
        "known": reproduction.known,
        "shrunk": reproduction.shrunk,
        **({"baseline": result.excuse} if result.excuse else {}),
        "message": finding.message,
        "expected": finding.expected,
        "actual": finding.actual,
        "history": [step.record() for step in reproduction.steps],
        "curl": commands(result, state.display),
        "pytest": pytest_module(result, target, state.api),
    }


def _mask_text(text: str, mask: Mask) -> str:
    return printable(mask.text(text))
