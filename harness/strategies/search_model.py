"""The search model of this API: its steps, its player, its document, and what only it knows of calls and states.

Layer 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.contract.judge.answer import judge_response
from harness.contract.judge.replies import KEY_REFUSED
from harness.contract.tables.operations import operation_of
from harness.kit.search import SearchDocument, SearchModel, StateReading
from harness.rules import rows_of
from harness.strategies.client import HistoryPlayer, list_kinds
from harness.strategies.document import ECHOED, INTERACTIONS, NEIGHBOURS, SHAPES, STRICT, WITH_KEYS, write_document
from harness.strategies.history_steps import draw_laws, draw_steps, simplify, weigh_history
from harness.strategies.operations import ClientCommand
from harness.wire import Request

IGNORED = frozenset({
    "clock", "_clock", "lock", "_lock", "log", "timestamps", "ids", "settings", "_settings", "resources",
    "_resources", "number", "created", "updated", "serial", "_kept", "_world", "replies", "meter", "recorder",
    "_began", "seen_until", "_limits", "_started", "wake", "_paced", "moves", "_mark", "_callers",
    "contract", "_contract", "_validators", "_order", "_writer",
})  # fmt: skip
"""Fields that hold times, locks, logs, caches, generators of ids, the contract, and parts without own state."""

IDS = re.compile(r"v1_[\w-]{40,}|[0-9a-f]{16}")
OPAQUE = frozenset({"signature"})


# The call that a request makes, as findings name it.


_UPLOAD = "upload"
"""What the paths of uploads begin with."""

_WORD = re.compile(r"[A-Za-z][A-Za-z_.:]{0,39}")


def name_call(request: Request) -> str:
    """The call that a request makes, without its ids: `GET interactions/{id}`.

    Of other resources only the collection and what is done there are named; everything else may be random.
    """
    operation = operation_of(request)
    if operation is not None:
        return operation.call
    segments = [segment for segment in request.segments if segment]
    _version, *path = segments[1:] if segments[:1] == [_UPLOAD] else segments or [""]
    named = [
        segment if place in (0, 2) and _WORD.fullmatch(segment) else "{id}" if place < 3 else "{path}"
        for place, segment in enumerate(path[:4])
    ]
    return " ".join(filter(None, (request.method, "/".join(named))))


_NEEDED = frozenset(
    {"store", "stream", "background", "background-slow", "functions", "search", "event-ids", "two-keys", "auth"}
)

_DOCUMENT = SearchDocument(
    write=write_document,
    families=(INTERACTIONS, *NEIGHBOURS),
    refused="err.shape",
    echoed=ECHOED,
    shapes=SHAPES,
    with_keys=WITH_KEYS,
    weigh_wrong_key=KEY_REFUSED.severity,
    strict=STRICT,
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
            ignored=IGNORED,
            ids=IDS,
            opaque=OPAQUE,
        ),
        document=_DOCUMENT,
    )


def _read_step(record: Mapping[str, Any]) -> ClientCommand:
    return ClientCommand(**record)
