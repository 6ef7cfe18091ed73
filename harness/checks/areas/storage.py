"""Checks of stored interactions: reading and deleting them, store=false, and isolation between projects."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from harness.checks.areas.agents import describe_agent
from harness.checks.areas.environments import SOURCES
from harness.checks.areas.file_search import COLLECTION as STORES
from harness.checks.areas.file_search import FILE, TEXT, document_of, escape, wait_for
from harness.checks.areas.triggers import describe_trigger
from harness.checks.areas.voices import VOICE
from harness.checks.areas.webhooks import EVENTS, URI
from harness.checks.vocabulary import resources, runs
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_offered,
    expect_refusal,
    expect_reply,
    finding,
    interaction_in,
    lenient_finding,
    need_success,
    object_in,
    text_in,
)
from harness.checks.vocabulary.modes import PLAIN, expect_refused, send_refused
from harness.checks.vocabulary.shared import HELLO, UNKNOWN_ID
from harness.checks.vocabulary.streams import events_in, is_empty_stream, is_stream, last_cursor, stream_id
from harness.contract.judge import agreement
from harness.contract.judge.answer import CLIENT_ERROR, FOREIGN_CHAIN, GONE, SUCCESS
from harness.contract.judge.history.resources import compare_views
from harness.contract.judge.reading import format_answer, format_ending, format_request, format_value, odd_letters
from harness.contract.requests import RequestBuilder
from harness.contract.tables.protocol import OPERATIONS, is_settled
from harness.contract.transcript import steps_of
from harness.kit.check import Exchanges, Finish, Part, Read, Send, Steps, exercise, send_each, stop_exercise
from harness.outcome import Finding, NotApplicable, Severity, Unmet
from harness.outcome.words import format_count
from harness.wire import By, Exchange
from harness.wire.bodies import as_list, as_object, object_or_none, objects_in
from harness.wire.message import segment


def reads(created: Exchange, reads: list[Exchange], other: Exchange, slashed: list[Exchange]) -> Iterator[Finding]:
    wanted = interaction_in(created).get("id")
    last = f"reads[{len(reads) - 1}]"
    odd = odd_letters(str(wanted), [runs.id_of(other)]) if other.succeeded else ""
    yield from at(last, expect_reply("get.ok", reads[-1], f"an id that has {odd}" if odd else ""))
    if reads[-1].status not in SUCCESS:
        return
    yield from at(last, agreement.judge_identity("get.ok", wanted, object_in(reads[-1]).get("id")))
    if len(reads) > 1:
        # The documented poll loop reads at once, and its SDK raises for a 404.
        message = f"GET finds the interaction only at attempt {len(reads)}"
        yield lenient_finding(message, "200 at once", format_answer(reads[0]), code="/late", exchange=last)
    if slashed and slashed[1].succeeded and not slashed[0].succeeded and not slashed[2].succeeded:
        message = "an id has a `/`, and cannot be read at the path that the SDK for Python builds of it"
        expected, actual = "2xx, as for `%2F`", format_answer(slashed[0])
        yield finding(message, expected, actual, code="get.ok/slash", exchange="slashed[0]")


def reads_the_same(got: Exchange, again: Exchange) -> Iterator[Finding]:
    one = _settled_body(got)
    yield from at("again", expect_interaction(again))
    other = interaction_in(again)
    yield from at("again", agreement.judge_same(one, other, ("status", "steps", "usage")))


def shows_what_it_is(created: Exchange, got: Exchange, again: Exchange) -> Iterator[Finding]:
    first = interaction_in(created)
    if not any(isinstance(first.get(name), str) for name in agreement.CONSTANT):
        raise Unmet("the create shows no field that has to stay")
    for name, answer in (("got", got), ("again", again)):
        yield from at(name, agreement.judge_constant(first, interaction_in(answer)))


def reads_what_was_created(created: Exchange, got: Exchange, with_input: Exchange) -> Iterator[Finding]:
    one, other = _settled_body(created), interaction_in(got)
    differences = list(at("got", agreement.judge_same_output("get.matches-post", one, other)))
    yield from differences
    if not differences and steps_of(shown := object_in(with_input)) and is_settled(shown.get("status")):
        yield from at("with_input", agreement.judge_same_output("get.matches-post", one, shown))


def reads_the_same_cost(created: Exchange, got: Exchange) -> Iterator[Finding]:
    one, other = _settled_body(created), interaction_in(got)
    if not one.get("usage") or not other.get("usage"):
        raise Unmet("one of the responses has no usage")
    yield from at("got", agreement.judge_same_usage(one, other))


def shows_the_input(got: Exchange) -> Iterator[Finding]:
    steps = steps_of(interaction_in(got))
    first = steps[0].get("type") if steps else None
    if first != "user_input":
        yield finding("the steps do not begin with the input", "user_input", format_value(first))


def shows_its_own_input(created: Exchange, got: Exchange, inputs: list[Exchange]) -> Iterator[Finding]:
    sent = (object_or_none(created.request.body) or {}).get("input")
    yield from at("got", agreement.judge_own_input(sent, agreement.list_given(interaction_in(got))))
    counts = [len(agreement.list_given(object_in(look))) for look in inputs]
    if counts[2:] == counts[:1] < counts[1:2]:
        message = "GET with `include_input=true` returns what a GET without it does: a cache ignores the query"
        expected = "the input, as where this is the first GET"
        yield finding(message, expected, "none", code="get.own-input/query", exchange="inputs[2]")


def brings_the_input(with_input: Exchange) -> Iterator[Finding]:
    if not agreement.list_given(interaction_in(with_input)):
        rule = "get.include-input"
        yield finding("include_input=true has no effect", "the input", "none", code=f"{rule}/ignored")


# --- the list of interactions, which only Vertex has


PAGE, LARGEST = 10, 500
"""How many interactions a page holds unless the request says so, and at most."""


@exercise(requests=19, interactions=11, alone=True)
def interactions_in_pages(t: RequestBuilder) -> Steps:
    """Create interactions, and read their list: without a size, in one page, in several, and in one page again.

    Eleven are created for two pages; a page that has as many needs only two new ones. `expected` are these, and
    whatever both large pages show: between them, another client may create and delete.
    """
    largest = t.request("GET", "interactions", query={"page_size": 2 * LARGEST})
    before: Exchange = yield Send(largest)
    made: list[str] = []
    for _ in range(2 if len(objects_in(object_in(before).get(resources.LISTED))) > PAGE else PAGE + 1):
        created: Exchange = yield Send(t.create(input=HELLO))
        if not runs.id_of(created):
            raise Unmet(f"the target did not create all interactions: {format_answer(created)}")
        made.append(runs.id_of(created))
    unsized = yield from resources.list_with(t, "interactions", segment(made[-1]))
    for _ in range(resources.READINGS):  # another client may create and delete meanwhile
        sized: Exchange = yield Send(largest)
        whole, token = sized, resources.next_token(sized)
        shown = {*resources.ids([sized], resources.LISTED)} if sized.succeeded else set()
        size = LARGEST if token else max(1, -(-len(shown) // 4))
        paged = yield from resources.pages_holding(t, "interactions", made, size=size)
        listed = resources.ids(paged, resources.LISTED)
        again: Exchange = yield Send(largest)
        if token or not 0 < len(shown) <= LARGEST:
            expected = made  # it does not show the whole list, but pages of another size may
            if lost := {*made} - {*listed}:
                others = yield from resources.pages(t, "interactions", PAGE // 2)
                whole = next((one for one in others if lost & {*resources.ids([one], resources.LISTED)}), sized)
            break
        stayed = set() if resources.next_token(again) else shown & {*resources.ids([again], resources.LISTED)}
        expected = [*made, *sorted(stayed - {*made})]
        if {*expected} <= {*listed} and (len(paged) > 1 or len(listed) > size):
            break  # a list that others made shorter than a page shows nothing of pages
    else:
        if {*expected} <= {*listed}:
            return stop_exercise({"made": made, "unsized": unsized, "sized": sized}, "others shortened the list")
    repeats = 0  # one that lived between two pages moved an entry, but not in most readings
    for _ in range(resources.READINGS if len(listed) > len({*listed}) else 0):
        relisted = resources.ids((yield from resources.pages(t, "interactions", size)), resources.LISTED)
        first, again = again, (yield Send(largest))
        # What another client creates comes where the newest one is: nobody moved an entry to another page.
        is_still = object_in(first).get(resources.LISTED) == object_in(again).get(resources.LISTED)
        repeats += is_still and len(relisted) > len({*relisted})
    lists = {"unsized": unsized, "sized": sized, "whole": whole, "paged": paged}
    return {"made": made, "expected": expected, "still": repeats > 2, **lists}


list_each_once = resources.judge_pages(resources.LISTED, whole="whole", still="bool")


def keep_to_their_size(unsized: Exchange, sized: Exchange, made: list[str]) -> Iterator[Finding]:
    for name, answer, most in (("unsized", unsized, PAGE), ("sized", sized, LARGEST)):
        if name == "sized" and answer.status == 400:
            continue  # more than the most may be refused
        shown = resources.ids([answer], resources.LISTED)
        if len(shown) > most:
            given = "no `page_size`" if name == "unsized" else f"`page_size={2 * LARGEST}`"
            yield finding(
                f"a page of a request with {given} is too long", f"at most {most}", str(len(shown)), exchange=name
            )
        elif not resources.next_token(answer) and (lost := [one for one in made if one not in shown]):
            message = "a page has no token of a next one, but stored interactions are missing from it"
            others = format_count(len(shown), "other interaction")
            yield finding(message, ", ".join(lost[:5]), others, exchange=name)


@exercise(requests=5)
def an_unknown_id(t: RequestBuilder) -> Steps:
    """GET, stream, cancel and DELETE of an id that does not exist.

    `%` does not exist either, but is each id to a store that looks it up with LIKE.
    """
    seen: Exchanges = yield from send_each(
        read=t.get(UNKNOWN_ID),
        streamed=t.get(UNKNOWN_ID, stream=True),
        cancelled=t.cancel(UNKNOWN_ID),
        deleted=t.delete(UNKNOWN_ID),
    )
    return {**seen, "read": [seen["read"], (yield Send(t.get("%")))]}


@exercise(requests=2, interactions=2)
def an_unstored_interaction(t: RequestBuilder) -> Steps:
    """Creates with store=false, streamed and plain; an id that comes all the same is read, and continued."""
    streamed = yield from runs.read_whole_stream(t.create(input=HELLO, store=False, stream=True))
    streamed_id = stream_id(events_in(streamed)) if is_stream(streamed) else ""
    created: Exchange = yield Send(t.create(input=HELLO, store=False))
    got: list[Exchange] = []
    chained: list[Exchange] = []
    for found in filter(None, (runs.id_of(created), streamed_id)):
        got.append((yield Send(t.get(found))))
        chained.append((yield Send(t.create(input=HELLO, previous_interaction_id=found))))
    return {"created": created, "got": got, "chained": chained}


def forgets(created: Exchange, got: list[Exchange]) -> Iterator[Finding]:
    yield from at("created", expect_offered(created))
    for number, answer in enumerate(got):
        yield from at(f"got[{number}]", expect_reply("store.false-get", answer))


def continues_nothing(created: Exchange, chained: list[Exchange]) -> Iterator[Finding]:
    interaction_in(created)
    # None without an id, as the live service answers: there is nothing to continue.
    for number, answer in enumerate(chained):
        yield from at(f"chained[{number}]", expect_reply("store.false-chain", answer))


@exercise(requests=21, interactions=3, uses=("auth", "background", "listing", "stream"))
def one_interaction_two_projects(t: RequestBuilder) -> Steps:
    """Create and read with one project's key; call each route with another's; read with the first.

    The owner reads first, because a cache that forgets whose answer it keeps has nothing to give away before that.
    A cancel does nothing to what has ended, so a run of the first is cancelled with the other key, too. If both
    projects have an interaction with this id, the other one is its own: it is left alone, and stays `later`, when
    the first one is deleted.
    """
    stranger = dataclasses.replace(t, key=t.other_key)
    stopped, run = yield from _stop_with_another_key(t, stranger)
    # The events of a run in the background have ids, with which another project may resume its stream.
    is_background = {"background", "stream"} <= t.capabilities
    found = runs.need_id((yield Send(t.create(input=HELLO, background=is_background or None))))
    own_stream = (yield Send(t.get(found, stream=True))) if "stream" in t.capabilities else None
    known = (yield from runs.poll_until_found(t, found))[-1]
    # The same request from two projects at once: a cache that forgets whose it is gives one interaction to both.
    yield Send(stranger.create(input=HELLO))
    looked: Exchange = yield Send(stranger.get(found))
    seen: Exchanges = {"stopped": stopped, "run": run, "knows_keys": "auth" in t.capabilities}
    if _is_another(known, looked):
        yield Send(t.delete(found))
        is_gone = (yield from runs.poll_until_gone(t, found))[-1].status in GONE
        later = (yield Send(stranger.get(found))) if is_gone else None
        seen |= {"chained": {}, "listed": None, "own": known, "later": later}
        return {**seen, "refused": {"looked": looked}}
    begun = events_in(own_stream) if own_stream is not None and is_stream(own_stream) else []
    again = {f"looked_{number}": stranger.get(found) for number in range(runs.READS_MORE)}
    reads = yield from send_each(
        **again, streamed=stranger.get(found, stream=True), with_input=stranger.get(found, include_input=True)
    )
    if first := last_cursor(begun[::-1]):
        reads["resumed"] = yield Send(stranger.get(found, stream=True, last_event_id=first))
    chained = yield from send_refused(stranger, {"input": HELLO, "previous_interaction_id": found})
    calls = yield from send_each(cancelled=stranger.cancel(found), deleted=stranger.delete(found))
    listing = stranger.request("GET", "interactions", query={"page_size": LARGEST})
    listed = (yield Send(listing)) if "listing" in t.capabilities else None
    own = (yield from runs.poll_until_found(t, found))[-1]
    return {
        **seen,
        "refused": {"looked": looked, **reads, **calls},
        "chained": chained,
        "listed": listed,
        "own": own,
        "later": None,
    }


def _stop_with_another_key(
    t: RequestBuilder, stranger: RequestBuilder
) -> Part[tuple[Exchange | None, Exchange | None]]:
    """Cancel a run in progress with the other project's key → the answer, and the run; None without such a run."""
    try:
        run = yield from runs.start_held_run(t, "two-projects")
    except Unmet:  # over at once, or refused: other checks judge that
        return None, None
    stopped = yield Send(stranger.cancel(run.id))
    look = yield Send(t.get(run.id))
    yield from runs.release_run(t, run)
    if not run.held:  # it would cost tokens until its end
        yield Send(t.cancel(run.id))
    return stopped, look


