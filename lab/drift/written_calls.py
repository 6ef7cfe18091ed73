"""The calls for files and file search stores, which both SDKs write by hand: where each goes, and its types.

Their other calls are generated, and say so themselves; of these only the types are declared, under the
same names in both SDKs. A call that is not listed here is one that the SDK did not have when this was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from lab.drift.type_model import FieldType, OperationType, Record, ValueType

UNPLACED = "call"
"""Stands for the method of a call of which only the name is known."""


class WrittenCall(NamedTuple):
    """One call. `body`, `query`, `answer` are types; `also` is one, and those fields of it that the body has."""

    owner: str
    name: str
    method: str
    path: str
    body: str = ""
    query: str = ""
    answer: str = ""
    also: tuple[str, tuple[str, ...]] = ("", ())


_STORE, _DOCUMENT = "/fileSearchStores/{id}", "/fileSearchStores/{id}/documents/{document}"

CALLS = (
    WrittenCall("FileSearchStores", "create", "post", "/fileSearchStores", "CreateFileSearchStoreConfig",
                answer="FileSearchStore"),
    WrittenCall("FileSearchStores", "list", "get", "/fileSearchStores", query="ListFileSearchStoresConfig",
                answer="ListFileSearchStoresResponse"),
    WrittenCall("FileSearchStores", "get", "get", _STORE, answer="FileSearchStore"),
    WrittenCall("FileSearchStores", "delete", "delete", _STORE, query="DeleteFileSearchStoreConfig"),
    WrittenCall("FileSearchStores", "importFile", "post", f"{_STORE}:importFile", "ImportFileConfig",
                answer="ImportFileOperation", also=("ImportFileParameters", ("fileName",))),
    WrittenCall("FileSearchStores", "uploadToFileSearchStore", "post", f"{_STORE}:uploadToFileSearchStore",
                "UploadToFileSearchStoreConfig", answer="UploadToFileSearchStoreOperation"),
    WrittenCall("Documents", "list", "get", f"{_STORE}/documents", query="ListDocumentsConfig",
                answer="ListDocumentsResponse"),
    WrittenCall("Documents", "get", "get", _DOCUMENT, answer="Document"),
    WrittenCall("Documents", "delete", "delete", _DOCUMENT, query="DeleteDocumentConfig"),
    WrittenCall("Files", "list", "get", "/files", query="ListFilesConfig", answer="ListFilesResponse"),
    WrittenCall("Files", "get", "get", "/files/{id}", answer="File"),
    WrittenCall("Files", "delete", "delete", "/files/{id}"),
)  # fmt: skip

_WITHOUT_TYPES = frozenset({
    "FileSearchStores.documents", "FileSearchStores.downloadMedia", "Files.upload", "Files.download",
    "Files.registerFiles",
})  # fmt: skip
"""Calls that send or bring bytes, and parts of the client."""

_OF_SDK = frozenset({"httpOptions", "abortSignal", "sdkHttpResponse", "shouldReturnHttpResponse"})
"""Fields that concern the SDK alone and are never on the wire."""


def build_operations(
    read_type: Callable[[str], ValueType], records: dict[str, Record], methods: Iterable[tuple[str, str]]
) -> Iterator[OperationType]:
    """Yield the calls of an SDK with these methods, each an owner and a name; `read_type` reads into `records`."""
    listed = {f"{call.owner}.{call.name}" for call in CALLS} | _WITHOUT_TYPES
    there = {f"{owner}.{name}" for owner, name in methods}
    for name in sorted(there - listed):
        yield OperationType(name, UNPLACED, f"/{name}")
    for call in CALLS:
        if f"{call.owner}.{call.name}" in there:
            body = _join(call, read_type, records) if call.body else None
            query = _read_fields(read_type(call.query), records) if call.query else {}
            answer = _trim(read_type(call.answer), records) if call.answer else None
            yield OperationType(f"{call.owner}.{call.name}", call.method, call.path, query, body, answer)


def _join(call: WrittenCall, read_type: Callable[[str], ValueType], records: dict[str, Record]) -> ValueType:
    """The body: the fields of its type, and those of the call itself."""
    fields = _read_fields(read_type(call.body), records)
    other, names = call.also
    if other:
        named = _read_fields(read_type(other), records)
        fields |= {name: FieldType(named[name].shape, True, named[name].text) for name in names if name in named}
    records[call.body] = Record(call.body, fields)
    return ValueType.record(call.body)


def _read_fields(shape: ValueType, records: dict[str, Record]) -> dict[str, FieldType]:
    return dict(records[_trim(shape, records).records[0]].fields)


def _trim(shape: ValueType, records: dict[str, Record]) -> ValueType:
    """Take the fields of the SDK alone out of the records of a shape, however deep."""
    waiting, seen = list(shape.records), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            fields = {field: part for field, part in records[name].fields.items() if field not in _OF_SDK}
            records[name] = Record(name, fields, records[name].text)
            waiting += [inner for part in fields.values() for inner in _list_inner(part.shape)]
    return shape


def _list_inner(shape: ValueType) -> Iterator[str]:
    yield from shape.records
    for inner in (shape.item, shape.entry):
        if inner is not None:
            yield from _list_inner(inner)
