"""Checks of environments: their life, the files in them, uploads, and the sandboxes that agents run in."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from harness.checks.areas.agents import environment_of
from harness.checks.vocabulary import resources
from harness.checks.vocabulary.expect import (
    at,
    expect_object,
    expect_status,
    finding,
    interaction_in,
    note,
    object_in,
    text_in,
)
from harness.checks.vocabulary.routes import is_no_route
from harness.checks.vocabulary.runs import id_of, need_id, poll_until_settled
from harness.checks.vocabulary.shared import HELLO
from harness.contract.judge.answer import SUCCESS
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.check import Exchanges, Part, Send, Steps, exercise, send_each, stop_exercise
from harness.outcome import Finding, NotApplicable, Unmet
from harness.wire import Exchange, Request
from harness.wire.message import segment

COUNTS = ("file_count", "size_bytes")
KEY = "environment_key"
ON_DEMAND, SELF_HOSTED = "on_demand", "self_hosted"


@exercise(requests=14)
def environments_of_our_own(t: RequestBuilder) -> Steps:
    """Create two environments; read, list, wrongly fork and delete them; ask for a source in place of the root."""
    source = {"type": "inline", "content": "x", "target": "/"}
    seen: Exchanges = {"rooted": (yield Send(t.request("POST", "environments", {"sources": [source]})))}
    seen["made"] = yield Send(t.request("POST", "environments", {"sources": SOURCES}))
    one = id_of(seen["made"])
    if not one:
        return stop_exercise(seen, f"the target created no environment: {format_answer(seen['made'])}")
    path = f"environments/{segment(one)}"
    fork = {"from_environment": one, "sources": SOURCES}
    seen |= yield from send_each(
        second=t.request("POST", "environments", {"network": "disabled"}),
        forked=t.request("POST", "environments", fork),
        varied=t.request("POST", "environments", {"from_environment": one, "env": {"MODE": "test"}}),
        unknown=t.request("GET", "environments/harness-no-such-environment"),
    )
    two = id_of(seen["second"])
    seen |= yield from resources.read_and_list(t, path)
    seen["expected"] = [found for found in (one, two) if found]
    # A few pages: the user or other exercises may have made many.
    size = max(1, len(resources.entries(seen["listed"], "environments")) // 3) if seen["listed"].succeeded else 1
    seen["paged"] = yield from resources.pages_holding(t, "environments", seen["expected"], size=size)
    others = [f"environments/{segment(two)}"] if two else []
    return {**seen, **(yield from resources.delete_and_read(t, path, *others, listed=seen["listed"]))}


@exercise(requests=6)
def an_environment_of_the_user(t: RequestBuilder) -> Steps:
    """Create an environment whose sandbox is the user's own; read it, list both modes, and delete it."""
    seen: Exchanges = {"made": (yield Send(t.request("POST", "environments", {"mode": SELF_HOSTED})))}
    one = id_of(seen["made"])
    if not one or interaction_in(seen["made"]).get("mode") != SELF_HOSTED:
        return stop_exercise(seen, f"the target created no self-hosted environment: {format_answer(seen['made'])}")
    path = f"environments/{segment(one)}"
    seen |= yield from resources.read_and_list(t, path)
    seen["own"] = yield from resources.pages(t, "environments", 1000, mode=SELF_HOSTED)
    seen["others"] = yield from resources.pages(t, "environments", 1000, mode=ON_DEMAND)
    yield Send(t.request("DELETE", path))
    return seen


can_be_managed = resources.judge_lives("environments", {})


def says_its_status(answer: Exchange) -> Iterator[Finding]:
    status = interaction_in(answer).get("status")
    if status not in ("active", "expired"):
        say = note if isinstance(status, str) and status else finding
        yield say("an unlisted status", "active or expired", format_value(status))


def shows_its_key_once(made: Exchange, fetched: Exchange, listed: Exchange) -> Iterator[Finding]:
    if not text_in(made, KEY):
        yield finding("the create returned no key", KEY, "none", exchange="made")
    if text_in(fetched, KEY):
        yield finding("a later response contains the key", "none", "a key", exchange="fetched")
    if any(entry.get(KEY) for entry in resources.entries(listed, "environments")):
        yield finding("the list contains the key", "none", "a key", exchange="listed")


def lists_by_mode(made: Exchange, own: list[Exchange], others: list[Exchange]) -> Iterator[Finding]:
    one, listed = id_of(made), resources.ids(own, "environments")
    if one not in listed and resources.next_token(own[-1]):
        raise Unmet(f"the list is longer than {len(own)} pages")
    if one not in listed:
        yield finding("the list filtered by its mode lacks the environment", one, "not listed", exchange="own[0]")
    for number, page in enumerate(others):
        if one in resources.ids([page], "environments"):
            yield finding(
                "a list filtered by another mode contains the environment", expected="not listed", actual=one
            ).at(exchange=f"others[{number}]")


