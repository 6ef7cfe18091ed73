"""Cleaning up: everything that was created is deleted, even if an exercise forgot it, and nothing else."""

from __future__ import annotations

import pytest

from harness.checks.vocabulary.resources import begin_upload, continue_upload
from harness.contract.requests import RequestBuilder
from harness.emulator import Emulator, Settings
from harness.engine.events import everything
from harness.engine.execute import play
from harness.engine.targets import TargetOptions, embed_emulator
from harness.engine.traffic.ledger import CreatedResources
from harness.interactions.servers import SERVERS, embedded_settings
from harness.transport import ServiceDriver
from harness.wire import LogicalClock, Request
from harness.wire.bodies import object_or_none
from tests.engine.toys import ToyService

TARGET = RequestBuilder(key="k")


def noted(service: ToyService, *requests: Request) -> tuple[CreatedResources, ServiceDriver]:
    """A ledger that has recorded these requests and their answers."""
    ledger, driver = CreatedResources(SERVERS), ServiceDriver(service)
    for request in requests:
        ledger.note(driver.send(request))
    return ledger, driver


@pytest.mark.parametrize("stream", [False, True])
def test_created_things_are_deleted(stream: bool) -> None:
    """An interaction from a JSON answer or a stream is deleted, with the key that created it."""
    service = ToyService()
    ledger, driver = noted(service, TARGET.create(input="hi", stream=stream))
    assert ledger.owed == ["/v1beta/interactions/i1"]
    assert ledger.clean(driver.send) == []
    assert service.stored == {}


def test_a_sandbox_that_the_create_did_not_name_is_deleted() -> None:
    """On Vertex only the end of a stream names the sandbox of an agent; if it was cut, a read of the run does."""
    clock = LogicalClock()
    driver = ServiceDriver(Emulator(Settings(platform="vertex"), clock=clock), clock)
    ledger = CreatedResources(SERVERS)
    run = {"agent": TARGET.agent, "environment": "remote", "background": True, "stream": True}
    stream = driver.open(TARGET.create(run, input="hi"))
    stream.read(2)
    ledger.note(stream.close())
    assert [path.split("/")[2] for path in ledger.owed] == ["interactions"]
    assert driver.send(TARGET.request("GET", "environments")).body != b"{}"
    assert ledger.clean(driver.send) == []
    assert driver.send(TARGET.request("GET", "environments")).body == b"{}"


def test_a_sandbox_of_somebody_else_is_kept() -> None:
    """A run in an environment that the create names owes the run alone."""
    driver = ServiceDriver(Emulator(Settings(platform="vertex")))
    theirs = object_or_none(driver.send(TARGET.request("POST", "environments", {})).body) or {}
    ledger = CreatedResources(SERVERS)
    run = {"agent": TARGET.agent, "environment": theirs["id"], "background": True}
    ledger.note(driver.send(TARGET.create(run, input="hi")))
    assert ledger.clean(driver.send) == []
    assert driver.send(TARGET.request("GET", f"environments/{theirs['id']}")).status == 200


def test_what_will_not_go_is_cancelled_then_reported() -> None:
    """If a deletion is refused, it is tried again after a cancel, and then reported."""
    service = ToyService(undeletable=True)
    ledger, driver = noted(service, TARGET.create(input="hi"))
    assert ledger.clean(driver.send) == ["/v1beta/interactions/i1"]
    assert [line.partition(" ")[0] for line in service.log] == ["POST", "DELETE", "POST", "DELETE"]


def test_a_key_is_taken_from_the_beginning_of_an_upload() -> None:
    """The last part of an upload has no key, but what it brought is deleted with the one that began it."""
    emulator = Emulator(Settings(keys={"right": "project"}))
    t = RequestBuilder(key="right")
    driver, ledger = ServiceDriver(emulator, emulator.clock), CreatedResources(SERVERS)
    started = driver.send(begin_upload(t, "files", {"file": {}}, b"x", "text/plain"))
    ended = driver.send(continue_upload(t, started, "upload, finalize", b"x"))
    ledger.note(started)
    ledger.note(ended)
    assert (len(ledger.owed), ledger.clean(driver.send)) == (1, [])
    assert driver.send(t.request("GET", "files")).body == b"{}"


@pytest.mark.parametrize(
    "name",
    ["a_file_search_store", "an_uploaded_file", "agents_of_our_own", "a_trigger_of_our_own", "an_agent_run",
     "an_agent_in_model", "files_of_an_environment"],
)  # fmt: skip
def test_nothing_is_left_at_the_emulator(name: str) -> None:
    """What an exercise makes on the way, sandboxes, files and stores too, is gone after the cleaning."""
    target = embed_emulator(SERVERS, TargetOptions()).able(everything(SERVERS.load_capabilities())).target
    emulator = Emulator(embedded_settings())
    driver, ledger = ServiceDriver(emulator, emulator.clock), CreatedResources(SERVERS)
    (exercise,) = {check.exercise for check in SERVERS.load_catalogue() if check.exercise.name == name}
    play(SERVERS, exercise, target, driver, ledger)
    assert ledger.clean(driver.send) == []
    for resource in ("files", "fileSearchStores", "agents", "environments", "triggers"):
        assert driver.send(target.request("GET", resource)).body == b"{}", resource


# --- what is read again before it is deleted


def looks_after(*requests: Request, service: ToyService | None = None) -> list[str]:
    """The closing reads after these requests."""
    driver, ledger = ServiceDriver(service or ToyService()), CreatedResources(SERVERS)
    trail = [driver.send(request) for request in requests]
    for exchange in trail:
        SERVERS.read(exchange, TARGET.contract)
        ledger.note(exchange)
    return [f"{look.method} {look.target}" for look in ledger.list_closing_reads(trail)]


LOOK = "GET /v1beta/interactions/i1"


@pytest.mark.parametrize(
    ("requests", "looks"),
    [
        ([TARGET.create(input="hi")], [LOOK]),
        ([TARGET.create(input="hi", stream=True)], [LOOK]),
        ([TARGET.create(input="hi"), TARGET.get("i1")], [LOOK]),
        ([TARGET.create(input="hi"), TARGET.get("i1"), TARGET.get("i1")], []),
        ([TARGET.create(input="hi"), TARGET.delete("i1")], []),
        ([TARGET.create(input="hi", store=False)], [LOOK]),
        ([TARGET.create(input="hi"), TARGET.create(input="hi")], [LOOK, LOOK.replace("i1", "i2")]),
        ([TARGET.get("i1")], []),
    ],
)
def test_what_is_left_and_was_not_read_twice_is_read_again(requests: list[Request], looks: list[str]) -> None:
    assert looks_after(*requests) == looks
