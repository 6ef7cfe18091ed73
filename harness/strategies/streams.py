"""Streams of events: legal ones by construction, illegal ones by breaking one rule of a legal one.

Layer 2. A schema cannot express order, so this module builds it from the same rules as the contract's table
but without it. The stream judge judges what this module generates, and the tests compare the two.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.contract import Contract
from harness.contract.tables.lifecycle import CANCELLED, FAILED
from harness.contract.tables.steps import DeltaEffect, Shown, StepType
from harness.strategies import values
from harness.strategies.from_schema import objects
from harness.strategies.messages import pointer_to, shapes, usages
from harness.strategies.revision import contract_or_current
from harness.strategies.rule_breaks import BREAKAGES
from harness.strategies.stream import EventStream

Json = dict[str, Any]

POLICIES = ("none", "all", "deltas", "sparse")
"""Which events carry an event_id."""


def event_streams(
    *, legal: bool = True, background: bool | None = None, contract: Contract | None = None
) -> SearchStrategy[EventStream]:
    """A whole stream, from its creation to [DONE].

    The judge finds nothing wrong with a legal one. `legal=False`: one rule is broken, and `breaks` names it.
    `background` selects background or foreground runs, None both; rules about event ids are only ever broken in
    background runs, even with `legal=False, background=False`.
    """
    choice = st.booleans() if background is None else st.just(background)
    contract = contract_or_current(contract)
    streams = choice.flatmap(lambda in_background: _legal(contract, in_background))
    return streams if legal else _broken_stream(contract, background)


@st.composite
def _broken_stream(draw: st.DrawFn, contract: Contract, background: bool | None) -> EventStream:
    rule = draw(st.sampled_from(sorted(BREAKAGES)))
    in_background = draw(st.booleans()) if background is None else background
    breakage = BREAKAGES[rule]
    stream = draw(_legal(contract, in_background or breakage.cursors, least=1, plain=True, most=2))
    return breakage.apply(draw, stream)


@st.composite
def _legal(
    draw: st.DrawFn, contract: Contract, background: bool, *, least: int = 0, plain: bool = False, most: int = 3
) -> EventStream:
    """A legal stream. `plain`: it ends with interaction.completed, and its first step has two text deltas."""
    identity = draw(st.one_of(values.IDS, st.just(""))) if not background else draw(values.IDS)
    events = [*_draw_opening(draw, contract, identity, background)]
    streamed = sorted(step.name for step in contract.steps.values() if step.streamed)
    kinds = draw(st.lists(st.sampled_from(streamed), min_size=least, max_size=most))
    if plain:
        kinds[0] = "model_output"
    for index, kind in enumerate(kinds):
        events += (
            _write_two_texts(index) if plain and not index else _step(draw, contract, index, contract.steps[kind])
        )
        if not plain and not draw(st.integers(0, 9)):
            events.append({"event_type": "error"})  # recordings show such errors as a kind of keepalive
    events.append(_draw_ending(draw, contract, identity, plain))
    if not plain:
        events = [_with_metadata(draw, contract, event) for event in events]
    policy = draw(st.sampled_from(POLICIES[1:3] if background else POLICIES))
    return EventStream(events=tuple(_with_ids(draw, events, policy)), background=background)


def _draw_opening(draw: st.DrawFn, contract: Contract, identity: str, background: bool) -> list[Json]:
    status = draw(st.sampled_from(("in_progress", "queued"))) if background else "in_progress"
    interaction = {"id": identity, "status": status, "object": "interaction", "model": "gemini-3.5-flash"}
    created = {"interaction": interaction, "event_type": "interaction.created"}
    update = {"interaction_id": identity, "status": "in_progress", "event_type": "interaction.status_update"}
    if not draw(st.booleans()):
        return [created]
    extras = {"usage": usages(contract), "continuation_token": values.BASE64}
    return [created, {**update, **draw(objects(extras))}]


def _with_metadata(draw: st.DrawFn, contract: Contract, event: Json) -> Json:
    """The event, occasionally with the metadata that some services attach."""
    return {**event, "metadata": draw(shapes(contract).at("stream-metadata"))} if draw(_RARELY) else event


def _draw_ending(draw: st.DrawFn, contract: Contract, identity: str, plain: bool) -> Json:
    if not plain and not draw(st.integers(0, 9)):
        return {"error": draw(_draw_errors()), "event_type": "error"}
    status = "completed" if plain else draw(st.sampled_from(sorted(contract.lifecycle.ends)))
    interaction: Json = {"id": identity, "status": status}
    if status not in (FAILED, CANCELLED) or draw(st.booleans()):
        interaction["usage"] = draw(usages(contract))
    if status == "requires_continuation":
        interaction["continuation_token"] = draw(values.BASE64)
    if not plain:
        interaction.update(draw(_draw_particulars(contract)))
    return {"interaction": interaction, "event_type": "interaction.completed"}


@cache
def _draw_particulars(contract: Contract) -> SearchStrategy[Json]:
    """Other fields that a completed interaction may have."""
    fields = shapes(contract).schema("interaction-partial")["properties"]
    own = ("id", "status", "usage", "continuation_token", "steps", "environment_id")
    return shapes(contract).members({name: part for name, part in fields.items() if name not in own})


@cache
def _draw_errors() -> SearchStrategy[Json]:
    words = st.sampled_from(("deadline_exceeded", "api_error"))
    whole = st.fixed_dictionaries({"code": words, "message": values.TEXTS})
    part = st.sampled_from(("code", "message"))  # an empty error would not end the stream
    return st.one_of(whole, st.builds(lambda error, name: {name: error[name]}, whole, part))


_RARELY = st.integers(0, 7).map(lambda number: number == 7)
"""Whether to add something rare; shrinks to False."""


@cache
def _stop_fields(contract: Contract) -> SearchStrategy[Json]:
    return objects({"usage": usages(contract), "step_usage": usages(contract)})


# --- one step


@cache
def _deltas_of(contract: Contract, kind: str) -> SearchStrategy[list[Json]]:
    return st.lists(_one_of(contract, sorted(contract.steps[kind].deltas)), max_size=3)


def _write_two_texts(index: int) -> list[Json]:
    deltas = [{"type": "text", "text": text} for text in ("one ", "two")]
    return _frame_step(index, {"type": "model_output"}, deltas)


def _step(draw: st.DrawFn, contract: Contract, index: int, kind: StepType) -> list[Json]:
    shell = draw(_draw_shell(contract, kind))
    signatures, texts = (_list_grown_by(contract, kind, how) for how in (DeltaEffect.APPEND, DeltaEffect.JSON))
    if signatures:
        others = [name for name in kind.deltas if name not in signatures]
        deltas = draw(st.lists(_one_of(contract, others), max_size=2)) + draw(
            st.lists(_one_of(contract, signatures), max_size=1)
        )
    elif texts:
        deltas = [_draw_arguments(draw, contract, texts[0], part) for part in draw(_argument_parts())]
    else:
        deltas = draw(_deltas_of(contract, kind.name))
    events = _frame_step(index, shell, deltas)
    extras = draw(_stop_fields(contract)) if draw(_RARELY) else {}
    return [*events[:-1], {**events[-1], **extras}]


def _list_grown_by(contract: Contract, kind: StepType, how: DeltaEffect) -> list[str]:
    """The deltas that grow a step in one way."""
    return [name for name in kind.deltas if contract.deltas[name].grows.how is how]


def _one_of(contract: Contract, names: list[str]) -> SearchStrategy[Json]:
    return st.one_of([_draw_delta(contract, name) for name in names])


def _frame_step(index: int, shell: Json, deltas: list[Json]) -> list[Json]:
    grown = [{"index": index, "delta": delta, "event_type": "step.delta"} for delta in deltas]
    start = {"index": index, "step": shell, "event_type": "step.start"}
    return [start, *grown, {"index": index, "event_type": "step.stop"}]


@st.composite
def _draw_shell(draw: st.DrawFn, contract: Contract, kind: StepType) -> Json:
    """The step of a step.start: its type, the fields that it always shows, and sometimes others."""
    step = draw(shapes(contract).at(f"{pointer_to(kind.schema)}/$defs/shell"))
    kept = draw(st.booleans())
    shown = {name for name, how in kind.in_start.items() if how is Shown.WHOLE} | {"type"}
    return {name: value for name, value in step.items() if kept or name in shown}


def _draw_arguments(draw: st.DrawFn, contract: Contract, name: str, part: str) -> Json:
    """A delta with a fragment of JSON; the field may be left out if the fragment is empty."""
    told = {contract.deltas[name].grows.field: part} if part or draw(st.booleans()) else {}
    return {"type": name, **told}


def _draw_delta(contract: Contract, name: str) -> SearchStrategy[Json]:
    return shapes(contract).at(pointer_to(contract.deltas[name].schema))


@st.composite
def _argument_parts(draw: st.DrawFn) -> list[str]:
    """The text of a JSON object, split anywhere."""
    text = json.dumps(draw(values.OBJECTS), ensure_ascii=False)
    places = sorted(draw(st.sets(st.integers(0, len(text)), max_size=2)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


# --- cursors


def _with_ids(draw: st.DrawFn, events: list[Json], policy: str) -> list[Json]:
    """Add event ids to the events by one of `POLICIES`; no id repeats."""
    numbered = []
    for number, event in enumerate(events):
        carries = policy == "all" or (policy == "deltas" and event["event_type"] == "step.delta")
        if policy == "sparse":
            carries = draw(st.booleans())
        numbered.append({**event, "event_id": f"e{number}="} if carries else event)
    return numbered
