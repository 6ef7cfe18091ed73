"""The baseline: known and explained failures, one entry for each check, so that only new failures are red.

Layer 4. Knows the format of the file; never reads the clock.

    - id: stream.done
      reason: our proxy drops the final frame (issue 12)
      since: 2026-11-20
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.engine.events import Result
from harness.outcome import UsageFault, Verdict
from harness.outcome.suggest import did_you_mean

UNEXPLAINED = "not explained yet"
_KEYS = ("id", "reason", "since")


@dataclass(frozen=True, slots=True)
class Entry:
    """One excused check: why, and since which day (ISO 8601)."""

    id: str
    reason: str
    since: str


class Baseline:
    """Entries by check id."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = {entry.id: entry for entry in entries}

    def __contains__(self, check_id: object) -> bool:
        return check_id in self.entries

    def reason(self, check_id: str) -> str:
        """Why a check is excused, or `""` if it is not."""
        entry = self.entries.get(check_id)
        return entry.reason if entry else ""

    def updated(self, results: Iterable[Result], today: str) -> Baseline:
        """A copy with every unexpected failure added; existing entries keep their reason and day."""
        new = [Entry(r.check.id, UNEXPLAINED, today) for r in results if r.verdict is Verdict.FAIL]
        return Baseline([*self.entries.values(), *(entry for entry in new if entry.id not in self)])

    def pruned(self, results: Iterable[Result]) -> Baseline:
        """A copy without the entries whose checks pass now."""
        stale = {result.check.id for result in results if result.verdict is Verdict.STALE}
        return Baseline(entry for entry in self.entries.values() if entry.id not in stale)

    def text(self) -> str:
        """The text of the file, sorted by id."""
        import yaml

        rows = [
            {key: getattr(entry, key) for key in _KEYS if getattr(entry, key)}
            for entry in sorted(self.entries.values(), key=lambda entry: entry.id)
        ]
        return yaml.safe_dump(rows, sort_keys=False, allow_unicode=True, width=100) if rows else "[]\n"


def read_baseline(path: Path, known: Collection[str]) -> Baseline:
    """Read a baseline. Raises UsageFault if it is missing or unreadable, or has unknown keys or check ids."""
    import yaml

    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageFault(f"no baseline at {path}: make one with --baseline {path} --baseline-update") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as wrong:
        raise UsageFault(f"the baseline {path} cannot be read: {wrong}") from None
    if value is None:
        return Baseline()
    if not isinstance(value, list):
        raise UsageFault(f"the baseline {path} is a {type(value).__name__}: write a list of {{id, reason, since}}")
    return Baseline(_entry(item, path, known) for item in value)


def _entry(item: Any, path: Path, known: Collection[str]) -> Entry:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise UsageFault(f"{path}: {item!r} has no id: each entry is a mapping with id, reason and since")
    for key in item:
        if key not in _KEYS:
            raise UsageFault(f"{path}: {item['id']}: unknown key {key!r}{did_you_mean(str(key), _KEYS)}")
    if item["id"] not in known:
        raise UsageFault(
            f"{path}: no check is named {item['id']!r}{did_you_mean(item['id'], known)} (remove the entry)"
        )
    return Entry(item["id"], str(item.get("reason") or UNEXPLAINED), str(item.get("since") or ""))
