"""The time in what the emulator answers: a fixed day, or the machine's."""

from __future__ import annotations

from harness.emulator import Emulator
from harness.wire import LogicalClock
from tests.emulator.client import Api

NOW = 1_900_000_000.0
"""2030-03-17T17:46:40Z."""


def times(api: Api) -> list[str]:
    """The times of an interaction and of an uploaded file."""
    body = api.create().json
    start = api.call(
        "POST",
        "/upload/v1beta/files",
        {"file": {"display_name": "a", "mime_type": "text/plain", "size_bytes": 1}},
        **{"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"},
    )
    sent = api.call(
        "POST",
        start.headers.get("x-goog-upload-url"),
        b"x",
        **{"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"},
    )
    file = sent.json["file"]
    return [body["created"], body["updated"], file["createTime"], file["expirationTime"]]


def test_fields_begin_on_a_fixed_day():
    """Without a time each run begins on the same day, and signatures alone may have another one."""
    api, again = Api(), Api()
    again.emulator.set_time(NOW)
    assert times(api) == times(again)
    assert times(api)[0].startswith("2026-06-09")
    assert "date" not in api.create().headers


def test_everything_is_now():
    """With the machine's time every field says it, in sessions that come later, too, and so does `Date`."""
    api = Api(Emulator(clock=LogicalClock()))
    api.emulator.set_time(NOW, everywhere=True)
    created, updated, made, expires = times(api)
    assert created.startswith("2030-03-17T17:46:4")
    assert updated.startswith("2030-03-17T17:46:4")
    assert made.startswith("2030-03-17T17:46:4")
    assert expires.startswith("2030-03-19T17:46:4")
    other = Api(api.emulator, root=api.control("POST", "sessions").json["base_url_path"] + "/v1beta")
    answer = other.create()
    assert answer.json["created"].startswith("2030-03-17")
    assert answer.headers.get("date", "").startswith("Sun, 17 Mar 2030 17:46:4")
    assert answer.headers.get("date", "").endswith(" GMT")
