"""Extensions: rules with their checks, mutants, and faults for clients, which a user adds in a module.

`docs/extending.md` has an example. A module makes one `Extension`; it is named by `--extension`, by
`HARNESS_EXTENSION`, or by the entry point `harness.extensions` of an installed package. Its parts stand beside the
built-in ones: in `harness list`, `explain`, `check`, `mutants` and `torture`, and in every report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Formatter
from typing import Any

from harness.checks.catalogue import build_check, make_check
from harness.checks.vocabulary.expect import (
    expect_interaction,
    expect_refusal,
    expect_status,
    finding,
    interaction_in,
    note,
)
from harness.checks.vocabulary.runs import need_id
from harness.contract import PROTOCOL
from harness.contract.requests import RequestBuilder
from harness.emulator.mutants import MUTANTS, hooks
from harness.emulator.mutants.hooks import row
from harness.emulator.mutants.parts import Defect
from harness.errors import UsageFault
from harness.faults.grammar import parse
from harness.faults.kinds import CaseKind, StreamShape, at
from harness.kit.api import ExtensionParts
from harness.kit.check import Close, Finish, Judge, Open, Read, Send, Steps, Wait, exercise
from harness.kit.mutant import table
from harness.outcome import Basis, Finding, Level
from harness.outcome.words import did_you_mean
from harness.rules import SUBJECTS
from harness.rules.tables import expand_table, load_sources, read_record
from harness.wire import Exchange

__all__ = [
    "Extension",
    "exercise", "RequestBuilder", "Exchange", "Steps", "Send", "Open", "Read", "Finish", "Close", "Wait",
    "interaction_in", "need_id",
    "finding", "note", "expect_status", "expect_refusal", "expect_interaction", "Finding",
    "hooks",
]  # fmt: skip

_NAME = re.compile(r"[a-z]+")
_ANYTHING = [str(basis) for basis in Basis if basis is not Basis.COMPARED]


class Extension(ExtensionParts):
    """Rules, checks, mutants and faults under one name, which begins the id of each of its rules.

    `title` heads its rules in reports.
    """

    def __init__(self, name: str, *, title: str = "") -> None:
        if not _NAME.fullmatch(name) or name in SUBJECTS:
            taken = "the built-in rules have that name" if name in SUBJECTS else "a name is lower-case letters"
            raise UsageFault(f"an extension cannot be called {name!r}: {taken}: choose another, such as 'acme'")
        super().__init__(name, title=title or name)

    def check(
        self,
        rule_id: str,
        exercise: Any,
        *,
        breaks: str,
        source: str,
        statement: str = "",
        url: str = "",
        level: str = "SHOULD",
        title: str = "",
        requires: Iterable[str] = (),
        accepts: Iterable[str] = (),
        profile: str = "core",
    ) -> Callable[[Judge], Judge]:
        """Register the decorated judge, and the rule that it judges in the responses of an exercise.

        The judge's parameters name results of the exercise; it yields a `finding` for each deviation. Its
        docstring is the `statement` if that is not given. `source` is where the rule is written: the document and,
        after a comma, the place in it. Raises UsageFault for a rule that cannot be registered.
        """
        page, _, section = source.partition(", ")
        record = {
            "id": rule_id, "area": self.name, "level": level, "breaks": breaks, "profile": profile,
            "requires": list(requires), "accepts": list(accepts) or ["as in the statement"],
            "source": {"basis": Basis.DOCUMENTED, "page": page, "section": section, "url": url},
        }  # fmt: skip

        def register(judge: Judge) -> Judge:
            stated = statement or (judge.__doc__ or "").strip().partition("\n")[0]
            with self._explaining(rule_id):
                if level not in list(Level):
                    raise ValueError(f"there is no level {level!r}: known are {', '.join(Level)}")
                if not stated:
                    raise ValueError("no statement: write the requirement as the docstring of the judge")
                self._require_own(rule_id)
                whole = {**record, "statement": stated, "title": title or stated.rstrip(".")}
                self.checks.append(make_check(read_record(whole), exercise, judge))
            return judge

        return register

    def table(self, path: str | Path, module: str) -> None:
        """Register every row of a table of rules, as `harness/rules` has them.

        `exercise` and `judge` are functions of `module`, the caller's `__name__`, and `page` is the title of a
        document. Raises UsageFault for a table that is wrong, with the line.
        """
        file = Path(path)

        with self._explaining(str(file)):
            for record in expand_table(file.stem, file.read_bytes(), _AnyPage(load_sources())):
                self._require_own(record["id"])
                self.checks.append(build_check(read_record(record), module))

    def mutant(self, mutant_id: str, summary: str, *defects: Defect) -> None:
        """Add a defective emulator, which a check has to fail on: an id, what is wrong, and the defects.

        `hooks` has what makes a defect, such as `hooks.response("POST interactions", change)`.
        """
        with self._explaining(mutant_id):
            if mutant_id in MUTANTS:
                raise ValueError("a built-in mutant has this name: choose another")
            self.mutants += table(self.name, row(mutant_id, summary, *defects))

    def fault(self, name: str, about: str, *plans: str) -> None:
        """Add cases for clients: one for each fault plan, in a set of `harness torture` with this one's name."""
        with self._explaining(f"{self.name}-{name}"):
            for plan in plans:
                _parse_plan(plan)
        self.kinds.append(CaseKind(name=f"{self.name}-{name}", about=about, plans=at(*plans)))

    def _require_own(self, rule_id: str) -> None:
        if rule_id.partition(".")[0] != self.name or not re.fullmatch(r"[a-z]+\.[a-z0-9-]+", rule_id):
            raise ValueError(f"the id of a rule begins with the name of its extension: {self.name}.some-words")

    @contextmanager
    def _explaining(self, what: str) -> Iterator[None]:
        try:
            yield
        except (UsageFault, ValueError, OSError) as wrong:
            place = "" if what in str(wrong) else f"{what}: "
            raise UsageFault(f"the extension {self.name!r}: {place}{wrong}") from wrong


def _parse_plan(plan: str) -> None:
    """Raise ValueError or UsageFault for a plan that no stream can follow."""
    places = StreamShape(b"", PROTOCOL).places
    for _, place, _, _ in Formatter().parse(plan):
        if place is not None and place not in places:
            near = did_you_mean(place, places, otherwise=f": known are {', '.join(places)}")
            raise ValueError(f"the plan {plan!r} names no place of a stream with {place!r}{near}")
    parse(plan.format(**places))


class _AnyPage(dict[str, Any]):
    """The documents that rows may cite by key, and every other by its title."""

    def __missing__(self, title: str) -> dict[str, Any]:
        return {"title": title, "says": _ANYTHING}

    def __contains__(self, title: object) -> bool:
        return True
