"""Reads the JSON report of a run: the target, the time, and the verdict of each result.

A member that is missing or of another type makes the whole file unreadable, and the message names it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.benches.client.judgement.outcome import result_id
from harness.files import explain_unread
from harness.outcome import Accounted, Reason, UsageFault
from harness.outcome.words import to_one_line
from harness.report.finding_text import summarize


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """One result of a run, by its id; `summary` is its first finding, or why it was not judged.

    `reason` is why it was not tested; `expected` and `actual` are of that finding.
    """

    id: str
    outcome: Accounted
    reason: str = ""
    title: str = ""
    level: str = ""
    area: str = ""
    summary: str = ""
    expected: str = ""
    actual: str = ""
    silent: bool = False
    seconds: float = 0.0

    @property
    def asked(self) -> bool:
        """Whether the run was to test it; an excluded check has no result to compare."""
        return self.outcome is not Accounted.EXCLUDED

    @property
    def judged(self) -> bool:
        """Whether its rule was compared with a response."""
        return self.outcome in (Accounted.FAILED, Accounted.WARNED, Accounted.PASSED)

    @property
    def tells(self) -> bool:
        """Whether it states anything about the target: a feature that is not offered does."""
        return self.judged or self.outcome is Accounted.NOT_OFFERED

    @property
    def broken(self) -> bool:
        """Whether a reader has to do something about it."""
        return self.outcome is Accounted.FAILED or self.reason == Reason.HARNESS_ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """One run as its report shows it. `name` is the user's name for it, else its file.

    `lists_all`: the report names passed checks, too. In one that names failures alone, a missing check has passed.
    """

    name: str
    path: str
    kind: str
    target: str
    verdict: str
    started: str = ""
    exit: int = 0
    entries: Mapping[str, RunEntry] = field(default_factory=dict)
    lists_all: bool = True

    @property
    def counts(self) -> Counter[Accounted]:
        """How many results there are of each outcome."""
        return Counter(entry.outcome for entry in self.entries.values())

    def with_name(self, name: str) -> RunFile:
        return replace(self, name=name)


def read_run(path: Path) -> RunFile:
    """Read a report. Raises UsageFault if it is none, and names its kind instead."""
    try:
        record = json.loads(path.read_bytes())
    except OSError as wrong:
        raise UsageFault(f"{str(path)!r} cannot be read: {explain_unread(wrong)}") from None
    except (ValueError, RecursionError) as wrong:
        raise UsageFault(f"{str(path)!r} is not JSON ({wrong}): write a report with --report json=FILE") from None
    if not isinstance(record, dict):
        raise UsageFault(f"{str(path)!r} is JSON, but not an object: write a report with --report json=FILE")
    kind = _find_kind(record, path)
    try:
        entries: dict[str, RunEntry] = {}
        for entry in _READERS[kind](record):  # of several with one id, the later ones are numbered
            name, number = entry.id, 2
            while name in entries:
                name, number = f"{entry.id} ({number})", number + 1
            entries[name] = replace(entry, id=name)
        described = record.get("target") or record.get("gateway") or {"name": record.get("client", "")}
        return RunFile(
            name=path.stem,
            path=str(path),
            kind=kind,
            target=to_one_line(str(described.get("url") or described.get("name") or path.stem)),
            verdict=to_one_line(str(record["accounting"]["verdict"])),
            started=to_one_line(str(record.get("started", ""))),
            exit=int(record.get("exit", 0)),
            entries=entries,
            lists_all=kind != "fuzz",
        )
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        why = f"{wrong} is missing or unknown" if isinstance(wrong, KeyError) else str(wrong)
        raise UsageFault(
            f"{str(path)!r} is not a whole report of `harness {kind}` ({why}): write it again with "
            "--report json=FILE"
        ) from None


def _find_kind(record: Mapping[str, Any], path: Path) -> str:
    """The command that wrote a report. Raises UsageFault if none did."""
    kind = next((kind for member, kind in _KINDS.items() if isinstance(record.get(member), list)), "")
    if not kind:
        known = ", ".join(_KINDS.values())
        if "left_out" in record and "accounting" in record:
            raise UsageFault(f"{str(path)!r} is a report of `harness verify`: name one of a run ({known})")
        members = ", ".join(sorted(record)[:6]) or "none"
        raise UsageFault(
            f"{str(path)!r} is not a report of a run ({known}): its members are {members}. Write one "
            "with --report json=FILE"
        )
    if not isinstance(record.get("accounting"), dict):
        raise UsageFault(
            f"{str(path)!r} has no accounting: another version of harness wrote it. Run `harness {kind}` again "
            "with --report json=FILE"
        )
    return kind


def _read_checks(record: Mapping[str, Any]) -> Iterator[RunEntry]:
    for item in (*record.get("checks", ()), *record.get("rules", ())):
        findings, summary = item["findings"], str(item["details"])
        if findings:
            place = str(findings[0].get("where", {}).get("pointer", ""))
            summary = summarize(str(findings[0]["message"]), place)
        name = str(item["id"])
        yield RunEntry(
            id=name,
            outcome=Accounted(item["outcome"]),
            reason=str(item.get("reason", "")),
            title=str(item.get("title") or item.get("statement", "")),
            level=str(item["level"]),
            area=str(item.get("area") or name.partition(".")[0]),
            summary=summary,
            expected=str(findings[0].get("expected", "")) if findings else "",
            actual=str(findings[0].get("actual", "")) if findings else "",
            silent=bool(item.get("silent", False)),
            seconds=float(item.get("seconds", 0)),
        )


def _read_cases(record: Mapping[str, Any]) -> Iterator[RunEntry]:
    for item in record["cases"]:
        yield RunEntry(
            id=result_id(item["case"]),
            outcome=Accounted(item["outcome"]),
            title=str(item["detail"]),
            level="",
            area=str(item.get("kind", "")),
            summary=f"the client {item['problem']}" if item["problem"] else "",
            seconds=float(item.get("seconds", 0)),
        )


def _read_failures(record: Mapping[str, Any]) -> Iterator[RunEntry]:
    for item in record["failures"]:
        yield RunEntry(
            id=f"{item['code']} {item['call']}".strip(),
            outcome=Accounted(item["outcome"]),
            level=str(item["level"]),
            area=str(item["rule"]).partition(".")[0],
            summary=str(item["message"]),
        )


_KINDS = {"checks": "check", "rules": "gateway", "cases": "torture", "failures": "fuzz"}
"""The command of a report, by a list that only its reports have."""

_READERS = {"check": _read_checks, "gateway": _read_checks, "torture": _read_cases, "fuzz": _read_failures}