def counts_are_whole(fetched: Exchange) -> Iterator[Finding]:
    body = interaction_in(fetched)
    for name in COUNTS:
        count = body.get(name, 0)
        digits = isinstance(count, str) and count.isascii() and count.isdigit()
        whole = isinstance(count, int) and not isinstance(count, bool) and count >= 0
        if not digits and not whole:
            yield finding(f"`{name}` is not a count", "an integer or digits", format_value(body[name]))


pages_hold_each_once = resources.judge_pages("environments")


# --- the files of an environment: what is listed, what is downloaded, what a fork gets

NOTE = "harness check\n"
NOTE_PATH = "notes/harness.txt"
FIRST, SECOND, THIRD = b"first\n", b"second, and longer\n", b"third\n"
SOURCES = [{"type": "inline", "target": NOTE_PATH, "content": NOTE}]


NOTES = ["harness-1.txt", "harness-2.txt", "harness-3.txt"]


pages_hold_each_file_once = resources.judge_pages("files", "path", "listing")


@exercise(requests=17)
def files_of_an_environment(t: RequestBuilder) -> Steps:
    """Create an environment with files; list and download them in every way, fork it, read what is missing.

    At the end the file of the fork is replaced, and that of the origin is downloaded again.
    """
    notes = [{"type": "inline", "target": name, "content": NOTE} for name in NOTES]
    found = yield from open_environment(t, {"sources": [*SOURCES, *notes]})
    path = f"environments/{segment(found)}"
    listing: Exchange = yield Send(t.request("GET", f"{path}/files", query={"recursive": True}))
    yield from _need_files(t, path, listing)
    seen: Exchanges = {"listing": listing}
    seen |= yield from send_each(
        top=t.request("GET", f"{path}/files"),
        content=_download(t, path, NOTE_PATH),
        packed=t.request("GET", f"{path}/files", query={"alt": "media", "recursive": True}),
        missing=t.request("GET", f"{path}/files/harness-no-such-file"),
        forked=t.request("POST", "environments", {"from_environment": found}),
    )
    seen |= {"expected": NOTES, "paged": (yield from resources.pages(t, f"{path}/files", 1, recursive=True))}
    fork = id_of(seen["forked"])
    seen |= dict.fromkeys(("copied", "rewritten", "kept"), seen["forked"])
    if fork:
        copy = f"environments/{segment(fork)}"
        seen |= yield from send_each(
            copied=_download(t, copy, NOTE_PATH),
            rewritten=_put(t, f"{copy}/files/{NOTE_PATH}", SECOND, ("content-type", "text/plain"), overwrite=True),
            kept=_download(t, path, NOTE_PATH),
        )
        yield Send(t.request("DELETE", copy))
    yield Send(t.request("DELETE", path))
    return seen


def lists_files(listing: Exchange) -> Iterator[Finding]:
    paths = _paths_in(listing)
    if not any(path.endswith(NOTE_PATH) for path in paths):
        yield finding("the file of the environment is not listed", NOTE_PATH, format_value(paths))


def goes_down_when_asked(listing: Exchange, top: Exchange) -> Iterator[Finding]:
    for name, answer, deep in (("listing", listing, True), ("top", top, False)):
        yield from at(name, expect_object(answer))
        if answer.status in SUCCESS and any(path.endswith(NOTE_PATH) for path in _paths_in(answer)) is not deep:
            yield finding(
                "the recursive list lacks a file"
                if deep
                else "the list of one directory includes its subdirectories",
                f"{NOTE_PATH} among them" if deep else NOTE_PATH.partition("/")[0],
                format_value(_paths_in(answer)),
                exchange=name,
            )


def packs_files(packed: Exchange) -> Iterator[Finding]:
    if (files := _unpack(packed.body)) is None:
        yield finding("the download is not a tar archive", "a tar", repr(packed.body[:40]))
        return
    kept = [data for name, data in files.items() if name.endswith(NOTE_PATH)]
    if kept != [NOTE.encode()]:
        actual = format_value(sorted(files)) if not kept else repr(kept[0][:80])
        yield finding("the archive does not contain the file", NOTE_PATH, actual)


def open_environment(t: RequestBuilder, body: dict[str, Any]) -> Part[str]:
    """Make an environment and return its id. Raises `Unmet`."""
    made: Exchange = yield Send(t.request("POST", "environments", body))
    if not (found := id_of(made)):
        raise Unmet(f"the target created no environment: {format_answer(made)}")
    return found


