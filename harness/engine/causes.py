"""Links the results of a run: what one check found to be broken blocks others, which then do not repeat it.

Pure. A check is blocked if it rests on a broken one, if the probe saw that what it needs is accepted and not done,
if it saw nothing but crashes, or if its exercise stopped at a refused create that another check reports. What
several rules find at the same place of a body has one cause, and breaks each of them. A cause makes nothing
better: the finding that blocks is judged by its own rule.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import structs

from harness.engine.decide import FAILED, blocked_by, left_untested, with_cause, with_weight
from harness.engine.results import Result
from harness.kit.api import Api
from harness.kit.check import Check
from harness.outcome import Finding, Level, Observation, Outcome, Severity
from harness.wire import Exchange


def stopped_at(trail: Sequence[Exchange]) -> Exchange | None:
    """The refused create at which an exercise stopped; None if it stopped elsewhere."""
    last = trail[-1] if trail else None
    return last if last is not None and last.request.method == "POST" and not last.succeeded else None


_REPEATED = frozenset({Outcome.NOT_MET, Outcome.NON_STRICT})


def find_roots(check: Check, observation: Observation, roots: Sequence[str]) -> tuple[str, ...]:
    """The ids of those of its `roots` whose findings may block the check, given its own observation.

    Its own findings only repeat a finding that it rests on. For the lack of a capability, it must be not tested.
    """
    if check.explains(observation):
        return ()
    cause = (observation.cause,) if observation.cause else ()
    if observation.outcome in _REPEATED:
        return (*cause, *(root for root in roots if root in check.rested_on))
    return cause or (tuple(roots) if observation.outcome is Outcome.UNTESTABLE else ())


def resolve(check: Check, observation: Observation, roots: Sequence[Result]) -> Observation:
    """The observation of `check`, now that those are decided that may block it.

    If the probe saw something accepted and not done, and its own check did not see that again, nothing was judged.
    """
    observation = _leave_to(roots, observation)
    for root in roots:
        if blocking := _find_blocking(root, check, observation):
            # A MUST would fall away for something that does not fail the run: and its failure would be silent.
            only_warns = check.rule.level is Level.MUST and root.verdict not in FAILED
            block = left_untested if only_warns else blocked_by
            return block(root, observation.why, blocking)
    if observation.cause:
        for root in roots:
            if root.observation.outcome is Outcome.BLOCKED:
                return structs.replace(root.observation, reason=observation.why)
    if observation.outcome is not Outcome.BLOCKED:  # and none of the roots turned out to explain it
        return structs.replace(observation, cause="") if observation.cause else observation
    judged = any(root.judged for root in roots)
    doubt = f"but not when {observation.cause} asked" if judged else f"and {observation.cause} was not judged"
    return Observation.untestable(f"{observation.reason} when it was asked what it offers, {doubt}")


def _leave_to(roots: Sequence[Result], observation: Observation) -> Observation:
    """The observation without a lenient reading that a root reports already."""
    readings = {_word_of(finding.stable_code) for root in roots for finding in _list_lenient(root.observation)} - {
        ""
    }
    repeated = [f for f in _list_lenient(observation) if _word_of(f.stable_code) in readings]
    return Observation.of(f for f in observation.findings if f not in repeated) if repeated else observation


def _list_lenient(observation: Observation) -> list[Finding]:
    if observation.outcome is not Outcome.NON_STRICT:
        return []
    return [finding for finding in observation.findings if finding.severity is Severity.NON_STRICT]


def _find_blocking(root: Result, check: Check, observation: Observation) -> Finding | None:
    """The finding of a broken root that blocks a check.

    The kinds that a check rests on are those of which it sees nothing itself. If its own answers show what breaks
    the root, any kind blocks it.
    """
    if root.observation.outcome is not Outcome.NOT_MET:
        return None
    shown = observation.cause == root.id
    named = set() if shown else {name for name in check.rests_on if name.startswith(f"{root.id}/")}
    found = root.observation.findings
    return next((finding for finding in found if not named or finding.stable_code in named), None)


def link(
    checks: Iterable[Check], results: Sequence[Result], stops: Mapping[str, Exchange], api: Api
) -> tuple[Result, ...]:
    """The results of `checks`; those in `stops` (by id) name the code that explains where they stopped."""
    roots = [result for result in results if result.observation.outcome is Outcome.NOT_MET and result.evidence]

    def name_root(result: Result) -> Result:
        stop = stops.get(result.id)
        if stop is None or result.observation.findings or result.observation.cause:
            return result
        alike = (
            root
            for root in roots
            if root.observation.findings and any(_is_alike(shown, stop, api) for shown in root.evidence)
        )
        root = next(alike, None)
        return result if root is None else with_cause(result, root)

    first: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    linked = [
        _with_findings(result, tuple(_blame_first(finding, first) for finding in result.observation.findings))
        for result in _name_mechanisms(checks, _name_present_causes(list(map(name_root, results))))
    ]
    caused = Counter(result.observation.cause for result in linked if result.observation.cause)
    weighed = []
    for result in linked:
        findings = result.observation.findings
        number = caused[findings[0].stable_code] if findings else 0
        weighed.append(with_weight(result, number) if number else result)
    return tuple(weighed)


def _name_mechanisms(checks: Iterable[Check], results: Sequence[Result]) -> list[Result]:
    """The results, whose findings without a cause name the first finding that explains their rule."""
    found: dict[str, str] = {}
    for result in results:
        if result.observation.outcome is Outcome.NOT_MET:
            codes = [finding.stable_code for finding in result.observation.findings if not finding.cause]
            found |= {name: code for code in reversed(codes) for name in (code, result.id)}
    explained = []
    for check, result in zip(checks, results, strict=True):
        cause = next((found[name] for name in check.explained_by if name in found), "")
        named = (structs.replace(one, cause=one.cause or cause) for one in result.observation.findings)
        explained.append(_with_findings(result, tuple(named)))
    return explained


def _name_present_causes(results: Sequence[Result]) -> list[Result]:
    """The results, whose findings name only causes that a reader finds in the report.

    A check that is not broken explains nothing; one that reports other kinds of findings is named by its cause.
    """
    roots = {result.id: result for result in results}

    def name(found: Finding, own: str) -> Finding:
        rule = found.cause.partition("/")[0]
        if (root := roots.get(rule)) is None or rule == own:
            return found
        if root.observation.outcome is not Outcome.NOT_MET:
            return structs.replace(found, cause="")
        codes = {finding.stable_code for finding in root.observation.findings}
        return found if found.cause in codes else structs.replace(found, cause=root.explained_by)

    return [
        _with_findings(result, tuple(name(found, result.id) for found in result.observation.findings))
        for result in results
    ]


def _with_findings(result: Result, findings: tuple[Finding, ...]) -> Result:
    """The result with these findings; itself if it has them, because listeners know a result by its identity."""
    if findings == result.observation.findings:
        return result
    return structs.replace(result, observation=structs.replace(result.observation, findings=findings))


def _blame_first(finding: Finding, first: dict[tuple[str, str], list[Finding]]) -> Finding:
    """The finding, caused by the first one about the same place, if that is of another rule.

    `first` has the reported ones, by place and content.
    """
    word = _word_of(finding.stable_code)
    blamed_otherwise = finding.cause and _word_of(finding.cause) != word
    if not (word and finding.where.pointer) or finding.severity is not Severity.BROKEN or blamed_otherwise:
        return finding
    earlier = first[word, finding.expected]
    same = next((known for known in earlier if _is_same_place(known, finding)), None)
    if same is None:
        earlier.append(finding)
        return finding
    code = same.stable_code
    return finding if code == finding.stable_code else structs.replace(finding, cause=code)


def _is_same_place(one: Finding, other: Finding) -> bool:
    """Whether two findings that say the same are about one place, in a body or in an event."""
    place, other_place = one.kind()[-1], other.kind()[-1]
    if place == other_place:
        return True
    if (one.where.event is None) is (other.where.event is None):
        return False
    event, body = (other_place, place) if one.where.event is None else (place, other_place)
    _, _, held = event.removeprefix("$.").partition(".")  # an event holds what a body is, or has in a list
    return bool(held) and body.endswith(f".{held}")


def _word_of(code: str) -> str:
    return code.partition("/")[2]


def _is_alike(shown: object, stop: Exchange, api: Api) -> bool:
    """Whether evidence shows the same call with the same answer."""
    if not isinstance(shown, Exchange) or shown.status != stop.status:
        return False
    return api.read(shown, None).call == api.read(stop, None).call
