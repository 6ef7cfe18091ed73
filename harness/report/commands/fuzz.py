"""A fuzz run in words: what each engine did, and each failure with its shortest history.

Layer 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engine.baseline import Baseline
from harness.engine.results import Reproduction, Result
from harness.engine.search.failure import REFUSED
from harness.engine.search.rules import SEARCHED
from harness.outcome import Level, Verdict
from harness.outcome.words import format_count, list_some
from harness.report.commands.presentation import EXPLAINED, Paint, Presentation, Section
from harness.report.evidence.reproduction import commands, pytest_module, why_no_cassette
from harness.report.explanation import replay_words, reproduction_lines
from harness.report.ledger_text import Headline, make_headline, say_early
from harness.report.records import code_record, target_record
from harness.report.shards.fuzz_part import fuzz_part_record
from harness.wire.control_characters import escape_controls
from harness.wire.mask import Mask

if TYPE_CHECKING:
    from harness.engine.events import PhaseFinished, Planned, RunFinished
    from harness.report.run_state import RunState


_NEVER_SHOWN = 12
"""Most calls that are named as never accepted."""


class FuzzPresentation(Presentation):
    """The words of `harness fuzz`.

    `written` has the files of each failure, and `ran` what came of its curl lines, by the identity of its result.
    """

    subject = "{api}, fuzzed"
    badge = "fuzzing"
    command = "fuzz"
    states = ("nothing found", "broken")
    noun = "result"
    live = False
    lists_causes = True
    conclusions = {}

    def __init__(self, seed: int = 0, *, excluded: Sequence[str] = (), baseline: Baseline | None = None) -> None:
        self._seed = seed
        self._excluded = tuple(excluded)
        self._baseline = baseline or Baseline()
        self.written: dict[int, Sequence[Path]] = {}
        self.ran: dict[int, str] = {}

    def headline(self, state: RunState) -> Headline:
        found = failures(state.results)
        broken = [result for result in found if result.verdict in (Verdict.FAIL, Verdict.ERROR)]
        kinds = sum((Counter(phase.answers) for phase in state.phases), Counter())
        answers = kinds.total()
        empty = [phase.name for phase in state.phases if phase.vacuous]
        holes = f"{', '.join(empty)} proved too little" if empty else ""
        finished = state.whole()[1]
        early = say_early(finished)
        if not answers:
            return make_headline(finished, early, "no answer was judged", holes)
        if broken:
            musts = sum(result.rule.level is Level.MUST for result in broken)
            said = f"{format_count(len(broken), 'promise')} {'is' if len(broken) == 1 else 'are'} broken"
            said += f", {musts} of them a MUST" if 0 < musts < len(broken) else ""
        else:
            said = "no promise that fails a run is broken" if found else "nothing is broken"
        refused = ", all of them refusals" if answers > 1 and kinds[REFUSED] == answers else ""
        searched = f"{said} in {format_count(answers, 'judged answer')}{refused}"
        return make_headline(finished, early, searched, holes)

    def ledger(self, state: RunState) -> Iterator[str]:
        return iter(())

    def record(self, state: RunState) -> dict[str, Any]:
        target, finished = state.whole()
        record: dict[str, Any] = state.mask.tree(
            {
                "target": target_record(target),
                "seed": self._seed,
                "exit": int(finished.exit),
                "engines": [_record_engine(phase) for phase in state.phases],
                "failures": [
                    _record_failure(result, state, self.ran.get(id(result), ""))
                    for result in failures(finished.results)
                ],
                "excluded": list(self._excluded),
                "unseen": self.list_unseen(finished.results),
                **({"halted": finished.halted} if finished.halted else {}),
                **self._part_record(state),
            }
        )
        return record

    def _part_record(self, state: RunState) -> dict[str, Any]:
        """What a merge needs of one shard; nothing if the search was whole."""
        part = state.whole()[1].part
        if part is None:
            return {}
        return {"shard": fuzz_part_record(part, failures(state.results), state)}

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
            yield from failure_lines(result, state, ran=self.ran.get(id(result), ""), verbose=verbose)
            written = self.written.get(id(result), ())
            yield from (f"  written: {path}" for path in written)
            if written and (why := why_no_cassette(result)):
                yield f"  no cassette is written: {why}"
        unseen = self.list_unseen(state.results)
        if self._excluded or unseen:
            yield ""
        if self._excluded:
            yield f"excluded, so nothing is said of it: {', '.join(self._excluded)}"
        if unseen:
            yield f"in the baseline, but not found by this search (mended?): {', '.join(unseen)}"

    def list_unseen(self, results: Sequence[Result]) -> list[str]:
        """The entries of the baseline that excuse nothing in this run."""
        found = [(result.id, result.observation.findings[0].stable_code) for result in failures(results)]
        return sorted(
            entry.key
            for entry in self._baseline.entries.values()
            if not any(entry.id == name and entry.finding in ("", code) for name, code in found)
        )

    def totals(self, state: RunState, paint: Paint) -> str | None:
        found = failures(state.results)
        counts = Counter(result.verdict for result in found)
        words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
        flaky = sum(bool(result.reproduction and result.reproduction.replays.flaky) for result in found)
        details = "; ".join(filter(None, (words, f"{flaky} flaky" if flaky else "")))
        said = format_count(len(found), "finding") + (f" ({details})" if details else "")
        return f"\n{said}, seed {self._seed}"

    def conclusion(self, state: RunState) -> str:
        """What was looked at and what was not, so that nobody takes no finding for more than it is."""
        answers = sum((Counter(phase.answers) for phase in state.phases), Counter())
        kinds = ", ".join(f"{number} {word}" for word, number in answers.items() if number)
        parts = [f"judged {sum(answers.values())} answers: {kinds}" if kinds else "judged no answer"]
        never = sorted({call for phase in state.phases for call in phase.never_accepted} - _find_accepted(state))
        if never:
            parts.append(f"never accepted: {escape_controls(list_some(never, _NEVER_SHOWN, hint='--json'))}")
        empty = [phase.name for phase in state.phases if phase.vacuous]
        if empty:
            parts.append(f"{', '.join(empty)} proved too little (see VACUOUS)")
        return "; ".join(parts)

    def not_judged(self, finished: RunFinished) -> Iterator[str]:
        return iter(())


def failures(results: Sequence[Result]) -> list[Result]:
    """The results that are no engine's own, worst first as the run has them."""
    return [result for result in results if result.rule is not SEARCHED]


