"""The result of one judgment of a run: the verdict, the evidence, and how to reproduce it.

Values only. Only `decide` makes a `Result`; reports, baseline and exit code read it. Must not know which command
judges: a check, a gateway rule, a case of a client, a failure of a search and a rule over recordings all become
the same value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias, TypeVar

from msgspec import Struct, field

from harness.kit.history import History
from harness.kit.relay import RelayedExchange
from harness.outcome import (
    RANK,
    Accounted,
    Observation,
    Outcome,
    Reason,
    Rule,
    Verdict,
    Where,
    account,
    find_reason,
    is_judged,
    word_reason,
)
from harness.wire import Exchange


class WireMoment(Struct, frozen=True, kw_only=True):
    """One request of a client and its response, in words; `at` is in seconds since the case began.

    `fault` names the fault of the response, "" if there was none, and `fault_words` spells it out. Of a stream,
    `columns` has the places of its events in the whole stream, in the order in which they came (None if the
    response is no stream), `start` is the first place that the request wants, and `broke` describes how it ended
    early, "" if it did not.
    """

    at: float
    request: str
    answer: str
    fault: str = ""
    fault_words: str = ""
    columns: tuple[int, ...] | None = None
    start: int = 0
    broke: str = ""


class ClientRun(Struct, frozen=True, kw_only=True):
    """One client under test and what happened to its stream.

    `settings` are the case's, by the names that output uses. `is_shown` is False if the result cannot show what
    the client received, `is_faulty` is True if faults were planned. `kind` and `row` group the cases that do
    alike, and `event` is the number of the event that is cut, None if the case cuts none. `moments` has all
    requests in order, `end` the client's result, `outcome` that in a word. `stray` are the lines on its standard
    output that were no answer.
    """

    number: int
    name: str
    settings: Mapping[str, str]
    row: str
    kind: str = ""
    outcome: str = ""
    event: int | None = None
    moments: tuple[WireMoment, ...] = ()
    end: str = ""
    stderr: str = ""
    stray: tuple[str, ...] = ()
    is_shown: bool = True
    is_faulty: bool = False

    @property
    def unharmed(self) -> bool:
        """Whether faults were planned, and none of them came about."""
        return self.is_faulty and not any(moment.fault for moment in self.moments)


class RecordedPlace(Struct, frozen=True):
    """Where in recordings a finding is; `number` is its place in the order of the files, `verdict` its own.

    `streams` has the recorded streams that show it, by name, if a report is to draw them.
    """

    number: int
    where: Where
    verdict: Verdict
    streams: tuple[tuple[str, Exchange], ...] = ()


Shown = TypeVar("Shown")
Evidence: TypeAlias = Exchange | RelayedExchange | ClientRun | RecordedPlace
"""What shows that a result is true; `report.evidence_text` is the only place that words it."""


def of_kind(kind: type[Shown], items: Iterable[object]) -> list[Shown]:
    """The items of one kind, such as of the evidence, in their order."""
    return [item for item in items if isinstance(item, kind)]


class Replays(Struct, frozen=True):
    """The repetitions before a report: it failed again in `shown` of `played` runs.

    `why_not` is the reason if there were none, else "".
    """

    shown: int = 0
    played: int = 0
    why_not: str = ""

    @property
    def lost(self) -> bool:
        """Whether it never failed again."""
        return bool(self.played) and not self.shown

    @property
    def flaky(self) -> bool:
        """Whether it did not fail every time."""
        return self.shown < self.played


class Reproduction(Struct, frozen=True, kw_only=True):
    """How to see it again: a command line for this alone, or the steps of a history.

    `key` distinguishes it from other findings of a search, and `call` is the one whose response shows it.
    `unshrunk` is the reason why fewer steps may show it too, "" if they do not. `known`: an earlier run had found
    and kept it. `consequences` are the keys of its consequences, which have no result of their own.
    """

    key: str = ""
    call: str = ""
    command: str = ""
    steps: History = ()
    unshrunk: str = ""
    known: bool = False
    replays: Replays = field(default_factory=Replays)
    consequences: tuple[str, ...] = ()

    @property
    def shrunk(self) -> bool:
        """Whether nothing smaller shows it."""
        return not self.unshrunk


class Result(Struct, frozen=True, kw_only=True):
    """The verdict on one rule, seen in one place; `id` names both, `title` is it in a few words.

    `evidence` is empty if the verdict needs no explanation. `excuse` is the reason in the baseline. `unjudged`: no
    response could be judged, so a run with this result does not pass. `untested`: a MUST that was not tested,
    although the target does not reject it. `root`: if the rule is broken, something was accepted but not
    fulfilled. `phase` is the part of the run that found it. `accepts` lists in words what would have passed. An
    exercise of several results is shared among their `seconds`, so that these add up. `named` has the name of each
    piece of the evidence in the findings, `""` for none. `shown_by` are checks whose exercises show it if its own
    does not, or `*` if no single one is known to.
    """

    id: str
    rule: Rule
    title: str
    observation: Observation
    verdict: Verdict
    seconds: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    excuse: str = ""
    unjudged: bool = False
    untested: bool = False
    root: bool = False
    reproduction: Reproduction | None = None
    phase: str = ""
    accepts: tuple[str, ...] = ()
    profile: str = ""
    named: tuple[str, ...] = ()
    shown_by: tuple[str, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether the run fails because the rule is broken; `--strict` also fails one that was not tested."""
        return self.verdict is Verdict.FAIL and not self.untested

    @property
    def outcome(self) -> Accounted:
        """The word for it in every report."""
        return account(self.verdict, self.observation)

    @property
    def judged(self) -> bool:
        """Whether its rule was compared with a response."""
        return is_judged(self.observation)

    @property
    def reason(self) -> Reason | None:
        """Why it was not tested; None if its outcome is another one."""
        return find_reason(self.observation) if self.outcome is Accounted.NOT_TESTED else None

    @property
    def reason_words(self) -> str:
        """The reason for people; `""` for None."""
        return "" if (reason := self.reason) is None else word_reason(reason, self.observation)

    @property
    def not_done(self) -> bool:
        """Whether the target accepted something and did something else."""
        return self.root and self.observation.outcome is Outcome.NOT_MET

    @property
    def weight(self) -> int:
        """How much it explains: the answers that show its findings, and the findings that these caused."""
        return sum(finding.weight for finding in self.observation.findings)

    @property
    def is_unmet_option(self) -> bool:
        """Whether it passes although its rule is not met: a MAY."""
        return self.verdict is Verdict.INFO and self.observation.outcome is Outcome.NOT_MET

    @property
    def explained_by(self) -> str:
        """The code of the finding that explains it; of a stale entry, the id that the baseline has."""
        findings = self.observation.findings
        if self.verdict is Verdict.STALE or not (findings or self.observation.cause):
            return self.id
        if self.observation.cause:
            return self.observation.cause
        first = next((finding for finding in findings if not finding.cause), findings[0])
        return first.cause or first.stable_code

    @property
    def is_consequence(self) -> bool:
        """Whether findings of another rule explain all that it found."""
        causes = [finding.cause for finding in self.observation.findings] or [self.observation.cause]
        return bool(causes) and all(cause and cause.partition("/")[0] != self.rule.id for cause in causes)

    @property
    def urgency(self) -> tuple[int, bool, bool, int, bool, int, int]:
        """The sort key of reports: verdict, consequence, level, whether a client can notice it, harm, weight.

        Causes precede consequences, which end with them. Broken rules precede those that `--strict` fails. What
        no client notices precedes what is loud, as only a report shows it.
        """
        rule = self.rule
        rank = _RANK.get(self.verdict, len(_RANK)), self.verdict is Verdict.FAIL and self.untested
        return *rank, self.is_consequence, -RANK[rule.level], not rule.silent, rule.harm, -self.weight


_RANK = {
    verdict: rank
    for rank, verdict in enumerate(
        (Verdict.ERROR, Verdict.FAIL, Verdict.STALE, Verdict.WARN, Verdict.XFAIL, Verdict.INFO, Verdict.UNTESTABLE)
    )
}
