"""What recordings of scenarios say of the tables of models and of the ledger of sentences, as a proposal.

Layer 2. A recorded response shows a level that was taken or refused, fields of usage, whether thoughts are signed.
Where the table of its model says otherwise, the cell is proposed again, at the level R. A person reads the
proposal: a single recording may be an exception. Must not know where files are written to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.cassette import Recording
from harness.contract.data.json_parse import loads, objects_in
from harness.contract.models.profiles import FOLDER, ModelProfile, find_profile
from harness.rules import ROWS
from harness.rules.ledger import load_ledger
from harness.wire.sse import events_in

Json = dict[str, Any]

_LEVELS = ("minimal", "low", "medium", "high", "xhigh")
_ALLOWED = re.compile(r"is not a supported thinking level .*Allowed values are: ([a-z, ]+)\.")
_ALWAYS_COUNTED = ("raw_prompt_token", "model_invocation_token_counts")
"""Fields of usage that do not depend on what a run did."""
_PREFIX = "harness/contract/models"


@dataclass(frozen=True, slots=True)
class RecordedCell:
    """A cell of the table of a model as a recording shows it; `before` is the value in the table."""

    model: str
    cell: str
    before: Any
    after: Any
    scenario: str

    def __str__(self) -> str:
        before, after = (json.dumps(value, ensure_ascii=False) for value in (self.before, self.after))
        return f"{self.model}: {self.cell}: {before} in the table, {after} in {self.scenario}.yaml"


@dataclass(frozen=True, slots=True)
class SettledSentence:
    """A sentence of the ledger that a recording settles, and those of its rules that the recording breaks."""

    id: str
    scenario: str
    rules: tuple[str, ...]
    broken: tuple[str, ...]

    def __str__(self) -> str:
        if self.broken:
            levels = ", ".join(f"{rule} ({ROWS[rule].rule.level})" for rule in self.broken)
            return f"{self.id}: {self.scenario}.yaml breaks {levels}: lower the level, or mend the judge"
        if not self.rules:
            return f"{self.id}: no rule judges it; {self.scenario}.yaml shows what holds: write its rule or reason"
        weak = [rule for rule in self.rules if ROWS[rule].rule.source.basis == "inferred"]
        raised = f": the basis of {', '.join(weak)} can be `observed`" if weak else ""
        return f"{self.id}: holds in {self.scenario}.yaml{raised}"


def find_cells(recordings: Mapping[str, Sequence[Recording]]) -> list[RecordedCell]:
    """Return the cells that recordings by scenario show otherwise than the tables, each once."""
    found: dict[tuple[str, str], RecordedCell] = {}
    for scenario, exchanges in recordings.items():
        for exchange in exchanges:
            for model, cell, after in _read_exchange(exchange):
                before = find_profile(model).value(cell)
                if before != after and (model, cell) not in found:
                    found[model, cell] = RecordedCell(model, cell, before, after, scenario)
    return list(found.values())


def find_settled(broken: Mapping[str, Iterable[str]]) -> list[SettledSentence]:
    """Return the sentences that recorded scenarios settle, by the rules that each recording breaks."""
    return [
        SettledSentence(line.id, scenario, line.rules, tuple(rule for rule in line.rules if rule in set(rules)))
        for scenario, rules in broken.items()
        for line in load_ledger()
        if scenario in line.scenarios
    ]


def change_tables(cells: Iterable[RecordedCell]) -> list[tuple[str, str, str]]:
    """Return the tables of models that the cells change: the path in a checkout, the old and the new text."""
    texts = {path.name: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.yaml"))}
    changed = dict(texts)
    for cell in cells:
        name = next((name for name, text in changed.items() if f"\n    {cell.model}:" in text), None)
        if name is not None:
            changed[name] = _replace_cell(changed[name], cell)
    return [(f"{_PREFIX}/{name}", texts[name], text) for name, text in changed.items() if text != texts[name]]


def _replace_cell(text: str, cell: RecordedCell) -> str:
    """Write a cell into the table of its model, in place of the one there is."""
    lines = text.splitlines(keepends=True)
    start = next(at for at, line in enumerate(lines) if line.startswith(f"    {cell.model}:"))
    lines[start] = re.sub(r": \{\}\n$", ":\n", lines[start])
    ending = next((at for at in range(start + 1, len(lines)) if not lines[at].startswith("      ")), len(lines))
    there = next((at for at in range(start + 1, ending) if lines[at].startswith(f"      {cell.cell}:")), ending)
    after = next((at for at in range(there + 1, ending) if not lines[at].startswith("       ")), ending)
    written = json.dumps(cell.after, ensure_ascii=False)
    new = f"      {cell.cell}: {{is: {written}, by: R live-{cell.scenario}}}\n"
    return "".join((*lines[:there], new, *lines[after:]))


def _read_exchange(exchange: Recording) -> Iterator[tuple[str, str, Any]]:
    """Yield what one create shows: the model, the cell and its value."""
    body = loads(exchange.request.body).value
    if exchange.request.method != "POST" or not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return
    profile = find_profile(body["model"])
    if profile.standing or exchange.status is None:
        return
    whole = loads(exchange.body).value
    if exchange.status == 200:
        events = events_in(exchange.body)
        answer = whole if isinstance(whole, dict) else _read_last(events)
        found = [*_read_taken(body, profile), *_read_answer(answer, profile), *_read_starts(events)]
    elif exchange.status in (400, 404) and isinstance(whole, dict):
        found = [*_read_refusal(body, exchange.status, whole.get("error"), profile)]
    else:
        found = []
    for cell, value in found:
        yield profile.name, cell, value


def _read_last(events: list[Json]) -> Json:
    ends = (event.get("interaction") for event in reversed(events))
    return next((end for end in ends if isinstance(end, dict) and "usage" in end), {})


def _read_taken(body: Json, profile: ModelProfile) -> Iterator[tuple[str, Any]]:
    """Yield what the acceptance of a request shows."""
    generation = body.get("generation_config") or {}
    level = generation.get("thinking_level")
    if level in _LEVELS and profile.levels is not None and level not in profile.levels:
        yield "levels", sorted({*profile.levels, level}, key=_LEVELS.index)
    if _ends_on_model(body):
        yield "model_turn_last", "accepted"
    if profile.served_elsewhere is not None:
        yield "interactions", "accepted"
    refused = profile.value("refused") or []
    if taken := [name for name in refused if name in generation]:
        yield "refused", [name for name in refused if name not in taken]


def _read_answer(answer: Json, profile: ModelProfile) -> Iterator[tuple[str, Any]]:
    """Yield what a response shows of usage and of thoughts."""
    usage = answer.get("usage")
    if isinstance(usage, dict) and answer.get("status") == "completed":
        known = [name for name in profile.value("usage") if name not in _ALWAYS_COUNTED or name in usage]
        new = [name for name in _ALWAYS_COUNTED if name in usage and name not in known]
        if new or len(known) != len(profile.value("usage")):
            yield "usage", [*new, *known]
    thoughts = [step for step in objects_in(answer.get("steps")) if step.get("type") == "thought"]
    if thoughts and profile.thought != "none":
        yield "thought", "signed" if all(step.get("signature") for step in thoughts) else "bare"


def _read_starts(events: list[Json]) -> Iterator[tuple[str, Any]]:
    """Yield how the stream of a function call begins."""
    for event in events:
        step = event.get("step")
        if event.get("event_type") == "step.start" and isinstance(step, dict) and step["type"] == "function_call":
            signed = "signature" in step
            yield "function_call_start", "with an empty signature" if signed else "without signature"


def _read_refusal(body: Json, status: int, error: Any, profile: ModelProfile) -> Iterator[tuple[str, Any]]:
    """Yield what the refusal of a request shows."""
    if not isinstance(error, dict):
        return
    message = str(error.get("message"))
    generation = body.get("generation_config") or {}
    if allowed := _ALLOWED.search(message):
        words = allowed[1].split(", ")
        yield "levels", sorted(words, key=lambda word: (*_LEVELS, word).index(word))
    elif _ends_on_model(body):
        yield "model_turn_last", "refused"
    elif "top_k" in generation:
        yield "refused", sorted({*(profile.value("refused") or ()), "top_k"})
    elif body.keys() <= {"model", "input"} and isinstance(body.get("input"), str):
        told = message.replace(profile.name, "{name}")
        known = profile.served_elsewhere or {}
        if (known.get("status"), known.get("code")) != (status, error.get("code")) or not told.startswith(
            str(known.get("message"))
        ):
            yield "interactions", {"status": status, "code": str(error.get("code")), "message": told}


def _ends_on_model(body: Json) -> bool:
    steps = objects_in(body.get("input"))
    return bool(steps) and steps[-1].get("type") in ("model_output", "thought", "function_call")
