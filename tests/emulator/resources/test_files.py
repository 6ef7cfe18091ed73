"""Uploaded files and file search stores: uploads, documents, states and expiry by the clock, bounded memory."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulator.resources import files
from harness.emulator.values.settings import Settings
from tests.emulator.resources.api import GOOG, Api, V, send, start, upload


def test_pieces_are_put_together(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file comes in pieces of the announced granularity; a query tells how much has arrived."""
    monkeypatch.setattr(files, "GRANULARITY", 4)
    begun = start(api, "files", size=6)
    assert begun.headers.get(GOOG + "chunk-granularity") == "4"
    first = send(api, begun, "upload", b"abcd")
    assert (first.status, first.headers.get(GOOG + "status")) == (200, "active")
    assert send(api, begun, "query").headers.get(GOOG + "size-received") == "4"
    odd = send(api, begun, "upload", b"e", 4)
    assert (odd.status, odd.headers.get(GOOG + "status")) == (400, "active")
    assert send(api, begun, "upload, finalize", b"ef", 4).json["file"]["sizeBytes"] == "6"


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
    assert (refused.status, refused.json["error"]["code"], refused.json["error"]["status"]) == (
        status,
        status,
        name,
    )


def test_a_name_that_two_uploads_want_goes_to_the_first(api: Api) -> None:
    """If two uploads of one name are under way, the second one to end is refused and holds no memory."""
    both = [start(api, "files", {"file": {"name": "files/x"}}, 5) for _ in range(2)]
    ends = [send(api, begun, "upload, finalize", b"hello").status for begun in both]
    assert (ends, api.resources.kept.files.held) == ([200, 409], 5)


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
    assert (api.ok("GET", f"{V}/files"), api.resources.kept.files.held) == ({}, 0)


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


def test_objects_of_cloud_storage_are_registered(api: Api) -> None:
    """A registered object keeps its own address; an address of another kind is refused."""
    answer = api.ok("POST", f"{V}/files:register", {"uris": ["gs://b/a.pdf"]})
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


READY = "2026-09-21T12:00:02Z"


@pytest.fixture
def store(api: Api) -> str:
    """The path of a new, empty store."""
    made = api.ok("POST", f"{V}/fileSearchStores", {"displayName": "My Store"})
    return f"{V}/{made['name']}"


def bring_in(api: Api, store: str, about: dict[str, Any], data: bytes = b"doc") -> dict[str, Any]:
    """Upload a document to a store and return the operation."""
    begun = start(api, f"{store.removeprefix(V + '/')}:uploadToFileSearchStore", about, len(data))
    return dict(send(api, begun, "upload, finalize", data).json)


def test_a_name_is_made_of_the_title(api: Api, store: str) -> None:
    """The id of a store begins with its title in small letters; without a title it is only the unique part."""
    assert store.rpartition("/")[2].startswith("mystore-")
    plain = api.ok("POST", f"{V}/fileSearchStores")
    assert plain["name"] == "fileSearchStores/store-0002"
    assert plain["embeddingModel"] == "models/gemini-embedding-001"


def test_an_upload_becomes_a_document(api: Api, store: str) -> None:
    """The operation ends when the document is ready; operation, document, lists and store fit their schemas."""
    operation = bring_in(
        api, store, {"displayName": "Plan", "customMetadata": [{"key": "a", "string_value": "b"}]}
    )
    assert "done" not in operation
    assert api.ok("GET", store)["pendingDocumentsCount"] == "1"
    api.now = READY
    ended = api.ok("GET", f"{V}/{operation['name']}")
    document = api.ok("GET", f"{V}/{ended['response']['documentName']}")
    assert (document["state"], document["customMetadata"]) == ("STATE_ACTIVE", [{"key": "a", "stringValue": "b"}])
    listed = api.ok("GET", f"{store}/documents")
    assert listed["documents"] == [document]
    whole = api.ok("GET", store)
    assert (whole["activeDocumentsCount"], whole["sizeBytes"]) == ("1", "3")


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"customMetadata": [{"key": "a"}]}, "stringListValue"),
        ({"customMetadata": [{"key": "a", "stringValue": "b", "numericValue": 1}]}, "Unknown parameter"),
        ({"customMetadata": [{"key": "a", "stringValue": "b"}] * 21}, "at most 20"),
        ({"chunkingConfig": {"whiteSpaceConfig": {"maxTokensPerChunk": -1}}}, "-1 is too small"),
        ({"chunkingConfig": {"colour": 1}}, "colour"),
        ({"colour": 1}, "colour"),
    ],
)
def test_bad_descriptions_are_refused(api: Api, store: str, about: dict[str, Any], told: str) -> None:
    """What is wrong with metadata or chunking is refused before anything is sent."""
    refused = start(api, f"{store.removeprefix(V + '/')}:uploadToFileSearchStore", about, 3)
    assert refused.status == 400
    assert told in refused.message


def test_imports_need_a_file_that_is_ready(api: Api, store: str) -> None:
    """A file that is not there is 403, one that is still processed 400, both as recorded."""
    assert api.send("POST", f"{store}:importFile", {"fileName": "files/nope"}).status == 403
    video = upload(api, mimeType="video/mp4")["name"]
    refused = api.send("POST", f"{store}:importFile", {"fileName": video})
    assert (refused.status, refused.json["error"]["status"]) == (400, "FAILED_PRECONDITION")


def test_what_holds_something_is_deleted_with_force(api: Api, store: str) -> None:
    """The refusals have the recorded words; with force the documents go, too, and their bytes are given back."""
    bring_in(api, store, {})
    api.now = READY
    document = f"{V}/" + api.ok("GET", f"{store}/documents")["documents"][0]["name"]
    assert api.send("DELETE", document).message == "Cannot delete non-empty Document"
    assert api.send("DELETE", store).message == "Cannot delete non-empty FileSearchStore"
    assert api.ok("DELETE", f"{document}?force=True") == {}
    bring_in(api, store, {})
    assert api.ok("DELETE", f"{store}?force=true") == {}
    assert (api.send("GET", store).status, api.resources.kept.files.held) == (403, 0)
