"""Mutants: deleting interactions, and what remains of them afterwards."""

from __future__ import annotations

import math
from typing import Any

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import answer, crash, is_unknown, refuse, when
from harness.emulator.mutants.hooks import request
from harness.emulator.mutants.parts import after, part
from harness.emulator.mutants.rows import row
from harness.emulator.run.run import Run
from harness.emulator.values.call import Call, json_response
from harness.kit.mutant import table
from harness.wire import Response


def _is_running(call: Call, engine: Engine) -> bool:
    run = engine.find(call.segments[1], call.project)
    return run is not None and not run.settled


class _Graveyard(Engine):
    """Remembers deleted interactions."""

    def __init__(self, *args: Any) -> None:
        self.dead: dict[str, Run] = {}
        super().__init__(*args)

    def delete(self, call: Call, interaction_id: str) -> Response:
        run = self.find(interaction_id, call.project)
        response = super().delete(call, interaction_id)
        if run is not None:
            self.dead[interaction_id] = run
        return response


class _DeletedStreamsOn(_Graveyard):
    def get(self, call: Call, interaction_id: str) -> Response:
        if interaction_id in self.dead and call.query.get("stream") == "true":
            return self.streams.open(self.dead[interaction_id])
        return super().get(call, interaction_id)


class _DeletedChainsOn(_Graveyard):
    def create(self, call: Call) -> Response:
        self.validator._find = lambda parent, project: self.dead.get(parent) or self.find(parent, project)
        return super().create(call)


class _DeletedShown(_Graveyard):
    def get(self, call: Call, interaction_id: str) -> Response:
        if interaction_id in self.dead:
            return json_response({"id": interaction_id, "status": "deleted", "object": "interaction"})
        return super().get(call, interaction_id)


class _DeleteUndone(_Graveyard):
    """What was deleted comes back half a second later, if it was `comes_back`."""

    def __init__(self, *args: Any) -> None:
        self.back: dict[str, float] = {}
        super().__init__(*args)

    def comes_back(self, run: Run) -> bool:
        return run.settled

    def delete(self, call: Call, interaction_id: str) -> Response:
        run = self.find(interaction_id, call.project)
        if run is not None and self.comes_back(run):
            self.back[interaction_id] = self.clock.now + 0.5
        return super().delete(call, interaction_id)

    def get(self, call: Call, interaction_id: str) -> Response:
        if self.clock.now >= self.back.get(interaction_id, math.inf):
            return self.json(self.bodies.render(self.dead[interaction_id], timeline=True))
        return super().get(call, interaction_id)


class _DeletedRunWrittenBack(_DeleteUndone):
    def comes_back(self, run: Run) -> bool:
        return not run.settled


class _DeletedReaderHangs(Engine):
    def delete(self, call: Call, interaction_id: str) -> Response:
        run = self.find(interaction_id, call.project)
        if run is None or run.settled:
            return super().delete(call, interaction_id)
        run.hold()
        self.store.forget(run)
        return self.json(b"{}")


class _DeleteTwiceCrashes(_Graveyard):
    def delete(self, call: Call, interaction_id: str) -> Response:
        if interaction_id in self.dead:
            crash()
        return super().delete(call, interaction_id)


class _IdReusedAfterDelete(Engine):
    def __init__(self, *args: Any) -> None:
        self.free: list[str] = []
        super().__init__(*args)

    def delete(self, call: Call, interaction_id: str) -> Response:
        response = super().delete(call, interaction_id)
        self.free.append(interaction_id)
        return response

    def interaction_id(self, number: int) -> str:
        return self.free.pop() if self.free else super().interaction_id(number)


MUTANTS = table(
    "delete",
    row("delete-refused", "Every delete is refused.",
        request("DELETE interactions/*", refuse("DELETE is not implemented.", 501, "unimplemented"))),
    row("delete-keeps", "A delete is answered with 200 but deletes nothing.",
        request("DELETE interactions/*", when(lambda *context: not is_unknown(*context), answer({})))),
    row("deleted-streams-on", "A deleted interaction can still be streamed.",
        part(_DeletedStreamsOn)),
    row("deleted-chains-on", "A deleted interaction can still be continued.",
        part(_DeletedChainsOn)),
    row("delete-undone", "A deleted interaction is gone, and half a second later it is there again.",
        part(_DeleteUndone)),
    row("deleted-run-written-back",
        "A run that is deleted while it is in progress is gone, and half a second later it is there again.",
        part(_DeletedRunWrittenBack)),
    row("deleted-reader-hangs", "A stream that is open while its run is deleted never ends.",
        part(_DeletedReaderHangs)),
    row("deleted-shown", "A read of a deleted interaction is answered with 200 and the status `deleted`.",
        part(_DeletedShown)),
    row("delete-twice-crashes", "A second delete is answered with 500.",
        part(_DeleteTwiceCrashes)),
    row("delete-takes-all", "A delete removes all interactions.",
        after(Engine.delete, lambda response, engine, *_: engine.store.clear())),
    row("delete-unknown-crashes", "A delete of an unknown id is answered with 500.",
        request("DELETE interactions/*", when(is_unknown, crash))),
    row("delete-unknown-403", "A delete of an unknown id is answered with 403.",
        request("DELETE interactions/*", when(is_unknown, refuse("Not yours.", 403, "permission_denied")))),
    row("delete-running-crashes", "A delete of a run in progress is answered with 500.",
        request("DELETE interactions/*", when(_is_running, crash))),
    row("delete-running-ignored", "A delete of a run in progress is answered with 200 but the run is kept.",
        request("DELETE interactions/*", when(_is_running, answer({})))),
    row("id-reused-after-delete", "The id of a deleted interaction is given to the next one.",
        part(_IdReusedAfterDelete)),
)  # fmt: skip