def keeps_apart(
    refused: Mapping[str, Exchange],
    chained: Mapping[str, Exchange],
    listed: Exchange | None,
    own: Exchange,
    stopped: Exchange | None,
    run: Exchange | None,
    knows_keys: bool,
    later: Exchange | None,
) -> Iterator[Finding]:
    if _is_another(own, refused["looked"], later):
        return
    calls = (refused["looked"], chained.get(PLAIN), refused.get("deleted"))
    if not knows_keys and all(call.succeeded for call in calls if call is not None):
        message, mild = "the target takes any key for the same project", Severity.NON_STRICT
        yield finding(message, code="store.isolation/keyless", severity=mild, exchange="refused[looked]")
        return
    if run is not None and runs.status_of(run) == "cancelled":
        message = "the key of another project can stop a run"
        stop = Finding.from_code("store.isolation/stopped", message, "in_progress", "cancelled")
        yield stop.at(exchange="run", pointer="$.status")
    if stopped is not None:
        yield from at("stopped", expect_reply("store.isolation", stopped))
    for name, answer in refused.items():
        if name == "deleted" and answer.succeeded and own.succeeded:
            continue  # it succeeds whatever is there, and has deleted nothing
        found = at(f"refused[{name}]", expect_reply("store.isolation", answer))
        shows_nothing = answer.status == 501 or (name in ("streamed", "resumed") and is_empty_stream(answer))
        cause = "bg.result/outlived" if answer.headers.get("age") else ""  # a cache kept what its owner read
        found = (replace(one, cause=cause) for one in found)
        yield from (replace(one, severity=Severity.NON_STRICT) if shows_nothing else one for one in found)
    yield from expect_refused(FOREIGN_CHAIN, "chained", chained)
    shown = [listed] if listed is not None and listed.status in SUCCESS else []
    if runs.id_of(own) in resources.ids(shown, resources.LISTED):
        words = ("the list of another project contains the interaction", "its own interactions", runs.id_of(own))
        yield Finding.from_code("store.isolation/listed", *words).at(exchange="listed")
    yield from at("own", expect_interaction(own))


