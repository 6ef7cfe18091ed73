"""Foreign servers with one defect each. None knows the harness."""

from __future__ import annotations

from typing import Any

from tests.cli.foreign_server import LONG, Handler, Run, Service
from tests.foreign.answering import Json, Refused

# --- a 2xx that does something else


class IgnoresStream(Service):
    """stream=true is answered with JSON."""

    def streams(self, body: Json) -> bool:
        return False


class Blocks(Service):
    """background=true answers when all is done, which is soon: a stream is not held back for long, too."""

    def __init__(self) -> None:
        super().__init__()
        self.long = LONG

    def create(self, body: Json) -> Run:
        run = super().create(body)
        while run.status == "in_progress":
            self.pause()
        return run


class Forgets(Service):
    """No GET finds what a create gave an id."""

    def find(self, wanted: str) -> Run:
        raise Refused(404, "not_found", f"There is no interaction {wanted!r}.")


class DeafToCancel(Service):
    """A cancel is acknowledged and never happens; its runs take some seconds."""

    def begin(self, body: Json, tokens: int) -> Run:
        run = super().begin(body, tokens)
        run.seconds *= 5
        return run

    def cancel(self, run: Run) -> None:
        if run.status != "in_progress":
            raise Refused(400, "failed_precondition")


class IgnoresParents(Service):
    """previous_interaction_id changes nothing."""

    def create(self, body: Json) -> Run:
        return super().create({name: value for name, value in body.items() if name != "previous_interaction_id"})


class StoresAnyway(Service):
    """store=false stores."""

    def begin(self, body: Json, tokens: int) -> Run:
        return super().begin({name: value for name, value in body.items() if name != "store"}, tokens)


class KeepsTheDeleted(Service):
    """A delete is acknowledged and never happens."""

    def delete(self, run: Run) -> None:
        """Forget nothing."""


class HangsAtTheEnd(Handler):
    """A resume after the final event brings a head and nothing else, for a minute."""

    def stream(self, frames: Any) -> None:
        if self.query.get("last_event_id") != "e6":
            super().stream(frames)
            return
        self.begin_stream()
        self.service.over.wait(60)


class NeverSettles(Service):
    """Background runs stay in progress for ever."""

    def begin(self, body: Json, tokens: int) -> Run:
        run = super().begin(body, tokens)
        run.seconds = 1e9 if body.get("background") else 0.0
        return run
