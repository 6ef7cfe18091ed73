"""What a create refers to: files by uri, stores by name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.client import MODEL, Api
from tests.emulator.resources.api import GOOG

LIVE = "https://generativelanguage.googleapis.com/v1beta/"


def upload(api: Api, media_type: str) -> str:
    """Upload a file in the simple form and return its uri."""
    target = "/upload/v1beta/files?uploadType=media"
    done = api.call("POST", target, b"bytes", **{"content-type": media_type})
    return str(done.json["file"]["uri"])


def ask(api: Api, uri: str, kind: str = "document") -> Any:
    """Create an interaction about the content at a uri."""
    return api.create([{"type": kind, "uri": uri}])


@pytest.fixture
def api() -> Api:
    """A client of a new emulator with default settings."""
    return Api()


@pytest.mark.parametrize("host", ["", "http://127.0.0.1:8000/v1/", LIVE])
def test_a_file_is_known_by_any_form_of_its_uri(api: Api, host: str) -> None:
    """The host of the service, a host of one's own and the bare name mean the same file."""
    name = upload(api, "application/pdf").removeprefix(LIVE)
    assert ask(api, host + name).status == 200


@pytest.mark.parametrize("uri", ["https://x.example/files/x", "gs://bucket/x.pdf", "https://youtu.be/x"])
def test_other_addresses_are_taken(api: Api, uri: str) -> None:
    """Only addresses of the files resource are looked up."""
    assert ask(api, uri).status == 200


def test_an_unknown_or_deleted_file_is_refused(api: Api) -> None:
    """The refusal has the recorded words, in the shape of interactions, and says how to switch it off."""
    uri = upload(api, "application/pdf")
    api.call("DELETE", "/v1beta/" + uri.removeprefix(LIVE))
    refused = ask(api, uri)
    assert refused.error == (403, "permission_denied")
    assert refused.message.startswith("You do not have permission to access the File ")
    assert "files=any" in refused.message
    api.emulator.change(files="any")
    assert ask(api, uri).status == 200


def test_a_video_must_be_ready(api: Api) -> None:
    """A video that is still processed is refused; once the clock has gone on, it is taken."""
    uri = upload(api, "video/mp4")
    assert ask(api, uri, "video").error == (400, "failed_precondition")
    api.emulator.clock.reached(api.emulator.clock.now + 3)
    assert ask(api, uri, "video").status == 200


def test_a_file_search_needs_its_store(api: Api) -> None:
    """An unknown store is refused; a known one is searched, and its document cited."""
    tool = {"type": "file_search", "file_search_store_names": ["fileSearchStores/nope"]}
    body = {"model": MODEL, "input": "What?", "tools": [tool]}
    assert api.call("POST", "/v1beta/interactions", body).error == (403, "permission_denied")
    store = api.call("POST", "/v1beta/fileSearchStores", {}).json["name"]
    target = f"/upload/v1beta/{store}:uploadToFileSearchStore"
    headers = {GOOG + "protocol": "resumable", GOOG + "command": "start"}
    begun = api.call("POST", target, {"displayName": "Plan"}, **headers)
    address = begun.headers.get(GOOG + "url")
    api.call("POST", address, b"doc", **{GOOG + "command": "upload, finalize"})
    api.emulator.clock.reached(api.emulator.clock.now + 3)
    tool["file_search_store_names"] = [store]  # type: ignore[assignment]
    answer = api.call("POST", "/v1beta/interactions", body).json
    assert answer["steps"][-1]["content"][0]["annotations"][0]["file_name"] == "Plan"


def test_a_delivered_video_can_be_fetched(api: Api) -> None:
    """A video that was asked for with delivery by uri is a generated file."""
    form = {"type": "video", "delivery": "uri"}
    body = {"model": "gemini-omni-flash-preview", "input": "A cat.", "response_format": form}
    uri = api.call("POST", "/v1beta/interactions", body).json["steps"][-1]["content"][0]["uri"]
    answer = api.call("GET", uri.removeprefix("https://generativelanguage.googleapis.com"))
    assert (answer.headers.get("content-type"), answer.data[4:8]) == ("video/mp4", b"ftyp")
