"""What a search knows of the toy API: four steps, a client that plays them, and a rule that only a search judges.

A note is made, read, read as a stream and deleted. The client remembers each note, so it knows what the next
answer has to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from hypothesis import strategies as st

from harness.kit.search import SearchModel, SearchWorld
from harness.outcome import Basis, Finding, Judgement, Level, Rule, Source
from harness.wire import Exchange, Request
from harness.wire.bodies import object_or_none

KINDS = ("make", "read", "stream", "delete")

GONE = Rule(
    id="note.gone",
    level=Level.MUST,
    statement="A note that was deleted cannot be read.",
    breaks="Somebody's words are read by others.",
    source=Source(Basis.DOCUMENTED, "Manual of notes", "Deletion"),
)


@dataclass(frozen=True)
class NoteStep:
    """One thing that a client does to the note with this number, modulo how many there are."""

    kind: str
    subject: int = 0

    @property
    def label(self) -> str:
        """The kind says it all."""
        return self.kind

    def __str__(self) -> str:
        return self.kind if self.kind == "make" else f"{self.kind} #{self.subject}"

    def record(self) -> dict[str, Any]:
        """The step as plain data."""
        return asdict(self)


class NotePlayer:
    """Plays steps, and expects of a note what its client last made of it."""

    def __init__(self, world: SearchWorld) -> None:
        self.world = world
        self.notes: list[str] = []
        self.gone: set[str] = set()

    def resolve(self, step: NoteStep, /) -> NoteStep | None:
        """A step needs a note, unless it makes one."""
        if step.kind == "make":
            return step
        return replace(step, subject=step.subject % len(self.notes)) if self.notes else None

    def play(self, step: NoteStep, /) -> None:
        """Send the one request of a step."""
        target = self.world.target
        if step.kind == "make":
            made = object_or_none(self.send(target.request("POST", "notes", {"text": "one two"})).body) or {}
            self.notes.append(str(made.get("id")))
            return
        name = self.notes[step.subject]
        tail = "/words" if step.kind == "stream" else ""
        answer = self.send(target.request("DELETE" if step.kind == "delete" else "GET", f"notes/{name}{tail}"))
        if step.kind == "delete":
            self.gone.add(name)
        elif step.kind == "read" and answer.succeeded and name in self.gone:
            judgement = Judgement()
            judgement.decide(
                GONE.id, [Finding(GONE.id, "a deleted note is still there", "404", str(answer.status))]
            )
            self.world.accuse(judgement, answer.request)

    def send(self, request: Request, /) -> Exchange:
        """One answer alone shows nothing."""
        return self.world.send(request)

    def close(self) -> None:
        """Nothing stays open."""


def _simplify(history: tuple[NoteStep, ...]) -> Iterator[tuple[NoteStep, ...]]:
    for at, step in enumerate(history):
        yield (*history[:at], *history[at + 1 :])
        yield from ((*history[:at], replace(step, subject=n), *history[at + 1 :]) for n in range(step.subject))


def _weigh(history: tuple[NoteStep, ...]) -> tuple[int, ...]:
    return len(history), sum(KINDS.index(step.kind) for step in history), sum(step.subject for step in history)


def _name_call(request: Request) -> str:
    _version, collection, *rest = request.segments
    return " ".join((request.method, "/".join([collection, *("{id}" for _ in rest[:1]), *rest[1:]])))


SEARCH = SearchModel(
    rules={GONE.id: GONE},
    needed=frozenset({"words"}),
    create="POST notes",
    name_call=_name_call,
    judge_answer=lambda exchange, key, own: (),
    new_player=NotePlayer,
    read_step=lambda record: NoteStep(**record),
    simplify=_simplify,
    weigh=_weigh,
    draw_histories=lambda able, steps: st.lists(
        st.builds(NoteStep, st.sampled_from(KINDS), st.integers(0, 2)), min_size=steps, max_size=steps
    ),
    list_kinds=lambda able: KINDS,
)


def load_search() -> SearchModel:
    """The name of it in a printed test."""
    return SEARCH
