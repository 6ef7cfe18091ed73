"""A success with an empty body is a fault where the API answers with one, and none where it does not."""

from __future__ import annotations

from typing import Any

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Handler, Json


class _EmptyTo(Handler):
    """Answers each success of one method with an empty body."""

    method = ""

    def reply(self, status: int, value: Any, headers: Json | None = None) -> None:
        if status == 200 and self.command == self.method:
            self.send(200, "application/json", b"", {})
        else:
            super().reply(status, value, headers)


class EmptyGets(ForeignService):
    """Answers every GET with 200 and nothing."""

    handler = type("EmptyGet", (_EmptyTo,), {"method": "GET"})


class EmptyDeletes(ForeignService):
    """Answers every DELETE with 200 and nothing, as the API may."""

    handler = type("EmptyDelete", (_EmptyTo,), {"method": "DELETE"})


def test_a_get_without_a_body_is_one_root() -> None:
    """GET that shows nothing breaks `get.ok`, and whatever needs what it shows is blocked by that."""
    report = check(EmptyGets(), "get.ok", "get.same")
    assert report.codes["get.ok"] == ["get.ok/missing"]
    assert report.faults == {"get.ok": "fail"}


def test_a_delete_without_a_body_is_right() -> None:
    """Nothing is promised about the body of a deletion."""
    report = check(EmptyDeletes(), "get.ok", "del.ok", "del.gone")
    assert report.faults == {}
    assert set(report.verdicts.values()) == {"pass"}