def expect_bytes(content: Exchange, data: bytes) -> Iterator[Finding]:
    """A download must succeed and bring exactly these bytes."""
    yield from expect_status(content, accepts=SUCCESS)
    if content.status in SUCCESS and content.body != data:
        yield finding("the file has other bytes", repr(data), repr(content.body[:80]))


def keeps_its_own_files(rewritten: Exchange, kept: Exchange) -> Iterator[Finding]:
    if rewritten.status in SUCCESS and kept.status in SUCCESS and kept.body == SECOND:
        message = "a file that was written to the fork replaces that of its origin"
        yield finding(message, repr(NOTE), repr(SECOND), code="env.fork-files/shared", exchange="kept")


holds_the_note, holds_the_first, holds_the_second, holds_the_third = (
    partial(expect_bytes, data=data) for data in (NOTE.encode(), FIRST, SECOND, THIRD)
)


def _need_files(t: RequestBuilder, path: str, answer: Exchange) -> Part[None]:
    """Stop where a target keeps environments without files, as the response of a path without a route shows."""
    if (yield from is_no_route(t, answer)):
        yield Send(t.request("DELETE", path))
        raise NotApplicable(f"the target keeps no files of environments: {format_answer(answer)}")


def _paths_in(listing: Exchange) -> list[str]:
    return [str(entry.get("path")).strip("/") for entry in resources.entries(listing, "files")]


def _unpack(data: bytes) -> dict[str, bytes] | None:
    """Return the files in an uncompressed tar by name, or None if it is none."""
    import tarfile  # late: every command loads all checks, and few run these

    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            opened = ((member.name, archive.extractfile(member)) for member in archive if member.isfile())
            return {name: file.read() for name, file in opened if file is not None}
    except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError):
        return None


# --- writing files into an environment: by a plain PUT, in both resumable forms, and from an archive

PATH, BELOW = "harness-upload.txt", "harness/new/upload.txt"
RESUMED, COMMANDED = "harness-resumed.txt", "harness-by-command.txt"

X_UPLOAD = (("x-upload-content-type", "text/plain"), ("x-upload-content-length", str(len(SECOND))))
X_GOOG = resources.start_headers(SECOND, "text/plain")


def _put(t: RequestBuilder, path: str, data: bytes | None, *headers: tuple[str, str], **query: Any) -> Request:
    return t.request("PUT", path, data, query=query, headers=headers, version=f"upload/{t.version}")


@exercise(requests=22)
def uploads_to_an_environment(t: RequestBuilder) -> Steps:
    """Write a file, again without and with `overwrite`, and one in directories that are not there; read each.

    Then upload a file in each resumable form, and three archives to be unpacked: the second one without
    `overwrite`, so that it must replace nothing, and the third one with it.
    """
    path = f"environments/{segment((yield from open_environment(t, {})))}"
    file, read, text = f"{path}/files/{PATH}", _download(t, path, PATH), ("content-type", "text/plain")
    seen: Exchanges = {"written": (yield Send(_put(t, file, FIRST, text)))}
    yield from _need_files(t, path, seen["written"])
    seen |= yield from send_each(
        content=read,
        again=_put(t, file, SECOND, text),
        kept=read,
        replaced=_put(t, file, SECOND, text, overwrite=True),
        new_content=read,
        written_below=_put(t, f"{path}/files/{BELOW}", FIRST, text),
        below=_download(t, path, BELOW),
        started=_put(t, f"{path}/files/{RESUMED}", None, *X_UPLOAD, uploadType="resumable"),
    )
    seen["finished"] = seen["started"]
    if address := resources.find_upload_url(seen["started"], "location"):
        seen["finished"] = yield Send(resources.continue_by_range(t, address, SECOND))
    seen["resumed"] = yield Send(_download(t, path, RESUMED))
    commanded: Exchange = yield Send(_put(t, f"{path}/files/{COMMANDED}", None, *X_GOOG))
    seen |= {"commanded": commanded, "sent": commanded}
    if resources.find_upload_url(commanded):
        seen["sent"] = yield Send(resources.continue_upload(t, commanded, "upload, finalize", SECOND))
    seen["by_command"] = yield Send(_download(t, path, COMMANDED))
    folder, tar = f"{path}/files/unpacked", ("content-type", "application/x-tar")
    read = _download(t, path, f"unpacked/{BELOW}")
    seen |= yield from send_each(
        extracted=_put(t, folder, pack(BELOW, FIRST), tar, extract=True),
        unpacked=read,
        over=_put(t, folder, pack(BELOW, SECOND), tar, extract=True),
        kept_below=read,
        renewed=_put(t, folder, pack(BELOW, THIRD), tar, extract=True, overwrite=True),
        new_below=read,
    )
    yield Send(t.request("DELETE", path))
    return seen


