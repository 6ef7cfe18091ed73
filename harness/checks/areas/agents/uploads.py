"""Checks of writing files into an environment: a plain PUT of a new file and over an existing one.

Layer 2. Creates one environment and runs nothing in it. Resumable uploads are not tested.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import at, expect_object, expect_refusal, expect_status, finding
from harness.checks.vocabulary.polling import id_of
from harness.contract.judge.replies import SUCCESS
from harness.contract.judge.wording import format_answer
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange, Request
from harness.wire.message import segment

_UPLOADS = new_registry()
CHECKS = _UPLOADS.checks

FIRST, SECOND = b"first\n", b"second, and longer\n"
PATH = "harness/upload.txt"
EMPTY: dict[str, str] = {}


@exercise(requests=8)
def uploads_to_an_environment(t: RequestBuilder) -> Steps:
    """Write a file, write it again without and with `overwrite`, and read it after each upload."""
    made: Exchange = yield Send(t.request("POST", "environments", EMPTY))
    found = id_of(made)
    if not found:
        raise Unmet(f"no environment could be made: {format_answer(made)}")
    path = f"environments/{segment(found)}"
    read = t.request("GET", f"{path}/files/{PATH}", query={"alt": "media"})
    seen: Exchanges = {
        "written": (yield Send(_upload(t, path, FIRST))),
        "content": (yield Send(read)),
        "again": (yield Send(_upload(t, path, SECOND))),
        "kept": (yield Send(read)),
        "replaced": (yield Send(_upload(t, path, SECOND, overwrite=True))),
        "new_content": (yield Send(read)),
    }
    yield Send(t.request("DELETE", path))
    return seen


def _upload(t: RequestBuilder, path: str, data: bytes, **query: bool) -> Request:
    label = [("content-type", "text/plain")]
    return t.request(
        "PUT", f"{path}/files/{PATH}", data, query=query, headers=label, version=f"upload/{t.version}"
    )


@_UPLOADS.check(
    "env.upload",
    uploads_to_an_environment,
    title="a file that is uploaded can be read",
    profile="agents",
    requires=["environments"],
    accepts=["2xx with a JSON object, and the same bytes under any label"],
)
def _can_be_read(written: Exchange, content: Exchange) -> Iterator[Finding]:
    yield from at("written", expect_object(written))
    yield from at("content", _holds(content, FIRST))


@_UPLOADS.check(
    "env.upload-exists",
    uploads_to_an_environment,
    title="an upload replaces no file unless it says so",
    profile="agents",
    requires=["environments"],
    accepts=["409, and the file as it was", "another 4xx, and the file as it was (non-strict)"],
)
def _replaces_nothing(written: Exchange, again: Exchange, kept: Exchange) -> Iterator[Finding]:
    _need_written(written)
    yield from at("again", expect_refusal(again, {409}))
    yield from at("kept", _holds(kept, FIRST))


@_UPLOADS.check(
    "env.upload-overwrite",
    uploads_to_an_environment,
    title="an upload with overwrite=true replaces the file",
    profile="agents",
    requires=["environments"],
    accepts=["2xx with a JSON object, and the new bytes under any label"],
)
def _replaces_when_told(written: Exchange, replaced: Exchange, new_content: Exchange) -> Iterator[Finding]:
    _need_written(written)
    yield from at("replaced", expect_object(replaced))
    yield from at("new_content", _holds(new_content, SECOND))


def _need_written(written: Exchange) -> None:
    if written.status not in SUCCESS:
        raise Unmet(f"nothing was uploaded before: {format_answer(written)}")


def _holds(content: Exchange, data: bytes) -> Iterator[Finding]:
    yield from expect_status(content, accepts=SUCCESS)
    if content.status in SUCCESS and content.body != data:
        yield finding("other bytes", expected=repr(data), actual=repr(content.body[:80]))
