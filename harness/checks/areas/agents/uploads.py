"""Checks of writing files into an environment: by a plain PUT, in both resumable forms, and from an archive.

Layer 2. Creates two environments and runs nothing in them.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

from harness.checks.areas.agents.environment_files import expect_bytes, open_environment
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import at, expect_object, expect_refusal, expect_status, finding
from harness.checks.vocabulary.resumable import continue_by_range, continue_upload, start_headers
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
PATH, BELOW = "harness-upload.txt", "harness/new/upload.txt"
RESUMED, COMMANDED = "harness-resumed.txt", "harness-by-command.txt"

Headed = tuple[tuple[str, str], ...]
X_UPLOAD: Headed = (("x-upload-content-type", "text/plain"), ("x-upload-content-length", str(len(SECOND))))
X_GOOG: Headed = start_headers(SECOND, "text/plain")


@exercise(requests=10)
def uploads_to_an_environment(t: RequestBuilder) -> Steps:
    """Write a file, again without and with `overwrite`, and one in directories that are not there; read each."""
    path = f"environments/{segment((yield from open_environment(t, {})))}"
    read = t.request("GET", f"{path}/files/{PATH}", query={"alt": "media"})
    seen: Exchanges = {
        "written": (yield Send(_upload(t, path, FIRST))),
        "content": (yield Send(read)),
        "again": (yield Send(_upload(t, path, SECOND))),
        "kept": (yield Send(read)),
        "replaced": (yield Send(_upload(t, path, SECOND, overwrite=True))),
        "new_content": (yield Send(read)),
        "written_below": (yield Send(_upload(t, path, FIRST, BELOW))),
        "below": (yield Send(t.request("GET", f"{path}/files/{BELOW}", query={"alt": "media"}))),
    }
    yield Send(t.request("DELETE", path))
    return seen


def _upload(t: RequestBuilder, path: str, data: bytes, name: str = PATH, **query: bool) -> Request:
    label = [("content-type", "text/plain")]
    return t.request(
        "PUT", f"{path}/files/{name}", data, query=query, headers=label, version=f"upload/{t.version}"
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
    yield from at("content", expect_bytes(content, FIRST))


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
    yield from at("kept", expect_bytes(kept, FIRST))


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
    yield from at("new_content", expect_bytes(new_content, SECOND))


@_UPLOADS.check(
    "env.upload-creates-parents",
    uploads_to_an_environment,
    title="an upload makes the directories that its path names",
    profile="agents",
    requires=["environments"],
    accepts=["2xx with a JSON object, and the same bytes under any label"],
)
def _makes_directories(written: Exchange, written_below: Exchange, below: Exchange) -> Iterator[Finding]:
    _need_written(written)
    yield from at("written_below", expect_object(written_below))
    if written_below.status in SUCCESS:
        yield from at("below", expect_bytes(below, FIRST))


@exercise(requests=10)
def larger_uploads_to_an_environment(t: RequestBuilder) -> Steps:
    """Upload a file in each resumable form, and an archive to be unpacked; read what is there afterwards."""
    path = f"environments/{segment((yield from open_environment(t, {})))}"
    seen: Exchanges = {}
    resumable = _upload_form(t, f"{path}/files/{RESUMED}", {"uploadType": "resumable"}, X_UPLOAD)
    seen["started"] = seen["finished"] = yield Send(resumable)
    if address := seen["started"].headers.get("location"):
        seen["finished"] = yield Send(continue_by_range(t, address, SECOND))
    seen["commanded"] = seen["sent"] = yield Send(_upload_form(t, f"{path}/files/{COMMANDED}", {}, X_GOOG))
    if seen["commanded"].headers.get("x-goog-upload-url"):
        seen["sent"] = yield Send(continue_upload(t, seen["commanded"], "upload, finalize", SECOND))
    packed = t.request(
        "PUT", f"{path}/files/unpacked", pack(BELOW, FIRST), query={"extract": True},
        headers=[("content-type", "application/x-tar")], version=f"upload/{t.version}",
    )  # fmt: skip
    seen["extracted"] = yield Send(packed)
    for name, place in (("resumed", RESUMED), ("by_command", COMMANDED), ("unpacked", f"unpacked/{BELOW}")):
        seen[name] = yield Send(t.request("GET", f"{path}/files/{place}", query={"alt": "media"}))
    yield Send(t.request("DELETE", path))
    return seen


@_UPLOADS.check(
    "env.upload-resumable",
    larger_uploads_to_an_environment,
    title="an upload with uploadType=resumable gets an address",
    profile="agents",
    requires=["environments"],
    accepts=["2xx and a Location; then 2xx, and the bytes that were sent there"],
)
def _takes_ranges(started: Exchange, finished: Exchange, resumed: Exchange) -> Iterator[Finding]:
    yield from _is_complete("location", started, finished, resumed, ("started", "finished", "resumed"))


@_UPLOADS.check(
    "env.upload-x-goog",
    larger_uploads_to_an_environment,
    title="an upload with X-Goog-Upload-Command gets an address",
    profile="agents",
    requires=["environments"],
    accepts=["2xx and an X-Goog-Upload-URL; then 2xx, and the bytes that were sent there"],
)
def _takes_commands(commanded: Exchange, sent: Exchange, by_command: Exchange) -> Iterator[Finding]:
    names = ("commanded", "sent", "by_command")
    yield from _is_complete("x-goog-upload-url", commanded, sent, by_command, names)


@_UPLOADS.check(
    "env.upload-extract",
    larger_uploads_to_an_environment,
    title="an archive that is uploaded with extract=true is unpacked",
    profile="agents",
    requires=["environments"],
    accepts=["2xx with a JSON object, and the file of the archive"],
)
def _unpacks(extracted: Exchange, unpacked: Exchange) -> Iterator[Finding]:
    yield from at("extracted", expect_object(extracted))
    if extracted.status in SUCCESS:
        yield from at("unpacked", expect_bytes(unpacked, FIRST))


def _is_complete(
    header: str, started: Exchange, finished: Exchange, content: Exchange, names: tuple[str, str, str]
) -> Iterator[Finding]:
    yield from at(names[0], expect_status(started, accepts=SUCCESS))
    if started.status not in SUCCESS:
        return
    if not started.headers.get(header):
        yield finding("no address to upload to", expected=header, actual="none").at(exchange=names[0])
        return
    yield from at(names[1], expect_object(finished))
    yield from at(names[2], expect_bytes(content, SECOND))


def _upload_form(t: RequestBuilder, path: str, query: dict[str, str], headers: Headed) -> Request:
    return t.request("PUT", path, query=query, headers=headers, version=f"upload/{t.version}")


def pack(name: str, data: bytes) -> bytes:
    """Return a tar archive of one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _need_written(written: Exchange) -> None:
    if written.status not in SUCCESS:
        raise Unmet(f"nothing was uploaded before: {format_answer(written)}")