def _download(t: RequestBuilder, path: str, name: str) -> Request:
    return t.request("GET", f"{path}/files/{name}", query={"alt": "media"})


def need_unpacked(unpacked: Exchange) -> Iterator[Finding]:
    if unpacked.status not in SUCCESS or unpacked.body != FIRST:
        raise Unmet("the first archive was not unpacked")
    return iter(())


def names_a_url(started: Exchange, header: str) -> Iterator[Finding]:
    if not started.headers.get(header):
        yield finding("the target returned no upload URL", header, "none")


def pack(name: str, data: bytes) -> bytes:
    """Return a tar archive of one file."""
    import tarfile  # late, as above

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


# --- the sandboxes that runs of agents get: copies of a saved one, and one whose network is changed

AGENT = "harness-check-based"
"""Id of the agent to create and delete; one left over from an interrupted run is deleted first."""
DOMAIN = "harness-check.example"
RULES = {"allowlist": [{"domain": DOMAIN}]}


@exercise(requests=17, interactions=2)
def an_agent_with_a_base(t: RequestBuilder) -> Steps:
    """Save an agent whose base is an environment with a file, run it twice, and read the file in each sandbox."""
    yield Send(t.request("DELETE", f"agents/{AGENT}"))
    base = yield from open_environment(t, {"sources": SOURCES})
    saved = {"id": AGENT, "base_agent": t.agent, "base_environment": base}
    made: Exchange = yield Send(t.request("POST", "agents", saved))
    seen: Exchanges = {"base": base, "made": made, "ran": [], "copied": []}
    for _ in range(2 if made.status in SUCCESS else 0):
        run = yield Send(t.create(agent=AGENT, input=HELLO, environment=t.environment, background=True))
        seen["ran"].append(run)
        if run.status in SUCCESS:
            seen["ran"][-1] = (yield from poll_until_settled(t, need_id(run)))[-1]
    sandboxes = dict.fromkeys(filter(None, map(environment_of, seen["ran"])))
    for found in sandboxes:
        seen["copied"].append((yield Send(_download(t, f"environments/{segment(found)}", NOTE_PATH))))
    yield Send(t.request("DELETE", f"agents/{AGENT}"))
    for found in dict.fromkeys((base, *sandboxes)):
        yield Send(t.request("DELETE", f"environments/{segment(found)}"))
    return seen


def gets_a_copy(base: str, ran: list[Exchange], copied: list[Exchange]) -> Iterator[Finding]:
    copies = [environment_of(answer) for answer in ran]
    if not all(copies):
        raise Unmet("one of the runs returned no environment_id")
    if base in copies:
        yield finding("a run works in the base environment itself", "a sandbox of its own", base)
    elif len(set(copies)) < len(copies):
        yield finding("two runs share an environment", "one for each", copies[0])
    for number, answer in enumerate(copied):
        yield from at(f"copied[{number}]", expect_bytes(answer, NOTE.encode()))


@exercise(requests=9, interactions=1)
def a_network_that_is_changed(t: RequestBuilder) -> Steps:
    """An environment without network, a run that names it with rules of its own, and looks before and after."""
    found = yield from open_environment(t, {"sources": SOURCES, "network": "disabled"})
    path = f"environments/{segment(found)}"
    seen: Exchanges = {"named": found, "before": (yield Send(t.request("GET", path)))}
    where = {"type": "remote", "environment_id": found, "network": RULES}
    ran: Exchange = yield Send(t.create(agent=t.agent, input=HELLO, environment=where, background=True))
    seen["ran"] = (yield from poll_until_settled(t, need_id(ran)))[-1] if ran.status in SUCCESS else ran
    seen["after"] = yield Send(t.request("GET", path))
    seen["kept"] = yield Send(_download(t, f"environments/{segment(found)}", NOTE_PATH))
    yield Send(t.request("DELETE", path))
    return seen


def replaces_rules(
    named: str, before: Exchange, ran: Exchange, after: Exchange, kept: Exchange
) -> Iterator[Finding]:
    other = environment_of(ran)
    if other and other != named:
        yield finding("the run opened another environment", named, other, exchange="ran")
        return
    yield from at("kept", expect_bytes(kept, NOTE.encode()))
    old, new = (object_in(answer).get("network") for answer in (before, after))
    if old not in ("disabled", {"allowlist": "disabled"}, {"allowlist": []}):
        raise Unmet(f"the environment does not show its rules: network is {format_value(old)}")
    if DOMAIN not in json.dumps(new):
        yield finding("the rules are not the new ones", DOMAIN, format_value(new), exchange="after")
