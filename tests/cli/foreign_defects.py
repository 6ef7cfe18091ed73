"""Foreign servers with one defect each, and others that are odd but correct. None knows the harness."""

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


# --- odd, and correct


class RefusesStream(Service):
    """Streaming is not offered."""

    def streams(self, body: Json) -> bool:
        if body.get("stream"):
            raise Refused(501, "unimplemented")
        return False


class RefusesBackground(Service):
    """Background runs are not offered."""

    def create(self, body: Json) -> Run:
        if body.get("background"):
            raise Refused(400, "invalid_request", "background is not supported")
        return super().create(body)


class RefusesChains(Service):
    """Chains are not offered."""

    def create(self, body: Json) -> Run:
        if "previous_interaction_id" in body:
            raise Refused(400, "invalid_request", "previous_interaction_id is not supported")
        return super().create(body)


class RefusesUnstored(Service):
    """store=false is not offered."""

    def begin(self, body: Json, tokens: int) -> Run:
        if body.get("store") is False:
            raise Refused(400, "invalid_request", "store=false is not supported")
        return super().begin(body, tokens)


class WithoutCancel(Handler):
    """There is no route to cancel."""

    def route(self, parts: list[str], query: dict[str, str], data: bytes) -> Any:
        return super().route(["nowhere"] if parts[-1] == "cancel" else parts, query, data)


class WithoutDelete(Handler):
    """There is no route to delete; the standard library answers 501 with a page."""

    def do_DELETE(self) -> None:
        self.send_error(501, "Unsupported method ('DELETE')")


class OnlyCreates(Handler):
    """Only plain creates are offered; the standard library answers everything else 501 with a page."""

    def do_GET(self) -> None:
        self.send_error(501, f"Unsupported method ('{self.command}')")

    do_DELETE = do_PUT = do_GET

    def route(self, parts: list[str], query: dict[str, str], data: bytes) -> Any:
        if any(word in data for word in (b'"stream": true', b'"background": true', b"previous_interaction_id")):
            raise Refused(400, "invalid_request", "not offered")
        return super().route(parts, query, data)
