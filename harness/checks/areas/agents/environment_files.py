"""Checks of the files of an environment: what is listed, what is downloaded, what a fork gets.

Layer 2. Creates one environment with a file and a fork of it, and runs nothing in them.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from functools import partial
from typing import Any

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import at, expect_object, expect_refusal, expect_status, finding
from harness.checks.vocabulary.pages import entries
from harness.checks.vocabulary.polling import id_of
from harness.contract.judge.replies import SUCCESS
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Part, Send, Steps
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, Unmet
from harness.wire import Exchange
from harness.wire.message import segment

_FILES = new_registry()
CHECKS = _FILES.checks

NOTE = "harness check\n"
NOTE_PATH = "notes/harness.txt"
SOURCES = [{"type": "inline", "target": NOTE_PATH, "content": NOTE}]


@exercise(requests=10)
def files_of_an_environment(t: RequestBuilder) -> Steps:
    """Create an environment with one file; list and download it in every way, fork it, read what is missing."""
    found = yield from open_environment(t, {"sources": SOURCES})
    path = f"environments/{segment(found)}"
    seen: Exchanges = {"listing": (yield Send(t.request("GET", f"{path}/files", query={"recursive": True})))}
    seen["top"] = yield Send(t.request("GET", f"{path}/files"))
    media = {"alt": "media"}
    seen["content"] = yield Send(t.request("GET", f"{path}/files/{NOTE_PATH}", query=media))
    seen["packed"] = yield Send(t.request("GET", f"{path}/files", query={**media, "recursive": True}))
    seen["missing"] = yield Send(t.request("GET", f"{path}/files/harness-no-such-file"))
    seen["forked"] = yield Send(t.request("POST", "environments", {"from_environment": found}))
    fork = id_of(seen["forked"])
    seen["copied"] = seen["forked"]
    if fork:
        copy = f"environments/{segment(fork)}"
        seen["copied"] = yield Send(t.request("GET", f"{copy}/files/{NOTE_PATH}", query=media))
        yield Send(t.request("DELETE", copy))
    yield Send(t.request("DELETE", path))
    return seen


@_FILES.check(
    "env.files",
    files_of_an_environment,
    title="files are listed with their paths",
    profile="agents",
    requires=["environments"],
    accepts=["a path with or without a leading slash"],
)
def _lists_files(listing: Exchange) -> Iterator[Finding]:
    yield from expect_object(listing)
    paths = _paths_in(listing)
    if not any(path.endswith(NOTE_PATH) for path in paths):
        yield finding("the file of the environment is not listed", expected=NOTE_PATH, actual=format_value(paths))


@_FILES.check(
    "env.file-content",
    files_of_an_environment,
    title="a file is downloaded as it was written",
    profile="agents",
    requires=["environments"],
    accepts=["2xx and the bytes that were written, under any label"],
)
def _downloads_files(content: Exchange) -> Iterator[Finding]:
    yield from expect_bytes(content, NOTE.encode())


_FILES.check(
    "env.file-missing",
    files_of_an_environment,
    title="a missing file is not found",
    profile="agents",
    requires=["environments"],
    accepts=["404", "any other 4xx: non-strict"],
)(judge_one("missing", partial(expect_refusal, accepts={404})))


@_FILES.check(
    "env.recursive",
    files_of_an_environment,
    title="a listing goes down only if asked to",
    profile="agents",
    requires=["environments"],
    accepts=["the directory of the file alone; with recursive=true the file, too"],
)
def _goes_down_when_asked(listing: Exchange, top: Exchange) -> Iterator[Finding]:
    for name, answer, deep in (("listing", listing, True), ("top", top, False)):
        yield from at(name, expect_object(answer))
        if answer.status in SUCCESS and any(path.endswith(NOTE_PATH) for path in _paths_in(answer)) is not deep:
            expected = f"{NOTE_PATH} among them" if deep else NOTE_PATH.partition("/")[0]
            say = "the listing of everything lacks a file" if deep else "a listing of one directory goes deeper"
            yield finding(say, expected=expected, actual=format_value(_paths_in(answer))).at(exchange=name)


@_FILES.check(
    "env.tar",
    files_of_an_environment,
    title="a directory is downloaded as a tar archive",
    profile="agents",
    requires=["environments"],
    accepts=["an uncompressed archive with the file in it, under any label"],
)
def _packs_files(packed: Exchange) -> Iterator[Finding]:
    yield from expect_status(packed, accepts=SUCCESS)
    if packed.status not in SUCCESS:
        return
    files = _unpack(packed.body)
    if files is None:
        yield finding("the download is no tar archive", expected="a tar", actual=repr(packed.body[:40]))
        return
    kept = [data for name, data in files.items() if name.endswith(NOTE_PATH)]
    if kept != [NOTE.encode()]:
        actual = format_value(sorted(files)) if not kept else repr(kept[0][:80])
        yield finding("the archive does not hold the file", expected=NOTE_PATH, actual=actual)


@_FILES.check(
    "env.fork-files",
    files_of_an_environment,
    title="a fork has the files of its origin",
    profile="agents",
    requires=["environments"],
    accepts=["2xx with an id of its own, and the bytes that were written"],
)
def _copies_files(forked: Exchange, copied: Exchange) -> Iterator[Finding]:
    yield from at("forked", expect_object(forked))
    if forked.status in SUCCESS:
        yield from at("copied", expect_bytes(copied, NOTE.encode()))


def open_environment(t: RequestBuilder, body: dict[str, Any]) -> Part[str]:
    """Make an environment and return its id. Raises `Unmet`."""
    made: Exchange = yield Send(t.request("POST", "environments", body))
    found = id_of(made)
    if not found:
        raise Unmet(f"no environment could be made: {format_answer(made)}")
    return found


def expect_bytes(content: Exchange, data: bytes) -> Iterator[Finding]:
    """A download must succeed and bring exactly these bytes."""
    yield from expect_status(content, accepts=SUCCESS)
    if content.status in SUCCESS and content.body != data:
        yield finding("other bytes", expected=repr(data), actual=repr(content.body[:80]))


def _paths_in(listing: Exchange) -> list[str]:
    return [str(entry.get("path")).strip("/") for entry in entries(listing, "files")]


def _unpack(data: bytes) -> dict[str, bytes] | None:
    """Return the files in an uncompressed tar by name, or None if it is none."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            opened = ((member.name, archive.extractfile(member)) for member in archive if member.isfile())
            return {name: file.read() for name, file in opened if file is not None}
    except (tarfile.TarError, OSError, ValueError):
        return None