_APART = "harness-check-apart"


def _describe_kept(t: RequestBuilder) -> Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """By capability: a collection of resources of a project, the create of one, and what a PATCH changes."""
    return {
        "agents-crud": ("agents", describe_agent(t, _APART), {"description": _APART}),
        "environments": ("environments", {"sources": SOURCES}, {}),
        "webhooks": ("webhooks", {"uri": URI, "subscribed_events": EVENTS}, {"name": _APART}),
        "credentials": ("credentials", {"id": _APART, **_TOKEN}, _TOKEN),
        "triggers": ("triggers", describe_trigger(t), {"status": "paused"}),
        "files": ("files", FILE, {}),
        "file-search-stores": (STORES, {"displayName": "harness-check"}, {}),
        "voices": ("voices", {"voice": VOICE, "store": True}, {}),
    }


_TOKEN = {"type": "bearer_token", "token": _APART}
_USES = "agents-crud auth credentials environments file-search-stores files triggers voices webhooks"


@exercise(requests=82, uses=tuple(_USES.split()))
def resources_of_two_projects(t: RequestBuilder) -> Steps:
    """Make a resource of each kind with one project's key, and call each of its routes with another's.

    The owner lists its agents first, because a cache may keep that list for another key. If both projects have a
    resource with this id, the other one is its own: it is not changed, and stays `later`, when the first is gone.
    """
    stranger = dataclasses.replace(t, key=t.other_key)
    seen: dict[str, Exchange] = {}
    kept: dict[str, str] = {}
    for capability, (collection, body, change) in _describe_kept(t).items():
        paths = (yield from _make_resource(t, collection, body, kept)) if capability in t.capabilities else []
        if not paths:
            continue
        kept[collection] = paths[0]
        # What is not found before a stranger's calls shows nothing after them.
        known = (yield from runs.poll_until_found(t, t.request("GET", paths[0])))[-1]
        shown: Exchange = yield Send(stranger.request("GET", paths[0]))
        if known.succeeded:
            seen |= {f"known {collection}": known, f"GET {collection}/{{id}}": shown}
            if not _is_another(known, shown):
                if collection == "agents":
                    yield Send(t.request("GET", collection))
                change = change or {"fileName": kept.get("files")}
                seen |= yield from _call_routes(t, stranger, paths, change, body)
    for collection, path in kept.items():
        removed: Exchange = yield Send(t.request("DELETE", path, query=_force(path)))
        if removed.succeeded and f"known {collection}" in seen and f"GET {collection}" not in seen:
            seen[f"later {collection}"] = yield Send(stranger.request("GET", path))
    return {"routes": seen, "knows_keys": "auth" in t.capabilities}


