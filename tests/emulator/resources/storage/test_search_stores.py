"""File search stores: documents come in by operations, and what holds something is deleted only with force."""

from typing import Any

import pytest

from harness.emulator.resources import storage
from harness.emulator.values.settings import Settings
from tests.emulator.resources.api import Api
from tests.emulator.resources.storage.uploading import V, send, start, upload
from tests.emulator.resources.test_shapes import fits

NOON = "2026-09-21T12:00:00Z"
READY = "2026-09-21T12:00:02Z"


@pytest.fixture
def store(api: Api) -> str:
    """The path of a new, empty store."""
    made = api.ok("POST", f"{V}/fileSearchStores", {"displayName": "My Store"})
    fits("file-search-stores/store", made)
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
    fits("file-search-stores/operation", operation)
    assert "done" not in operation
    assert api.ok("GET", store)["pendingDocumentsCount"] == "1"
    api.now = READY
    ended = api.ok("GET", f"{V}/{operation['name']}")
    fits("file-search-stores/operation", ended)
    document = api.ok("GET", f"{V}/{ended['response']['documentName']}")
    fits("file-search-stores/document", document)
    assert (document["state"], document["customMetadata"]) == ("STATE_ACTIVE", [{"key": "a", "stringValue": "b"}])
    listed = api.ok("GET", f"{store}/documents")
    fits("file-search-stores/documents", listed)
    assert listed["documents"] == [document]
    whole = api.ok("GET", store)
    assert (whole["activeDocumentsCount"], whole["sizeBytes"]) == ("1", "3")
    fits("file-search-stores/list", api.ok("GET", f"{V}/fileSearchStores"))


def test_a_file_is_imported(api: Api, store: str) -> None:
    """An import copies an uploaded file, which may be deleted afterwards."""
    file = upload(api, b"notes", displayName="Notes")
    operation = api.ok("POST", f"{store}:importFile", {"fileName": file["name"]})
    assert operation["name"].startswith(f"{store.removeprefix(V + '/')}/operations/notes-")
    api.ok("DELETE", f"{V}/{file['name']}")
    document = api.ok("GET", f"{store}/documents")["documents"][0]
    assert (document["displayName"], document["sizeBytes"]) == ("Notes", "5")
    media = document["name"].replace("/documents/", "/media/")
    assert api.send("GET", f"{V}/{media}?alt=media").data == b"notes"


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
    assert (api.send("GET", store).status, api.resources.uploaded.shelf.held) == (403, 0)


def test_stores_are_separate_projects(api: Api, store: str) -> None:
    """Another project neither sees nor lists a store."""
    api.project = "other"
    assert api.send("GET", store).status == 403
    assert api.ok("GET", f"{V}/fileSearchStores") == {}


@pytest.mark.parametrize(
    ("method", "below", "status"),
    [("GET", "/documents/x", 404), ("GET", "/operations/x", 404), ("DELETE", "/documents/x", 404),
     ("GET", "/media/x?alt=media", 404), ("PUT", "", 404), ("GET", "/x/y", 404)],
)  # fmt: skip
def test_what_is_not_there_is_404(api: Api, store: str, method: str, below: str, status: int) -> None:
    """Below a store, things and operations that do not exist are 404."""
    assert api.send(method, store + below).status == status


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents and files share one limit on bytes; only the latest operations are remembered."""
    monkeypatch.setattr(storage, "_MOST_OPERATIONS", 1)
    api = Api(settings=Settings(max_file_bytes=8))
    store = f"{V}/" + api.ok("POST", f"{V}/fileSearchStores")["name"]
    first = bring_in(api, store, {})
    file = upload(api, b"12345")["name"]
    assert api.send("POST", f"{store}:importFile", {"fileName": file}).status == 429
    api.ok("DELETE", f"{V}/{file}")
    bring_in(api, store, {})
    assert api.send("GET", f"{V}/{first['name']}").status == 404
