"""Reads the JSON report of a run: the target, the time, and the verdict of each result.

Layer 6. A report may come from a stranger, so nothing in it is trusted: a member that is missing or of another
type than in its schema makes the whole file unreadable, and the message names it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from harness import resources
from harness.benches.client.judgement.outcome import result_id
from harness.documents import explain_unread, open_file
from harness.outcome import Accounted, Reason, UsageFault
from harness.outcome.words import format_count, shorten, to_one_line
from harness.report.finding_text import summarize
from harness.report.formats import FORMATS

_AMOUNTS = frozenset({"seconds", "answers", "times", "unsent", "weight", "of"})
_LARGEST = 10**12
_SHOWN = 20
"""Members that count something, the largest number in them, and how many digits of another are shown."""

_QUOTED = 200
"""Characters of the reason that a schema gives, which may quote a value."""

_MOST_BYTES = 200_000_000
"""Largest report that is read."""


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
        """The same run under another name."""
        return replace(self, name=name)


def read_run(path: Path) -> RunFile:
    """Read a report. Raises UsageFault if it is none, and names its kind instead."""
    return _to_run(read_record(path), path)


def read_record(path: Path) -> dict[str, Any]:
    """The members of a JSON report, whichever they are. Raises UsageFault if it contains no JSON object."""
    data = read_report(path)
    for name, entry in FORMATS.items():
        if name != "json" and entry.mark.match(data):
            raise UsageFault(f"{str(path)!r} is the {name} report of a run: name one of --report json=FILE")
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as wrong:
        raise UsageFault(f"{str(path)!r} is not JSON ({wrong}): write a report with --report json=FILE") from None
    if not isinstance(record, dict):
        raise UsageFault(f"{str(path)!r} is JSON, but not an object: write a report with --report json=FILE")
    if odd := find_odd_number(record):
        raise UsageFault(f"{str(path)!r} contains {odd}, which no run has: write a report with --report json=FILE")
    return record


def read_report(path: Path) -> bytes:
    """The content of a report. Raises UsageFault if it cannot be read, or is too large for one."""
    try:
        with open_file(path) as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as wrong:
        raise UsageFault(f"{str(path)!r} cannot be read: {explain_unread(wrong)}") from None
    if len(data) > _MOST_BYTES:
        raise UsageFault(
            f"{str(path)!r} has more than {_MOST_BYTES:,} bytes: name a report that --report json=FILE wrote"
        )
    return data


def find_odd_number(record: Any) -> str:
    """A number that no report of ours holds, and its member; "" if there is none.

    It would pass for a result: a sum with NaN is NaN, and no comparison with it is true.
    """
    left: list[tuple[str, Any]] = [("", record)]
    while left:
        name, value = left.pop()
        if isinstance(value, dict):
            left.extend((str(key), item) for key, item in value.items())
        elif isinstance(value, list):
            left.extend((name, item) for item in value)
        elif isinstance(value, str) and name == "seconds":
            return f"{name} = {value[:_SHOWN]!r}"
        elif isinstance(value, int | float) and not isinstance(value, bool) and _is_odd(name, value):
            return f"{name} = {value:.3g}" if isinstance(value, float) else f"{name} = {str(value)[:_SHOWN]}"
    return ""


def _is_odd(name: str, value: float) -> bool:
    is_finite = isinstance(value, int) or math.isfinite(value)
    return not is_finite or (name in _AMOUNTS and not 0 <= value <= _LARGEST)


@cache
def _load_schema(kind: str) -> Any:
    """The validator of what is in a report: another version may have written more members, or fewer."""
    import jsonschema_rs

    file = resources.folder("schemas") / "output" / f"{kind}.schema.json"
    return jsonschema_rs.Draft202012Validator(_open(json.loads(file.read_text("utf-8"))))


def _open(schema: Any) -> Any:
    if isinstance(schema, list):
        return list(map(_open, schema))
    if not isinstance(schema, dict):
        return schema
    kept = {name: _open(item) for name, item in schema.items() if name != "additionalProperties" or item}
    if not any(kept.get("oneOf", ())):  # each of them required some member
        kept.pop("oneOf", None)
    if isinstance(kept.get("dependentRequired"), dict):
        kept.pop("dependentRequired")
    return kept if isinstance(kept.get("required"), dict) else {n: i for n, i in kept.items() if n != "required"}


def find_misfit(record: Mapping[str, Any], kind: str) -> str:
    """Where a part of a report breaks its published schema, and why; "" if none does."""
    try:
        _load_schema(kind).validate(record)
    except ValueError as wrong:  # also that of a text which is no Unicode, or of one that is nested too deeply
        place = "".join(f"/{step}" for step in getattr(wrong, "instance_path", ()))
        return f"{place or 'the whole'}: {shorten(str(getattr(wrong, 'message', wrong)), _QUOTED)}"
    return ""


def kind_of(record: Mapping[str, Any], path: Path) -> str:
    """The command that wrote a report. Raises UsageFault if none did, or if its schema has another shape."""
    kind = next((kind for (member, type_), kind in _KINDS.items() if isinstance(record.get(member), type_)), "")
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
    if misfit := find_misfit(record, kind):
        raise UsageFault(
            f"{str(path)!r} does not match the schema of `harness {kind}` ({misfit}): write it again with "
            "--report json=FILE"
        )
    return kind


def _to_run(record: dict[str, Any], path: Path) -> RunFile:
    kind = kind_of(record, path)
    try:
        entries = _by_id(_READERS[kind](record))
        target = _read_target(record, path)
        return RunFile(
            name=path.stem,
            path=str(path),
            kind=kind,
            target=target,
            verdict=to_one_line(str(record["accounting"]["verdict"])),
            started=to_one_line(str(record.get("started", ""))),
            exit=int(record.get("exit", 0)),
            entries=entries,
            lists_all=kind != "fuzz",
        )
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise UsageFault(
            f"{str(path)!r} is not a whole report of `harness {kind}` ({describe_misfit(wrong)}): "
            "write it again with --report json=FILE"
        ) from None


def describe_misfit(wrong: Exception) -> str:
    """Why a file is not as it is written, in words: an error of Python quotes a missing member alone."""
    if isinstance(wrong, IndexError):
        return "it names more results than it contains"
    return f"{wrong} is missing or unknown" if isinstance(wrong, KeyError) else str(wrong)


def _by_id(found: Iterable[RunEntry]) -> dict[str, RunEntry]:
    """The entries by their ids; of several with one id, the later ones are numbered."""
    entries: dict[str, RunEntry] = {}
    for entry in found:
        name, number = entry.id, 2
        while name in entries:
            name, number = f"{entry.id} ({number})", number + 1
        entries[name] = replace(entry, id=name)
    return entries


def _read_target(record: Mapping[str, Any], path: Path) -> str:
    """The target; the name of the file if the report does not name one."""
    if isinstance(record.get("matrix"), dict) or isinstance(record.get("defects"), list):
        return "mutants"
    described = record.get("target") or record.get("gateway") or {"name": record.get("client", "")}
    return to_one_line(str(described.get("url") or described.get("name") or path.stem))


def _summarize(finding: Mapping[str, Any]) -> str:
    return summarize(str(finding["message"]), str(finding.get("where", {}).get("pointer", "")))


def _read_checks(record: Mapping[str, Any]) -> Iterator[RunEntry]:
    for item in (*record.get("checks", ()), *record.get("rules", ())):
        findings = item["findings"]
        name = str(item["id"])
        yield RunEntry(
            id=name,
            outcome=Accounted(item["outcome"]),
            reason=str(item.get("reason", "")),
            title=str(item.get("title") or item.get("statement", "")),
            level=str(item["level"]),
            area=str(item.get("area") or name.partition(".")[0]),
            summary=_summarize(findings[0]) if findings else str(item["details"]),
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


def _read_mutants(record: Mapping[str, Any]) -> Iterator[RunEntry]:
    for mutant, killers in record["matrix"].items():
        yield RunEntry(
            id=str(mutant),
            outcome=_outcome_of_mutant(killers, record["errors"].get(mutant)),
            reason=str(Reason.HARNESS_ERROR) if record["errors"].get(mutant) else "",
            title=f"killed by {format_count(len(killers), 'check')}" if killers else "survived",
            level="MUST",
            summary="" if killers else "no check kills it",
            seconds=float(record.get("seconds", {}).get(mutant, 0)),
        )


def _outcome_of_mutant(killers: object, errors: object) -> Accounted:
    if errors:
        return Accounted.NOT_TESTED
    return Accounted.PASSED if killers else Accounted.FAILED


_KINDS = {
    ("checks", list): "check",
    ("rules", list): "gateway",
    ("cases", list): "torture",
    ("failures", list): "fuzz",
    ("matrix", dict): "mutants",
}
"""The command of a report, by a member that only its reports have with this type."""

_READERS = {
    "check": _read_checks,
    "gateway": _read_checks,
    "torture": _read_cases,
    "fuzz": _read_failures,
    "mutants": _read_mutants,
}