def _force(path: str) -> Mapping[str, bool]:
    return {"force": True} if path.startswith(STORES) else {}


def _make_resource(
    t: RequestBuilder, collection: str, body: Mapping[str, Any], kept: Mapping[str, str]
) -> Part[list[str]]:
    """Create a resource → its path, and those of what is in it; none if the target does not create it."""
    if "id" in body:  # left over from an interrupted run
        yield Send(t.request("DELETE", f"{collection}/{body['id']}"))
    if collection == "files":
        made: Exchange = yield from resources.upload(t, collection, body, TEXT, "text/plain")
    else:
        made = yield Send(t.request("POST", collection, body))
    view = object_in(made)
    name = runs.id_of(made) or str(as_object(view.get("file", view)).get("name", ""))
    if not name or collection != STORES:
        return [f"{collection}/{segment(name.removeprefix(f'{collection}/'))}"] if name else []
    begun = yield from resources.upload(t, f"{escape(name)}:uploadToFileSearchStore", body, TEXT, "text/plain")
    ended = (yield from wait_for(t, begun)) or begun
    brought = [name, text_in(begun, "name"), document_of(ended)]
    if "files" in kept:
        imported = t.request("POST", f"{escape(name)}:importFile", {"fileName": kept["files"]})
        brought.append(text_in((yield Send(imported)), "name"))
    return [*map(escape, brought)]


