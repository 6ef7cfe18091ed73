"""Runs in an environment whose sandbox the user runs: they wait until its worker leases them."""

from __future__ import annotations

import pytest

from tests.emulator.client import AGENT, Api, drain

LEASE = "environments:leaseInteractions"


@pytest.fixture
def api() -> Api:
    """A client of an emulator with two projects."""
    return Api.with_settings(keys={"a": "one", "b": "two"})


def host(api: Api, key: str = "a") -> dict[str, str]:
    """Create a self-hosted environment with the key of a project."""
    api.key = key
    made: dict[str, str] = api.call("POST", "environments", {"mode": "self_hosted"}).json
    return made


def lease(api: Api, key: str) -> list[str]:
    """Lease what waits, with the key of an environment or of a project, and return the ids."""
    keyed, api.key = api.key, key
    answer = api.call("POST", LEASE, {})
    api.key = keyed
    assert answer.status == 200, answer.data
    assert all(item["status"] == "in_progress" for item in answer.json.get("interactions", ()))
    return [item["id"] for item in answer.json.get("interactions", ())]


def test_a_background_run_waits_for_its_worker(api: Api) -> None:
    """However often it is polled. A worker leases the runs of its own environment with its key, each once."""
    first, second = host(api), host(api)
    runs = [api.created(agent=AGENT, background=True, environment=made["id"]) for made in (first, second)]
    assert [api.status(runs[0]) for _ in range(20)] == ["in_progress"] * 20
    assert lease(api, first["environment_key"]) == [runs[0]]
    assert lease(api, first["environment_key"]) == []
    assert [api.status(runs[0]) for _ in range(4)][-1] == "completed"
    assert [api.status(runs[1]) for _ in range(4)][-1] == "in_progress"


def test_a_foreground_create_waits_too(api: Api) -> None:
    """Its response comes when a worker has leased it; the key of the project leases in all its environments."""
    made = host(api)
    body = {"agent": AGENT, "input": "Go.", "environment": {"environment_id": made["id"]}, "store": False}
    waiting = api.emulator(api.request("POST", "/v1beta/interactions", body)).body
    assert type(next(waiting)).__name__ == "Pause"
    assert lease(api, "b") == []
    assert len(api.call("POST", LEASE).json["interactions"]) == 1
    chunks, ending = drain(api.emulator, waiting)
    assert ending is not None
    assert b'"completed"' in b"".join(chunks)


@pytest.mark.parametrize("end", ["cancel", "delete", "release"])
def test_a_run_without_a_worker_can_be_ended(api: Api, end: str) -> None:
    """A cancel, a delete, or a test that plays the worker; there is nothing left to lease."""
    run = api.created(agent=AGENT, background=True, environment=host(api)["id"])
    if end == "release":
        assert api.emulator.release(run) == 1
    else:
        assert getattr(api, end)(run).status == 200
    assert lease(api, "a") == []


def test_an_environment_of_the_service_needs_no_worker(api: Api) -> None:
    """As before: it runs on demand."""
    api.key = "a"
    made = api.call("POST", "environments", {"mode": "on_demand"}).json
    assert api.create(agent=AGENT, environment=made["id"]).json["status"] == "completed"


def test_the_rest_of_the_protocol_is_refused_in_words(api: Api) -> None:
    """What is not public is not made up; an environment key opens nothing else."""
    key = host(api)["environment_key"]
    answer = api.call("POST", "environments:completeInteractions", {})
    assert answer.error == (404, "not_found")
    assert "only POST /v1beta/environments:leaseInteractions is public" in answer.message
    assert api.call("POST", LEASE, [1]).error == (400, "invalid_request")
    assert api.call("GET", LEASE).status == 404
    api.key = key
    assert api.call("GET", "environments").status == 400
    api.key = "nobody"
    assert api.call("POST", LEASE).status == 400
