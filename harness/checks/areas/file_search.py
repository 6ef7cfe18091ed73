"""Checks of file search stores: their life, how an upload or a file becomes a document, and that it is found.

Creates two stores with one short text each, and asks a model about each of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.vocabulary import resources
from harness.checks.vocabulary.expect import at, expect_interaction, expect_object, finding, object_in, text_in
from harness.checks.vocabulary.runs import repeat
from harness.contract.judge.answer import SUCCESS
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.contract.transcript import output_contents
from harness.kit.check import Exchanges, Part, Send, Steps, exercise, stop_exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange, Request
from harness.wire.bodies import as_object, objects_in
from harness.wire.message import segment

TEXT = b"The lighthouse of Harness Point was painted green in the year 1903.\n"
QUESTION = "Search the files: in which year was the lighthouse of Harness Point painted, and in which colour?"
FILE = {"file": {"displayName": "harness-check.txt", "mimeType": "text/plain"}}
COLLECTION = "fileSearchStores"


@exercise(requests=30, interactions=2, pauses=1.0, uses=("files",))
def a_file_search_store(t: RequestBuilder) -> Steps:
    """Upload a text to one store, import it from a file into another, and ask a model for it in each.

    Then delete the document of the upload, and its store in both ways.
    """
    made: Exchange = yield Send(t.request("POST", COLLECTION, {"displayName": "harness-check"}))
    seen: Exchanges = {"made": made}
    name = text_in(made, "name")
    if not name.startswith(f"{COLLECTION}/"):
        return stop_exercise(seen, f"the target created no store: {format_answer(made)}")
    path = escape(name)
    seen |= yield from resources.read_and_list(t, path, pageSize=20)
    body = {"displayName": "harness-upload.txt"}
    begin = resources.begin_upload(t, f"{path}:uploadToFileSearchStore", body, TEXT, "text/plain")
    seen["started"] = seen["finished"] = started = yield Send(begin)
    if started.status in SUCCESS and resources.find_upload_url(started):
        seen["finished"] = yield Send(resources.continue_upload(t, started, "upload, finalize", TEXT))
    # Both operations go on at the same time.
    refused = (yield from _begin_import(t, seen)) if "files" in t.capabilities else "the target takes no files"
    if (ended := (yield from wait_for(t, seen["finished"]))) is not None:
        seen["ended"] = ended
    if document := document_of(seen.get("ended", made)):
        seen["document"] = yield Send(t.request("GET", escape(document)))
        if not refused:
            seen |= yield from _find_imported(t, name, seen["store"], seen["imported"])
        seen["unforced"] = yield Send(t.request("DELETE", path))
        removed = yield from resources.delete_and_read(t, escape(document), force=True)
        seen |= {"removed": removed["deleted"], "missed": removed["gone"]}
    seen |= yield from resources.delete_and_read(t, path, force=True, listed=seen["listed"])
    lacking = refused if document else "the upload created no document"
    return stop_exercise(seen, lacking) if lacking else seen


def _begin_import(t: RequestBuilder, seen: Exchanges) -> Part[str]:
    """Import a file into a store of its own → why that cannot be, else `""`; it adds both to what was `seen`."""
    kept = yield from resources.upload(t, "files", FILE, TEXT, "text/plain")
    file = as_object(object_in(kept).get("file")).get("name")
    if not isinstance(file, str) or not file:
        return f"the target accepted no upload of a file: {format_answer(kept)}"
    yield from repeat(t, t.request("GET", escape(file)), resources.is_processed, within=t.wait)
    made: Exchange = yield Send(t.request("POST", COLLECTION, {"displayName": "harness-check"}))
    seen["store"] = store = text_in(made, "name")
    if not store.startswith(f"{COLLECTION}/"):
        return f"the target created no second store: {format_answer(made)}"
    seen["imported"] = yield Send(t.request("POST", f"{escape(store)}:importFile", {"fileName": file}))
    return ""


def _find_imported(t: RequestBuilder, filled: str, store: str, imported: Exchange) -> Part[Exchanges]:
    """Wait for the document of an import, and ask a model for the text of both stores."""
    ended = (yield from wait_for(t, imported)) or imported
    document = document_of(ended)
    return {
        "import_ended": ended,
        "copy": (yield Send(t.request("GET", escape(document)))) if document else None,
        "asked": (yield Send(_ask(t, filled))),
        "found": (yield Send(_ask(t, store))),
    }


can_be_managed = resources.judge_lives(COLLECTION, {}, name="name", gone_as={403, 404})


def begins_an_operation(made: Exchange, finished: Exchange) -> Iterator[Finding]:
    store = text_in(made, "name")
    if not text_in(finished, "name").startswith(f"{store}/"):
        expected = f'{{"name": "{store}/…"}}'
        yield finding("the response names no operation", expected, format_answer(finished), exchange="finished")


def ends(ended: Exchange) -> Iterator[Finding]:
    if not (_is_done(ended) and document_of(ended)):
        message, actual = "the operation is not done, or names no document", format_value(object_in(ended))
        yield finding(message, "done, and documentName", actual)


def is_the_document(ended: Exchange, document: Exchange) -> Iterator[Finding]:
    yield from at("document", expect_object(document))
    if document.status in SUCCESS and text_in(document, "name") != document_of(ended):
        shown = text_in(document, "name") or "(none)"
        yield finding("GET returns another document", document_of(ended), shown, exchange="document")


def is_imported(
    store: str, imported: Exchange, import_ended: Exchange, copy: Exchange | None
) -> Iterator[Finding]:
    if not text_in(imported, "name").startswith(f"{store}/"):
        expected = f'{{"name": "{store}/…"}}'
        yield finding("the response names no operation", expected, format_answer(imported), exchange="imported")
    elif copy is None:
        yield from at("import_ended", ends(import_ended))
    else:
        yield from (one.at(exchange="copy") for one in is_the_document(import_ended, copy))


def is_found(asked: Exchange, copy: Exchange | None, found: Exchange) -> Iterator[Finding]:
    if copy is None or copy.status not in SUCCESS:
        raise Unmet("the imported file became no document")
    if not _cites(asked):
        raise Unmet(f"the model does not cite the uploaded text: {format_answer(asked)}")
    yield from at("found", expect_interaction(found))
    if found.status in SUCCESS and not _cites(found):
        yield finding("the model does not cite the imported text", "a file_citation", "none", exchange="found")


def wait_for(t: RequestBuilder, begun: Exchange) -> Part[Exchange | None]:
    """Poll an operation until it is done → the last answer, None if there is no operation."""
    operation = text_in(begun, "name")
    if not operation:
        return None
    return (yield from repeat(t, t.request("GET", escape(operation)), _is_done, within=t.wait))[-1]


def _ask(t: RequestBuilder, store: str) -> Request:
    return t.create(input=QUESTION, tools=[{"type": "file_search", "file_search_store_names": [store]}])


def _cites(answer: Exchange) -> bool:
    notes = (note for part in output_contents(object_in(answer)) for note in objects_in(part.get("annotations")))
    return any(note.get("type") == "file_citation" for note in notes)


def document_of(operation: Exchange) -> str:
    name = as_object(object_in(operation).get("response")).get("documentName")
    return name if isinstance(name, str) else ""


def _is_done(answer: Exchange) -> bool:
    return answer.status not in SUCCESS or object_in(answer).get("done") is True


def escape(name: str) -> str:
    return "/".join(segment(part) for part in name.split("/"))
