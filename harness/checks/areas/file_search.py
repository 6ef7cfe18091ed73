"""Checks of file search stores: their life, how an upload or a file becomes a document, and that it is found.

Layer 2. Creates three stores with one short text each, asks a model about two of them, and deletes all.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.vocabulary import resources
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_object,
    finding,
    object_in,
    text_in,
)
from harness.checks.vocabulary.runs import repeat
from harness.contract.data.json_parse import as_object
from harness.contract.data.transcript import output_contents
from harness.contract.judge.replies import SUCCESS
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Part, Send, Steps, stop_exercise
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange, Request
from harness.wire.message import segment

TEXT = b"The lighthouse of Harness Point was painted green in the year 1903.\n"
QUESTION = "Search the files: in which year was the lighthouse of Harness Point painted, and in which colour?"
FILE = {"file": {"displayName": "harness-check.txt", "mimeType": "text/plain"}}
COLLECTION = "fileSearchStores"


@exercise(requests=20, pauses=1.0)
def a_file_search_store(t: RequestBuilder) -> Steps:
    """Create a store, upload a text to it, wait for its document, delete that, and the store in both ways."""
    made: Exchange = yield Send(t.request("POST", COLLECTION, {"displayName": "harness-check"}))
    seen: Exchanges = {"made": made}
    name = text_in(made, "name")
    if not name.startswith(f"{COLLECTION}/"):
        return stop_exercise(seen, f"the target created no store: {format_answer(made)}")
    path = f"{COLLECTION}/{segment(name.partition('/')[2])}"
    seen |= yield from resources.read_and_list(t, path, pageSize=20)
    body = {"displayName": "harness-check.txt"}
    started: Exchange = yield Send(
        resources.begin_upload(t, f"{path}:uploadToFileSearchStore", body, TEXT, "text/plain")
    )
    seen |= {"started": started, "finished": started}
    if started.status in SUCCESS and resources.find_upload_url(started):
        seen["finished"] = yield Send(resources.continue_upload(t, started, "upload, finalize", TEXT))
        operation = text_in(seen["finished"], "name")
        if operation:
            looks = yield from repeat(t, t.request("GET", _escape(operation)), _is_done, within=t.wait)
            seen["ended"] = looks[-1]
            document = _document_of(looks[-1])
            if document:
                seen["document"] = yield Send(t.request("GET", _escape(document)))
                seen["unforced"] = yield Send(t.request("DELETE", path))
                removed = yield from resources.delete_and_look(t, _escape(document), force=True)
                seen |= {"removed": removed["deleted"], "missed": removed["gone"]}
    seen |= yield from resources.delete_and_look(t, path, force=True)
    missing = [name for name in ("ended", "document", "unforced", "removed") if name not in seen]
    return stop_exercise(seen, "the upload created no document") if missing else seen


can_be_managed = resources.judge_lives(COLLECTION, {}, name="name", gone_as={403, 404})


def begins_an_operation(made: Exchange, finished: Exchange) -> Iterator[Finding]:
    store = text_in(made, "name")
    if not text_in(finished, "name").startswith(f"{store}/"):
        expected = f'{{"name": "{store}/…"}}'
        yield finding("the response names no operation", expected, format_answer(finished), exchange="finished")


def ends(ended: Exchange) -> Iterator[Finding]:
    if not (_is_done(ended) and _document_of(ended)):
        message, actual = "the operation is not done, or names no document", format_value(object_in(ended))
        yield finding(message, "done, and documentName", actual)


def is_the_document(ended: Exchange, document: Exchange) -> Iterator[Finding]:
    yield from at("document", expect_object(document))
    if document.status in SUCCESS and text_in(document, "name") != _document_of(ended):
        shown = text_in(document, "name") or "(none)"
        yield finding("GET returns another document", _document_of(ended), shown, exchange="document")


@exercise(requests=31, interactions=2, pauses=1.5)
def a_text_that_is_imported(t: RequestBuilder) -> Steps:
    """Upload a text to one store, import it from a file into another, and ask a model for it in each."""
    filled = yield from _make_store(t)
    begun = resources.begin_upload(t, f"{_escape(filled)}:uploadToFileSearchStore", {}, TEXT, "text/plain")
    uploaded: Exchange = yield Send(resources.continue_upload(t, (yield Send(begun)), "upload, finalize", TEXT))
    looked = yield from _wait_for(t, uploaded)
    if looked is None or not _document_of(looked):
        raise Unmet(f"the upload to a store created no document: {format_answer(looked or uploaded)}")
    seen: Exchanges = {"asked": (yield Send(_ask(t, filled)))}
    started: Exchange = yield Send(resources.begin_upload(t, "files", FILE, TEXT, "text/plain"))
    kept: Exchange = yield Send(resources.continue_upload(t, started, "upload, finalize", TEXT))
    file = as_object(object_in(kept).get("file")).get("name")
    if not isinstance(file, str) or not file:
        raise Unmet(f"the target accepted no upload of a file: {format_answer(kept)}")
    yield from repeat(t, t.request("GET", _escape(file)), resources.is_processed, within=t.wait)
    seen["store"] = store = yield from _make_store(t)
    imported: Exchange = yield Send(t.request("POST", f"{_escape(store)}:importFile", {"fileName": file}))
    seen |= {"imported": imported, "ended": (yield from _wait_for(t, imported)) or imported, "document": None}
    if document := _document_of(seen["ended"]):
        seen["document"] = yield Send(t.request("GET", _escape(document)))
    seen["found"] = yield Send(_ask(t, store))
    yield Send(t.request("DELETE", _escape(file)))
    for one in (filled, store):
        yield Send(t.request("DELETE", _escape(one), query={"force": True}))
    return seen


def is_imported(store: str, imported: Exchange, ended: Exchange, document: Exchange | None) -> Iterator[Finding]:
    if not text_in(imported, "name").startswith(f"{store}/"):
        expected = f'{{"name": "{store}/…"}}'
        yield finding("the response names no operation", expected, format_answer(imported), exchange="imported")
    elif document is None:
        yield from at("ended", ends(ended))
    else:
        yield from at("document", is_the_document(ended, document))


def is_found(asked: Exchange, document: Exchange | None, found: Exchange) -> Iterator[Finding]:
    if document is None or document.status not in SUCCESS:
        raise Unmet("the imported file became no document")
    if not _cites(asked):
        raise Unmet(f"the model does not cite the uploaded text: {format_answer(asked)}")
    yield from at("found", expect_interaction(found))
    if found.status in SUCCESS and not _cites(found):
        yield finding("the model does not cite the imported text", "a file_citation", "none", exchange="found")


def _make_store(t: RequestBuilder) -> Part[str]:
    """Make a store and return its name. Raises `Unmet`."""
    made: Exchange = yield Send(t.request("POST", COLLECTION, {"displayName": "harness-check"}))
    if not text_in(made, "name").startswith(f"{COLLECTION}/"):
        raise Unmet(f"the target created no store: {format_answer(made)}")
    return text_in(made, "name")


def _wait_for(t: RequestBuilder, begun: Exchange) -> Part[Exchange | None]:
    """Poll an operation until it is done → the last answer, None if there is no operation."""
    operation = text_in(begun, "name")
    if not operation:
        return None
    return (yield from repeat(t, t.request("GET", _escape(operation)), _is_done, within=t.wait))[-1]


def _ask(t: RequestBuilder, store: str) -> Request:
    return t.create(input=QUESTION, tools=[{"type": "file_search", "file_search_store_names": [store]}])


def _cites(answer: Exchange) -> bool:
    notes = [part.get("annotations") for part in output_contents(object_in(answer))]
    found = [note for some in notes if isinstance(some, list) for note in some if isinstance(note, dict)]
    return any(note.get("type") == "file_citation" for note in found)


def _document_of(operation: Exchange) -> str:
    name = as_object(object_in(operation).get("response")).get("documentName")
    return name if isinstance(name, str) else ""


def _is_done(answer: Exchange) -> bool:
    return answer.status not in SUCCESS or object_in(answer).get("done") is True


def _escape(name: str) -> str:
    return "/".join(segment(part) for part in name.split("/"))