def _call_routes(
    t: RequestBuilder,
    stranger: RequestBuilder,
    paths: list[str],
    change: Mapping[str, Any],
    made: Mapping[str, Any],
) -> Part[dict[str, Exchange]]:
    """Call each route of the contract about a resource with another project's key → the answers, by call.

    What changes nothing comes first, and what is in a resource is deleted before it. A DELETE that succeeds may
    have deleted nothing: then the owner looks. `change` is the body of a PATCH, `made` that of the create. The
    other project may have an agent of this id, too: a table that takes each id once for all projects crashes.
    """
    collection, _, own = paths[0].partition("/")
    others = (f"GET {collection}/{{id}}", f"POST {collection}" if collection != "agents" else "")
    calls = [one.call for one in OPERATIONS if one.call not in others]
    order = ("GET", "PATCH", "POST", "DELETE")
    seen: dict[str, Exchange] = {}
    for call in sorted(calls, key=lambda call: (order.index(call.partition(" ")[0]), -len(call))):
        method, _, route = call.partition(" ")
        above, is_inside, _ = route.replace("{id}", own, 1).partition("{id}")
        path = next((one for one in paths if one.startswith(above)), "") if is_inside else above
        if route.partition("/")[0] != collection or not path:
            continue
        posted = made if route == "agents" else change if "import" in call else {}
        body: Mapping[str, Any] | None = {"PATCH": change, "POST": posted}.get(method)
        mask = {"update_mask": next(iter(change))} if collection in ("agents", "webhooks") else {}
        request = stranger.request(
            method, path, body, query={"PATCH": mask, "DELETE": _force(path)}.get(method, {})
        )
        if path.endswith(":uploadToFileSearchStore"):
            request = resources.begin_upload(stranger, path, {}, TEXT, "text/plain")
        seen[call] = yield Send(request)
        if method == "DELETE" and seen[call].succeeded:
            seen[f"own {route}"] = (yield from runs.poll_until_found(t, t.request("GET", path)))[-1]
    return seen


