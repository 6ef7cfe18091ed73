"""Mutants: cancelling."""

from __future__ import annotations

from typing import Any

from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.run.stream_body import Reader
from harness.emulator.run.stream_response import Streams
from harness.emulator.values.call import Call, Refusal, invalid, json_response, not_found
from harness.wire import Body, Piece, Response

CANCEL = Area("cancel")


@CANCEL.mutant("cancel-missing")
class _CancelMissing(Engine):
    """There is no cancel operation."""

    def cancel(self, call: Call, interaction_id: str) -> Response:
        raise not_found("Method not found.")


@CANCEL.mutant("cancel-noop")
class _CancelNoop(Engine):
    """A cancel is answered with 200 but the run continues."""

    def stop(self, run: Run) -> None:
        return None


@CANCEL.mutant("cancel-completes")
class _CancelCompletes(Engine):
    """A cancelled run is shown as completed."""

    def stop(self, run: Run) -> None:
        run.cancel()
        run._goal = "completed"


@CANCEL.mutant("cancel-fails-run")
class _CancelFailsRun(Engine):
    """A cancelled run is shown as failed."""

    def stop(self, run: Run) -> None:
        run.cancel()
        run._goal = "failed"


@CANCEL.mutant("cancelled-misspelt")
class _CancelledMisspelt(Bodies):
    """The status is spelt `canceled`."""

    def status(self, run: Run) -> str:
        return super().status(run).replace("cancelled", "canceled")


@CANCEL.mutant("cancel-answers-empty")
class _CancelAnswersEmpty(Engine):
    """A cancel is answered with an empty object."""

    def cancel(self, call: Call, interaction_id: str) -> Response:
        super().cancel(call, interaction_id)
        return json_response({})


@CANCEL.mutant("cancel-needs-body")
class _CancelNeedsBody(Engine):
    """A cancel without a body is refused."""

    def cancel(self, call: Call, interaction_id: str) -> Response:
        if not call.request.body:
            raise invalid("The body is not valid JSON.")
        return super().cancel(call, interaction_id)


@CANCEL.mutant("cancelled-comes-back")
class _CancelledComesBack(Engine):
    """A few polls after the cancel, the run is shown as completed after all."""

    def __init__(self, *args: Any) -> None:
        self.polls: dict[str, int] = {}
        super().__init__(*args)

    def get(self, call: Call, interaction_id: str) -> Response:
        count = self.polls[interaction_id] = self.polls.get(interaction_id, 0) + 1

        def change(body: Json) -> None:
            if body.get("status") == "cancelled" and count > 1:
                body["status"] = "completed"

        return altered(super().get(call, interaction_id), change)


@CANCEL.mutant("cancelled-vanishes")
class _CancelledVanishes(Engine):
    """A cancelled interaction can no longer be read."""

    def get(self, call: Call, interaction_id: str) -> Response:
        if self.existing(interaction_id, call.project).status == "cancelled":
            raise not_found("Not found.")
        return super().get(call, interaction_id)


@CANCEL.mutant("cancelled-stream-hangs")
class _CancelledStreamHangs(Streams):
    """A stream that is open while its run is cancelled never ends."""

    def body(self, run: Run, position: int) -> Body:
        return super().body(run, position) if run.settled else _Deaf(run, position, self.waiting(run), self._lock)


@CANCEL.mutant("cancelled-stream-silent")
class _CancelledStreamSilent(Run):
    """A stream that is open while its run is cancelled ends without a closing event."""

    def _close(self, events: list[Json]) -> None:
        if self._goal != "cancelled":
            super()._close(events)


@CANCEL.mutant("cancelled-stream-goes-on")
class _CancelledStreamGoesOn(Run):
    """A stream that is open while its run is cancelled delivers the whole output and reports it as completed."""

    def _stop_here(self) -> None:
        return None

    def _close(self, events: list[Json]) -> None:
        goal, self._goal = self._goal, "completed"
        super()._close(events)
        self._goal = goal


