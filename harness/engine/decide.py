"""Decides: observations become results, and results an exit code, with the failures that a user accepted or had.

The only place that asks the table of `outcome.verdict`; a test enforces that. Whatever a run judges, level,
declared capability, strictness and baseline are combined here and in the same way.

The baseline has known and explained failures, so that only new failures fail a run. It never reads the clock. An
entry excuses one result; with `finding`, it excuses only that defect, and another one in the same result still
fails.

    - id: stream.done
      reason: our proxy drops the final frame (issue 12)
      since: 2026-11-20
    - id: stream.index-contiguous
      finding: stream.index-contiguous/gap
      reason: issue 14

`--last-failed` runs the failures of the last runs in a folder alone. They are in one file there, by run: the
command and its target or client, and the ids of the results that failed, each with the checks whose exercises have
to run to show it. It has no requests, so a file of a stranger only chooses among what would run anyway. `harness
fuzz` keeps its failures in a `Store` of `search.run`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field, structs

from harness.engine.events import CheckFinished, ClientRun, Evidence, Result, RunEvent, RunFinished
from harness.engine.selection import Chosen
from harness.files import explain_unread, load_yaml, make_folder, read_file, write_file
from harness.outcome import (
    Basis,
    Because,
    Exit,
    Finding,
    Level,
    Observation,
    Outcome,
    Rule,
    Severity,
    Source,
    UsageFault,
    Verdict,
    exit_code,
    is_untested,
    not_judged,
    verdict,
)
from harness.outcome.words import did_you_mean
from harness.resources import folder

UNEXPLAINED = "not explained yet"
_KEYS = ("id", "finding", "reason", "since")


class Entry(Struct, frozen=True):
    """One excuse: for which result, why, since which day (ISO 8601), and for which code if not for all.

    `unknown` is a sentence if no result has this id any more, `""` if one may have it.
    """

    id: str
    reason: str
    since: str
    finding: str = ""
    unknown: str = ""

    @property
    def key(self) -> str:
        """The value that distinguishes it from the other entries."""
        return f"{self.id} {self.finding}" if self.finding else self.id


class Baseline:
    """Entries by their key."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = {entry.key: entry for entry in entries}

    @property
    def forgotten(self) -> list[Entry]:
        """The entries that excuse nothing in any run."""
        return [entry for entry in self.entries.values() if entry.unknown]

    def __contains__(self, result_id: object) -> bool:
        return any(entry.id == result_id for entry in self.entries.values())

    def covers(self, result_id: str, observation: Observation) -> bool:
        """Whether everything that is wrong is excused; if nothing is, whether there is an entry."""
        entries = self._find_entries(result_id)
        if observation.outcome is not Outcome.NOT_MET or any(not entry.finding for entry in entries):
            return bool(entries)
        return bool(entries) and not _find_unexcused(entries, observation)

    def reason(self, result_id: str) -> str:
        """Why a result is excused, or `""` if it is not."""
        return "; ".join(dict.fromkeys(entry.reason for entry in self._find_entries(result_id)))

    def with_failures(self, results: Iterable[Result], today: str) -> Baseline:
        """A copy with every unexpected failure added; existing entries keep their reason and day."""
        new = [entry for result in results if result.verdict is Verdict.FAIL for entry in self._new(result, today)]
        return Baseline([*self.entries.values(), *(entry for entry in new if entry.key not in self.entries)])

    def without_stale(self, results: Iterable[Result]) -> Baseline:
        """A copy without the entries whose results pass now, and without those whose defect was not seen again."""
        ran = {result.id: result for result in results}
        return Baseline(entry for entry in self.entries.values() if not _is_stale(entry, ran.get(entry.id)))

    def text(self) -> str:
        """The text of the file, sorted by id."""
        import yaml

        rows = [
            {key: getattr(entry, key) for key in _KEYS if getattr(entry, key)}
            for entry in sorted(self.entries.values(), key=lambda entry: entry.key)
        ]
        return yaml.safe_dump(rows, sort_keys=False, allow_unicode=True, width=100) if rows else "[]\n"

    def _find_entries(self, result_id: str) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.id == result_id]

    def _new(self, result: Result, today: str) -> list[Entry]:
        entries = self._find_entries(result.id)
        codes = _find_unexcused(entries, result.observation) if entries else [""]
        return [Entry(result.id, UNEXPLAINED, today, code) for code in codes]


