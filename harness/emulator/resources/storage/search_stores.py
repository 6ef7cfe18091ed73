"""The file search stores resource: stores, their documents, and the operations that bring documents in.

Layer 2. Knows stores and documents; the upload protocols are in `uploads`, files in `uploaded_files`. Sources:
google-genai 3.4 for requests and fields, published names for the form of ids; that a store or a document which
holds something is deleted only with `force` is recorded, with its wording.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.emulator.resources.allowance import Shelf
from harness.emulator.resources.collection import Collection, Stamps
from harness.emulator.resources.environments.file_tree import guess
from harness.emulator.resources.instants import has_come, later
from harness.emulator.resources.paging import page
from harness.emulator.resources.refusals import flag, no_operation
from harness.emulator.resources.schema_reader import SchemaReader
from harness.emulator.resources.storage.json_names import in_camel_case, list_in_camel_case
from harness.emulator.resources.storage.uploaded_files import UploadedFiles
from harness.emulator.resources.uploads import GRANULARITY, Receiver, declared_type, is_resumable
from harness.emulator.values.call import Call, Refusal, decode_json, invalid, not_found
from harness.emulator.values.settings import Settings
from harness.wire import Headers, Response

_USUAL_MODEL = "models/gemini-embedding-001"
_MOST_OPERATIONS = 1000
_LARGEST_PAGE = 20


@dataclass(slots=True, eq=False)
class Document:
    """A document: its fields as GET shows them, except for the state, and its bytes."""

    fields: dict[str, Any]
    data: bytes
    ready: str

    def view(self, now: str) -> dict[str, Any]:
        """The resource as GET shows it at `now`."""
        return {**self.fields, "state": "STATE_ACTIVE" if has_come(self.ready, now) else "STATE_PENDING"}


@dataclass(slots=True, eq=False)
class SearchStore:
    """A store with its documents by id, and the operations that made them by the rest of their names."""

    fields: dict[str, Any]
    documents: dict[str, tuple[int, Document]] = field(default_factory=dict)
    operations: dict[str, Document] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name, `fileSearchStores/…`."""
        return str(self.fields["name"])

    def view(self, now: str) -> dict[str, Any]:
        """The resource as GET shows it at `now`; counts of zero are absent, as in protocol buffers."""
        states = [has_come(document.ready, now) for _, document in self.documents.values()]
        counts = {
            "activeDocumentsCount": states.count(True),
            "pendingDocumentsCount": states.count(False),
            "sizeBytes": sum(len(document.data) for _, document in self.documents.values()),
        }
        return {**self.fields, **{name: str(count) for name, count in counts.items() if count}}


