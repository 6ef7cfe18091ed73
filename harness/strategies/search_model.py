"""The search model of this API: its steps, its player, its document, and what only it knows of calls and states.

Layer 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.contract.judge.answer import judge_response
from harness.kit.search import SearchDocument, SearchModel, StateReading
from harness.rules import rows_of
from harness.strategies.client import state_fields
from harness.strategies.client.call_names import name_call
from harness.strategies.client.operations_table import list_kinds
from harness.strategies.client.player import HistoryPlayer
from harness.strategies.client.simpler_histories import simplify, weigh_history
from harness.strategies.client.step_strategies import draw_steps
from harness.strategies.client.stream_laws import draw_laws
from harness.strategies.document import families
from harness.strategies.document.tailored_document import write_document
from harness.strategies.operations import ClientCommand

_NEEDED = frozenset(
    {"store", "stream", "background", "background-slow", "functions", "search", "event-ids", "two-keys", "auth"}
)

_DOCUMENT = SearchDocument(
    write=write_document,
    families=(families.INTERACTIONS, *families.NEIGHBOURS),
    refused="err.shape",
    echoed=families.ECHOED,
    shapes=families.SHAPES,
    with_keys=families.WITH_KEYS,
    strict=families.STRICT,
)


def build_model(read_service: Callable[[Any], Any], rests_on: Mapping[str, tuple[str, ...]]) -> SearchModel:
    """The model; `read_service` returns all that decides what a reference service answers."""
    return SearchModel(
        rests_on=rests_on,
        rules={row.rule.id: row.rule for row in rows_of("search")},
        needed=_NEEDED,
        create="POST interactions",
        name_call=name_call,
        judge_answer=judge_response,
        new_player=HistoryPlayer,
        read_step=_read_step,
        simplify=simplify,
        weigh=weigh_history,
        draw_steps=draw_steps,
        list_kinds=list_kinds,
        draw_laws=draw_laws,
        state=StateReading(
            read=read_service,
            ignored=state_fields.IGNORED,
            ids=state_fields.IDS,
            opaque=state_fields.OPAQUE,
        ),
        document=_DOCUMENT,
    )


def _read_step(record: Mapping[str, Any]) -> ClientCommand:
    return ClientCommand(**record)