def _find_accepted(state: RunState) -> set[str]:
    """The calls that some part of the run saw accepted."""
    return {call for phase in state.phases for call in phase.accepted}


def engine_lines(phase: PhaseFinished, state: RunState) -> Iterator[str]:
    """One line for an engine, then its notes and, if it proved nothing, the reasons."""
    counts = ", ".join(f"{number:,} {word}".replace(",", " ") for word, number in phase.counts.items())
    found = format_count(phase.findings, "finding") if phase.findings else "no finding"
    yield f"{phase.name:<10} {counts} in {phase.seconds:.1f} s: {found}"
    yield from (f"  note: {_mask_text(note, state.mask)}" for note in phase.notes)
    yield from (f"  VACUOUS: {_mask_text(why, state.mask)}" for why in phase.vacuous)


def failure_lines(result: Result, state: RunState, *, ran: str = "", verbose: bool) -> Iterator[str]:
    """Explain one failure to a person; a warning only in brief unless `verbose`. `ran`: see `CurlRuns`."""
    rule, finding = result.rule, result.observation.findings[0]
    reproduction = result.reproduction or Reproduction()
    known = " (known)" if reproduction.known else ""
    call = f"{reproduction.call}: " if reproduction.call else ""
    message = _mask_text(finding.message, state.mask)
    yield f"{result.verdict.upper()} {finding.stable_code} [{rule.level}]{known} {call}{message}"
    if result.verdict is Verdict.XFAIL:
        yield f"  baseline: {_mask_text(result.excuse, state.mask)}"
    yield from (f"  {line}" for line in reproduction_lines(reproduction, state.mask))
    seen = f"seen {format_count(finding.weight - len(reproduction.consequences), 'time')}"
    yield f"  {seen}; {replay_words(reproduction.replays)}{f'; curl lines {ran}' if ran else ''}"
    if result.verdict not in EXPLAINED and not verbose:
        return
    yield f"  promise: {rule.statement}"
    yield f"  source: {rule.source}"
    for word, text in (("expected", finding.expected), ("actual", finding.actual)):
        if text:
            yield f"  {word}: {_mask_text(text, state.mask)}"
    for command in commands(result, state.display):
        yield from (f"  {line}" for line in command.split("\n"))


def _record_engine(phase: PhaseFinished) -> dict[str, Any]:
    return {
        "engine": phase.name,
        "seconds": round(phase.seconds, 3),
        "counts": dict(phase.counts),
        "vacuous": list(phase.vacuous),
        "notes": list(phase.notes),
        "answers": dict(phase.answers),
        "never_accepted": list(phase.never_accepted),
    }


def _record_failure(result: Result, state: RunState, ran: str) -> dict[str, Any]:
    target, _ = state.whole()
    finding = result.observation.findings[0]
    reproduction = result.reproduction or Reproduction()
    replays = reproduction.replays
    return {
        "rule": result.rule.id,
        **code_record(finding),
        "level": str(result.rule.level),
        "severity": str(finding.severity),
        "verdict": str(result.verdict),
        "engine": result.phase,
        "known": reproduction.known,
        "shrunk": reproduction.shrunk,
        "unshrunk": reproduction.unshrunk,
        "call": reproduction.call,
        "pointer": finding.where.pointer,
        "seen": finding.weight - len(reproduction.consequences),
        "consequences": list(reproduction.consequences),
        "replays": {"shown": replays.shown, "played": replays.played, "why_not": replays.why_not},
        "flaky": replays.flaky,
        "curl_lines": ran,
        **({"baseline": result.excuse} if result.excuse else {}),
        "message": finding.message,
        "expected": finding.expected,
        "actual": finding.actual,
        "history": [step.record() for step in reproduction.steps],
        "curl": commands(result, state.display),
        "pytest": pytest_module(result, target, state.api),
    }


def _mask_text(text: str, mask: Mask) -> str:
    return mask.show(text)
