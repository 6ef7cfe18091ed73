"""Mutants: background runs, and how clients see them."""

from __future__ import annotations

from typing import Any

from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.values.call import Call, Refusal, not_found
from harness.emulator.values.create_request import Order
from harness.wire import COMPLETE, Chunk, Chunked, Pause, Piece, PieceBody, Response
from harness.wire.message import JSON_HEADERS

BACKGROUND = Area("background")


@BACKGROUND.mutant("background-ignored")
class _BackgroundIgnored(Engine):
    """`background` is ignored: the create is answered when the run has finished, as in the foreground."""

    def open(self, order: Order) -> tuple[Run, Order]:
        order.background = False
        return super().open(order)


@BACKGROUND.mutant("background-refused")
class _BackgroundRefused(Engine):
    """`background` is refused."""

    def open(self, order: Order) -> tuple[Run, Order]:
        if order.background:
            raise Refusal(501, "unimplemented", "'background' is not implemented.")
        return super().open(order)


@BACKGROUND.mutant("background-without-id")
class _BackgroundWithoutId(Engine):
    """The response to a background create has no id."""

    def create(self, call: Call) -> Response:
        def change(body: Json) -> None:
            if body.get("status") == "in_progress":
                body.pop("id", None)

        return altered(super().create(call), change)


@BACKGROUND.mutant("background-slow")
class _BackgroundSlow(Engine):
    """The response to a background create takes more than a minute."""

    def answer(self, opened: tuple[Run, Order]) -> Response:
        run, order = opened
        response = super().answer(opened)
        if not run.background or order.stream:
            return response
        drip: tuple[Piece, ...] = (Chunk(b" "), Pause(20.0)) * 4
        pieces = (*drip, Chunk(self.bodies.rendered(run, timeline=False)), COMPLETE)
        return Response(200, JSON_HEADERS, Chunked(), PieceBody(pieces))


@BACKGROUND.mutant("never-settles")
class _NeverSettles(Run):
    """Background runs stay in progress forever."""

    def poll(self) -> None:
        return None


@BACKGROUND.mutant("result-missing")
class _ResultMissing(Bodies):
    """A completed background run has no output."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        return list(run.given) if run.background else super().steps(run, timeline=timeline)


@BACKGROUND.mutant("polls-name-another")
class _PollsNameAnother(Bodies):
    """Every poll shows a different id."""

    _polls = 0

    def interaction(self, run: Run, *, timeline: bool, include_input: bool = False) -> Json:
        body = super().interaction(run, timeline=timeline, include_input=include_input)
        if timeline and run.background:
            self._polls += 1
            body["id"] = f"{run.id}-{self._polls}"
        return body


@BACKGROUND.mutant("poll-regresses")
class _PollRegresses(Engine):
    """After a run has settled, every second poll shows it in progress again."""

    def __init__(self, *args: Any) -> None:
        self.polls: dict[str, int] = {}
        super().__init__(*args)

    def get(self, call: Call, interaction_id: str) -> Response:
        response = super().get(call, interaction_id)
        run = self.existing(interaction_id, call.project)
        if not run.settled or not run.background:
            return response
        count = self.polls[run.id] = self.polls.get(run.id, 0) + 1

        def change(body: Json) -> None:
            if count % 2 == 0:
                body["status"] = "in_progress"

        return altered(response, change)


@BACKGROUND.mutant("transition-impossible")
class _TransitionImpossible(Bodies):
    """Polls after the create show a run in progress as queued."""

    def status(self, run: Run) -> str:
        status = super().status(run)
        return "queued" if run.background and run.shown > 2 and status == "in_progress" else status


@BACKGROUND.mutant("status-unknown")
class _StatusUnknown(Bodies):
    """A run in progress has the status `running`."""

    def status(self, run: Run) -> str:
        status = super().status(run)
        return "running" if status == "in_progress" else status


@BACKGROUND.mutant("updated-goes-back")
class _UpdatedGoesBack(Bodies):
    """The time of the last update goes back from poll to poll."""

    _polls = 0

    def interaction(self, run: Run, *, timeline: bool, include_input: bool = False) -> Json:
        body = super().interaction(run, timeline=timeline, include_input=include_input)
        if timeline and run.background:
            self._polls += 1
            body["updated"] = f"2026-06-10T00:00:{59 - self._polls % 60:02}Z"
        return body


@BACKGROUND.mutant("queued-forever")
class _QueuedForever(Run):
    """A queued run stays queued."""

    def poll(self) -> None:
        if not self.waiting:
            super().poll()


@BACKGROUND.mutant("queue-hidden")
class _QueueHidden(Bodies):
    """A queued run is shown as completed, without output."""

    def status(self, run: Run) -> str:
        status = super().status(run)
        return "completed" if status == "queued" else status


@BACKGROUND.mutant("failed-silently")
class _FailedSilently(Bodies):
    """A failed run has no errors that say why."""

    def extras(self, run: Run, body: Json, settled: bool) -> None:
        super().extras(run, body, settled)
        body.pop("errors", None)


@BACKGROUND.mutant("failed-shown-completed")
class _FailedShownCompleted(Bodies):
    """Polls show a failed run as completed."""

    def status(self, run: Run) -> str:
        status = super().status(run)
        return "completed" if status == "failed" else status


@BACKGROUND.mutant("failed-streamed-completed")
class _FailedStreamedCompleted(Run):
    """The stream of a failed run reports it as completed."""

    @property
    def status(self) -> str:
        status = super().status
        return "completed" if status == "failed" and self.settled else status

    @property
    def visible_status(self) -> str:
        return super().status if not self._lag else super().visible_status


@BACKGROUND.mutant("cut-short-shown-completed")
class _CutShortShownCompleted(Bodies):
    """A run whose output was cut by a limit is shown as completed."""

    def status(self, run: Run) -> str:
        status = super().status(run)
        return "completed" if status == "incomplete" else status


@BACKGROUND.mutant("settles-without-output-first")
class _SettlesWithoutOutputFirst(Bodies):
    """The first poll after a run has completed shows no output."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        if timeline and run.background and run.settled and run.id not in self.seen:
            self.seen.add(run.id)
            run.bodies.clear()
            return list(run.given)
        return super().steps(run, timeline=timeline)

    def rendered(self, run: Run, *, timeline: bool, include_input: bool = False) -> bytes:
        first = run.id not in self.seen
        data = super().rendered(run, timeline=timeline, include_input=include_input)
        if first:
            run.bodies.clear()
        return data


@BACKGROUND.mutant("background-404-after-create")
class _Background404AfterCreate(Engine):
    """A background run is not found until it has settled."""

    def get(self, call: Call, interaction_id: str) -> Response:
        run = self.existing(interaction_id, call.project)
        if run.background and not run.settled:
            run.poll()
            raise not_found("Not found.")
        return super().get(call, interaction_id)
