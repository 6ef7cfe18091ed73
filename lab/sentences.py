"""`python -m lab sentences`: whether the first cause that a run names is the defect of a mutant.

Each mutant is judged by the whole catalog, as a server that all exercises share. The first cause must be of a rule
whose row names it, or explain that such a rule is broken, or be the crash that the mutant is. Where another check
of the same response comes first, so that no such rule is broken, the words decide: its sentence, the title of the
cause with its first finding, must always share a word with the summary of the mutant.
A mutant that only breaks a MAY is left out, because nothing may be said against it.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from harness.emulator.mutants import MUTANTS
from harness.engine.run import RunOptions, check_target
from harness.engine.targets import TargetOptions, embed_emulator
from harness.errors import TargetFault, UsageFault
from harness.interactions import INTERACTIONS
from harness.interactions.servers import SERVERS, embedded_settings
from harness.kit.mutant import Mutant
from harness.outcome import Accounted, Exit, Level
from harness.outcome.words import did_you_mean, format_count
from harness.report.presented_run import PresentedRun
from harness.rules import ROWS
from lab.kill_matrix import load_checks

_WORD = re.compile(r"[a-z_]{2,}|\d{3}")
_COMMON = frozenset({
    "of", "is", "in", "an", "it", "by", "as", "to", "at", "or", "be", "no", "on", "if", "the", "and", "not", "for",
    "are", "its", "has", "that", "this", "with", "from", "each", "they", "have", "which", "response",
    "interaction",
})  # fmt: skip
"""Words that say nothing of a defect."""

_GENERAL = "a more general rule is broken by the same response"
OTHERS: Mapping[str, str] = {
    "content-type-field-missing": _GENERAL,
    "create-wrapped": _GENERAL,
    "levels-ignored": _GENERAL,
    "research-plan-empty": _GENERAL,
    "result-answer-running": _GENERAL,
    "files-missing-200": "another key's empty list is told first: its rule binds more",
    "triggers-executions-empty": "another key's empty list is told first: its rule binds more",
    "triggers-list-empty": _GENERAL,
    "upload-without-url": _GENERAL,
    "chain-repeats-steps": "the repeated call is told by its status",
    "unknown-query-crashes": "its sentence has the name of the unknown parameter",
}
"""Mutants whose first cause has another rule or no word of the defect, and why."""


class FirstSentence(NamedTuple):
    """The first cause of a run against a mutant, and whether it has the rule and a word of the defect."""

    mutant: str
    code: str
    text: str
    names_rule: bool
    names_defect: bool

    @property
    def fault(self) -> str:
        """What is wrong with it; "" if nothing is."""
        if self.names_rule and self.names_defect:
            return ""
        return "no cause" if not self.code else "another rule" if not self.names_rule else "no word of it"


def read_first(mutant: Mutant[Any]) -> FirstSentence:
    """Judge one mutant by the whole catalog, and read what a report names first: a cause, else a warning."""
    state = PresentedRun(INTERACTIONS)
    target = embed_emulator(SERVERS, TargetOptions(), partial(mutant.build, embedded_settings()))
    try:
        for event in check_target(target, load_checks(), RunOptions(jobs=1)):
            state.handle(event)
    except TargetFault as fault:  # no run began, so this sentence is the first one
        return FirstSentence(mutant.id, "", str(fault), True, bool(_stems(str(fault)) & _stems(mutant.summary)))
    code = text = ""
    warned = [shown for shown in state.urgent_first if shown.outcome is Accounted.WARNED]
    for cause in state.causes[:1]:
        code, text = cause.key, f"{cause.title}: {cause.problem}"
    for shown in () if code else warned[:1]:
        code, text = shown.result.observation.findings[0].stable_code, f"{shown.title}: {shown.failure}"
    rule = code.partition("/")[0]
    named = list_rules(mutant.id)
    crashes = rule == "err.no-crash" and "500" in mutant.summary
    broken = [one for one in state.presented if one.id in named and one.result.observation.findings]
    explains = not broken or any(one.result.explained_by == code for one in broken)
    # Warnings of one area have no order: each of them is right.
    near = not state.causes and bool(set(re.split("[./]", code)) & {name.partition(".")[0] for name in named})
    right = bool(rule) and (rule in named or crashes or explains or near)
    return FirstSentence(mutant.id, code, text, right, bool(_stems(text) & _stems(mutant.summary)))


def list_rules(mutant: str) -> dict[str, Level]:
    """The rules whose rows name a mutant, with their levels."""
    return {row.rule.id: row.rule.level for row in ROWS.values() if row.mutant == mutant}


def list_mutants() -> list[str]:
    """The mutants that break a MUST or a SHOULD."""
    return [name for name in MUTANTS if set(list_rules(name).values()) != {Level.MAY}]


def _stems(text: str) -> set[str]:
    """The beginnings of the words of a text, so that `settles` and `settled` are one."""
    return {word.removesuffix("s")[:5] for word in _WORD.findall(text.casefold()) if word not in _COMMON}


def run(words: Sequence[str]) -> int:
    """Judge mutants, print those whose first sentence names something else, and the share that holds."""
    parser = argparse.ArgumentParser(prog="python -m lab sentences", description=__doc__)
    parser.add_argument("mutants", nargs="*", metavar="ID", help="these mutants only")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th mutant only, as a sample")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="the number of the first one")
    arguments = parser.parse_args(words)
    for name in arguments.mutants:
        if name not in MUTANTS:
            raise UsageFault(f"no mutant is called {name!r}{did_you_mean(name, MUTANTS)}")
    found = []
    for name in arguments.mutants or list_mutants()[arguments.start :: arguments.every]:
        found.append(first := read_first(MUTANTS[name]))
        if first.fault:
            sys.stdout.write(f"{name:32} {first.fault}: {first.code} {first.text[:110]}\n")
            sys.stdout.flush()
    total, rules = len(found), sum(one.names_rule for one in found)
    both = sum(one.names_rule and one.names_defect for one in found)
    sys.stdout.write(
        f"{format_count(total, 'mutant')}: the first cause has the rule of {rules} ({rules / total:.0%}), "
        f"and a word of the defect, too, of {both} ({both / total:.0%})\n"
    )
    return Exit.FAILED if {one.mutant for one in found if one.fault} - set(OTHERS) else Exit.OK
