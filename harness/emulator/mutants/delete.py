"""Mutants: deleting interactions, and what remains of them afterwards."""

from __future__ import annotations

from typing import Any

from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.run.run import Run
from harness.emulator.values.call import Call, Refusal, json_response
from harness.wire import Response

DELETE = Area("delete")


@DELETE.mutant("delete-refused")
class _DeleteRefused(Engine):
    """Every delete is refused."""

    def delete(self, call: Call, interaction_id: str) -> Response:
        raise Refusal(501, "unimplemented", "DELETE is not implemented.")


@DELETE.mutant("delete-keeps")
class _DeleteKeeps(Engine):
    """A delete is answered with 200 but deletes nothing."""

    def delete(self, call: Call, interaction_id: str) -> Response:
        self.existing(interaction_id, call.project)
        return self.json(b"{}")


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


@DELETE.mutant("deleted-streams-on")
class _DeletedStreamsOn(_Graveyard):
    """A deleted interaction can still be streamed."""

    def get(self, call: Call, interaction_id: str) -> Response:
        if interaction_id in self.dead and call.query.get("stream") == "true":
            return self.streams.open(self.dead[interaction_id])
        return super().get(call, interaction_id)


@DELETE.mutant("deleted-chains-on")
class _DeletedChainsOn(_Graveyard):
    """A deleted interaction can still be continued."""

    def create(self, call: Call) -> Response:
        self.admission._find = lambda parent, project: self.dead.get(parent) or self.find(parent, project)
        return super().create(call)


@DELETE.mutant("deleted-shown")
class _DeletedShown(_Graveyard):
    """A read of a deleted interaction is answered with 200 and the status `deleted`."""

    def get(self, call: Call, interaction_id: str) -> Response:
        if interaction_id in self.dead:
            return json_response({"id": interaction_id, "status": "deleted", "object": "interaction"})
        return super().get(call, interaction_id)


@DELETE.mutant("delete-twice-crashes")
class _DeleteTwiceCrashes(_Graveyard):
    """A second delete is answered with 500."""

    def delete(self, call: Call, interaction_id: str) -> Response:
        if interaction_id in self.dead:
            raise Refusal(500, "api_error", "Internal error.")
        return super().delete(call, interaction_id)


@DELETE.mutant("delete-takes-all")
class _DeleteTakesAll(Engine):
    """A delete removes all interactions."""

    def delete(self, call: Call, interaction_id: str) -> Response:
        response = super().delete(call, interaction_id)
        self.store.clear()
        return response


@DELETE.mutant("delete-unknown-crashes")
class _DeleteUnknownCrashes(Engine):
    """A delete of an unknown id is answered with 500."""

    def delete(self, call: Call, interaction_id: str) -> Response:
        if self.find(interaction_id, call.project) is None:
            raise Refusal(500, "api_error", "Internal error.")
        return super().delete(call, interaction_id)


@DELETE.mutant("delete-unknown-403")
class _DeleteUnknown403(Engine):
    """A delete of an unknown id is answered with 403."""

    def delete(self, call: Call, interaction_id: str) -> Response:
        if self.find(interaction_id, call.project) is None:
            raise Refusal(403, "permission_denied", "Not yours.")
        return super().delete(call, interaction_id)


@DELETE.mutant("delete-running-crashes")
class _DeleteRunningCrashes(Engine):
    """A delete of a run in progress is answered with 500."""

    def delete(self, call: Call, interaction_id: str) -> Response:
        if not self.existing(interaction_id, call.project).settled:
            raise Refusal(500, "api_error", "Internal error.")
        return super().delete(call, interaction_id)


@DELETE.mutant("delete-running-ignored")
class _DeleteRunningIgnored(Engine):
    """A delete of a run in progress is answered with 200 but the run is kept."""

    def delete(self, call: Call, interaction_id: str) -> Response:
        if not self.existing(interaction_id, call.project).settled:
            return self.json(b"{}")
        return super().delete(call, interaction_id)


@DELETE.mutant("id-reused-after-delete")
class _IdReusedAfterDelete(Engine):
    """The id of a deleted interaction is given to the next one."""

    def __init__(self, *args: Any) -> None:
        self.free: list[str] = []
        super().__init__(*args)

    def delete(self, call: Call, interaction_id: str) -> Response:
        response = super().delete(call, interaction_id)
        self.free.append(interaction_id)
        return response

    def interaction_id(self, number: int) -> str:
        return self.free.pop() if self.free else super().interaction_id(number)
