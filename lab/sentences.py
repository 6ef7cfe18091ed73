"""`python -m lab sentences`: whether the first cause that a run names is the defect of a mutant.

Each mutant is served on this machine, and judged by the command as a user calls it. If rows of rules name it, the
first cause must be of one of these rules, or be the crash that the mutant is. Its sentence, the title of the cause
with the message of its first finding, must share a word with the summary of the mutant.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from harness.cli import main
from harness.emulator import Settings
from harness.emulator.mutants import MUTANTS
from harness.errors import UsageFault
from harness.kit.mutant import Mutant
from harness.outcome import Exit
from harness.outcome.words import did_you_mean
from harness.rules import ROWS
from harness.transport import ServerThread, WallClock

_WORD = re.compile(r"[a-z_]{3,}|\d{3}")
_COMMON = frozenset({
    "the", "and", "not", "for", "are", "its", "has", "that", "this", "with", "from", "each", "they", "have",
    "which", "response", "interaction",
})  # fmt: skip
"""Words that say nothing of a defect."""


class FirstSentence(NamedTuple):
    """The first cause of a run against a mutant, and whether it has the rule and a word of the defect."""

    mutant: str
    code: str
    text: str
    names_rule: bool
    names_defect: bool


def read_first(mutant: Mutant[Any]) -> FirstSentence:
    """Judge one mutant by the whole catalog, and read what the report names first."""
    service = mutant.build(Settings(platform="any", keys={"k": "one", "l": "two"}), clock=WallClock())
    with ServerThread(service) as server, tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        path = Path(folder, "report.json")
        keys = ["--api-key", "k", "--other-api-key", "l", "--capability", "-webhooks"]
        main(["check", server.url, *keys, "--report", f"json={path}"])
        report = json.loads(path.read_text("utf-8")) if path.exists() else {"checks": [], "causes": []}
    code, texts = _choose_first(report)
    rule = code.partition("/")[0]
    named = {row.rule.id for row in ROWS.values() if row.mutant == mutant.id}
    crashes = rule == "err.no-crash" and "500" in mutant.summary
    right = bool(rule) and (not named or rule in named or crashes)
    return FirstSentence(mutant.id, code, texts, right, bool(_stems(texts) & _stems(mutant.summary)))


def _choose_first(report: dict[str, Any]) -> tuple[str, str]:
    """The code and the text of the first cause; of the first warning, where nothing fails the run."""
    checks = {check["id"]: check for check in report["checks"] if check["outcome"] in ("failed", "warned")}
    for cause in report["causes"]:
        check = checks.get(cause["key"].partition("/")[0], {"findings": []})
        return cause["key"], " ".join([cause["title"], *(found["message"] for found in check["findings"][:1])])
    for check in checks.values():
        found = check["findings"][0]
        return found["code"], f"{check['title']} {found['message']}"
    return "", ""


def _stems(text: str) -> set[str]:
    """The beginnings of the words of a text, so that `settles` and `settled` are one."""
    return {word[:5] for word in _WORD.findall(text.casefold()) if word not in _COMMON}


def run(words: Sequence[str]) -> int:
    """Judge mutants, print those whose first sentence names something else, and the share that holds."""
    parser = argparse.ArgumentParser(prog="python -m lab sentences", description=__doc__)
    parser.add_argument("mutants", nargs="*", metavar="ID", help="these mutants only")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th mutant only, as a sample")
    arguments = parser.parse_args(words)
    for name in arguments.mutants:
        if name not in MUTANTS:
            raise UsageFault(f"no mutant is called {name!r}{did_you_mean(name, MUTANTS)}")
    chosen = arguments.mutants or [*MUTANTS][:: arguments.every]
    found = []
    for name in chosen:
        found.append(first := read_first(MUTANTS[name]))
        if not (first.names_rule and first.names_defect):
            fault = "no cause" if not first.code else "another rule" if not first.names_rule else "no word of it"
            sys.stdout.write(f"{name:32} {fault}: {first.code} {first.text[:110]}\n")
    total, rules = len(found), sum(one.names_rule for one in found)
    both = sum(one.names_rule and one.names_defect for one in found)
    sys.stdout.write(
        f"{total} mutants: the first cause has the rule of {rules} ({rules / total:.0%}), "
        f"and a word of the defect, too, of {both} ({both / total:.0%})\n"
    )
    return Exit.OK
