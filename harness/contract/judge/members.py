"""Judges members of a body by themselves, wherever they are shown: a status as a word, a usage by its counts.

Every body and every stream is judged by these functions, whichever caller reads it. The set of statuses is open,
so a new word breaks no MUST. A listed word in another spelling does: it has no new meaning, and no client knows
it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from harness.contract.data.json_parse import as_object
from harness.contract.data.transcript import output_text
from harness.contract.judge.finding_log import place_finding
from harness.contract.schema.explain import json_type
from harness.contract.tables.lifecycle import RENAMED_STATUSES
from harness.outcome import Finding
from harness.outcome.words import nearest, shorten

_NO_LETTER = re.compile("[^a-z]+")
_ENUM_PREFIX = re.compile("^(interaction)?(status|state)")


def judge_status_word(status: str, listed: Collection[str]) -> Iterator[Finding]:
    """A finding if this status is none of those that the revision lists."""
    if not status or status in listed:
        return
    word, place = shorten(status, 40), "$.status"
    letters = _spell_alike(word)  # the whole may have megabytes
    meant = next((known for known in listed if _spell_alike(known) == letters), "")
    if meant:
        message = f"the status {word!r} is a misspelling of {meant!r}"
        yield place_finding("create.status/spelling", message, meant, word, place)
        return
    if status in RENAMED_STATUSES:
        message = f"the status {word!r} is a name from before May 2026"
        expected = RENAMED_STATUSES[status]
        yield place_finding("create.status-listed/renamed", message, expected, word, place)
        return
    near = nearest(status, sorted(listed), most=1)
    expected = near[0] if near else ", ".join(sorted(listed))
    yield place_finding("create.status-listed", f"the status {word!r} is not listed", expected, word, place)


def judge_ends(statuses: Sequence[str], listed: Collection[str]) -> Iterator[Finding]:
    """Of several plain runs, at least one must end in a status that the revision lists."""
    if len(statuses) > 1 and not any(status in listed for status in statuses):
        words = ", ".join(repr(shorten(status, 40)) for status in dict.fromkeys(statuses))
        yield place_finding(
            "create.status/unknown-end",
            f"none of {len(statuses)} plain runs ends with a status that clients know",
            "completed",
            words,
            "$.status",
        )


def _spell_alike(status: str) -> str:
    """The part of a status that its other spellings share: COMPLETED, InProgress, INTERACTION_STATUS_FAILED."""
    letters = _ENUM_PREFIX.sub("", _NO_LETTER.sub("", status.casefold()))
    return letters.replace("canceled", "cancelled")


_TOTALS = {
    "input_tokens_by_modality": "total_input_tokens",
    "output_tokens_by_modality": "total_output_tokens",
    "cached_tokens_by_modality": "total_cached_tokens",
    "tool_use_tokens_by_modality": "total_tool_use_tokens",
}
_SUMMED = ("total_input_tokens", "total_output_tokens", "total_thought_tokens")


def judge_usage(usage: Any, pointer: str = "$.usage") -> list[Finding]:
    """Findings about a usage value; fields that are absent or not listed are not judged."""
    if not isinstance(usage, Mapping):
        return [
            place_finding("usage.types/object", "usage is not an object", "an object", json_type(usage), pointer)
        ]
    wrong = [
        place_finding(
            "usage.types/count",
            "a token count is negative, or not an integer",
            "an integer >= 0",
            repr(count)[:40],
            place,
        )
        for place, count in _find_miscounts(usage, pointer)
    ]
    if wrong:
        return wrong
    found = []
    if {"total_tokens", "total_input_tokens", "total_output_tokens"} <= usage.keys():
        # both published readings are accepted: the total may include tool-use tokens or not
        base = sum(usage.get(name, 0) for name in _SUMMED)
        sums = sorted({base, base + usage.get("total_tool_use_tokens", 0)})
        if usage["total_tokens"] not in sums:
            expected, actual = " or ".join(map(str, sums)), str(usage["total_tokens"])
            message, place = "total_tokens is not the sum of its parts", f"{pointer}.total_tokens"
            found.append(place_finding("usage.sum", message, expected, actual, place))
    for name, total in _TOTALS.items():
        shares = sum(item.get("tokens", 0) for _, item in _list_items(usage, name, pointer))
        if total in usage and shares > usage[total]:
            message, place = f"{name} adds up to more than {total}", f"{pointer}.{name}"
            found.append(place_finding("usage.modality", message, f"<= {usage[total]}", str(shares), place))
    return found


def judge_counted(interaction: Mapping[str, Any]) -> list[Finding]:
    """The finding that nothing was counted for an answer that has text."""
    if not has_to_count(interaction) or any(count != 0 for _, count in _counts(interaction["usage"], "$.usage")):
        return []
    message = "a response with text counts no token"
    return [place_finding("usage.counted", message, "at least one token", "0 in every count", "$.usage")]


def has_to_count(interaction: Mapping[str, Any]) -> bool:
    """Whether it is completed, has text, and reports tokens."""
    usage = interaction.get("usage")
    counted = isinstance(usage, Mapping) and any(name in usage for name in ("total_tokens", "total_output_tokens"))
    return counted and interaction.get("status") == "completed" and bool(output_text(interaction).strip())


def has_counts(usage: Any) -> bool:
    """Whether a usage value reports any cost; one of another type breaks `usage.types`."""
    return any(_counts(usage, "")) if isinstance(usage, Mapping) else bool(usage)


def count_output(usage: Any) -> int:
    """The output tokens in a usage value; 0 if it has none."""
    count = as_object(usage).get("total_output_tokens")
    return count if isinstance(count, int) and not isinstance(count, bool) else 0


def list_miscounted(usage: Any, pointer: str = "$.usage") -> list[str]:
    """The places in a usage value that break `usage.types`."""
    return [place for place, _ in _find_miscounts(usage, pointer)] if isinstance(usage, Mapping) else [pointer]


def _find_miscounts(usage: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, Any]]:
    for place, count in _counts(usage, pointer):
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            yield place, count


def _counts(usage: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, Any]]:
    for name in (*_SUMMED, "total_tokens", "total_cached_tokens", "total_tool_use_tokens"):
        if name in usage:
            yield f"{pointer}.{name}", usage[name]
    for name in _TOTALS:
        for place, item in _list_items(usage, name, pointer):
            if "tokens" in item:
                yield f"{place}.tokens", item["tokens"]


def _list_items(usage: Mapping[str, Any], name: str, pointer: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    values = usage.get(name)  # not by `as_list`: each stream that a page shows comes here eight times
    for index, item in enumerate(values if isinstance(values, list) else ()):
        if isinstance(item, Mapping):
            yield f"{pointer}.{name}[{index}]", item
