"""Checks of uploaded files: the resumable upload of the SDKs, the life of a file, and its use in a create.

Uploads an image of a pixel twice and deletes it. A target that serves no files gets no request.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from harness.checks.vocabulary import resources
from harness.checks.vocabulary.expect import at, expect_object, finding, object_in
from harness.checks.vocabulary.runs import repeat
from harness.contract.judge.answer import SUCCESS
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.check import Exchanges, Part, Send, Steps, exercise, stop_exercise, take
from harness.outcome import Finding
from harness.wire import Exchange
from harness.wire.message import segment

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
"""An image that every model which reads images can read."""
TYPE = "image/png"
METADATA = {"file": {"displayName": "harness-check", "mimeType": TYPE}}
QUESTION = {"type": "text", "text": "What is in the image?"}


@exercise(requests=15, interactions=1)
def an_uploaded_file(t: RequestBuilder) -> Steps:
    """Upload a file, read and list it beside another, use it in a create; delete it, and use it again."""
    started: Exchange = yield Send(resources.begin_upload(t, "files", METADATA, PIXEL, TYPE))
    seen: Exchanges = {"started": started}
    if started.status not in SUCCESS or not resources.find_upload_url(started):
        seen["finished"] = started
        return stop_exercise(seen, f"the target started no upload: {format_answer(started)}")
    seen["queried"] = yield Send(resources.continue_upload(t, started, "query"))
    seen["finished"] = yield Send(resources.continue_upload(t, started, "upload, finalize", PIXEL))
    name = _name_of(seen["finished"])
    if not name:
        return stop_exercise(seen, f"the upload returned no file: {format_answer(seen['finished'])}")
    path = f"files/{segment(name)}"
    reads = yield from repeat(t, t.request("GET", path), resources.is_processed, within=t.wait)
    seen["fetched"] = reads[-1]
    seen["listed"] = yield from resources.list_with(t, "files", segment(name), pageSize=100)
    seen |= yield from _page_beside(t, path)
    content = {"type": "image", "uri": _file_in(seen["finished"]).get("uri"), "mime_type": TYPE}
    seen["used"] = yield Send(t.create(input=[QUESTION, content]))
    seen |= yield from resources.delete_and_read(t, path, *seen["beside"], listed=seen["listed"])
    return {**seen, "used_again": (yield Send(t.create(input=[QUESTION, content])))}


def _page_beside(t: RequestBuilder, path: str) -> Part[Exchanges]:
    """Upload another file, and read the list of both page by page."""
    finished = yield from resources.upload(t, "files", METADATA, PIXEL, TYPE)
    if not (name := _name_of(finished)):
        return stop_exercise({"beside": []}, f"an upload returned no file: {format_answer(finished)}")
    expected = [path, f"files/{segment(name)}"]
    paged = yield from resources.pages_holding(t, "files", expected, identity="name", names=resources.CAMEL)
    return {"paged": paged, "expected": expected, "beside": expected[1:]}


pages_hold_each_once = resources.judge_pages("files", "name")


def is_uploaded(started: Exchange, finished: Exchange) -> Iterator[Finding]:
    if not resources.find_upload_url(started):
        message, actual = "the response has no address for the upload", started.headers.get("x-goog-upload-url")
        yield finding(message, "X-Goog-Upload-URL", actual or "(none)", exchange="started")
        return
    yield from at("finished", expect_object(finished))
    if finished.status in SUCCESS:
        if finished.headers.get(resources.UPLOAD_STATUS).lower() != "final":
            came = finished.headers.get(resources.UPLOAD_STATUS) or "(none)"
            message = "the response does not report the upload as final"
            yield finding(message, f"{resources.UPLOAD_STATUS}: final", came, exchange="finished")
        if not _name_of(finished):
            yield finding(
                "the response names no file", '{"file": {"name": …}}', format_answer(finished), exchange="finished"
            )


def can_be_queried(queried: Exchange) -> Iterator[Finding]:
    came = (queried.headers.get(resources.UPLOAD_STATUS).lower(), queried.headers.get(resources.UPLOAD_RECEIVED))
    if came != ("active", "0"):
        yield finding("the query returned another state", "active, 0 bytes", format_value(came))


def can_be_managed(*, finished: Exchange, **answers: Exchange) -> Iterator[Finding]:
    shows = {"name": _file_in(finished).get("name"), "mimeType": TYPE, "sizeBytes": len(PIXEL)}
    yield from resources.judge_life("files", shows, gone_as={403, 404}, **answers)


take(can_be_managed, "finished", "fetched", "listed", "deleted", "gone", "unlisted")


def _file_in(finished: Exchange) -> dict[str, object]:
    file = object_in(finished).get("file")
    return file if isinstance(file, dict) else {}


def _name_of(finished: Exchange) -> str:
    """Return the id in the name of the file, `""` if the answer has none."""
    name = _file_in(finished).get("name")
    return name.removeprefix("files/") if isinstance(name, str) else ""