def _list_codes(observation: Observation) -> list[str]:
    broken = (finding for finding in observation.findings if finding.severity is Severity.BROKEN)
    return list(dict.fromkeys(finding.stable_code for finding in broken))


def _find_unexcused(entries: Iterable[Entry], observation: Observation) -> list[str]:
    excused = {entry.finding for entry in entries}
    return [code for code in _list_codes(observation) if code not in excused]


def _is_stale(entry: Entry, result: Result | None) -> bool:
    if result is None or entry.unknown:
        return bool(entry.unknown)
    if result.verdict in (Verdict.FAIL, Verdict.XFAIL):
        return bool(entry.finding) and entry.finding not in _list_codes(result.observation)
    return result.verdict is Verdict.STALE


def read_baseline(
    path: Path, known: Collection[str], *, is_known: Callable[[str], bool] = lambda _: False
) -> Baseline:
    """Read a baseline. Raises UsageFault if it is missing or unreadable, or has unknown keys.

    `known` are the ids that a result may have, and `is_known` recognizes those that cannot be listed. An entry
    with another id is of an earlier version, or has a typo: it is stale, with that reason.
    """
    import yaml

    try:
        value = load_yaml(read_file(path).decode("utf-8"))
    except FileNotFoundError:
        command = f"--baseline {shlex.quote(str(path))} --baseline-update"
        raise UsageFault(f"no baseline at {str(path)!r}: make one with {command}") from None
    except yaml.MarkedYAMLError as wrong:
        place = f", line {wrong.problem_mark.line + 1}" if wrong.problem_mark else ""
        raise UsageFault(f"the baseline {path}{place} is not readable as YAML: {wrong.problem}") from None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as wrong:
        raise UsageFault(f"the baseline {path} cannot be read: {explain_unread(wrong)}") from None
    if value is None:
        return Baseline()
    if not isinstance(value, list):
        raise UsageFault(
            f"the baseline {path} is not a list: write `- {{id: RULE, reason: …, since: DATE}}` for each"
        )
    return Baseline(_read_entry(item, path, known, is_known) for item in value)


def _read_entry(item: Any, path: Path, known: Collection[str], is_known: Callable[[str], bool]) -> Entry:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise UsageFault(f"{path}: {item!r} has no id: each entry is a mapping with id, reason and since")
    if not item["id"].isprintable():  # it names a result on a terminal, which obeys control characters
        raise UsageFault(f"{path}: the id {item['id']!r} has control characters: copy one from `harness list`")
    for key in item:
        if key not in _KEYS:
            raise UsageFault(f"{path}: {item['id']}: unknown key {key!r}{did_you_mean(str(key), _KEYS)}")
    is_forgotten = item["id"] not in known and not is_known(item["id"])
    unknown = f"no check has the id {item['id']!r}{did_you_mean(item['id'], known)}" if is_forgotten else ""
    reason, since, finding = (str(item.get(key) or "") for key in ("reason", "since", "finding"))
    published = json.loads((folder("schemas") / "output" / "codes.json").read_text(encoding="utf-8"))
    rule = finding.partition("/")[0]
    codes = [code for codes in published.values() for code in codes if finding and code.partition("/")[0] == rule]
    if codes and finding not in codes:  # a rule without published codes, such as one of an extension, may have any
        hint = did_you_mean(finding, codes)
        raise UsageFault(f"{path}: {item['id']}: no finding has the code {finding!r}{hint}")
    return Entry(item["id"], reason or UNEXPLAINED, since, finding, unknown)


FILE = Path(".harness") / "last-failed.json"


def read_last_failed(run: str) -> dict[str, list[str]]:
    """The ids of the results that failed last time, and what has to run with each: see `Result.shown_by`."""
    return _read().get(run, {})


