"""The files and the file search stores: documents, operations, states by the clock, expiry after 48 hours.

The upload protocols are in `uploads`. Sources: google-genai 3.4 for requests and fields, its documentation for
names and expiry, published names for the form of ids; the refusals are recorded ones.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct, field

from harness.emulator.resources.collection import ExpiringResource, KeptResource, ResourceContext, listing, page
from harness.emulator.resources.environments import guess
from harness.emulator.resources.schema_reader import in_camel_case
from harness.emulator.resources.uploads import GRANULARITY, Receiver, declared_type, is_resumable
from harness.emulator.values.call import (
    Call,
    Refusal,
    decode_json,
    flag,
    invalid,
    no_operation,
    not_found,
    over_quota,
)
from harness.emulator.values.stamps import has_come, later
from harness.wire import Headers, Response

_ORIGIN = "https://generativelanguage.googleapis.com"
_UPLOAD = "requests/upload-file"

_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


class UploadedFile(Struct, frozen=True):
    """A file: its metadata as GET shows them, except for the state, and its bytes (None if only registered)."""

    fields: dict[str, Any]
    data: bytes | None
    ready: str

    @property
    def media_type(self) -> str:
        return str(self.fields["mimeType"])


class UploadedFiles(ExpiringResource[UploadedFile]):
    """Files per project, of which the oldest makes room for a new one.

    `held` are the bytes of files and documents. Unlike the service's quota of 20 GB, their limit is a setting: it
    bounds the memory of this process.
    """

    name, noun, secret = "files", "file", "File"
    evicts = True
    in_camel_case = True
    pages = (10, 100)

    def __init__(self, context: ResourceContext) -> None:
        super().__init__(context)
        self._limit = context.settings().max_file_bytes
        self.held = 0

    def take(self, size: int) -> None:
        """Count `size` more bytes. Raises `Refusal` 429 if there is no room for them."""
        if self.held + size > self._limit:
            raise over_quota(
                f"Files and documents hold {self.held} bytes, and {size} more are too many. {self._remedy}"
            )
        self.held += size

    def make_receiver(self, store: Callable[[bytes], Any]) -> Receiver:
        """Return what takes as many bytes as there is room for, and stores them."""
        room = max(0, self._limit - self.held)
        return Receiver(store, room, self._remedy, takes_metadata=True, granularity=GRANULARITY)

    @property
    def _remedy(self) -> str:
        """A sentence with the way to make more room."""
        return f"Delete files or documents, or raise the emulator's setting max_file_bytes={self._limit}."

    def view(self, item: UploadedFile) -> dict[str, Any]:
        """The file as a response shows it, with its state."""
        return {**item.fields, "state": "ACTIVE" if has_come(item.ready, self._stamps.now()) else "PROCESSING"}

    def find_expiry(self, item: UploadedFile) -> str:
        """Two days after the upload."""
        return str(item.fields["expirationTime"])

    def remove(self, project: str, item_id: str) -> None:
        """Remove a file, whose bytes make room."""
        file = self._projects[project][item_id][1]
        super().remove(project, item_id)
        self.held -= len(file.data or b"")

    def find_processing(self) -> Iterator[str]:
        """The names of the files that are not ready yet."""
        now = self._stamps.now()
        yield from (file.fields["name"] for _, _, file in self.everywhere() if not has_come(file.ready, now))

    def receive(self, call: Call) -> Receiver:
        """Return what takes the bytes of the upload that this request begins. Raises `Refusal` 400 or 409."""
        metadata: dict[str, Any] = {}
        if is_resumable(call):
            metadata = self._read_metadata(call.request.body)
        elif call.query.get("uploadType") != "media":
            raise invalid(
                "An upload begins with X-Goog-Upload-Protocol: resumable and X-Goog-Upload-Command: start; "
                "send the bytes to the URL in the response."
            )
        file_id = str(metadata.get("name", "")).removeprefix("files/")
        self._refuse_taken(call.project, file_id)
        given = call.request.headers.get("x-goog-upload-file-name")
        media_type = metadata.get("mimeType") or declared_type(call) or guess(given)

        def store(data: bytes) -> dict[str, Any]:
            return {"file": self._add(call, file_id, metadata.get("displayName", ""), media_type, data)}

        return self.make_receiver(store)

    def _read_metadata(self, data: bytes) -> dict[str, Any]:
        """Read `{"file": {…}}`, which may be absent. What only the service fills in is ignored.

        So a file that was read can be sent back whole. Raises `Refusal` 400.
        """
        body = in_camel_case(decode_json(data) if data else {})
        file = body.get("file") if isinstance(body, dict) else None
        if isinstance(file, dict):
            filled_in = self._reader.names("files/file") - self._reader.names(_UPLOAD, "file")
            body["file"] = {name: value for name, value in file.items() if name not in filled_in}
        metadata: dict[str, Any] = self._reader.read(_UPLOAD, body).get("file", {})
        name = metadata.get("name", "")
        if name and _ID.fullmatch(name.removeprefix("files/")) is None:
            raise invalid(
                f"The name {name!r} of the file cannot be used: after 'files/', a name has at most 40 lower-case "
                "letters, digits and dashes, and neither begins nor ends with a dash."
            )
        return metadata

    def require_active(self, project: str, name: str) -> UploadedFile:
        """The file of this name (with or without `files/`), which must be ready. Raises `Refusal` 403 or 400."""
        file_id = name.removeprefix("files/")
        found = self.require(project, file_id)
        if not has_come(found.ready, self._stamps.now()):
            raise invalid(
                f"The File {file_id} is not in an ACTIVE state and usage is not allowed.", "failed_precondition"
            )
        return found

    def generate(self, data: bytes, media_type: str, project: str) -> str:
        """Keep bytes that a model made, and return the address to download them from."""
        file_id = self._stamps.ids("file")
        address = f"{_ORIGIN}/v1beta/files/{file_id}:download?alt=media"
        facts = {**_measure(data), "source": "GENERATED", "downloadUri": address}
        self.take(len(data))
        self._keep(project, file_id, "", media_type, data, facts)
        return address

    def _add(self, call: Call, file_id: str, display_name: str, media_type: str, data: bytes) -> dict[str, Any]:
        self._refuse_taken(call.project, file_id)
        self.take(len(data))
        facts = {**_measure(data), "source": "UPLOADED"}
        return self._keep(call.project, file_id, display_name, media_type, data, facts, call.version)

    def _keep(
        self,
        project: str,
        file_id: str,
        display_name: str,
        media_type: str,
        data: bytes | None,
        facts: dict[str, Any],
        version: str = "",
    ) -> dict[str, Any]:
        """Keep a file whose bytes are counted already, and return it."""
        now = self._stamps.now()
        file_id = file_id or self._stamps.ids("file")
        # the service works on videos before they can be used; a GET shows when it is done
        wait = self._settings().processing if media_type.startswith("video/") else 0
        fields = {
            "name": f"files/{file_id}",
            **({"displayName": display_name} if display_name else {}),
            "mimeType": media_type,
            "createTime": now,
            "updateTime": now,
            "expirationTime": later(now, hours=48),
            "uri": f"{_ORIGIN}/{version or 'v1beta'}/files/{file_id}",
            **facts,
            **({"videoMetadata": {"videoDuration": "1s"}} if media_type.startswith("video/") else {}),
        }
        file = UploadedFile(fields, data, later(now, seconds=wait))
        self.add(project, file_id, file)
        return self.view(file)

    def register(self, call: Call) -> dict[str, Any]:
        """POST files:register: objects of Cloud Storage, which are not read: their bytes are elsewhere."""
        uris = self._reader.read("requests/register-files", call.body)["uris"]
        for uri in uris:
            if not re.fullmatch(r"gs://[^/]+/.+", uri):
                raise invalid(f"The uri {uri!r} is not of the form gs://bucket/object.")
        kept = [
            self._keep(call.project, "", "", guess(uri), None, {"uri": uri, "source": "REGISTERED"})
            for uri in uris
        ]
        return {"files": kept}

    def download(self, call: Call, name: str) -> Response:
        file = self.require(call.project, name)
        if call.query.get("alt") != "media":
            raise invalid("A download needs alt=media.")
        if file.data is None or "downloadUri" not in file.fields:
            raise invalid(
                f"Only generated files can be downloaded, and {file.fields['name']} was "
                f"{file.fields['source'].lower()}.",
                "failed_precondition",
            )
        return Response.whole(200, Headers((("content-type", file.media_type),)), file.data)

    def _refuse_taken(self, project: str, file_id: str) -> None:
        if file_id and self.find(project, file_id) is not None:
            message = f"The file files/{file_id} exists already: choose another name."
            raise Refusal(409, "already_exists", message)


def _measure(data: bytes) -> dict[str, Any]:
    """Return size and digest as the service writes them: the digest is base64 of hexadecimal digits."""
    digest = base64.b64encode(hashlib.sha256(data).hexdigest().encode()).decode()
    return {"sizeBytes": str(len(data)), "sha256Hash": digest}


class Document(Struct, eq=False):
    """A document: its fields as GET shows them, except for the state, and its bytes."""

    fields: dict[str, Any]
    data: bytes
    ready: str


class SearchStore(Struct, eq=False):
    """A store. `documents` are by id; `operations` name the document that each upload made, by operation id."""

    fields: dict[str, Any]
    documents: dict[str, tuple[int, Document]] = field(default_factory=dict)
    operations: dict[str, Document] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.fields["name"])


class SearchStores(KeptResource[SearchStore]):
    """File search stores per project."""

    name, noun, secret = "fileSearchStores", "file search store", "FileSearchStore"
    in_camel_case = True
    pages = (10, 20)

    def __init__(self, context: ResourceContext, files: UploadedFiles) -> None:
        super().__init__(context)
        self._files = files

    def view(self, item: SearchStore) -> dict[str, Any]:
        """The store; counts of zero are absent, as in protocol buffers."""
        now = self._stamps.now()
        states = [has_come(document.ready, now) for _, document in item.documents.values()]
        counts = {
            "activeDocumentsCount": states.count(True),
            "pendingDocumentsCount": states.count(False),
            "sizeBytes": sum(len(document.data) for _, document in item.documents.values()),
        }
        return {**item.fields, **{name: str(count) for name, count in counts.items() if count}}

    def refuse(self, call: Call, name: str) -> Any:
        """Any other operation below fileSearchStores/{name}: a store that is missing comes first."""
        self.require(call.project, name)
        return NotImplemented

    def find_processing(self) -> Iterator[str]:
        """The names of the documents that are not ready yet."""
        now = self._stamps.now()
        for _, _, store in self.everywhere():
            found = (document for _, document in store.documents.values() if not has_come(document.ready, now))
            yield from (document.fields["name"] for document in found)

    def receive(self, call: Call) -> Receiver:
        """Return what takes the bytes of the upload that this request begins. Raises `Refusal` 400 or 403."""
        verb = call.segments[2].rpartition(":")
        if verb[2] != "uploadToFileSearchStore":
            raise no_operation(call, ":uploadToFileSearchStore")
        self.require(call.project, verb[0])
        about: dict[str, Any] = {}
        if is_resumable(call) and call.request.body:
            given = in_camel_case(decode_json(call.request.body))
            about = self._reader.read("requests/upload-to-file-search-store", given)
        file_name = call.request.headers.get("x-goog-upload-file-name")
        media_type = about.get("mimeType") or declared_type(call) or guess(file_name)
        title = about.get("displayName") or file_name

        def store(data: bytes) -> dict[str, Any]:
            target = self.require(call.project, verb[0])
            self._files.take(len(data))
            return self._add(target, title, media_type, data, about, "upload/operations")

        return self._files.make_receiver(store)

    def titles(self, names: list[str], project: str) -> list[str]:
        """The display names of the documents that can be searched in these stores. Raises `Refusal` 403."""
        now = self._stamps.now()
        stores = [self.require(project, name.removeprefix("fileSearchStores/")) for name in names]
        found = [document for store in stores for _, document in store.documents.values()]
        return [str(document.fields["displayName"]) for document in found if has_come(document.ready, now)]

    def create(self, call: Call) -> dict[str, Any]:
        body = in_camel_case({} if call.body is None else call.body)
        given = self._reader.read("requests/create-file-search-store", body)
        title = given.get("displayName", "")
        now, store_id = self._stamps.now(), _name_after(title, self._stamps.ids("store"))
        fields = {
            "name": f"fileSearchStores/{store_id}",
            **({"displayName": title} if title else {}),
            "createTime": now,
            "updateTime": now,
            "embeddingModel": given.get("embeddingModel") or "models/gemini-embedding-001",
        }
        store = SearchStore(fields)
        self.add(call.project, store_id, store)
        return self.view(store)

    def delete(self, call: Call, name: str) -> dict[str, Any]:
        store = self.require(call.project, name)
        if store.documents and not flag(call, "force"):
            raise invalid("Cannot delete non-empty FileSearchStore", "failed_precondition")
        for _, document in store.documents.values():
            self._files.held -= len(document.data)
        return super().delete(call, name)

    def import_file(self, call: Call, name: str) -> dict[str, Any]:
        store = self.require(call.project, name)
        given = self._reader.read("requests/import-file", in_camel_case(call.body))
        file = self._files.require_active(call.project, given["fileName"])
        data = file.data or b""
        self._files.take(len(data))
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
        return self._show_operation(store, operation)

    def _show_operation(self, store: SearchStore, operation: str) -> dict[str, Any]:
        document = store.operations.get(operation)
        if document is None:
            raise not_found(f"There is no operation {store.name}/{operation}.")
        shown: dict[str, Any] = {"name": f"{store.name}/{operation}"}
        if has_come(document.ready, self._stamps.now()):
            shown |= {"done": True, "response": {"parent": store.name, "documentName": document.fields["name"]}}
        return shown

    def get_operation(self, call: Call, name: str, _: str) -> dict[str, Any]:
        """GET fileSearchStores/{name}/operations/{id}, also with upload/ before operations."""
        return self._show_operation(self.require(call.project, name), "/".join(call.segments[2:]))

    def list_documents(self, call: Call, name: str) -> dict[str, Any]:
        store = self.require(call.project, name)
        scope = f"documents {store.name}"
        found, token = page(store.documents.values(), call.query, scope, default=10, largest=20)
        return listing("documents", [self._show_document(one) for one in found], token, in_camel_case=True)

    def get_document(self, call: Call, name: str, document: str) -> dict[str, Any]:
        return self._show_document(_find_document(self.require(call.project, name), document))

    def _show_document(self, document: Document) -> dict[str, Any]:
        is_ready = has_come(document.ready, self._stamps.now())
        return {**document.fields, "state": "STATE_ACTIVE" if is_ready else "STATE_PENDING"}

    def get_media(self, call: Call, name: str, document: str) -> Any:
        store = self.require(call.project, name)
        if call.query.get("alt") != "media":
            return NotImplemented
        found = _find_document(store, document)
        return Response.whole(200, Headers((("content-type", str(found.fields["mimeType"])),)), found.data)

    def delete_document(self, call: Call, store_name: str, name: str) -> dict[str, Any]:
        store = self.require(call.project, store_name)
        document = _find_document(store, name)
        if has_come(document.ready, self._stamps.now()) and not flag(call, "force"):
            raise invalid("Cannot delete non-empty Document", "failed_precondition")
        self._files.held -= len(document.data)
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
