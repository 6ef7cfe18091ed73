"""Checks of file search stores: their life, and how an upload becomes a document.

Layer 2. Creates one store, uploads one short text to it, and deletes both.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import at, expect_object, expect_status, finding, object_in
from harness.checks.vocabulary.lives import delete_and_look, judge_life, judge_shapes, read_and_list
from harness.checks.vocabulary.polling import repeat
from harness.checks.vocabulary.resumable import begin_upload, continue_upload
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding
from harness.wire import Exchange
from harness.wire.message import segment

_STORES = new_registry()
CHECKS = _STORES.checks

TEXT = b"The harness was here.\n"
COLLECTION = "fileSearchStores"


@exercise(requests=19)
def a_file_search_store(t: RequestBuilder) -> Steps:
    """Create a store, upload a text to it, wait for its document, and delete with and without `force`."""
    made: Exchange = yield Send(t.request("POST", COLLECTION, {"displayName": "harness-check"}))
    seen: Exchanges = {"made": made}
    name = _name_of(made)
    if not name.startswith(f"{COLLECTION}/"):
        return stop_exercise(seen, f"no store could be made: {format_answer(made)}")
    path = f"{COLLECTION}/{segment(name.partition('/')[2])}"
    seen |= yield from read_and_list(t, path, pageSize=20)
    body = {"displayName": "harness-check.txt"}
    started: Exchange = yield Send(begin_upload(t, f"{path}:uploadToFileSearchStore", body, TEXT, "text/plain"))
    seen |= {"started": started, "finished": started}
    if started.status in SUCCESS and started.headers.get("x-goog-upload-url"):
        seen["finished"] = yield Send(continue_upload(t, started, "upload, finalize", TEXT))
        operation = _name_of(seen["finished"])
        if operation:
            looks = yield from repeat(t, t.request("GET", _escape(operation)), _is_done, within=t.wait)
            seen["ended"] = looks[-1]
            document = _document_of(looks[-1])
            if document:
                seen["document"] = yield Send(t.request("GET", _escape(document)))
                seen["unforced"] = yield Send(t.request("DELETE", path))
    seen |= yield from delete_and_look(t, path, force=True)
    missing = [name for name in ("ended", "document", "unforced") if name not in seen]
    return stop_exercise(seen, "the upload led to no document") if missing else seen


@_STORES.check(
    "filesearch.crud",
    a_file_search_store,
    title="a file search store can be made, read, listed and deleted",
    profile="resources",
    requires=["file-search-stores"],
    accepts=["2xx throughout, 403 or 404 in the end"],
    about="fetched",
)
def _can_be_managed(
    made: Exchange, fetched: Exchange, listed: Exchange, deleted: Exchange, gone: Exchange
) -> Iterator[Finding]:
    shows = {"name": _name_of(made)}
    yield from judge_life(
        COLLECTION,
        shows,
        made=made,
        fetched=fetched,
        listed=listed,
        deleted=deleted,
        gone=gone,
        gone_as={403, 404},
    )


@_STORES.check(
    "filesearch.upload",
    a_file_search_store,
    title="an upload to a store answers an operation",
    profile="resources",
    requires=["file-search-stores"],
    accepts=["2xx with an address; then 2xx and an operation below the store"],
    about="finished",
)
def _is_uploaded(made: Exchange, started: Exchange, finished: Exchange) -> Iterator[Finding]:
    yield from at("started", expect_status(started, accepts=SUCCESS))
    if started.status not in SUCCESS:
        return
    yield from at("finished", expect_status(finished, accepts=SUCCESS))
    if finished.status in SUCCESS and not _name_of(finished).startswith(f"{_name_of(made)}/"):
        expected = f'{{"name": "{_name_of(made)}/…"}}'
        yield finding("no operation", expected=expected, actual=format_answer(finished)).at(exchange="finished")


@_STORES.check(
    "filesearch.operation",
    a_file_search_store,
    title="the operation of an upload ends",
    profile="resources",
    requires=["file-search-stores"],
    accepts=["done within the time that runs get, with the name of a document"],
)
def _ends(ended: Exchange) -> Iterator[Finding]:
    yield from expect_object(ended)
    if ended.status in SUCCESS and not (_is_done(ended) and _document_of(ended)):
        yield finding("not done", expected="done, and documentName", actual=format_value(object_in(ended)))


@_STORES.check(
    "filesearch.document",
    a_file_search_store,
    title="the document of an upload can be read",
    profile="resources",
    requires=["file-search-stores"],
    accepts=["2xx and the document of that name"],
)
def _can_be_read(ended: Exchange, document: Exchange) -> Iterator[Finding]:
    yield from expect_object(document)
    if document.status in SUCCESS and _name_of(document) != _document_of(ended):
        yield finding("another document", expected=_document_of(ended), actual=_name_of(document) or "(none)")


@_STORES.check(
    "filesearch.schema",
    a_file_search_store,
    title="stores, documents and operations fit their schemas",
    profile="resources",
    requires=["file-search-stores"],
    accepts=["additional fields", "values of open enumerations"],
    everywhere=True,
)
def _fits(made: Exchange, listed: Exchange, ended: Exchange, document: Exchange) -> Iterator[Finding]:
    yield from judge_shapes("filesearch.schema", made=made, listed=listed, ended=ended, document=document)


_STORES.check(
    "filesearch.delete-force",
    a_file_search_store,
    title="a store with documents is deleted only with force",
    profile="resources",
    requires=["file-search-stores"],
    accepts=["4xx without force"],
)(judge_one("unforced", partial(expect_status, accepts=CLIENT_ERROR)))


def _name_of(answer: Exchange) -> str:
    name = object_in(answer).get("name")
    return name if isinstance(name, str) else ""


def _document_of(operation: Exchange) -> str:
    response = object_in(operation).get("response")
    name = response.get("documentName") if isinstance(response, dict) else None
    return name if isinstance(name, str) else ""


def _is_done(answer: Exchange) -> bool:
    return answer.status not in SUCCESS or object_in(answer).get("done") is True


def _escape(name: str) -> str:
    return "/".join(segment(part) for part in name.split("/"))
