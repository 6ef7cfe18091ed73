"""Claims about cleaning up: what was created is deleted, whoever forgot it, and nothing else is touched."""

from __future__ import annotations

import pytest

from harness.checks import Target
from harness.runner.ledger import Ledger
from harness.transport import ServiceDriver
from harness.wire import Request
from tests.runner.toys import ToyService

TARGET = Target(key="k")


def noted(service: ToyService, *requests: Request) -> tuple[Ledger, ServiceDriver]:
    """A ledger that saw these requests answered."""
    ledger, driver = Ledger(), ServiceDriver(service)
    for request in requests:
        ledger.note(driver.send(request))
    return ledger, driver


@pytest.mark.parametrize("stream", [False, True])
def test_created_things_are_deleted(stream: bool) -> None:
    """An interaction is found in a JSON answer and in a stream alike, and deleted with the key that made it."""
    service = ToyService()
    ledger, driver = noted(service, TARGET.create(input="hi", stream=stream))
    assert ledger.owed == ["/v1beta/interactions/i1"]
    assert ledger.clean(driver) == []
    assert service.stored == {}


def test_a_stream_under_another_label_is_deleted_too() -> None:
    """What a stream created is owed, whatever its Content-Type says."""
    service = ToyService(mislabels=True)
    ledger, driver = noted(service, TARGET.create(input="hi", stream=True))
    assert ledger.clean(driver) == []
    assert service.stored == {}


def test_nothing_is_deleted_twice() -> None:
    """What an exercise deleted itself is no longer owed."""
    ledger, driver = noted(ToyService(), TARGET.create(input="hi"), TARGET.delete("i1"))
    assert ledger.owed == []
    assert ledger.clean(driver) == []


def test_a_refused_create_owes_nothing() -> None:
    """Only an answer in the two hundreds creates."""
    ledger, _ = noted(ToyService(refuse=403), TARGET.create(input="hi"))
    assert ledger.owed == []


def test_what_will_not_go_is_cancelled_then_reported() -> None:
    """A refused deletion is tried again after a cancel, then named."""
    service = ToyService(undeletable=True)
    ledger, driver = noted(service, TARGET.create(input="hi"))
    assert ledger.clean(driver) == ["/v1beta/interactions/i1"]
    assert [line.partition(" ")[0] for line in service.log] == ["POST", "DELETE", "POST", "DELETE"]


@pytest.mark.parametrize(("identity", "path"), [("a/b?", "a%2Fb%3F"), ("\ud800", "%ED%A0%80")])
def test_odd_ids_are_escaped(identity: str, path: str) -> None:
    """An id is opaque: a slash in it becomes no path, half a surrogate pair no crash."""
    ledger = Ledger()
    service = ToyService(stored={identity: "completed"})
    driver = ServiceDriver(service)
    exchange = driver.send(TARGET.create(input="hi"))
    ledger._owed[("v1beta", "interactions", identity)] = exchange.request
    ledger.clean(driver)
    assert service.log[-1] == f"DELETE /v1beta/interactions/{path}"
    assert TARGET.get(identity, page_token=identity).target.startswith(f"/v1beta/interactions/{path}?page_token=")