def _is_another(known: Exchange, shown: Exchange, later: Exchange | None = None) -> bool:
    """Whether two projects are shown resources of their own under one id, such as a number.

    One that is gone `later`, as soon as the other project deleted its own, was a view of that one.
    """
    views = object_in(known), object_in(shown)
    one, other = (view.get("id", view.get("name")) for view in views)
    is_gone = later is not None and later.status in GONE
    return one == other and not is_gone and any(compare_views(*views))


def keeps_resources_apart(routes: Mapping[str, Exchange], knows_keys: bool) -> Iterator[Finding]:
    if not routes:
        raise NotApplicable("the target keeps no resource of a project")
    if not knows_keys:
        raise Unmet("the target does not check keys")
    for name, answer in routes.items():
        method, _, route = name.partition(" ")
        collection = route.partition("/")[0]
        views = (f"known {collection}", f"GET {collection}/{{id}}", f"later {collection}")
        known, shown, later = map(routes.get, views)
        if method in ("known", "own", "later") or (known and shown and _is_another(known, shown, later)):
            continue
        own = routes.get(f"own {route}") if method == "DELETE" else None
        if route == collection:
            identity = routes[views[1]].request.segments[-1]
            if method == "GET" and answer.status in SUCCESS and f'{identity}"'.encode() in answer.body:
                message = f"the list of another project contains its {collection}"
                listed = finding(message, "its own", identity, code="store.isolation-kept/listed")
                yield listed.at(exchange=f"routes[{name}]")
        # A crash and a route that is not offered show nothing, nor does a DELETE that succeeds whatever is there.
        elif answer.status not in (400, 405, *range(500, 600)) and not (own is not None and own.succeeded):
            found = at(f"routes[{name}]", expect_refusal(answer, {403, 404}))
            is_list = method == "GET" and answer.succeeded and not route.endswith("{id}")
            is_empty = is_list and not any(map(as_list, object_in(answer).values()))
            yield from (replace(one, severity=Severity.NON_STRICT) if is_empty else one for one in found)