class SearchStores:
    """File search stores per project."""

    def __init__(
        self,
        reader: SchemaReader,
        stamps: Stamps,
        shelf: Shelf,
        files: UploadedFiles,
        settings: Callable[[], Settings],
    ) -> None:
        self._reader = reader
        self._stamps = stamps
        self._shelf = shelf
        self._files = files
        self._settings = settings
        self._kept: Collection[SearchStore] = Collection("file search store")
        self._count = 0

    def list_all(self, call: Call) -> dict[str, Any]:
        """GET fileSearchStores."""
        now = self._stamps.now()
        found, token = self._kept.page(call.project, call.query, default=10, largest=_LARGEST_PAGE)
        return list_in_camel_case("fileSearchStores", [store.view(now) for store in found], token)

    def get(self, call: Call, name: str) -> dict[str, Any]:
        """GET fileSearchStores/{name}."""
        return self.open(name, call.project).view(self._stamps.now())

    def refuse(self, call: Call, name: str) -> Any:
        """Any other operation below fileSearchStores/{name}: a store that is missing comes first."""
        self.open(name, call.project)
        return NotImplemented

    def find_processing(self) -> Iterator[str]:
        """The names of the documents that are not ready yet."""
        now = self._stamps.now()
        for _, _, store in self._kept.everywhere():
            found = (document for _, document in store.documents.values() if not has_come(document.ready, now))
            yield from (document.fields["name"] for document in found)

    def receive(self, call: Call) -> Receiver:
        """Return what takes the bytes of the upload that this request begins. Raises `Refusal` 400 or 403."""
        verb = call.segments[2].rpartition(":")
        if verb[2] != "uploadToFileSearchStore":
            raise no_operation(call, ":uploadToFileSearchStore")
        self.open(verb[0], call.project)
        about: dict[str, Any] = {}
        if is_resumable(call) and call.request.body:
            given = in_camel_case(decode_json(call.request.body))
            about = self._reader.read("requests/upload-to-file-search-store", given)
        file_name = call.request.headers.get("x-goog-upload-file-name")
        media_type = about.get("mimeType") or declared_type(call) or guess(file_name)
        title = about.get("displayName") or file_name

        def store(data: bytes) -> dict[str, Any]:
            target = self.open(verb[0], call.project)
            self._shelf.take(len(data))
            return self._add(target, title, media_type, data, about, "upload/operations")

        return Receiver(store, self._shelf.room, self._shelf.remedy, takes_metadata=True, granularity=GRANULARITY)

    def open(self, name: str, project: str) -> SearchStore:
        """The store of this name (with or without `fileSearchStores/`). Raises `Refusal` 403.

        The status is that of files; it is inferred that stores do not tell a foreign store from none either.
        """
        found = self._kept.find(project, name.removeprefix("fileSearchStores/"))
        if found is None:
            raise Refusal(
                403,
                "permission_denied",
                f"You do not have permission to access the FileSearchStore {name[:100]} or it may not exist.",
            )
        return found

    def titles(self, names: list[str], project: str) -> list[str]:
        """The display names of the documents that can be searched in these stores. Raises `Refusal` 403."""
        now = self._stamps.now()
        found = [document for name in names for _, document in self.open(name, project).documents.values()]
        return [str(document.fields["displayName"]) for document in found if has_come(document.ready, now)]

    def create(self, call: Call) -> dict[str, Any]:
        """POST fileSearchStores."""
        body = in_camel_case({} if call.body is None else call.body)
        given = self._reader.read("requests/create-file-search-store", body)
        title = given.get("displayName", "")
        now, store_id = self._stamps.now(), _name_after(title, self._stamps.ids("store"))
        fields = {
            "name": f"fileSearchStores/{store_id}",
            **({"displayName": title} if title else {}),
            "createTime": now,
            "updateTime": now,
            "embeddingModel": given.get("embeddingModel") or _USUAL_MODEL,
        }
        store = SearchStore(fields)
        self._kept.add(call.project, store_id, store)
        return store.view(now)

    def delete(self, call: Call, name: str) -> dict[str, Any]:
        """DELETE fileSearchStores/{name}."""
        store = self.open(name, call.project)
        if store.documents and not flag(call, "force"):
            raise invalid("Cannot delete non-empty FileSearchStore", "failed_precondition")
        for _, document in store.documents.values():
            self._shelf.give_back(len(document.data))
        self._kept.remove(call.project, store.name.partition("/")[2])
        return {}

    def import_file(self, call: Call, name: str) -> dict[str, Any]:
        """POST fileSearchStores/{name}:importFile."""
        store = self.open(name, call.project)
        given = self._reader.read("requests/import-file", in_camel_case(call.body))
        file = self._files.open_active(given["fileName"], call.project)
        data = file.data or b""
        self._shelf.take(len(data))
        title = file.fields.get("displayName") or file.fields["name"].partition("/")[2]
        return self._add(store, title, file.media_type, data, given, "operations")

    def _add(
        self, store: SearchStore, title: str, media_type: str, data: bytes, about: dict[str, Any], operations: str
    ) -> dict[str, Any]:
        """Add a document whose bytes are counted already, and return the operation; `about` may have metadata."""
        now = self._stamps.now()
        document_id = _name_after(title, self._stamps.ids("document"))
        fields = {
            "name": f"{store.name}/documents/{document_id}",
            "displayName": title or document_id,
            **({"customMetadata": about["customMetadata"]} if about.get("customMetadata") else {}),
            "mimeType": media_type,
            "sizeBytes": str(len(data)),
            "createTime": now,
            "updateTime": now,
        }
        document = Document(fields, data, later(now, seconds=self._settings().processing))
        self._count += 1
        store.documents[document_id] = (self._count, document)
        store.fields["updateTime"] = now
        operation = f"{operations}/{document_id}-{self._stamps.ids('operation')}"
        store.operations[operation] = document
        while len(store.operations) > _MOST_OPERATIONS:
            del store.operations[next(iter(store.operations))]
        return self._show_operation(store, operation)

    def _show_operation(self, store: SearchStore, operation: str) -> dict[str, Any]:
        document = store.operations.get(operation)
        if document is None:
            raise not_found(f"There is no operation {store.name}/{operation}.")
        shown: dict[str, Any] = {"name": f"{store.name}/{operation}"}
        if has_come(document.ready, self._stamps.now()):
            shown |= {"done": True, "response": {"parent": store.name, "documentName": document.fields["name"]}}
        return shown

    def get_operation(self, call: Call, name: str, operation: str) -> dict[str, Any]:
        """GET fileSearchStores/{name}/operations/{operation}."""
        return self._show_operation(self.open(name, call.project), f"operations/{operation}")

    def get_upload(self, call: Call, name: str, operation: str) -> dict[str, Any]:
        """GET fileSearchStores/{name}/upload/operations/{operation}."""
        return self._show_operation(self.open(name, call.project), f"upload/operations/{operation}")

    def list_documents(self, call: Call, name: str) -> dict[str, Any]:
        """GET fileSearchStores/{name}/documents."""
        store, now = self.open(name, call.project), self._stamps.now()
        scope = f"documents {store.name}"
        found, token = page(store.documents.values(), call.query, scope, default=10, largest=_LARGEST_PAGE)
        return list_in_camel_case("documents", [one.view(now) for one in found], token)

    def get_document(self, call: Call, name: str, document: str) -> dict[str, Any]:
        """GET fileSearchStores/{name}/documents/{document}."""
        return _find_document(self.open(name, call.project), document).view(self._stamps.now())

    def get_media(self, call: Call, name: str, document: str) -> Any:
        """GET fileSearchStores/{name}/media/{document}?alt=media."""
        store = self.open(name, call.project)
        if call.query.get("alt") != "media":
            return NotImplemented
        found = _find_document(store, document)
        return Response.whole(200, Headers((("content-type", str(found.fields["mimeType"])),)), found.data)

    def delete_document(self, call: Call, store_name: str, name: str) -> dict[str, Any]:
        """DELETE fileSearchStores/{name}/documents/{document}."""
        store = self.open(store_name, call.project)
        document = _find_document(store, name)
        if has_come(document.ready, self._stamps.now()) and not flag(call, "force"):
            raise invalid("Cannot delete non-empty Document", "failed_precondition")
        self._shelf.give_back(len(document.data))
        del store.documents[name]
        store.fields["updateTime"] = self._stamps.now()
        return {}


def _find_document(store: SearchStore, name: str) -> Document:
    if name not in store.documents:
        raise not_found(f"There is no document {store.name}/documents/{name[:100]}.")
    return store.documents[name][1]


def _name_after(title: str, tail: str) -> str:
    """Return an id made of a title and a tail that is unique, as the service does: `myreport-123a456b789c`."""
    head = re.sub(r"[^a-z0-9]", "", title.lower())[:27]
    return f"{head}-{tail}" if head else tail
