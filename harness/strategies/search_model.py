"""The search model of this API: its steps, its player, its document, and what only it knows of calls and states.

Begins with the steps of histories as Hypothesis draws them, and the simpler histories that show the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.contract.judge.answer import REPLIES, judge_response
from harness.contract.tables.protocol import CREATE, operation_of
from harness.kit.search import SearchDocument, SearchModel, simpler_values, weigh
from harness.rules import rows_of
from harness.strategies.client import HistoryPlayer, able_to, list_kinds
from harness.strategies.document import ECHOED, INTERACTIONS, NEIGHBOURS, SHAPES, STRICT, WITH_KEYS, build_document
from harness.strategies.from_schema import TEXTS
from harness.strategies.operations import (
    COUNTED,
    ILLEGAL,
    KINDS,
    LEGAL,
    OF_NOBODY,
    ON_READERS,
    WEATHER,
    ClientCommand,
)
from harness.wire import Request

# Histories: what is drawn never depends on the target's responses, as an operation without a subject does nothing.


_FIRST = (*LEGAL, "background", "background-stream", "background")
"""Modes of the first create; background is more frequent, as most defects need a run in progress."""

_SUBJECTS = st.sampled_from((0, 0, 0, 1, 2))
"""The subjects that a step chooses from. Most defects need several steps with one of them."""
_TOUR = ("poll", "open", "drop", "resume", "finish", "settle", "replay", "delete", "poll")
"""What the first history does with one run, so that a short search of a slow target compares something, too."""


def draw_histories(able: frozenset[str], steps: int) -> SearchStrategy[list[ClientCommand]]:
    """Histories of `steps` operations, the simplest one a tour. Half of the others leave out most kinds."""
    groups: list[Mapping[str, Sequence[str]]] = [
        {kind: [mode for mode in modes if mode not in (*ILLEGAL, *OF_NOBODY, "foreign")]}
        for kind, modes in sorted(KINDS.items(), key=lambda item: item[0] != "poll")
    ]  # Hypothesis fills its first examples with the first kind: each create of a slow target would cost a run
    groups.append({"open": [""]})  # twice as likely: reading in parts begins with it
    groups.append({"create": [*ILLEGAL]})
    groups += [{kind: [mode] for kind in KINDS if mode in KINDS[kind]} for mode in (*OF_NOBODY, "foreign")]
    every = [st.one_of(found) for found in (_list_operations(able, modes) for modes in groups) if found]
    some = st.lists(st.integers(0, len(every) - 1), min_size=2, unique=True)

    def draw_rest(chosen: Iterable[int]) -> SearchStrategy[list[ClientCommand]]:
        return st.lists(st.one_of([every[at] for at in chosen]), min_size=steps - 1, max_size=steps - 1)

    modes = [mode for mode in _FIRST if able_to(able, ClientCommand("create", mode=mode))]
    first = st.sampled_from(modes).map(lambda mode: ClientCommand("create", mode=mode))
    rest = st.one_of(draw_rest(range(len(every))), some.flatmap(draw_rest))
    drawn = st.builds(lambda begin, others: [begin, *others], first, rest)
    begin = ClientCommand("create", mode=modes[-1])
    with_one = (ClientCommand(kind, count=int(kind in COUNTED)) for kind in _TOUR)
    tour = (begin, *with_one, begin, ClientCommand("cancel", 1), ClientCommand("settle", 1))
    return st.one_of(st.just([step for step in tour if able_to(able, step)][:steps]), drawn)


def _list_operations(
    able: frozenset[str], modes: Mapping[str, Sequence[str]]
) -> list[SearchStrategy[ClientCommand]]:
    """Operations of these kinds and modes that the target is able to."""
    found = []
    for kind, names in modes.items():
        if own := [name for name in names if able_to(able, ClientCommand(kind, mode=name))]:
            subject = st.just(0) if kind == "create" or own[0] in OF_NOBODY else _SUBJECTS
            count = st.integers(1, 12) if kind in COUNTED else st.just(0)
            found.append(st.builds(ClientCommand, st.just(kind), subject, st.sampled_from(own), count))
    return found


# The laws of streams as histories: however a stream is read, its events are the same.
# Each history creates one interaction with drawn fields and reads it in drawn parts. The history judge compares
# the parts: a resume after a cursor returns the rest, all parts together equal what GET shows, and the text
# deltas make up the text.


Json = dict[str, Any]

_SCHEMA: Json = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}


def bodies(able: frozenset[str]) -> SearchStrategy[Json]:
    """Fields of a create that a target with these capabilities must accept."""
    texts = TEXTS.map(lambda text: text if any(map(str.isalnum, text)) else "Say hi.")
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
    parts = st.lists(st.integers(1, 15), max_size=4)  # numbers of events to read between drops
    return st.builds(_build_history, creates, parts, st.booleans())


def _build_history(create: ClientCommand, parts: list[int], settled: bool) -> list[ClientCommand]:
    reads = [ClientCommand("replay"), ClientCommand("settle"), ClientCommand("poll")]
    if create.mode == "stream":
        return [create, *reads]
    drops = [ClientCommand("open", count=parts[0]), ClientCommand("drop")] if parts else []
    for number, count in enumerate(parts[1:]):
        drops += [ClientCommand("resume", number, count=count), ClientCommand("drop")]
    if parts:
        drops += [ClientCommand("resume", len(parts) - 1, count=1), ClientCommand("finish")]
    return [create, *([ClientCommand("settle")] if settled else []), *drops, *reads]


# Which of two histories is simpler, and the simpler ones that may show the same.


_LOOKS = ("poll", "settle", "replay")

History: TypeAlias = tuple[ClientCommand, ...]


def weigh_history(history: History) -> tuple[int, ...]:
    """The sort key of a history: fewer steps first, then kinds and modes listed earlier, then smaller values."""
    kinds = list(KINDS)
    weights = (
        (
            kinds.index(operation.kind),
            KINDS[operation.kind].index(operation.mode),
            operation.subject + operation.count,
            weigh(operation.body),
        )
        for operation in history
    )
    return (len(history), *(sum(column) for column in zip(*weights, strict=True)))


def simplify(history: History) -> Iterator[History]:
    """Histories without some of the steps, or with a simpler step in place of one; larger removals first."""
    size = len(history) // 2
    while size > 1:
        for at in range(0, len(history), size):
            yield (*history[:at], *history[at + size :])
        size //= 2
    for at in range(len(history)):
        before, rest = history[:at], history[at + 1 :]
        yield (*before, *rest)
        # an earlier interaction may be gone by that
        yield (
            *before,
            *(
                replace(one, subject=one.subject - 1) if one.subject and one.kind not in ON_READERS else one
                for one in rest
            ),
        )
    for at, operation in enumerate(history):
        for other in _propose_simpler_steps(operation):
            yield (*history[:at], other, *history[at + 1 :])
    # one step less, and another kind of look in place of one that remains, which may serve for both
    for gone in range(len(history)):
        rest = (*history[:gone], *history[gone + 1 :])
        for at, operation in enumerate(rest):
            if operation.kind in _LOOKS and not operation.mode:
                others = (kind for kind in _LOOKS if kind != operation.kind)
                yield from (
                    (*rest[:at], ClientCommand(kind, operation.subject), *rest[at + 1 :]) for kind in others
                )


def _propose_simpler_steps(operation: ClientCommand) -> Iterator[ClientCommand]:
    if operation.kind in ("chain", "answer") and operation.mode in KINDS["create"]:
        yield ClientCommand("create", mode=operation.mode)
    if operation.kind != "create":  # plain reads of an interaction, if their kind is listed earlier
        kinds = list(KINDS)
        subjects = range(2) if operation.kind in ON_READERS else (operation.subject,)
        earlier = (kind for kind in _LOOKS if kinds.index(kind) < kinds.index(operation.kind))
        yield from (ClientCommand(kind, subject) for kind in earlier for subject in subjects)
    modes = KINDS[operation.kind]
    for mode in modes[: modes.index(operation.mode)]:
        yield replace(operation, mode=mode)
    for subject in range(operation.subject):
        yield replace(operation, subject=subject)
    for count in {1, operation.count // 2, operation.count - 1} - {0, -1}:
        if count < operation.count:
            yield replace(operation, count=count)
    if operation.body is not None:
        yield replace(operation, body=None)
        yield from (replace(operation, body=body) for body in simpler_values(operation.body))


# The call that a request makes, as findings name it.


_WORD = re.compile(r"[A-Za-z][A-Za-z_.:]{0,39}")


def name_call(request: Request) -> str:
    """The call that a request makes, without its ids: `GET interactions/{id}`.

    Of other resources only the collection and what is done there are named; everything else may be random.
    """
    operation = operation_of(request)
    if operation is not None:
        return operation.call
    segments = [segment for segment in request.segments if segment]
    _version, *path = segments[1:] if segments[:1] == ["upload"] else segments or [""]
    named = [
        segment if place in (0, 2) and _WORD.fullmatch(segment) else "{id}" if place < 3 else "{path}"
        for place, segment in enumerate(path[:4])
    ]
    return " ".join(filter(None, (request.method, "/".join(named))))


_NEEDED = frozenset({
    "store", "stream", "background", "background-slow", "cancel", "functions", "search", "event-ids", "two-keys",
    "auth",
})  # fmt: skip

_DOCUMENT = SearchDocument(
    build=build_document,
    families=(INTERACTIONS, *NEIGHBOURS),
    echoed=ECHOED,
    shapes=SHAPES,
    with_keys=WITH_KEYS,
    weigh_wrong_key=REPLIES["auth.wrong"].severity,
    strict=STRICT,
)


def build_model(rests_on: Mapping[str, tuple[str, ...]]) -> SearchModel:
    """The model; `rests_on` has the rules by id, each with those whose breach explains its own."""
    return SearchModel(
        rests_on=rests_on,
        rules={row.rule.id: row.rule for row in rows_of("search")},
        needed=_NEEDED,
        create=CREATE,
        name_call=name_call,
        judge_answer=judge_response,
        new_player=HistoryPlayer,
        read_step=lambda record: ClientCommand(**record),
        simplify=simplify,
        weigh=weigh_history,
        draw_histories=draw_histories,
        list_kinds=list_kinds,
        draw_laws=draw_laws,
        document=_DOCUMENT,
    )