@CANCEL.mutant("cancel-twice-crashes")
class _CancelTwiceCrashes(Engine):
    """A second cancel is answered with 500."""

    def cancellable(self, run: Run) -> None:
        if run.status == "cancelled":
            raise Refusal(500, "api_error", "Internal error.")
        super().cancellable(run)


class _LateCancel(Engine):
    """Cancels settled runs."""

    def which(self, run: Run) -> bool:
        """Whether the defect applies to this run."""
        return True

    def cancellable(self, run: Run) -> None:
        if not self.which(run):
            super().cancellable(run)
        elif run.settled:
            run.bodies.clear()
            run._goal = "cancelled"


@CANCEL.mutant("cancel-foreground")
class _CancelForeground(_LateCancel):
    """A finished foreground interaction becomes cancelled."""

    def which(self, run: Run) -> bool:
        return not run.background


@CANCEL.mutant("cancel-settled")
class _CancelSettled(_LateCancel):
    """A finished background run becomes cancelled."""

    def which(self, run: Run) -> bool:
        return run.background


@CANCEL.mutant("cancel-wipes-foreground")
class _CancelWipesForeground(Engine):
    """A refused cancel of a foreground interaction removes its output."""

    def cancellable(self, run: Run) -> None:
        if not run.background:
            run.steps = []
            run.bodies.clear()
        super().cancellable(run)


@CANCEL.mutant("cancel-wipes-background")
class _CancelWipesBackground(Engine):
    """A refused cancel of a finished background run removes its output."""

    def cancellable(self, run: Run) -> None:
        if run.background and run.settled and run.status != "cancelled":
            run.steps = []
            run.bodies.clear()
        super().cancellable(run)


@CANCEL.mutant("cancel-late-crashes")
class _CancelLateCrashes(Engine):
    """A cancel of a settled run is answered with 500."""

    def cancellable(self, run: Run) -> None:
        if run.settled and run.status != "cancelled":
            raise Refusal(500, "api_error", "Internal error.")


@CANCEL.mutant("cancel-unknown-200")
class _CancelUnknown200(Engine):
    """A cancel of an unknown id is answered with 200."""

    def cancel(self, call: Call, interaction_id: str) -> Response:
        if self.find(interaction_id, call.project) is None:
            return json_response({"id": interaction_id, "status": "cancelled", "object": "interaction"})
        return super().cancel(call, interaction_id)


@CANCEL.mutant("cancel-unknown-crashes")
class _CancelUnknownCrashes(Engine):
    """A cancel of an unknown id is answered with 500."""

    def cancel(self, call: Call, interaction_id: str) -> Response:
        if self.find(interaction_id, call.project) is None:
            raise Refusal(500, "api_error", "Internal error.")
        return super().cancel(call, interaction_id)


@CANCEL.mutant("cancel-colon")
class _CancelColon(Engine):
    """`{id}:cancel` is a route too."""

    def handle(self, call: Call) -> Response | None:
        if len(call.segments) == 2 and call.segments[1].endswith(":cancel") and call.request.method == "POST":
            return self.cancel(call, call.segments[1].removesuffix(":cancel"))
        return super().handle(call)


@CANCEL.mutant("cancel-deletes")
class _CancelDeletes(Engine):
    """A cancel deletes the interaction."""

    def stop(self, run: Run) -> None:
        run.cancel()
        self.store.forget(run)


class _Deaf(Reader):
    """Never ends once its run has been cancelled."""

    def _take(self) -> Piece:
        return self._waiting.begin() if self._run.status == "cancelled" else super()._take()


@CANCEL.mutant("cancel-late-deletes")
class _CancelLateDeletes(Engine):
    """A cancel of a settled run is refused but deletes the interaction."""

    def cancellable(self, run: Run) -> None:
        if run.settled and run.status != "cancelled":
            self.store.forget(run)
        super().cancellable(run)
