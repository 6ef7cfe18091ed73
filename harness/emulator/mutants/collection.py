"""Defects that any collection of saved items can have; a mutant applies one of them to one collection.

Layer 2. Knows how collections are served; must not know what is in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from harness.emulator.mutants.surgery import Json, altered, plain_error
from harness.emulator.resources import Neighbours
from harness.emulator.values.call import Call, Refusal, json_response, not_found
from harness.wire import Response


class Collection(Neighbours):
    """Routes calls on `collection` through `serve`."""

    collection: ClassVar[str]

    def handle(self, call: Call) -> Response | None:
        return self.serve(call) if call.segments[:1] == (self.collection,) else super().handle(call)

    def serve(self, call: Call) -> Response | None:
        """Answer as the reference does; mutants override this."""
        return super().handle(call)


class NotKept(Collection):
    """A saved item is not found."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "GET" and len(call.segments) == 2:
            raise not_found("Not found.")
        return super().serve(call)


class DeleteKeeps(Collection):
    """A delete is answered with 200 but deletes nothing."""

    def serve(self, call: Call) -> Response | None:
        return json_response({}) if call.request.method == "DELETE" else super().serve(call)


class ListEmpty(Collection):
    """The list is always empty."""

    def serve(self, call: Call) -> Response | None:
        return json_response({}) if lists(call) else super().serve(call)


class ListBare(Collection):
    """The list is a bare array."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or not lists(call):
            return response
        return altered(response, lambda page: page.get(self.collection, []))


class PageRepeats(Collection):
    """Every page is the first one."""

    def serve(self, call: Call) -> Response | None:
        query = {name: value for name, value in call.query.items() if name != "page_token"}
        return super().serve(replace(call, query=query))


class PageLosesOne(Collection):
    """Every page after the first lacks its first item."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or "page_token" not in call.query:
            return response

        def change(page: Json) -> None:
            page[self.collection] = page.get(self.collection, [])[1:]

        return altered(response, change)


class Unknown200(Collection):
    """A read of an item that does not exist is answered with 200."""

    def serve(self, call: Call) -> Response | None:
        return unless_found(super().serve, call, json_response({}))


class UnknownCrashes(Collection):
    """A read of an item that does not exist is answered with 500."""

    def serve(self, call: Call) -> Response | None:
        return unless_found(super().serve, call, plain_error(500))


def lists(call: Call) -> bool:
    """Whether a call on a collection lists its items."""
    return call.request.method == "GET" and len(call.segments) == 1


def unless_found(serve: Callable[[Call], Response | None], call: Call, other: Response) -> Response | None:
    """Return what `serve` answers, but `other` if a read is refused with 404."""
    try:
        return serve(call)
    except Refusal as refusal:
        if refusal.status == 404 and call.request.method == "GET":
            return other
        raise
