"""The control API: commands over HTTP, sessions, and the log of requests."""

from __future__ import annotations

import pytest

from harness.checks.capabilities import CAPABILITIES
from harness.emulator import control_api
from tests.emulator.client import MODEL, Api


def test_about(api):
    """The root path names the server and its capabilities, without a key."""
    api.key = ""
    told = api.control("GET", "").json
    assert (told["harness"], told["session"]) == ("emulator", None)
    assert {"script", "background", "event-ids"} <= set(told["capabilities"])


def test_capabilities_are_the_catalogues():
    """The emulator's capabilities are exactly those that the catalogue knows."""
    assert set(control_api.CAPABILITIES) == set(CAPABILITIES)


def test_capabilities_follow_the_settings():
    """A capability that a setting turns off is not announced."""
    two = Api.with_settings(keys={"a": "1", "b": "2"}, platform="any").emulator.capabilities()
    assert two == set(CAPABILITIES)
    assert "listing" not in Api().emulator.capabilities()
    assert "two-keys" not in Api().emulator.capabilities()
    assert "event-ids" not in Api.with_settings(event_ids="none").emulator.capabilities()
    assert "auth" not in Api.with_settings(require_key=False, keys={"k": "p"}).emulator.capabilities()
    assert "auth" not in Api.with_settings(keys=None).emulator.capabilities()
    assert "auth" in Api.with_settings(keys={"k": "p"}).emulator.capabilities()


def test_scripts_are_queued_all_or_none(api):
    """If one script of a list is wrong, none of the list is queued."""
    assert api.control("POST", "scripts", {"text": "a"}).json == {"queued": 1}
    refused = api.control("POST", "scripts", [{"text": "b"}, {"txt": "c"}])
    assert refused.error == (400, "invalid_request")
    assert api.control("POST", "scripts", [{"text": "d"}]).json == {"queued": 2}


def test_release_over_http(api):
    """A release lets one held run go on by id, or all of them."""
    api.control("POST", "scripts", {"hold": True, "ticks": 0, "times": 2})
    first, second = api.created(background=True), api.created(background=True)
    assert api.control("POST", "release", {"id": first}).json == {"released": 1}
    assert (api.status(first), api.status(second)) == ("completed", "in_progress")
    assert api.control("POST", "release").json == {"released": 1}


def test_hold_one_run(api):
    """A hold by id stops this run alone; what has settled cannot be held."""
    first, second = api.created(background=True), api.created(background=True)
    assert api.control("POST", "hold", {"id": first}).json == {"held": 1}
    assert "completed" in {api.status(second) for _ in range(40)}
    assert api.status(first) == "in_progress"
    assert api.control("POST", "hold", {"id": second}).json == {"held": 0}
    assert api.emulator.state["held"] == [first]
    assert api.control("POST", "release", {"id": first}).json == {"released": 1}


def test_a_held_run_advances_by_one_event_to_its_end(api):
    """Each advance shows one more event and holds the run there; after the last event it ends."""
    api.emulator.hold()
    found, seen = api.created(background=True), []
    while api.control("POST", "advance", {"id": found}).json == {"advanced": 1}:
        seen.append(api.get(found).json)
    assert len(seen) > 8
    assert {body["status"] for body in seen[:-1]} == {"in_progress"}
    assert seen[-1]["status"] == "completed"


def test_scripts_are_put_first_counted_and_dropped(api):
    """A script can be put before those that wait, and the queue can be looked at and emptied."""
    api.emulator.reply("later")
    assert api.control("POST", "scripts/next", {"text": "first"}).json == {"queued": 2}
    assert "first" in str(api.create().json)
    assert api.control("GET", "scripts").json["queued"] == 1
    assert api.control("DELETE", "scripts").json == {"queued": 0}


def test_a_part_of_the_queue_is_taken_out(api):
    """Refusals and other answers leave the queue apart from each other."""
    refusal = {"refuse": {"status": 429}}
    api.control("POST", "scripts", [{"text": "a"}, refusal, {"text": "b"}])
    assert api.control("DELETE", "scripts/refusals").json == {"queued": 2}
    api.control("POST", "scripts", [refusal])
    assert api.control("DELETE", "scripts/answers").json == {"queued": 1}
    assert api.create().status == 429


def test_reset_forgets(api):
    """A reset forgets runs, scripts and requests."""
    found = api.created()
    api.control("POST", "scripts", {"text": "a"})
    api.control("POST", "reset", {})
    assert api.get(found).status == 404
    assert len(api.control("GET", "requests").json["requests"]) == 1
    assert api.create().json["steps"][-1]["content"][0]["text"] != "a"


