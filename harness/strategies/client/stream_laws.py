"""The laws of streams as histories: however a stream is read, its events are the same.

Layer 2. Each history creates one interaction with drawn fields and reads it in drawn parts. The history judge
compares the parts: a resume after a cursor returns the rest, all parts together equal what GET shows, and the text
deltas make up the text.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.strategies import values
from harness.strategies.client.create_modes import WEATHER
from harness.strategies.operations import ClientCommand

Json = dict[str, Any]

_SCHEMA: Json = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}


def bodies(able: frozenset[str]) -> SearchStrategy[Json]:
    """Fields of a create that a target with these capabilities must accept."""
    texts = values.TEXTS.map(lambda text: text if any(map(str.isalnum, text)) else "Say hi.")
    contents = st.lists(texts.map(lambda text: {"type": "text", "text": text}), min_size=1, max_size=2)
    inputs = st.one_of(texts, contents).map(lambda given: {"input": given})
    extras: list[SearchStrategy[Json]] = [
        st.just({}),
        texts.map(lambda text: {"system_instruction": text}),
        st.just({"response_format": {"type": "text", "mime_type": "application/json", "schema": _SCHEMA}}),
        st.just({"generation_config": {"thinking_summaries": "auto"}}),
    ]
    if "functions" in able:
        extras.append(st.just({"tools": [WEATHER], "generation_config": {"tool_choice": "any"}}))
    if "search" in able:
        extras.append(st.just({"tools": [{"type": "google_search"}]}))
    return st.builds(lambda one, other: {**one, **other}, inputs, st.one_of(extras))


def draw_laws(able: frozenset[str]) -> SearchStrategy[list[ClientCommand]]:
    """Histories of one interaction each: streamed, cut, resumed, and read again."""
    modes = ["stream"]
    if "background" in able:
        modes += ["background", "background-stream"]
    creates = st.builds(
        ClientCommand, st.just("create"), st.just(0), st.sampled_from(modes), st.just(0), bodies(able)
    )
    return st.builds(_build_history, creates, _draw_parts(), st.booleans())


def _draw_parts() -> SearchStrategy[list[int]]:
    """Numbers of events to read between drops."""
    return st.lists(st.integers(1, 15), max_size=4)


def _build_history(create: ClientCommand, parts: list[int], settled: bool) -> list[ClientCommand]:
    looks = [ClientCommand("replay"), ClientCommand("settle"), ClientCommand("poll")]
    if create.mode == "stream":
        return [create, *looks]
    drops = [ClientCommand("open", count=parts[0]), ClientCommand("drop")] if parts else []
    for number, count in enumerate(parts[1:]):
        drops += [ClientCommand("resume", number, count=count), ClientCommand("drop")]
    if parts:
        drops += [ClientCommand("resume", len(parts) - 1, count=1), ClientCommand("finish")]
    return [create, *([ClientCommand("settle")] if settled else []), *drops, *looks]
