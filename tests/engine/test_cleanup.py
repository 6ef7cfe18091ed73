"""Cleaning up: everything that was created is deleted, even if an exercise forgot it, and nothing else."""

from __future__ import annotations

import pytest

from harness.checks import RequestBuilder
from harness.engine.cleanup import CreatedResources
from harness.interactions import INTERACTIONS
from harness.transport import ServiceDriver
from harness.wire import Headers, Request, Response
from tests.engine.toys import ToyService

TARGET = RequestBuilder(key="k")


def noted(service: ToyService, *requests: Request) -> tuple[CreatedResources, ServiceDriver]:
    """A ledger that has recorded these requests and their answers."""
    ledger, driver = CreatedResources(INTERACTIONS), ServiceDriver(service)
    for request in requests:
        ledger.note(driver.send(request))
    return ledger, driver


@pytest.mark.parametrize("stream", [False, True])
def test_created_things_are_deleted(stream: bool) -> None:
    """An interaction from a JSON answer or a stream is deleted, with the key that created it."""
    service = ToyService()
    ledger, driver = noted(service, TARGET.create(input="hi", stream=stream))
    assert ledger.owed == ["/v1beta/interactions/i1"]
    assert ledger.clean(driver) == []
    assert service.stored == {}


def test_a_stream_under_another_label_is_deleted_too() -> None:
    """What a stream created is deleted, whatever the Content-Type of the stream says."""
    service = ToyService(mislabels=True)
    ledger, driver = noted(service, TARGET.create(input="hi", stream=True))
    assert ledger.clean(driver) == []
    assert service.stored == {}


def test_nothing_is_deleted_twice() -> None:
    """What an exercise deleted itself is not deleted again."""
    ledger, driver = noted(ToyService(), TARGET.create(input="hi"), TARGET.delete("i1"))
    assert ledger.owed == []
    assert ledger.clean(driver) == []


def test_a_refused_create_owes_nothing() -> None:
    """Only a 2xx answer to a create adds something to delete."""
    ledger, _ = noted(ToyService(refuse=403), TARGET.create(input="hi"))
    assert ledger.owed == []


def test_what_will_not_go_is_cancelled_then_reported() -> None:
    """If a deletion is refused, it is tried again after a cancel, and then reported."""
    service = ToyService(undeletable=True)
    ledger, driver = noted(service, TARGET.create(input="hi"))
    assert ledger.clean(driver) == ["/v1beta/interactions/i1"]
    assert [line.partition(" ")[0] for line in service.log] == ["POST", "DELETE", "POST", "DELETE"]


def test_an_uploaded_file_is_deleted_where_files_are() -> None:
    """What was created below the address of uploads is deleted without it; its name is inside the only member."""
    request = Request("POST", "/upload/v1beta/files?uploadType=media", Headers(), b"x")
    driver = ServiceDriver(lambda _: Response.json(200, b'{"file": {"name": "files/f1"}}'))
    ledger = CreatedResources(INTERACTIONS)
    ledger.note(driver.send(request))
    assert ledger.owed == ["/v1beta/files/f1"]


@pytest.mark.parametrize(("identity", "path"), [("a/b?", "a%2Fb%3F"), ("\ud800", "%ED%A0%80")])
def test_odd_ids_are_escaped(identity: str, path: str) -> None:
    """Ids are escaped: a slash does not change the path, and an unpaired surrogate raises nothing."""
    ledger = CreatedResources(INTERACTIONS)
    service = ToyService(stored={identity: "completed"})
    driver = ServiceDriver(service)
    exchange = driver.send(TARGET.create(input="hi"))
    ledger._owed[("v1beta", "interactions", identity)] = exchange.request
    ledger.clean(driver)
    assert service.log[-1] == f"DELETE /v1beta/interactions/{path}"
    assert TARGET.get(identity, page_token=identity).target.startswith(f"/v1beta/interactions/{path}?page_token=")