def _settled_body(answer: Exchange) -> Mapping[str, Any]:
    body = interaction_in(answer)
    if not is_settled(body.get("status")):
        raise Unmet(f"{format_request(answer)} returned a run that has not settled")
    return body


# --- deleting: that it succeeds, that it is thorough, and that it affects nothing else


def is_gone(
    gone: list[Exchange],
    gone_input: Exchange,
    later: list[Exchange],
    streamed_deleted: Exchange | None,
    streamed_gone: list[Exchange],
) -> Iterator[Finding]:
    if streamed_deleted is not None and streamed_deleted.status in SUCCESS:
        last = f"streamed_gone[{len(streamed_gone) - 1}]"
        yield from at(last, expect_reply("del.gone", streamed_gone[-1]))
    yield from at(f"gone[{len(gone) - 1}]", expect_reply("del.gone", gone[-1]))
    if gone[-1].status not in SUCCESS and gone_input.status in SUCCESS:
        yield from at("gone_input", expect_reply("del.gone", gone_input))
    yield from runs.expect_still_gone(gone, later)


def is_gone_as_a_stream(
    gone_stream: Exchange, streamed_deleted: Exchange | None, streamed_gone_stream: Exchange | None
) -> Iterator[Finding]:
    yield from at("gone_stream", expect_reply("del.gone-stream", gone_stream))
    if streamed_gone_stream is not None and streamed_deleted is not None and streamed_deleted.status in SUCCESS:
        yield from at("streamed_gone_stream", expect_reply("del.gone-stream", streamed_gone_stream))


def takes_nothing_else(second: Exchange, other: Exchange) -> Iterator[Finding]:
    yield from at("other", agreement.judge_identity("del.isolated", runs.id_of(second), runs.id_of(other)))


_ENDS_AFTER = (0.6, 1.4)
"""Pauses after its create in which a deleted run may end: its end may write it back.
By the first of them, one that began later may have ended before it."""


