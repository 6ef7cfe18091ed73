"""The baseline: known and explained failures, so that only new failures are red.

Knows the format of the file; never reads the clock. An entry excuses one result; with `finding`, it excuses only
that defect, and another one in the same result still fails.

    - id: stream.done
      reason: our proxy drops the final frame (issue 12)
      since: 2026-11-20
    - id: stream.index-contiguous
      finding: stream.index-contiguous/gap
      reason: issue 14
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.documents import explain_unread, load_yaml, read_file
from harness.engine.results import Result
from harness.outcome import Observation, Outcome, Severity, UsageFault, Verdict
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
        if not entries:
            return [Entry(result.id, UNEXPLAINED, today)]
        return [
            Entry(result.id, UNEXPLAINED, today, code) for code in _find_unexcused(entries, result.observation)
        ]


def _list_codes(observation: Observation) -> list[str]:
    """The codes of what is broken, each once."""
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