def note_failed(run: str, results: Sequence[Result]) -> None:
    """Remember which results failed; what had no result this time, or could not show, stays as it was."""
    known = _read()
    failed = dict(known.get(run, {}))
    ran = {result.id for result in results if result.observation.outcome is not Outcome.EXCLUDED}
    ran |= {"*"} if len(ran) == len(results) else set()
    for result in results:
        if result.is_broken:
            failed[result.id] = list(result.shown_by)
        elif result.judged and ran.issuperset(failed.get(result.id, ())):
            failed.pop(result.id, None)
    if failed != known.get(run, {}):
        with suppress(OSError):  # a folder that cannot be written changes no verdict
            make_folder(FILE.parent)
            write_file(FILE, json.dumps({**known, run: failed}, indent=1) + "\n")


def _read() -> dict[str, dict[str, list[str]]]:
    try:
        value = json.loads(read_file(FILE))
        return {
            run: {str(name): [str(check) for check in checks] for name, checks in names.items()}
            for run, names in value.items()
        }
    except (OSError, ValueError, RecursionError, AttributeError, TypeError):
        return {}


FAILED = frozenset({Verdict.FAIL, Verdict.XFAIL})
"""Verdicts of what fails a run, or would without a baseline."""

_AT_ANY_LEVEL = frozenset({Because.NOT_TRIED, Because.OUR_LIMIT, Because.INTERRUPTED})


class Policy(Struct, frozen=True, kw_only=True):
    """The user's settings for verdicts: whether broken SHOULDs fail, the accepted failures, and what is judged."""

    chosen: Chosen | None = None
    strict: bool = False
    required: frozenset[str] = frozenset()
    """The ids of SHOULD rules that fail a run as with `strict`: no standard demands them, but every user does."""
    baseline: Baseline = field(default_factory=Baseline)


def decide(
    rule: Rule,
    observation: Observation,
    policy: Policy,
    *,
    result_id: str = "",
    title: str = "",
    declared: bool = False,
    show: Callable[[Verdict], tuple[Evidence, ...]] = lambda _: (),
    **details: Any,
) -> Result:
    """The result of one observation; `show` returns the evidence for a verdict, `details` are fields of `Result`.

    Without a `result_id` it is the rule's, without a `title` the rule's statement.
    """
    if policy.chosen and (excluded := policy.chosen.explain_exclusion(rule.id, rule.level)):
        observation = excluded
    name = result_id or rule.id
    baselined = policy.baseline.covers(name, observation)
    decided = verdict(
        observation,
        rule.level,
        rule.source.basis,
        declared=declared,
        strict=policy.strict or rule.id in policy.required,
        baselined=baselined,
    )
    level = Level.MUST if observation.because in _AT_ANY_LEVEL else rule.level
    return Result(
        id=name,
        rule=rule,
        title=title or rule.statement,
        observation=observation,
        verdict=decided,
        evidence=show(decided),
        excuse=policy.baseline.reason(name),
        unjudged=not_judged(observation, level, baselined=baselined),
        untested=is_untested(observation, rule.level) and not baselined,
        **details,
    )


def decide_finding(finding: Finding, rule: Rule, policy: Policy) -> Verdict:
    """The verdict of one finding by itself: information that breaks nothing is INFO."""
    alone = Observation.of([finding])
    decided = verdict(alone, rule.level, rule.source.basis, strict=policy.strict or rule.id in policy.required)
    if decided is Verdict.FAIL and policy.baseline.covers(rule.id, alone):
        return Verdict.XFAIL
    return Verdict.INFO if decided is Verdict.PASS else decided


def tell_forgotten(event: RunEvent, baseline: Baseline) -> Iterator[RunEvent]:
    """The event; before the end of a run, a stale result for each entry of the baseline that names no check."""
    if isinstance(event, RunFinished):
        stale = tuple(map(_decide_forgotten, baseline.forgotten))
        yield from map(CheckFinished, stale)
        code = Exit.FAILED if stale and event.exit in (Exit.OK, Exit.INCOMPLETE) else event.exit
        event = structs.replace(event, results=(*event.results, *stale), exit=code)
    yield event


