"""Mutants: storing and reading interactions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.emulator.create.validation import Admission
from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.run.store import Store
from harness.emulator.values.call import Call, Refusal, invalid, json_response, not_found
from harness.emulator.values.create_request import Order
from harness.wire import Response

STORAGE = Area("storage")


@STORAGE.mutant("reads-nothing")
class _ReadsNothing(Engine):
    """Stored interactions are not found."""

    def get(self, call: Call, interaction_id: str) -> Response:
        raise not_found("Not found.")


@STORAGE.mutant("reads-another")
class _ReadsAnother(Engine):
    """A read returns the newest interaction, whatever id was requested."""

    def get(self, call: Call, interaction_id: str) -> Response:
        self.existing(interaction_id, call.project)
        mine = [run.id for run in self.store.all() if run.project == call.project]
        return super().get(call, mine[-1])


@STORAGE.mutant("reads-differ")
class _ReadsDiffer(Bodies):
    """The token counts of a settled interaction grow with every read."""

    _reads = 0

    def rendered(self, run: Run, *, timeline: bool, include_input: bool = False) -> bytes:
        run.bodies.clear()
        return super().rendered(run, timeline=timeline, include_input=include_input)

    def usage(self, run: Run) -> Json:
        self._reads += 1
        usage = super().usage(run)
        return {**usage, "total_tokens": usage["total_tokens"] + self._reads}


@STORAGE.mutant("stored-output-cut")
class _StoredOutputCut(Bodies):
    """A stored interaction lacks the last step of its output."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        steps = super().steps(run, timeline=timeline)
        return steps[:-1] if timeline and run.settled and run.status == "completed" else steps


@STORAGE.mutant("stored-order-reversed")
class _StoredOrderReversed(Bodies):
    """The stored steps are in reverse order."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        steps = super().steps(run, timeline=timeline)
        return steps[::-1] if timeline else steps


@STORAGE.mutant("stored-without-input")
class _StoredWithoutInput(Bodies):
    """The timeline that a read shows lacks the user's input."""

    def steps(self, run: Run, *, timeline: bool) -> list[Json]:
        return super().steps(run, timeline=False)


@STORAGE.mutant("include-input-refused")
class _IncludeInputRefused(Engine):
    """include_input is answered with 400."""

    def get(self, call: Call, interaction_id: str) -> Response:
        if "include_input" in call.query:
            raise invalid("Unknown parameter 'include_input'.", "parameter_unknown")
        return super().get(call, interaction_id)


@STORAGE.mutant("stream-parameter-truthy")
class _StreamParameterTruthy(Engine):
    """A read with any value of `stream` is answered with a stream, `false` included."""

    def flag(self, query: Any, name: str) -> bool:
        return name in query if name == "stream" else super().flag(query, name)


@STORAGE.mutant("cursor-without-stream-crashes")
class _CursorWithoutStreamCrashes(Engine):
    """A cursor without stream=true is answered with 500."""

    def get(self, call: Call, interaction_id: str) -> Response:
        if "last_event_id" in call.query and call.query.get("stream") != "true":
            raise Refusal(500, "api_error", "Internal error.")
        return super().get(call, interaction_id)


@STORAGE.mutant("unknown-read-200")
class _UnknownRead200(Engine):
    """A read of an unknown id is answered with 200 and an empty object."""

    def get(self, call: Call, interaction_id: str) -> Response:
        if self.find(interaction_id, call.project) is None and call.query.get("stream") != "true":
            return json_response({})
        return super().get(call, interaction_id)


@STORAGE.mutant("unknown-read-crashes")
class _UnknownReadCrashes(Engine):
    """A read of an unknown id is answered with 500."""

    def existing(self, interaction_id: str, project: str) -> Run:
        run = self.find(interaction_id, project)
        if run is None:
            raise Refusal(500, "api_error", "Internal error.")
        return run


@STORAGE.mutant("store-false-stored")
class _StoreFalseStored(Engine):
    """Interactions created with `store: false` are stored anyway."""

    def open(self, order: Order) -> tuple[Run, Order]:
        order.store = True
        return super().open(order)


@STORAGE.mutant("store-false-background")
class _StoreFalseBackground(Admission):
    """A background run may be created with `store: false`."""

    def shape(self, body: Json) -> None:
        if body.get("background") is True:
            body.pop("store", None)
        super().shape(body)


@STORAGE.mutant("projects-shared")
class _ProjectsShared(Store):
    """Another project's key can read, cancel and delete every interaction."""

    def may_see(self, run: Run, project: str) -> bool:
        return True


@STORAGE.mutant("projects-shared-for-deletes")
class _ProjectsSharedForDeletes(Engine):
    """Another project's key can delete every interaction."""

    def delete(self, call: Call, interaction_id: str) -> Response:
        for run in self.store.all():
            if run.id == interaction_id:
                self.store.forget(run)
                return self.json(b"{}")
        return super().delete(call, interaction_id)


@STORAGE.mutant("projects-shared-for-cached-reads")
class _ProjectsSharedForCachedReads(Engine):
    """What its own project has read can be read with any key, as from a cache that ignores keys."""

    _cached: frozenset[str] = frozenset()

    def get(self, call: Call, interaction_id: str) -> Response:
        for run in self.store.all():
            if run.id == interaction_id and run.project == call.project:
                self._cached |= {run.id}
            elif run.id == interaction_id and run.id in self._cached:
                call = replace(call, project=run.project)
        return super().get(call, interaction_id)


@STORAGE.mutant("reads-change-status")
class _ReadsChangeStatus(Engine):
    """Every second read shows a completed interaction as in progress."""

    _reads = 0

    def get(self, call: Call, interaction_id: str) -> Response:
        self._reads += 1
        odd = self._reads % 2 == 0

        def change(body: Json) -> None:
            if odd and body.get("status") == "completed":
                body["status"] = "in_progress"

        return altered(super().get(call, interaction_id), change)
