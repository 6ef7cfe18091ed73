"""The life of a resource that a target keeps: it is made, read, listed and deleted, and then it is gone.

The areas of such resources share these parts and judges; what is special to one stays in its area. Paged lists are
read to their end, and bounded: reading stops after `MOST` pages, in case the pages never end. Uploads are
resumable, as the official SDKs perform them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from harness.checks.vocabulary.expect import (
    among,
    at,
    expect_interaction,
    expect_object,
    expect_refusal,
    expect_status,
    finding,
    interaction_in,
    lenient_finding,
    object_in,
    text_in,
)
from harness.checks.vocabulary.runs import expect_id, id_of, repeat
from harness.contract.judge.answer import SUCCESS
from harness.contract.judge.history.resources import TOKENS, identify, is_alike, judge_resources
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import KEY_HEADER, RequestBuilder
from harness.kit.check import Exchanges, Judge, Part, Send, Wait, send, stop_exercise, take
from harness.outcome import Finding, Severity, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange, Headers, Request
from harness.wire.bodies import object_or_none, objects_in
from harness.wire.message import segment

LISTED = "interaction_metadatas"
"""The array in a list of interactions, which Vertex has."""


def read_and_list(t: RequestBuilder, path: str, **query: Any) -> Part[Exchanges]:
    """GET a resource, and the collection that it is in → `fetched`, `listed`; `query` is that of the list."""
    fetched: Exchange = yield Send(t.request("GET", path))
    collection, _, own = path.partition("/")
    listed = yield from list_with(t, collection, own, **(query or {"page_size": 1000}))
    return {"fetched": fetched, "listed": listed}


def list_with(t: RequestBuilder, collection: str, own: str, **query: Any) -> Part[Exchange]:
    """Read a list until it has the entry with the id `own`: a new one may be late, by `gone_within` at most."""

    def is_enough(page: Exchange) -> bool:
        return _has(page, collection, own) or page.status not in SUCCESS or bool(next_token(page))

    request = t.request("GET", collection, query=query)
    return (yield from repeat(t, request, is_enough, within=t.gone_within))[-1]


def _has(page: Exchange, collection: str, own: str) -> bool:
    return any(segment(identify(collection, entry)) == own for entry in _held(page, collection))


def delete_and_read(
    t: RequestBuilder, path: str, *beside: str, listed: Exchange | None = None, **query: Any
) -> Part[Exchanges]:
    """DELETE a resource, look for it, and delete those `beside` it → `deleted`, `gone`.

    The list in which it was `listed` is read until it lacks it, for at most `gone_within` → `unlisted`.
    """
    deleted: Exchange = yield Send(t.request("DELETE", path, query=query))
    gone: Exchange = yield Send(t.request("GET", path))
    seen: Exchanges = {"deleted": deleted, "gone": gone, "unlisted": None}
    if listed is not None:
        collection, _, own = path.partition("/")
        lists = repeat(t, listed.request, lambda page: not _has(page, collection, own), within=t.gone_within)
        seen["unlisted"] = (yield from lists)[-1]
    for other in beside:
        yield Send(t.request("DELETE", other))
    return seen


def judge_life(
    collection: str,
    shows: Mapping[str, Any],
    *,
    fetched: Exchange,
    deleted: Exchange,
    gone: Exchange,
    unlisted: Exchange | None,
    listed: Exchange | None = None,
    gone_as: Container[int] = frozenset({404}),
    **others: Exchange,
) -> Iterator[Finding]:
    """Judge a whole life. GET `shows` these values, of which the first is the name that the list has, too.

    `others` are further answers that must be objects. Without `listed`, the list has a rule of its own.
    """
    shown = {**others, "fetched": fetched}
    for name, answer in shown.items():
        yield from at(name, expect_object(answer))
    shown |= {"listed": listed} if listed is not None else {}
    names = {id(answer): name for name, answer in shown.items()}
    for answer, contradiction in judge_resources([*shown.values()]):
        yield contradiction.at(exchange=names[id(answer)])
    yield from at("fetched", judge_values(fetched, shows))
    made = others.get("made")
    if made is not None:
        sent = object_or_none(made.request.body) or {}
        yield from at("fetched", _judge_shown(sent, object_in(made), object_in(fetched)))
    name, identity = next(iter(shows.items()))
    if listed is not None:
        flaws = list(at("listed", expect_object(listed)))
        yield from flaws
        named = [one.get(name) for one in entries(listed, collection)] if not flaws else []
        is_last = not any(object_in(listed).get(token) for token in TOKENS)
        if not flaws and is_last and identity not in named:
            message = "the list does not contain the new resource"
            yield finding(message, format_value(identity), format_value(named[:5]), exchange="listed")
    yield from at("deleted", expect_status(deleted, accepts=SUCCESS))
    for found in at("gone", expect_refusal(gone, gone_as)):
        yield replace(found, message=f"after the DELETE, {found.message}")
    if unlisted is None or deleted.status not in SUCCESS:
        return
    left = [one for one in _held(unlisted, collection) if one.get(name) == identity]
    before = object_in(fetched)  # a list may show that something was deleted
    if left and all(one.get(state) == before.get(state) for one in left for state in ("status", "state")):
        message = "after the DELETE, the list still contains the resource"
        yield finding(message, "no such entry", format_value(left[0]), exchange="unlisted")


def judge_lives(
    collection: str, shows: Mapping[str, Any], *, name: str = "id", gone_as: Container[int] = frozenset({404})
) -> Judge:
    """A judge of the life of a resource whose `name` the target chooses, and that `shows` these values."""

    def judge(*, made: Exchange, **answers: Any) -> Iterator[Finding]:
        known = {name: text_in(made, name), **shows}
        return judge_life(collection, known, made=made, gone_as=gone_as, **answers)

    return take(judge, "made", "fetched", "listed", "deleted", "gone", "unlisted")


def judge_left_run(rule: str, ran: Exchange, deleted: Exchange, left: Exchange | None) -> Iterator[Finding]:
    """The runs of a deleted resource can still be read. Raises `Unmet` if it was not deleted or ran nothing."""
    resource = rule.partition(".")[0].removesuffix("s")
    if deleted.status not in SUCCESS:
        raise Unmet(f"the {resource} was not deleted: {format_answer(deleted)}")
    if left is None:
        raise Unmet(f"no interaction of the {resource} can be read: {format_answer(ran)}")
    yield from at("left", expect_interaction(left))


def expect_made(made: Exchange) -> Iterator[Finding]:
    """Like `expect_object`, for a create of a resource: the object needs an id, too."""
    yield from expect_object(made)
    yield from expect_id(made)


def judge_values(answer: Exchange, expected: Mapping[str, Any]) -> Iterator[Finding]:
    """An object must show these values: lists in any order, and whole numbers as digits, too."""
    shown = object_in(answer)
    for name, value in expected.items() if shown else ():
        if not is_alike(shown.get(name), value):
            yield finding(f"`{name}` differs", format_value(value), format_value(shown.get(name)))


_HIDDEN = frozenset({"auth", "token", "value", "client_secret", "refresh_token", "store"})
"""Members of a create that no response may show, or that are no members of the resource."""


def _judge_shown(sent: Mapping[str, Any], *views: Mapping[str, Any]) -> Iterator[Finding]:
    """Each value of a create must be in some response; a server may leave it out of others."""
    for name, value in sent.items():
        if name == "voice" and isinstance(value, Mapping):  # the create wraps it
            yield from _judge_shown(value, *views)
        elif value and name not in _HIDDEN and not any(view.get(name) for view in views):
            yield finding(f"`{name}` was sent, and no response shows it", format_value(value), "nothing")


MOST = 20
"""The most pages to read of one list; a longer list is not judged to its end."""


SNAKE = ("page_size", "page_token")
CAMEL = ("pageSize", "pageToken")
"""The parameters of a paged list, as most resources write them, and as files and file search stores do."""


def pages(
    t: RequestBuilder, path: str, size: int, *, names: tuple[str, str] = SNAKE, **filters: Any
) -> Part[list[Exchange]]:
    """Read every page of a list in order, up to `MOST`, with a page size and the parameters that choose."""
    found: list[Exchange] = []
    token = ""
    while len(found) < MOST:
        query = {names[0]: size, **filters, **({names[1]: token} if token else {})}
        page: Exchange = yield Send(t.request("GET", path, query=query))
        found.append(page)
        token = next_token(page)
        if not token:
            break
    return found


READINGS = 4
"""How often a list is read before it is said to lack an entry, or to repeat one."""

_LAG = 0.5
"""Seconds between these readings, in which a list may come to show what was created."""


def pages_holding(
    t: RequestBuilder,
    collection: str,
    expected: Sequence[str],
    *,
    identity: str = "id",
    names: tuple[str, str] = SNAKE,
    size: int = 1,
    **filters: Any,
) -> Part[list[Exchange]]:
    """Read every page of a list, and again if it does not contain what is `expected`, and each entry once.

    A token may count entries. Then a client that creates or deletes one between two pages moves the others, and
    another exercise of this run is such a client. So only a fault that each reading shows is one of the server.
    """
    for number in range(READINGS):
        if number:
            yield Wait(_LAG)
        listed = yield from pages(t, collection, size, names=names, **filters)
        shown = [_name(entry, identity) for page in listed for entry in _held(page, collection)]
        is_whole = set(expected) <= set(shown) and len(set(shown)) == len(shown)
        if is_whole or listed[-1].status not in SUCCESS or next_token(listed[-1]):
            break
    return listed


def _held(page: Exchange, collection: str) -> list[dict[str, Any]]:
    """The entries of a page of a collection, none if it shows none."""
    return objects_in(object_in(page).get(LISTED if collection == "interactions" else collection))


def page_beside(t: RequestBuilder, collection: str, one: str, body: Any, **filters: Any) -> Part[Exchanges]:
    """Create a resource beside `one`, and read their list page by page → `expected`, `paged`, its path.

    If the pages lack it, the list is read until it shows it in one large page, too → `listed`, and then its pages.
    """
    answer: Exchange = yield Send(t.request("POST", collection, body))
    other = id_of(answer)
    if not other:
        why = f"the target did not create all {collection}: {format_answer(answer)}"
        return stop_exercise({"beside": []}, why)
    seen: Exchanges = {"expected": [one, other], "beside": [f"{collection}/{segment(other)}"]}
    seen["paged"] = yield from pages_holding(t, collection, [one, other], **filters)
    if not any(_name(entry, "id") == other for page in seen["paged"] for entry in _held(page, collection)):
        seen["listed"] = yield from list_with(t, collection, segment(other), page_size=1000, **filters)
        seen["paged"] = yield from pages_holding(t, collection, [one, other], **filters)
    return seen


def next_token(page: Exchange) -> str:
    """Return the token of the next page, `""` after the last one."""
    return next(filter(None, (text_in(page, name) for name in TOKENS)), "")


def entries(page: Exchange, field: str) -> list[dict[str, Any]]:
    """Return the entries of one page, none if the array is absent. Raises `Unmet` if the answer is no page."""
    return objects_in(interaction_in(page).get(field))


def ids(listed: Sequence[Exchange], field: str, identity: str = "id") -> list[str]:
    """Return the ids of all entries of all pages; a path may begin with a slash."""
    return [_name(entry, identity) for page in listed for entry in entries(page, field)]


def _name(entry: Mapping[str, Any], identity: str) -> str:
    return str(entry.get(identity)).removeprefix("/")


def judge_pages(field: str, identity: str = "id", whole: str = "listed", **more: str) -> Judge:
    """A judge of the `paged` list, which has to hold what is `expected`; `whole` names one large page of it."""

    def judge(
        *, paged: list[Exchange], expected: list[str], still: bool = False, **others: Exchange
    ) -> Iterator[Finding]:
        return each_once(paged, field, expected, identity, whole=others[whole], still=still)

    return take(judge, whole, paged="list[Exchange]", expected="list[str]", **more)


def each_once(
    listed: Sequence[Exchange],
    field: str,
    expected: Sequence[str],
    identity: str = "id",
    name: str = "paged",
    whole: Exchange | None = None,
    still: bool = False,
) -> Iterator[Finding]:
    """Yield findings for repeated entries, missing `expected` entries, and pages that are not objects.

    A list may show late what was created: only an entry that the `whole` list shows and its pages lack is lost. An
    entry that another client creates meanwhile moves others to the next page, which repeats them, but not thrice,
    and not in a list that is `still` the same after its pages.
    In findings the pages have the `name` of a result, and their number. Raises `Unmet` if there are
    more than `MOST` pages.
    """
    if listed[0].status not in SUCCESS:
        raise Unmet(f"the target returned no list: {format_answer(listed[0])}")
    flaws = list(among(name, listed, expect_object))
    yield from flaws
    if flaws:
        return
    seen = ids(listed, field, identity)
    lost = [one for one in expected if one not in seen]
    twice = sorted(one for one, times in Counter(seen).items() if times > 1)
    if twice:
        say = finding if still or max(Counter(seen).values()) > 2 else lenient_finding
        yield say("the pages contain entries more than once", "each once", ", ".join(twice[:5]))
    if next_token(listed[-1]):
        raise Unmet(f"the list has more than {MOST} pages")
    if lost:
        shown = [] if whole is None else [_name(entry, identity) for entry in _held(whole, field)]
        severity = Severity.BROKEN if {*lost} & {*shown} else Severity.NON_STRICT
        actual = format_count(len(seen), "other")
        yield finding("the pages lack entries", ", ".join(lost[:5]), actual, severity=severity)


UPLOAD_STATUS = "x-goog-upload-status"
UPLOAD_RECEIVED = "x-goog-upload-size-received"


def is_processed(answer: Exchange) -> bool:
    """Whether a GET of a file shows no more that it is being processed."""
    return answer.status not in SUCCESS or object_in(answer).get("state") != "PROCESSING"


def begin_upload(t: RequestBuilder, path: str, body: Any, data: bytes, media_type: str) -> Request:
    """Build the first request of an upload of `data`; `path` comes after the version."""
    headers = start_headers(data, media_type)
    return t.request("POST", path, body, headers=headers, version=f"upload/{t.version}")


def upload(t: RequestBuilder, path: str, body: Any, data: bytes, media_type: str) -> Part[Exchange]:
    """Upload `data` in two requests → the last answer, the first one if it names no address."""
    started: Exchange = yield Send(begin_upload(t, path, body, data, media_type))
    if started.status not in SUCCESS or not find_upload_url(started):
        return started
    return (yield from send(continue_upload(t, started, "upload, finalize", data)))


def start_headers(data: bytes, media_type: str) -> tuple[tuple[str, str], ...]:
    """Return the fields of the first request of an upload of `data`."""
    return (
        ("x-goog-upload-protocol", "resumable"),
        ("x-goog-upload-command", "start"),
        ("x-goog-upload-header-content-length", str(len(data))),
        ("x-goog-upload-header-content-type", media_type),
    )


def continue_upload(t: RequestBuilder, started: Exchange, command: str, data: bytes = b"") -> Request:
    """Build a request with a command to the address that the first answer names, without a key, as Python's SDK.

    Like the SDK it keeps to the target's own host, whatever the address is. Raises `Unmet` without an address.
    """
    address = find_upload_url(started) if started.status in SUCCESS else ""
    if not address:
        raise Unmet(f"the target returned no upload URL: {format_answer(started)}")
    return _send_there(t, "POST", address, data, ("x-goog-upload-command", command), ("x-goog-upload-offset", "0"))


def find_upload_url(started: Exchange, header: str = "x-goog-upload-url") -> str:
    """The address that an answer names for an upload; "" if it names none, or one that is no URL."""
    address = started.headers.get(header)
    try:
        urlsplit(address)
    except ValueError:
        return ""
    return address


def continue_by_range(t: RequestBuilder, address: str, data: bytes) -> Request:
    """Build the request that sends all of `data` to the address in a Location, without a key."""
    whole = ("content-range", f"bytes 0-{len(data) - 1}/{len(data)}")
    return _send_there(t, "PUT", address, data, whole)


def _send_there(t: RequestBuilder, method: str, address: str, data: bytes, *more: tuple[str, str]) -> Request:
    parts = urlsplit(address)
    path = "/" + parts.path[max(0, parts.path.find("/upload/")) :].lstrip("/")
    fields = [(name, value) for name, value in t.headers if name.lower() != KEY_HEADER]
    return Request(method, f"{path}?{parts.query}" if parts.query else path, Headers([*fields, *more]), data)