def test_settings_over_http(api):
    """Settings take effect at once; the answer shows the number of keys, not the keys."""
    shown = api.control("POST", "settings", {"event_ids": "all", "keys": {"secret-key": "one"}}).json
    assert (shown["event_ids"], shown["keys"]) == ("all", 1)
    api.key = "secret-key"
    assert "event_id" in api.create(stream=True).events[0]


@pytest.mark.parametrize("version", ["3.2", "3.1"])
def test_the_openapi_document_is_served(api, version):
    """It is one file, of the version named, and has the route that everybody needs."""
    document = api.control("GET", f"openapi-{version}.json").json
    assert document["openapi"].startswith(version)
    assert "/interactions" in document["paths"]
    assert "post" in document["paths"]["/interactions"]


REFUSED = [
    ("GET", "openapi.json", None, 404, "openapi-3."),
    ("POST", "settings", {"event_ids": "x"}, 400, "event_ids"),
    ("POST", "settings", [1], 400, "object"),
    ("POST", "scripts", None, 400, "object"),
    ("POST", "scripts", b"{", 400, "JSON"),
    ("POST", "release", {"id": 5}, 400, "id=5"),
    ("POST", "script", {}, 404, "'scripts'"),
    ("PUT", "scripts", None, 404, "POST"),
    ("DELETE", "sessions/none", None, 404, "session"),
    ("PUT", "sessions", None, 404, "POST"),
    ("POST", "faults", {}, 501, "harness.faults.cut"),
    ("GET", "sessions/none/v1beta/interactions/x", None, 404, "session"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "words"), REFUSED, ids=[str(c[:2]) for c in REFUSED])
def test_wrong_orders_are_explained(api, method, path, body, status, words):
    """The refusal of a wrong command says what is wrong."""
    answer = api.control(method, path, body)
    assert answer.status == status
    assert words in answer.message


def test_sessions_are_isolated(api):
    """A session has its own runs, scripts, settings, requests and resources."""
    made = api.control("POST", "sessions", {})
    assert made.status == 201
    prefix = made.json["base_url_path"]
    assert prefix == f"/__harness__/sessions/{made.json['id']}"
    inner = Api(api.emulator, root=f"{prefix}/v1beta")
    inner.call("POST", f"{prefix}/__harness__/scripts", {"text": "Inside."})
    inner.call("POST", f"{prefix}/__harness__/settings", {"event_ids": "none"})
    outside = api.create().json
    inside = inner.create().json
    assert inside["steps"][-1]["content"][0]["text"] == "Inside."
    assert outside["steps"][-1]["content"][0]["text"] != "Inside."
    assert inner.get(outside["id"]).status == api.get(inside["id"]).status == 404
    assert api.emulator.settings.event_ids == "auto"
    assert inner.call("GET", f"{prefix}/__harness__/").json["session"] == made.json["id"]
    assert len(inner.call("GET", f"{prefix}/__harness__/requests").json["requests"]) == 2
    assert api.call("DELETE", prefix).status == 200
    assert inner.create().status == 404


def test_sessions_are_bounded():
    """If there are more than max_sessions sessions, the oldest ends."""
    api = Api.with_settings(max_sessions=2)
    paths = [api.control("POST", "sessions").json["base_url_path"] for _ in range(3)]
    assert [api.call("GET", f"{path}/__harness__/").status for path in paths] == [404, 200, 200]


def test_requests_are_remembered_without_secrets(api):
    """The log masks headers, query values and known fields that hold secrets; the rest is as sent."""
    api.call(
        "POST", "interactions?key=query-secret&x=1", {"model": MODEL, "input": "Hi"}, authorization="Bearer b"
    )
    api.call("POST", "credentials", {"id": "c", "type": "bearer_token", "token": "field-secret"})
    api.call("POST", "interactions", b"not json")
    seen = api.emulator.requests
    assert [request["method"] for request in seen] == ["POST"] * 3
    assert seen[0]["target"] == "/v1beta/interactions?key=***&x=1"
    assert seen[0]["headers"] == {"x-goog-api-key": "***", "authorization": "***"}
    assert seen[0]["body"] == {"model": MODEL, "input": "Hi"}
    assert seen[1]["body"]["token"] == "***"
    assert seen[2]["body"] == "not json"
    assert "secret" not in str(seen)


def test_requests_are_bounded():
    """Only the last requests are kept; a long body stays readable, with its long texts shortened."""
    api = Api.with_settings(max_requests=2)
    for text in ("a", "b", "c" * 200_000):
        api.create(text)
    second, third = api.emulator.requests
    assert second["body"]["input"] == "b"
    assert third["body"]["model"] == MODEL
    assert third["body"]["input"].startswith("ccc")
    assert third["body"]["input"].endswith("… (199000 more characters)")
    api.call("POST", "interactions", [1] * 100_000)
    assert len(api.emulator.requests[-1]["body"]) < 70_000
