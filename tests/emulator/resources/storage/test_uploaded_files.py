"""Uploaded files: the protocol of the SDKs, states and expiry by the clock, and bounded memory."""

import base64
import hashlib
from typing import Any

import pytest

from harness.emulator.resources import collection, storage
from harness.emulator.values.settings import Settings
from tests.emulator.resources.api import Api
from tests.emulator.resources.storage.uploading import GOOG, V, send, start, upload
from tests.emulator.resources.test_shapes import fits


def test_an_upload_in_one_piece_is_a_file(api: Api) -> None:
    """The answer has what is known of the file: it fits the schema, as do those of get and list."""
    file = upload(api, b"hello", displayName="D", name="files/my-name")
    fits("files/file", file)
    assert (file["name"], file["displayName"], file["sizeBytes"], file["state"]) == (
        "files/my-name",
        "D",
        "5",
        "ACTIVE",
    )
    digest = hashlib.sha256(b"hello").hexdigest()
    assert base64.b64decode(file["sha256Hash"]).decode() == digest
    assert file["uri"] == "https://generativelanguage.googleapis.com/v1beta/files/my-name"
    assert api.ok("GET", f"{V}/files/my-name") == file
    listed = api.ok("GET", f"{V}/files")
    fits("files/list", listed)
    assert listed == {"files": [file]}


@pytest.mark.parametrize(
    "metadata",
    [
        {"display_name": "D", "mime_type": "a/b", "size_bytes": 5},
        {"displayName": "D", "mimeType": "a/b", "sizeBytes": "5"},
    ],
)
def test_metadata_may_be_in_either_form(api: Api, metadata: dict[str, Any]) -> None:
    """Python sends snake_case and numbers, JavaScript camelCase and digits; the answer has camelCase."""
    done = send(api, start(api, "files", {"file": metadata}, 5, "x/y"), "upload, finalize", b"hello").json["file"]
    assert (done["displayName"], done["mimeType"], done["sizeBytes"]) == ("D", "a/b", "5")