THE_BASELINE = Source(Basis.INFERRED, "the baseline")


def _decide_forgotten(entry: Entry) -> Result:
    rule = Rule(
        id=entry.id,
        level=Level.MAY,
        statement="An entry of the baseline names a known check.",
        breaks="An entry with a typo silently has no effect.",
        source=THE_BASELINE,
    )
    return Result(
        id=entry.id,
        rule=rule,
        title=entry.unknown,
        observation=Observation(Outcome.EXCLUDED, reason=entry.unknown, because=Because.LEFT_OUT),
        verdict=Verdict.STALE,
        excuse=entry.reason,
    )


def blocked_by(blocker: Result, reason: str, finding: Finding) -> Observation:
    """The observation of a check that is blocked by the finding of another one."""
    code = finding.stable_code
    return Observation(Outcome.BLOCKED, reason=reason, because=Because.BLOCKED, cause=code)


def left_untested(blocker: Result, reason: str, finding: Finding) -> Observation:
    """The observation of a MUST that is blocked by a finding which alone does not fail a run."""
    why = f"{finding.stable_code} blocks this check ({finding.message})"
    full_reason = f"{why}: {reason}" if reason else why
    remedy = f"once {blocker.id} passes, which is a {blocker.rule.level} and only warns"
    observation = Observation.untestable(full_reason, Because.BLOCKED, remedy=remedy)
    return structs.replace(observation, cause=finding.stable_code)


def with_cause(result: Result, cause: Result) -> Result:
    """The same result, with the code of the finding that made it unavoidable.

    It is then blocked, unless it is a MUST and the finding alone does not fail the run.
    """
    first = cause.observation.findings[0]
    if result.rule.level is Level.MUST and cause.verdict not in FAILED:
        return structs.replace(result, observation=structs.replace(result.observation, cause=first.stable_code))
    observation = blocked_by(cause, result.observation.reason, first)
    return structs.replace(
        result,
        observation=observation,
        verdict=verdict(observation, result.rule.level, result.rule.source.basis),
        unjudged=False,
        untested=False,
    )


def with_weight(result: Result, more: int) -> Result:
    """The same result, whose first finding weighs more because of what it caused."""
    first, *rest = result.observation.findings
    findings = (structs.replace(first, weight=first.weight + more), *rest)
    return structs.replace(result, observation=structs.replace(result.observation, findings=findings))


class Decided(Protocol):
    """The part of a decided result that the exit code rests on."""

    @property
    def verdict(self) -> Verdict: ...

    @property
    def unjudged(self) -> bool: ...


def exit_of(results: Sequence[Decided], *, vacuous: bool = False, unjudged: bool = False) -> Exit:
    """The exit code of a run with these results; `vacuous`: a part of the run proved nothing.

    `unjudged`: something kept the run from judging that stands in no result.
    """
    unjudged = unjudged or any(result.unjudged for result in results)
    code = exit_code((result.verdict for result in results), unjudged=unjudged)
    return Exit.NOTHING_RAN if vacuous and code in (Exit.OK, Exit.INCOMPLETE) else code


def exit_of_cases(results: Sequence[Result], *, halted: bool) -> Exit:
    """The exit code of a run of cases: one that was halted, or in which no case proves anything, never passes."""
    code = exit_code((result.verdict for result in results), unjudged=halted)
    runs = [[shown for shown in result.evidence if isinstance(shown, ClientRun)] for result in results]
    proves_nothing = all(any(run.unharmed or not run.is_shown for run in of_result) for of_result in runs)
    return Exit.NOTHING_RAN if code is Exit.OK and proves_nothing else code


def with_baseline(result: Result, baseline: Baseline) -> Result:
    """The same result, decided by another baseline."""
    covered, decided = baseline.covers(result.id, result.observation), result.verdict
    if decided is Verdict.FAIL and covered:
        decided = Verdict.XFAIL
    elif decided is Verdict.STALE and not covered:
        decided = Verdict.PASS
    return structs.replace(
        result,
        verdict=decided,
        excuse=baseline.reason(result.id),
        unjudged=result.unjudged and not covered,
        untested=result.untested and not covered,
    )
