"""`python -m lab facts FOLDER`: what the recordings of the scenarios show otherwise than the tables of models.

A recorded response shows a level that was accepted or rejected, fields of usage, signatures of thoughts. Where the
table of its model differs, the cell is proposed again, at the level R. A person reads the proposal: a single
recording may be an exception. A recording of the live service also settles sentences of the documents.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.benches.record.verify import verify
from harness.cassette import Recording
from harness.cassette import load as load_cassette
from harness.checks.scenarios import SCENARIOS
from harness.contract import load
from harness.contract.models.profiles import FOLDER, ModelProfile, find_profile
from harness.interactions.recordings import RECORDINGS
from harness.outcome import Exit, Severity
from harness.rules import ROWS
from harness.rules.sentence_rows import load_sentences
from harness.wire.bodies import as_object, loads, objects_in
from harness.wire.sse import events_in
from lab.patches import format_patch

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
    """A sentence that a recording settles, with those of its rules that were judged or broken."""

    id: str
    scenario: str
    rules: tuple[str, ...]
    judged: tuple[str, ...]
    broken: tuple[str, ...]

    def __str__(self) -> str:
        if self.broken:
            levels = ", ".join(f"{rule} ({ROWS[rule].rule.level})" for rule in self.broken)
            return f"{self.id}: {self.scenario}.yaml breaks {levels}: lower the level, or mend the judge"
        if not self.rules:
            return (
                f"{self.id}: no rule judges it; {self.scenario}.yaml shows the behavior: write its rule or reason"
            )
        if not self.judged:
            return (
                f"{self.id}: no rule was judged in {self.scenario}.yaml: read there whether the sentence is true"
            )
        weak = [rule for rule in self.judged if ROWS[rule].rule.source.basis == "inferred"]
        raised = f": the basis of {', '.join(weak)} can be `observed`" if weak else ""
        return f"{self.id}: true in {self.scenario}.yaml{raised}"


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


def find_settled(judged: Mapping[str, Set[str]], broken: Mapping[str, Set[str]]) -> list[SettledSentence]:
    """Return the sentences that recorded scenarios settle, by the rules judged and broken in each."""
    return [
        SettledSentence(
            line.id,
            scenario,
            line.rules,
            tuple(rule for rule in line.rules if rule in rules),
            tuple(rule for rule in line.rules if rule in broken[scenario]),
        )
        for scenario, rules in judged.items()
        for line in load_sentences()
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
    if thoughts and profile.value("thought") != "none":
        yield "thought", "signed" if all(step.get("signature") for step in thoughts) else "bare"


def _read_starts(events: list[Json]) -> Iterator[tuple[str, Any]]:
    """Yield how the stream of a function call begins."""
    for event in events:
        step = as_object(event.get("step"))
        if event.get("event_type") == "step.start" and step.get("type") == "function_call":
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
        pattern = message.replace(profile.name, "{name}")
        known = profile.served_elsewhere or {}
        if (known.get("status"), known.get("code")) != (status, error.get("code")) or not pattern.startswith(
            str(known.get("message"))
        ):
            yield "interactions", {"status": status, "code": str(error.get("code")), "message": pattern}


def _ends_on_model(body: Json) -> bool:
    steps = objects_in(body.get("input"))
    return bool(steps) and steps[-1].get("type") in ("model_output", "thought", "function_call")


def run(words: Sequence[str]) -> int:
    """Print what the recordings in a folder show; `--patch FILE` writes the tables that follow them."""
    parser = argparse.ArgumentParser(prog="python -m lab facts", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the output folder of `harness record --send`")
    parser.add_argument("--patch", type=Path, metavar="FILE", help="write a patch of the tables, for `git apply`")
    parser.add_argument("--live", action="store_true", help="print the sentences that a live recording settles")
    options = parser.parse_args(words)
    files = {name: path for name in SCENARIOS if (path := options.folder / f"{name}.yaml").is_file()}
    cells = find_cells({name: load_cassette(path).recordings for name, path in files.items()})
    lines = [f"profile: {cell}" for cell in cells]
    if options.patch and (patch := format_patch(change_tables(cells))):
        options.patch.write_text(patch, "utf-8")
        lines.append(f"{options.patch}: apply it with `git apply` to follow the recordings")
    if options.live:
        traffic = {name: verify([path], load(), RECORDINGS).traffic for name, path in files.items()}
        broken = {
            name: {one.rule for one in seen.findings if one.severity is not Severity.INFORMATION}
            for name, seen in traffic.items()
        }
        judged = {name: seen.rules.keys() for name, seen in traffic.items()}
        lines += [f"sentence: {line}" for line in find_settled(judged, broken)]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return Exit.OK if files else Exit.NOTHING_RAN