def test_pieces_are_put_together(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file comes in pieces of the announced granularity; a query tells how much has arrived."""
    monkeypatch.setattr(storage, "GRANULARITY", 4)
    begun = start(api, "files", size=6)
    assert begun.headers.get(GOOG + "chunk-granularity") == "4"
    first = send(api, begun, "upload", b"abcd")
    assert (first.status, first.headers.get(GOOG + "status")) == (200, "active")
    assert send(api, begun, "query").headers.get(GOOG + "size-received") == "4"
    odd = send(api, begun, "upload", b"e", 4)
    assert (odd.status, odd.headers.get(GOOG + "status")) == (400, "active")
    assert send(api, begun, "upload, finalize", b"ef", 4).json["file"]["sizeBytes"] == "6"


def test_a_lost_last_answer_can_be_queried(api: Api) -> None:
    """After the end, a query repeats the last answer; anything else says that the upload has ended."""
    begun = start(api, "files", size=5)
    done = send(api, begun, "upload, finalize", b"hello")
    again = send(api, begun, "query")
    assert (again.json, again.headers.get(GOOG + "status")) == (done.json, "final")
    late = send(api, begun, "upload, finalize", b"hello")
    assert (late.status, late.headers.get(GOOG + "status")) == (404, "final")


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        ({"file": {"name": "files/Upper"}}, 400, "INVALID_ARGUMENT"),
        ({"file": {"name": "files/-x"}}, 400, "INVALID_ARGUMENT"),
        ({"file": {"name": "files/" + "a" * 41}}, 400, "INVALID_ARGUMENT"),
        ({"file": {"displayName": "d" * 513}}, 400, "INVALID_ARGUMENT"),
        ({"file": {"display_name": "d", "displayName": "d"}}, 400, "INVALID_ARGUMENT"),
        ({"file": {"colour": "red"}}, 400, "INVALID_ARGUMENT"),
        ({"file": []}, 400, "INVALID_ARGUMENT"),
        ({"file": {"name": "files/taken"}}, 409, "ALREADY_EXISTS"),
    ],
)
def test_bad_metadata_is_refused(api: Api, body: dict[str, Any], status: int, name: str) -> None:
    """What is wrong with the metadata is refused in the first request, in the form of other Google services."""
    upload(api, name="files/taken")
    refused = start(api, "files", body, 5)
    fits("error-body", refused.json)
    assert (refused.status, refused.json["error"]["code"], refused.json["error"]["status"]) == (
        status,
        status,
        name,
    )


def test_a_name_that_two_uploads_want_goes_to_the_first(api: Api) -> None:
    """If two uploads of one name are under way, the second one to end is refused and holds no memory."""
    both = [start(api, "files", {"file": {"name": "files/x"}}, 5) for _ in range(2)]
    ends = [send(api, begun, "upload, finalize", b"hello").status for begun in both]
    assert (ends, api.resources.uploaded.shelf.held) == ([200, 409], 5)


def test_a_video_is_processed_for_a_while(api: Api) -> None:
    """A video is PROCESSING until the seconds of the setting have passed; other files are ACTIVE at once."""
    api.resources.settings = api.settings.with_values({"processing": 2})
    api.now = "2026-09-21T12:00:00Z"
    assert upload(api, mimeType="video/mp4", name="files/clip")["state"] == "PROCESSING"
    api.now = "2026-09-21T12:00:01Z"
    assert api.ok("GET", f"{V}/files/clip")["state"] == "PROCESSING"
    api.now = "2026-09-21T12:00:02Z"
    assert api.ok("GET", f"{V}/files/clip")["state"] == "ACTIVE"


def test_a_file_expires_after_two_days(api: Api) -> None:
    """A file is there until its expirationTime, and then gone as if it had never been."""
    api.now = "2026-09-21T12:00:00Z"
    assert upload(api, name="files/x")["expirationTime"] == "2026-09-23T12:00:00Z"
    api.now = "2026-09-23T11:59:59Z"
    assert api.send("GET", f"{V}/files/x").status == 200
    api.now = "2026-09-23T12:00:00Z"
    assert api.send("GET", f"{V}/files/x").status == 403
    assert (api.ok("GET", f"{V}/files"), api.resources.uploaded.shelf.held) == ({}, 0)


def test_a_deleted_file_is_as_one_that_never_was(api: Api) -> None:
    """Delete answers `{}`; then get, delete and another project's get are refused alike, as recorded."""
    upload(api, name="files/x")
    api.project = "other"
    foreign = api.send("GET", f"{V}/files/x")
    api.project = "default"
    assert api.ok("DELETE", f"{V}/files/x") == {}
    gone = api.send("GET", f"{V}/files/x")
    assert gone.json == foreign.json == api.send("DELETE", f"{V}/files/x").json
    told = "You do not have permission to access the File x or it may not exist."
    assert gone.json == {"error": {"code": 403, "message": told, "status": "PERMISSION_DENIED"}}


def test_lists_have_pages(api: Api) -> None:
    """A page has ten files by default, and its token leads to the next one."""
    for _ in range(11):
        upload(api)
    first = api.ok("GET", f"{V}/files")
    second = api.ok("GET", f"{V}/files?pageSize=10&pageToken={first['nextPageToken']}")
    assert [len(page["files"]) for page in (first, second)] == [10, 1]
    assert "nextPageToken" not in second


def test_objects_of_cloud_storage_are_registered(api: Api) -> None:
    """A registered object keeps its own address; an address of another kind is refused."""
    answer = api.ok("POST", f"{V}/files:register", {"uris": ["gs://b/a.pdf"]})
    fits("files/registered", answer)
    file = answer["files"][0]
    assert (file["uri"], file["source"], file["mimeType"]) == ("gs://b/a.pdf", "REGISTERED", "application/pdf")
    assert api.send("POST", f"{V}/files:register", {"uris": ["https://b/a.pdf"]}).status == 400


def test_only_generated_files_are_downloaded(api: Api) -> None:
    """A generated file can be fetched from its address; an uploaded one cannot."""
    address = api.resources.deliver(b"film", "video/mp4", "default")
    answer = api.send("GET", address.removeprefix("https://generativelanguage.googleapis.com"))
    assert (answer.data, answer.headers.get("content-type")) == (b"film", "video/mp4")
    upload(api, name="files/x")
    refused = api.send("GET", f"{V}/files/x:download?alt=media")
    assert (refused.status, refused.json["error"]["status"]) == (400, "FAILED_PRECONDITION")


def test_a_media_upload_needs_no_metadata(api: Api) -> None:
    """The simple form has the bytes as its body; without any form the refusal names the right one."""
    plain = {"content-type": "text/csv"}
    done = api.ok("POST", f"/upload{V}/files?uploadType=media", b"a,b", headers=plain)
    assert (done["file"]["mimeType"], done["file"]["sizeBytes"]) == ("text/csv", "3")
    assert "X-Goog-Upload-Protocol" in api.send("POST", f"/upload{V}/files", b"a,b", headers=plain).message


def test_memory_is_bounded() -> None:
    """More bytes than the setting allows are refused at the start or, unannounced, when they come."""
    api = Api(settings=Settings(max_file_bytes=8))
    upload(api, b"12345")
    told = start(api, "files", size=4)
    assert (told.status, told.json["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert "raise the emulator's setting max_file_bytes=8" in told.message
    begun = start(api, "files")
    assert send(api, begun, "upload, finalize", b"1234").status == 429
    assert send(api, begun, "upload, finalize", b"123").status == 200


def test_the_oldest_file_makes_room(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a project has too many files, the oldest is forgotten with its bytes."""
    monkeypatch.setattr(collection, "MOST_ITEMS", 2)
    names = [upload(api)["name"] for _ in range(3)]
    left = [file["name"] for file in api.ok("GET", f"{V}/files")["files"]]
    assert (left, api.resources.uploaded.shelf.held) == (names[1:], 10)