@exercise(requests=5, interactions=1, pauses=sum(_ENDS_AFTER))
def a_running_one_deleted(t: RequestBuilder) -> Steps:
    """A background run, deleted while it is in progress, and looked at until it may have ended."""
    found = runs.need_id((yield from runs.start_run(t)))
    deleted: Exchange = yield Send(t.delete(found))
    gone = yield from runs.poll_until_gone(t, found)
    spent = deleted.seconds + runs.list_moments(gone)[-1][0] + gone[-1].seconds
    return {
        "deleted": deleted,
        "gone": gone,
        "later": (yield from runs.read_later(t, found, *_ENDS_AFTER, spent=spent)),
    }


@exercise(requests=8, interactions=2, pauses=_ENDS_AFTER[0])
def a_short_run_deleted(t: RequestBuilder) -> Steps:
    """A background run, deleted as soon as it began, and looked at once another one that began later has ended."""
    found = runs.need_id((yield Send(t.create(input=HELLO, background=True))))
    like = runs.need_id((yield Send(t.create(input=HELLO, background=True))))
    deleted: Exchange = yield Send(t.delete(found))
    seen: Exchanges = {"deleted": deleted, "gone": (yield from runs.poll_until_gone(t, found)), "later": []}
    if not runs.settled((yield from runs.poll_for(t, like, t.wait))[-1]):
        return stop_exercise(seen, "the run that began with it did not end")
    return {**seen, "later": (yield from runs.read_later(t, found, _ENDS_AFTER[0]))}


def stays_gone(gone: list[Exchange], later: list[Exchange]) -> Iterator[Finding]:
    if gone[-1].status in SUCCESS:
        kept = finding("the deleted run can still be read", expected="404", actual=format_answer(gone[-1]))
        yield replace(kept, code="del.stays-gone/kept").at(exchange=f"gone[{len(gone) - 1}]")
        return
    if gone[-1].status != 404:
        raise Unmet(f"the deleted run was not gone: {format_answer(gone[-1])}")
    yield from runs.expect_still_gone(gone, later)


def stops_or_refuses(deleted: Exchange, gone: list[Exchange], later: list[Exchange]) -> Iterator[Finding]:
    yield from at("deleted", expect_reply("del.running", deleted))
    if deleted.status in SUCCESS and gone[-1].status != 404:
        last = f"gone[{len(gone) - 1}]"
        yield finding("the deleted run still exists", "404", format_answer(gone[-1]), exchange=last)
    if deleted.status in SUCCESS:
        yield from runs.expect_still_gone(gone, later)


@exercise(requests=3, interactions=1)
def a_run_deleted_under_its_reader(t: RequestBuilder) -> Steps:
    """A background run, deleted in progress while a reader streams it; the stream is read to its end."""
    for part in (0.25, 0.5):  # of the time of a request; a silence that is no end may be a pause
        found = runs.need_id((yield from runs.start_run(t)))
        reader = yield from runs.open_stream(t, found, timeout=t.wait * part)
        yield Read(reader, 1)
        deleted: Exchange = yield Send(t.delete(found))
        stream: Exchange = yield Finish(reader)
        if not stream.hung:
            break
    return {"deleted": deleted, "stream": stream}


def lets_its_readers_go(deleted: Exchange, stream: Exchange) -> Iterator[Finding]:
    if deleted.status in CLIENT_ERROR:
        raise NotApplicable(f"a run in progress cannot be deleted: {format_answer(deleted)}")
    need_success(deleted)
    if not stream.succeeded:
        raise Unmet(f"the run could not be streamed: {format_answer(stream)}")
    if stream.hung and stream.silence < stream.seconds / 2:
        raise Unmet("the stream continued until the time limit, as that of a long run may")
    if stream.ending.by is By.LIMIT:
        actual = format_ending(stream)
        yield finding("the stream did not end", "an end after the delete", actual, exchange="stream")
