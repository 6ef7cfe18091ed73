"""A fuzz run in words: what each engine did, and each failure with its shortest history.

A failure is written as files, too: a shell script of curl lines, a pytest module and a cassette.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from harness.engine.decide import Baseline
from harness.engine.events import PhaseFinished, Reproduction, Result, TargetInfo, of_kind
from harness.engine.search.failure import REJECTED, SEARCHED
from harness.engine.selection import Selection
from harness.files import make_folder, write_file
from harness.kit.api import Api
from harness.outcome import Accounted, Exit, Level, Outcome, Verdict
from harness.outcome.words import format_count, list_some, write_docstring
from harness.report.collected_run import (
    CollectedRun,
    RunVerdict,
    accounting_record,
    conclude,
    count_stale,
    list_counts,
)
from harness.report.evidence.curl import Display, curl_lines
from harness.report.evidence.evidence_text import Detail, replay_words, reproduction_lines
from harness.report.finding_text import ExplainedFailure, compared_lines, write_headline
from harness.report.json_report import code_record, outcome_record, target_record
from harness.report.presented_run import EXPLAINED, PresentedRun, Section
from harness.report.screen import Line, Paint, Role, leave_unpainted
from harness.wire import Exchange
from harness.wire.message import escape_controls


@dataclass
class FuzzRun(PresentedRun):
    """The words of `harness fuzz`.

    `written` has the files of each failure, by `key_of_failure`.
    """

    title = "{api}, fuzzed"
    badge = "fuzzing"
    command = "fuzz"
    noun = "result"
    live = False

    seed: int = field(default=0, kw_only=True)
    selection: Selection = field(default_factory=Selection, kw_only=True)
    baseline: Baseline = field(default_factory=Baseline, kw_only=True)
    written: dict[FailureKey, Sequence[Path]] = field(default_factory=dict, init=False)

    def write_totals(self, paint: Paint = leave_unpainted) -> str:
        """How many findings there are, and how many engines came to their end."""
        found = failures(self.results)
        counts = Counter(result.outcome for result in found)
        notes = counts.pop(Accounted.PASSED, 0)  # of broken MAYs
        flaky = sum(bool(result.reproduction and result.reproduction.replays.flaky) for result in found)
        listed = [
            list_counts(counts, sum(result.verdict is Verdict.XFAIL for result in found), paint),
            format_count(notes, "note") if notes else "",
            f"{flaky} of them flaky" if flaky else "",
        ]
        findings = format_count(len(found), "finding") if found else "no finding"
        engines = list_counts(Counter(r.outcome for r in self.results if r.rule is SEARCHED), paint=paint)
        about = f"{findings} in {self.whole()[1].seconds:.1f} s (seed {self.seed})"
        about += f": {', '.join(filter(None, listed))}" if found else ""
        return f"{about}; engines: {engines}." if engines else f"{about}."

    def conclude_run(self) -> RunVerdict:
        """How many rules are broken in how many responses."""
        finished, kinds = self.whole()[1], _count_answers(self)
        stale, empty = count_stale(finished.results), [phase.name for phase in self.phases if phase.vacuous]
        holes = f"{format_count(len(empty), 'engine')} tested too little ({', '.join(empty)})" if empty else ""
        if not kinds.total():
            return conclude(finished, "no response was judged", holes, stale)
        found, responses = failures(finished.results), kinds.total()
        failed, warned = (_count_rules(found, outcome) for outcome in (Accounted.FAILED, Accounted.WARNED))
        rejected = ", all of them rejected" if kinds[REJECTED] == responses > 1 else ""
        where = f"in {responses:,} {'response' if responses == 1 else 'responses'}{rejected}"
        if histories := sum(phase.counts.get("histories", 0) for phase in self.phases):
            where += f" ({format_count(histories, 'history', 'histories')})"
        broken = f"{failed or 'no rule'} broken {where}", f"{warned} broken, which only warns" if warned else ""
        if finished.exit not in (Exit.NOTHING_RAN, Exit.INCOMPLETE):
            return conclude(finished, *broken, holes, stale)
        if empty:  # what kept the run from its verdict comes first
            engines = format_count(len(self.phases), "engine")
            holes = f"{len(empty)} of {engines} tested too little ({', '.join(empty)})"
        return conclude(finished, holes, *broken, stale)

    def details(self) -> Iterator[str]:
        return iter(())

    def record(self) -> dict[str, Any]:
        target, finished = self.whole()
        record: dict[str, Any] = self.mask.tree(  # its steps and its test hold requests
            {
                "target": target_record(target),
                "seed": self.seed,
                "exit": int(finished.exit),
                "accounting": accounting_record(finished, self.accounting, self.verdict),
                "engines": [_record_engine(phase) for phase in self.phases],
                "failures": [_record_failure(result, self) for result in failures(finished.results)],
                "only": list(self.selection.checks),
                "excluded": list(self.selection.exclude),
                "unseen": self.list_unseen(finished.results),
                **({"halted": finished.halted} if finished.halted else {}),
            }
        )
        return record

    def list_facts(self) -> list[tuple[str, str]]:
        return [*super().list_facts(), ("seed", str(self.seed))]

    def sections(self) -> Iterator[Section]:
        if self.phases:
            yield Section("Engines", tuple(line for phase in self.phases for line in engine_lines(phase)))

    def suite(self, result: Result) -> str:
        return "fuzz" if result.rule is SEARCHED else f"fuzz.{result.phase}"

    def case(self, result: Result) -> str:
        return result.title if result.rule is SEARCHED else f"{result.rule.id}: {result.rule.statement}"

    def kind(self, result: Result) -> str:
        return "not_tested" if result.rule is SEARCHED and result.unjudged else super().kind(result)

    def describe_phase(self, phase: PhaseFinished) -> Iterator[str]:
        return engine_lines(phase)

    def closing(self, paint: Paint, *, verbose: bool) -> Iterator[str]:
        for word, names in (("only", self.selection.checks), ("excluded", self.selection.exclude)):
            if names:
                yield f"{word}: {', '.join(names)}"
        if unseen := self.list_unseen(self.results):
            yield f"in the baseline, but not found by this search (fixed?): {', '.join(unseen)}"

    def explain_failures(self, paint: Paint, *, detail: Detail) -> Iterator[ExplainedFailure]:
        rules: set[str] = set()
        for result in failures(self.results):
            written = self.written.get(key_of_failure(result), ())
            known = result.rule.id in rules
            headline, *lines = failure_lines(result, self, paint, detail, stored=bool(written), known=known)
            rules.add(result.rule.id)
            if written and lines:  # the others have its name, with another suffix
                why = f" (no cassette: {why})" if (why := why_no_cassette(result)) else ""
                others = "".join(f", {path.suffix}" for path in written[1:])
                lines.append(Line(f"written: {written[0]}{others}{why}", Role.COMMAND))  # a path does not break
            if lines or detail is not Detail.BRIEF:
                yield ExplainedFailure(headline, lines)

    def list_unseen(self, results: Sequence[Result]) -> list[str]:
        """The entries of the baseline that excuse nothing in this run."""
        found = [(result.id, result.observation.findings[0].stable_code) for result in failures(results)]
        return sorted(
            entry.key
            for entry in self.baseline.entries.values()
            if not any(entry.id == name and entry.finding in ("", code) for name, code in found)
        )

    def notes(self) -> Iterator[str]:
        """The scope of the run, so that no reader overrates a missing finding."""
        answers = _count_answers(self)
        kinds = ", ".join(f"{number:,} {word}" for word, number in answers.items() if number)
        yield f"judged {answers.total():,} responses: {kinds}" if kinds else "judged no response"
        accepted = {call for phase in self.phases for call in phase.accepted}
        if never := sorted({call for phase in self.phases for call in phase.never_accepted} - accepted):
            yield f"never accepted: {escape_controls(list_some(never, 12, hint='--json'))}"


FailureKey: TypeAlias = tuple[str, str, str]


def key_of_failure(result: Result) -> FailureKey:
    """The value that distinguishes a failure from all others of a run."""
    return result.phase, result.id, "" if result.reproduction is None else result.reproduction.key


def failures(results: Sequence[Result]) -> list[Result]:
    """The results of findings, worst first as the run has them; that of a stale entry has none."""
    return [result for result in results if result.rule is not SEARCHED and result.observation.findings]


def _count_rules(found: Sequence[Result], outcome: Accounted) -> str:
    """`1 MUST rule and 2 SHOULD rules`: how many rules of each level these results with an outcome break."""
    broken: dict[Level, set[str]] = {level: set() for level in Level}
    for result in found:
        if result.outcome is outcome and result.verdict is not Verdict.STALE:
            broken[result.rule.level].add(result.rule.id)
    return " and ".join(format_count(len(ids), f"{level} rule") for level, ids in broken.items() if ids)


def _count_answers(state: CollectedRun) -> Counter[str]:
    """The kinds of responses that were judged."""
    return sum((Counter(phase.answers) for phase in state.phases), Counter())


_SINGULARS = {"histories": "history", "successes": "success", "kinds of operation": "kind of operation"}


def engine_lines(phase: PhaseFinished) -> Iterator[Line]:
    """One line for an engine, then its notes and, if it tested too little, the reasons; nothing if it was idle."""
    if not (any(phase.counts.values()) or phase.findings or phase.notes or phase.vacuous):
        return
    named = [
        (n, _SINGULARS.get(word, word.removesuffix("s")) if n == 1 else word) for word, n in phase.counts.items()
    ]
    counts = ", ".join(f"{number:,} {word}" for number, word in named)
    found = format_count(phase.findings, "finding") if phase.findings else "no finding"
    if counts:
        begin = [(len(phase.name), Role.ID)]
        yield Line(f"{phase.name:<10} {counts} in {phase.seconds:.1f} s: {found}", hang=11, parts=begin)
    else:
        yield Line(phase.name, Role.ID)
    yield from (Line(f"  note: {escape_controls(note)}", Role.QUIET, hang=8) for note in phase.notes)
    yield from (Line(f"  NOT TESTED: {escape_controls(why)}", Role.NOT_TESTED, hang=14) for why in phase.vacuous)


def failure_lines(
    result: Result, state: CollectedRun, paint: Paint, detail: Detail, *, stored: bool, known: bool
) -> Iterator[Line]:
    """Explain one failure to a person; a broken MAY has a headline alone unless more is wanted.

    A script that is not fully shrunk may be long: if it is `stored`, it is not printed. `known`: another failure
    has explained the rule.
    """
    rule, finding, brief = result.rule, result.observation.findings[0], detail is Detail.BRIEF
    reproduction = result.reproduction or Reproduction()
    call = f"{reproduction.call}: " if reproduction.call else ""
    title = f"{call}{escape_controls(finding.message)}{' (known)' if reproduction.known else ''}"
    word = "NOTE" if result.verdict is Verdict.INFO else ""
    yield write_headline(paint, result.outcome, finding.stable_code, rule.level, title, word=word)
    if result.outcome is Accounted.PASSED and brief:  # a broken MAY is no violation
        return
    explained = result.verdict in EXPLAINED or not brief
    if explained:
        if not known:
            yield Line(f"requirement ({rule.level}): {rule.statement}")
        yield from compared_lines(finding, brief=brief)
        if not known and rule.breaks and result.observation.outcome is Outcome.NOT_MET:
            yield Line(f"what breaks: {rule.breaks}")
    if result.verdict is Verdict.XFAIL:
        yield Line(f"baseline: {escape_controls(result.excuse)}")
    yield from reproduction_lines(reproduction)
    seen = f"seen {format_count(finding.weight - len(reproduction.consequences), 'time')}"
    yield Line(f"{seen}; {replay_words(reproduction.replays)}")
    if explained:
        script = "" if stored and reproduction.unshrunk else "\n".join(commands(result, state.display))
        yield from (Line(line, Role.COMMAND) for line in script.split("\n") if script)
        if not known:
            yield Line(f"source: {rule.source}", Role.QUIET)


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


def _record_failure(result: Result, state: CollectedRun) -> dict[str, Any]:
    target, _ = state.whole()
    finding = result.observation.findings[0]
    reproduction = result.reproduction or Reproduction()
    replays = reproduction.replays
    return {
        "rule": result.rule.id,
        **code_record(finding),
        "level": str(result.rule.level),
        "severity": str(finding.severity),
        **outcome_record(result),
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
        **({"baseline": result.excuse} if result.excuse else {}),
        "message": finding.message,
        "expected": finding.expected,
        "actual": finding.actual,
        "history": [step.record() for step in reproduction.steps],
        "curl": commands(result, state.display),
        "pytest": pytest_module(result, target, state.api),
    }


def commands(result: Result, display: Display) -> list[str]:
    """The requests that show a failure as curl lines, in order."""
    return curl_lines(of_kind(Exchange, result.evidence), display)


def _build_key(result: Result) -> str:
    """The value that distinguishes the failure from others, in names of files and in tests."""
    return (result.reproduction.key if result.reproduction is not None else "") or result.id


def pytest_module(result: Result, target: TargetInfo, api: Api) -> str:
    """A test that fails as long as the rule is broken; "" if no history is known."""
    history = result.reproduction.steps if result.reproduction is not None else ()
    if not history:
        return ""
    name = re.sub(r"\W", "_", result.rule.id)
    (module, _, value), (search_module, _, load_search) = (
        origin.rpartition(".") for origin in (api.server_origin, api.search_origin)
    )
    steps = "\n".join(f"    {step.record()!r}," for step in history)
    promise = f"No request breaks {result.rule.id}: {' > '.join(map(str, history))}."
    return f'''{write_docstring(f"{result.rule.statement} Found by `harness fuzz`.")}

import os

from harness.engine.search.run import replay
from harness.engine.targets import TargetOptions, resolve_target
from {search_module} import {load_search}
from {module} import {value}

HISTORY = [
{steps}
]


def test_{name}():
    {write_docstring(promise)}
    options = TargetOptions(api_version={target.version!r}, api_key=os.environ.get("{api.key_variable}", ""))
    target = resolve_target({value}, os.environ.get("HARNESS_TARGET", {(target.url or target.name)!r}), options)
    assert {_build_key(result)!r} not in replay(target, {load_search}(), HISTORY)
'''


def write_cassette(result: Result, target: TargetInfo, api: Api, path: Path) -> None:
    """Write the trail as a cassette, redacted. Raises CassetteError."""
    from harness.cassette import Provenance, Recording, Redactor, Target, save

    protocol = api.load_protocol()
    redactor = Redactor(protocol, secrets=[secret for secret in target.secrets.values() if len(secret) >= 8])
    trail = of_kind(Exchange, result.evidence)
    recordings = [redactor.redact(Recording.of(exchange)) for exchange in trail if exchange.status is not None]
    kind = Target.OTHER if target.url else Target.EMULATOR
    save(path, recordings, Provenance(recorder="harness fuzz", target=kind, api_version=target.version))


def write_all(result: Result, target: TargetInfo, display: Display, folder: Path) -> list[Path]:
    """Write script, test and cassette of one failure below `folder`; return the paths that were written."""
    from harness.cassette import CassetteError, load

    key = display.mask.text(_build_key(result)).lower()
    stem = re.sub(r"[^a-z0-9]+", "_", key.replace("?", " lenient")).strip("_")
    make_folder(folder)
    written, script, rule = [], "", result.rule
    if of_kind(Exchange, result.evidence):
        # Made one line: a target's words must not become commands.
        message = " ".join(display.mask.show(result.observation.findings[0].message).split())
        head = f"#!/bin/sh\n# {rule.id} ({rule.level}): {rule.statement}\n# {message}\n"
        script = head + "\n\n".join(commands(result, display)) + "\n"
    for suffix, text in ((".sh", script), (".py", display.mask.text(pytest_module(result, target, display.api)))):
        if text:
            path = folder / (f"test_{stem}{suffix}" if suffix == ".py" else f"{stem}{suffix}")
            write_file(path, text)
            written.append(path)
    if not why_no_cassette(result):
        path = folder / f"{stem}.yaml"
        try:
            write_cassette(result, target, display.api, path)
            load(path)
            written.append(path)
        except CassetteError:
            path.unlink(missing_ok=True)  # a body is too large: the script and the test still show the failure
    return written


def why_no_cassette(result: Result) -> str:
    """Why a cassette would not show a failure; "" if it does."""
    trail = of_kind(Exchange, result.evidence)
    if not trail:
        return "no request is known"
    return "" if trail[-1].status is not None else "it contains responses, and the last request got none"
