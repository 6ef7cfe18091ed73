"""Which bytes a client gets from a service behind the proxy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.emulator import Emulator
from harness.interactions.servers import embedded_settings
from harness.kit.api import PRIMARY_KEY
from harness.transport import ServiceDriver
from harness.wire import Exchange, Headers, Request
from lab.defects.generation import draw, generate
from lab.defects.scenes import BODY, EVERY, FIRST, ODDITY, REQUEST, ROUTE, STATUS, STREAM, Scene, WireDefect
from lab.defects.wrapped_service import DefectRun

PLAIN = Scene("POST interactions", "plain", "at once")
STREAMED = Scene("POST interactions", "streamed", "at once")


def play(defect: WireDefect | None, *requests: Request) -> tuple[DefectRun, list[Exchange]]:
    """Send requests to the emulator behind a proxy with this defect."""
    run = DefectRun(defect)
    service = run.wrap(Emulator(embedded_settings()))
    driver = ServiceDriver(service, service.clock)
    return run, [driver.send(request) for request in requests]


def create(**more: Any) -> Request:
    """Return a create with these further fields."""
    body = {"model": "gemini-3.8-flash", "input": "Say hi.", **more}
    return Request(
        "POST", "/v1beta/interactions", Headers([("x-goog-api-key", PRIMARY_KEY)]), json.dumps(body).encode()
    )


def events_of(exchange: Exchange) -> list[str]:
    """Return the names of the events of a stream."""
    return [
        line.removeprefix("event: ") for line in exchange.body.decode().splitlines() if line.startswith("event")
    ]


def test_a_member_is_dropped_in_its_scene_alone() -> None:
    defect = WireDefect(BODY, "dropped", PLAIN, "status")
    run, (plain, background) = play(defect, create(), create(background=True))
    assert "status" not in json.loads(plain.body)
    assert "status" in json.loads(background.body)
    assert run.shown == 1


def test_a_defect_of_the_first_time_acts_once() -> None:
    run, exchanges = play(WireDefect(BODY, "dropped", PLAIN, "status", when=FIRST), create(), create())
    assert ["status" in json.loads(exchange.body) for exchange in exchanges] == [False, True]
    assert run.shown == 1


def test_a_member_of_a_neighbor_is_the_one_of_another_interaction() -> None:
    _, (first, second) = play(WireDefect(BODY, "of a neighbor", PLAIN, "id"), create(), create())
    assert json.loads(first.body)["id"] == json.loads(second.body)["id"]


def test_a_status_is_replaced() -> None:
    _, (got,) = play(WireDefect(STATUS, "replaced", PLAIN, "200", "503"), create())
    assert got.status == 503


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("lost", ["interaction.created", "step.start"]),
        ("doubled", ["interaction.created", "interaction.status_update", "interaction.status_update"]),
        ("renamed", ["interaction.created", "interaction.status_update_v2", "step.start"]),
        ("swapped", ["interaction.created", "step.start", "interaction.status_update"]),
        ("late", ["interaction.created", "step.start", "step.delta"]),
    ],
)
def test_an_event_is_changed(operator: str, expected: list[str]) -> None:
    run, (got,) = play(WireDefect(STREAM, operator, STREAMED, "interaction.status_update"), create(stream=True))
    assert events_of(got)[: len(expected)] == expected
    assert run.shown == 1


def test_two_events_are_merged_into_one_frame() -> None:
    _, (whole,) = play(None, create(stream=True))
    defect = WireDefect(STREAM, "merged", STREAMED, "interaction.status_update")
    _, (got,) = play(defect, create(stream=True))
    assert got.body.count(b"\n\n") == whole.body.count(b"\n\n") - 1
    assert got.body.replace(b"\n\n", b"\n") == whole.body.replace(b"\n\n", b"\n")


def test_a_request_field_is_ignored_and_only_a_comparison_shows_it() -> None:
    defect = WireDefect(REQUEST, "ignored", STREAMED, "stream")
    run, (got,) = play(defect, create(stream=True))
    clean, _ = play(None, create(stream=True))
    assert got.headers.media_type() == "application/json"
    assert not run.shown
    assert run.differs_from(clean)
    assert not clean.differs_from(clean)


def test_a_request_field_is_refused() -> None:
    _, (got,) = play(WireDefect(REQUEST, "refused", STREAMED, "stream"), create(stream=True))
    assert got.status == 400
    assert "stream is not supported" in got.body.decode()


def test_a_route_answers_for_another_key() -> None:
    look = Request("GET", "/v1beta/interactions/none", Headers([("x-goog-api-key", "wrong")]))
    scene = Scene("GET interactions/{id}", "plain", "after the end")
    _, (refused,) = play(None, look)
    _, (got,) = play(WireDefect(ROUTE, "of another key", scene), look)
    assert (refused.status, got.status) == (401, 404)


def test_the_control_api_is_hidden() -> None:
    _, (got,) = play(None, Request("GET", "/__harness__/health"))
    assert got.status == 404


def test_an_oddity_changes_the_spelling_and_not_the_value() -> None:
    defect = WireDefect(ODDITY, "keys reversed", Scene("", "", ""))
    _, (plain,) = play(None, create())
    run, (odd,) = play(defect, create())
    assert run.shown
    assert odd.body != plain.body
    assert json.loads(odd.body) == json.loads(plain.body)


def test_each_generated_defect_has_a_name_of_its_own_and_a_sample_takes_from_each_operator() -> None:
    run = DefectRun(seen=[])
    service = run.wrap(Emulator(embedded_settings()))
    driver = ServiceDriver(service, service.clock)
    for request in (create(), create(stream=True), create(background=True)):
        driver.send(request)
    defects = generate(run.seen or ())
    names = [defect.id for defect in defects]
    assert len(set(names)) == len(names) > 500
    sample = draw(defects, 60, 3)
    assert len(sample) == 60
    assert sample == draw(defects, 60, 3) != draw(defects, 60, 4)
    assert {defect.operator for defect in sample} == {defect.operator for defect in defects}
    assert all(defect.when == EVERY for defect in defects[::3])
