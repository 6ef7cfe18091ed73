"""A run over recordings: judge the files one by one, then decide each rule that was looked at.

Layer 5. Knows the order of things; must not know how anything is printed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from harness.benches.recordings.verify import CassetteFacts, Verified, verify_each
from harness.engine.decide import Policy, decide, decide_finding, exit_of
from harness.engine.events import (
    CheckFinished,
    PhaseFinished,
    Planned,
    RunEvent,
    RunFinished,
    RunStarted,
    TargetInfo,
)
from harness.engine.results import RecordedPlace, Result
from harness.kit.api import Api, ApiContract, Verification
from harness.outcome import Basis, Finding, Level, Observation, Rule, Source, Where

USABLE = Rule(
    id="recording.usable",
    level=Level.MUST,
    statement="A file is what its name and its first lines claim.",
    breaks="No player can load it, and nothing says that it proves nothing.",
    source=Source(Basis.GENERIC, "Recordings", "What `harness verify` reads"),
)
"""What a run says of a file that it cannot use; the id of its result names the file."""


REVISION = "revision "
"""How the count of the files begins that were judged by a revision."""


def judge_recordings(
    paths: Sequence[Path], policy: Policy, recordings: TargetInfo, contract: ApiContract, api: Api
) -> Generator[RunEvent, None, None]:
    """Judge files, and in folders every file except hidden ones. Raises OSError if one cannot be read."""
    begun = time.perf_counter()
    yield RunStarted(recordings)
    whole = Verified()
    for path, part in verify_each(paths, contract, api):
        whole.add(part)
        yield _finish_phase(path, part)
    results = [*_decide_rules(whole, policy, api.load_rules()), *_decide_files(whole, policy)]
    yield Planned(len(results), 0)
    yield from map(CheckFinished, results)
    yield RunFinished(tuple(results), time.perf_counter() - begun, exit_of(results))


def _finish_phase(path: Path, part: Verified) -> PhaseFinished:
    traffic = part.traffic
    return PhaseFinished(
        name=str(path),
        counts={"entries": traffic.entries, **traffic.judged, **_by_revision(part)},
        findings=len(traffic.findings),
        notes=tuple(line for facts in part.facts for line in _write_facts(facts)),
        left_out=_group_left_out(traffic),
    )


def _group_left_out(traffic: Verification) -> dict[str, tuple[str, ...]]:
    entries: dict[str, list[str]] = {}
    for _, entry, reason in traffic.left_out:
        entries.setdefault(reason, []).append(entry)
    return {reason: tuple(names) for reason, names in entries.items()}


def _by_revision(part: Verified) -> dict[str, int]:
    return {f"{REVISION}{revision}": files for revision, files in part.revisions.items()}


def _write_facts(facts: CassetteFacts) -> list[str]:
    unknown = facts.unknown_revision
    return [
        *([f"it states revision {unknown}, which is not known here"] if unknown else []),
        *(f"entry {number} was edited, or recorded without pieces: they are a guess" for number in facts.edited),
        *(f"{times} × {ending}, as recorded" for ending, times in facts.endings),
    ]


def _decide_rules(whole: Verified, policy: Policy, rules: Mapping[str, Rule]) -> list[Result]:
    """A result for each rule that was looked at, in the order of the contract."""
    found: dict[str, list[tuple[int, Finding]]] = {}
    for number, finding in enumerate(_tell_subjects_once(whole.traffic.findings)):
        found.setdefault(finding.rule, []).append((number, finding))
    judged = [rule for rule in rules.values() if rule.id in found or whole.traffic.rules[rule.id]]
    return [_decide_rule(rule, found.get(rule.id, []), policy) for rule in judged]


def _tell_subjects_once(findings: Sequence[Finding]) -> list[Finding]:
    """The findings; those that are told by their subject where it is first met, with a count."""
    times = Counter(finding.kind() for finding in findings if finding.subject)
    told: list[Finding] = []
    for finding in findings:
        met = times.pop(finding.kind(), 0) if finding.subject else 1
        told += [finding.repeat(met)] if met else []
    return told


def _decide_rule(
    rule: Rule, found: Sequence[tuple[int, Finding]], policy: Policy, *, result_id: str = ""
) -> Result:
    places = tuple(RecordedPlace(n, finding.where, decide_finding(finding, rule, policy)) for n, finding in found)
    observation = Observation.of(finding for _, finding in found)
    return decide(rule, observation, policy, result_id=result_id, show=lambda _: places)


def _decide_files(whole: Verified, policy: Policy) -> list[Result]:
    """A failure for each file that is not what it claims to be."""
    findings = [Finding(USABLE.id, reason, where=Where(file=file)) for file, reason in whole.unusable]
    return [
        _decide_rule(USABLE, [(number, finding)], policy, result_id=f"{USABLE.id}[{finding.where.file}]")
        for number, finding in enumerate(findings)
    ]
