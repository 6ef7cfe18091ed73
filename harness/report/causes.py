"""The causes of failures: a reader mends causes, not cases."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from harness.outcome import Level, Reason, Rule, Verdict
from harness.outcome.words import format_count
from harness.report.presented_result import PresentedResult

FAILING = frozenset({Verdict.FAIL, Verdict.ERROR, Verdict.STALE})
"""Verdicts that a reader has to do something about."""


class Cause(Struct, frozen=True, kw_only=True):
    """The cause of several failures: a reader mends causes, not cases.

    `key` is the code of the finding, `title` the broken rule in words, `results` its failures, the root first.
    `affected` are the results that were not judged because of it, or warn of the same. `weight` counts the
    responses that show it.
    """

    key: str
    title: str
    results: tuple[PresentedResult, ...]
    affected: tuple[PresentedResult, ...]
    weight: int

    @property
    def problem(self) -> str:
        """The finding, in one line: of the rule that is the cause, if that was judged."""
        rule, shown = self.key.partition("/")[0], (*self.results, *self.affected)
        return next((one for one in shown if one.result.rule.id == rule), shown[0]).defect

    @property
    def silent(self) -> bool:
        """Whether a client cannot notice it."""
        return self.results[0].is_silent

    @property
    def urgency(self) -> tuple[int, ...]:
        """The sort key of causes: their worst failure, then how many responses show them."""
        return (*self.results[0].result.urgency[:-1], -self.weight)

    @property
    def is_stale(self) -> bool:
        """Whether it is an entry of the baseline that excuses nothing any more."""
        return all(shown.result.verdict is Verdict.STALE for shown in self.results)

    @property
    def counts(self) -> str:
        """How many rules of each level are broken, and in how many cases if a rule is broken in several."""
        if self.is_stale:
            return "stale entry"
        if all(shown.result.verdict is Verdict.ERROR for shown in self.results):
            return f"{len(self.results)} not tested (harness error)"
        rules = {shown.result.rule.id: shown.level for shown in self.results}
        numbers = [(list(rules.values()).count(level), level) for level in Level]
        parts = [format_count(number, f"{level} rule") for number, level in numbers if number]
        cases = f" in {len(self.results)} cases" if len(self.results) > len(rules) else ""
        fate = "not tested (--strict)" if all(shown.result.untested for shown in self.results) else "broken"
        return f"{' and '.join(parts)} {fate}{cases}"

    def record(self) -> dict[str, Any]:
        """The cause as plain data; results by their ids."""
        return {
            "key": self.key,
            "title": self.title,
            "silent": self.silent,
            "results": [shown.id for shown in self.results],
            "affected": [shown.id for shown in self.affected],
            "weight": self.weight,
        }


def list_causes(results: Iterable[PresentedResult], rules: Mapping[str, Rule]) -> list[Cause]:
    """The causes of all failures, the worst first; `results` come by their urgency."""
    failing: dict[str, list[PresentedResult]] = defaultdict(list)
    errors: dict[str, str] = {}  # one harness error is one cause, however many results it prevents
    affected: dict[str, list[PresentedResult]] = defaultdict(list)
    for shown in results:
        result = shown.result
        if result.verdict in FAILING:
            erred = result.verdict is Verdict.ERROR
            key = errors.setdefault(shown.defect, result.explained_by) if erred else result.explained_by
            failing[key].append(shown)
        elif result.reason is Reason.BLOCKED or result.verdict is Verdict.WARN:
            affected[result.explained_by].append(shown)
    broken = {}
    for key, one in failing.items():
        name, _, word = key.partition("/")
        rule = rules.get(name, one[0].result.rule)
        broken[key] = dict(rule.broken_as).get(word, rule.broken)
    several = Counter(broken.values())  # one rule, broken in different ways
    causes = []
    for key, alike in failing.items():
        # Those come first that are no consequence of another one.
        roots = [shown for shown in alike if not shown.result.is_consequence] or alike
        title = problem = roots[0].defect
        if roots[0].result.untested:  # a rule that `--strict` fails without a test may be met
            title = f"not tested: {roots[0].title}"
        elif roots[0].result.is_broken and (what := broken[key]):
            kind = key.partition("/")[2].replace("-", " ")
            alone = several[what] == 1
            title = what if alone else f"{what} ({kind})" if kind else f"{what}: {problem}"
        cause = Cause(
            key=key,
            title=title,
            results=(*roots, *(shown for shown in alike if shown not in roots)),
            affected=tuple(affected[key]),
            weight=sum(shown.result.weight for shown in alike),
        )
        causes.append(cause)
    return sorted(causes, key=lambda cause: cause.urgency)
