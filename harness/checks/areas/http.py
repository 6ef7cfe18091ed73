"""Checks of the HTTP layer and of keys: media types, lengths, versions, and what must not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from harness.checks.vocabulary.expect import (
    among,
    at,
    code_of,
    expect_interaction,
    expect_object,
    expect_status,
    finding,
    interaction_in,
    lenient_finding,
)
from harness.checks.vocabulary.routes import NEARLY, is_like_nowhere
from harness.checks.vocabulary.runs import LONG, id_of, poll_until_found, read_whole_stream
from harness.checks.vocabulary.shared import HELLO, WRONG_KEY
from harness.contract import read
from harness.contract.judge.answer import (
    CLIENT_ERROR,
    SUCCESS,
    is_no_answer,
    judge_json_type,
    judge_json_valid,
    judge_length,
)
from harness.contract.judge.body import FAILED
from harness.contract.judge.reading import format_answer, format_request, format_value
from harness.contract.requests import KEY_HEADER, RequestBuilder
from harness.kit.check import Exchanges, Part, Send, Steps, exercise, send_each, stop_exercise, take
from harness.outcome import Finding, NotApplicable, Unmet
from harness.wire import Exchange, Request
from harness.wire.message import BUSY, EVENT_STREAM, segment

_OLD = "2026-05-07"
"""The revision that had `outputs` instead of `steps`; removed in June 2026."""


def _judge_redirect(answer: Exchange) -> Iterator[Finding]:
    if answer.status in range(300, 400):
        where = answer.headers.get("location") or "(no location)"
        yield finding(f"{format_request(answer)} was redirected", actual=f"{answer.status} to {where}")


def _judge_each(judge: Callable[[Exchange], Iterable[Finding]], answers: list[Exchange]) -> Iterator[Finding]:
    if all(answer.status is None for answer in answers):
        raise Unmet("the target returned no response")
    yield from among("answers", answers, judge)


labels_json = partial(_judge_each, judge_json_type)
parses = partial(_judge_each, judge_json_valid)
lengths_agree = partial(_judge_each, judge_length)
stays = partial(_judge_each, _judge_redirect)
names_what_is_listed = partial(_judge_each, lambda answer: read(answer).unlisted)
plain_unless_asked = partial(_judge_each, lambda answer: read(answer).coded)


def ignores_revisions(
    accepted: Mapping[str, Exchange], created_old: Exchange, created_odd: Exchange, read_old: Exchange | None
) -> Iterator[Finding]:
    if _has_another_shape(interaction_in(next(iter(accepted.values())))):
        raise Unmet("the response has no steps under today's revision either")
    yield from at("created_old", _of_this_generation(created_old))
    yield from at("created_odd", _of_this_generation(created_odd, notes=frozenset({400})))
    if read_old is not None:
        yield from at("read_old", _of_this_generation(read_old))


def _of_this_generation(answer: Exchange, *, notes: frozenset[int] = frozenset()) -> Iterator[Finding]:
    yield from expect_interaction(answer, notes=notes)
    body = read(answer).json
    if answer.status in SUCCESS and isinstance(body, dict) and _has_another_shape(body):
        sent = answer.request.headers.get("api-revision")
        message = f"`Api-Revision: {sent}` changes the shape of the response"
        yield finding(message, "steps", format_value(sorted(body)))


def _has_another_shape(body: Mapping[str, Any]) -> bool:
    bare = body.get("status") != "incomplete" and not isinstance(body.get("steps"), list)
    return "outputs" in body or bare


_UNUSUAL: Mapping[str, Mapping[str, str]] = {
    "http.charset": {"content-type": "application/json; charset=utf-8"},
    "http.chunked": {"transfer-encoding": "chunked"},
    "create.zero": {},
    (_ZERO := "zero"): {},
}
"""Header fields of unusual creates, by the rule that each is about; the last two differ in their body."""


@exercise(requests=1, interactions=1)
def a_create_of_another_client(t: RequestBuilder) -> Steps:
    """A create with a charset, in chunks, with the temperature and the input 0; if it is rejected, each alone."""
    whole: Exchange = yield Send(_make_unusual(t, *_UNUSUAL))
    alone: dict[str, Exchange] = {}
    for rule in _UNUSUAL if whole.status not in SUCCESS else ():
        alone[rule] = yield Send(_make_unusual(t, rule))
    seen: Exchanges = {"whole": whole, "alone": alone, "warm": None, "seven": None}
    if "create.zero" in alone:
        seen["warm"] = yield Send(t.create(input=HELLO, generation_config={"temperature": 0.5}))
        seen["seven"] = (yield Send(t.create(input="7"))) if alone[_ZERO].status in CLIENT_ERROR else None
    return seen


def _make_unusual(t: RequestBuilder, *rules: str) -> Request:
    config = {"generation_config": {"temperature": 0}} if "create.zero" in rules else {}
    fields = [field for rule in rules for field in _UNUSUAL[rule].items()]
    return t.create(input="0" if _ZERO in rules else HELLO, **config).having(*fields)


def takes_what_clients_send(
    rule: str, whole: Exchange, alone: Mapping[str, Exchange], warm: Exchange | None, seven: Exchange | None
) -> Iterator[Finding]:
    if whole.status in SUCCESS:
        return
    answer = alone[rule]
    if rule == "create.zero" and seven is not None and seven.status in SUCCESS:
        message = 'the input "0" is rejected, although "7" is accepted'
        words = "an interaction", format_answer(alone[_ZERO])
        yield finding(message, *words, code="create.zero/input", exchange=f"alone[{_ZERO}]")
    if rule == "http.chunked" and answer.status == 411:
        raise NotApplicable("the server requires a Content-Length, as RFC 9110 allows")
    if rule == "create.zero" and warm is not None and warm.status in CLIENT_ERROR:
        raise NotApplicable(f"the target rejects any `temperature`: {format_answer(warm)}")
    yield from at(f"alone[{rule}]", expect_status(answer, accepts=SUCCESS))


_ACCEPTED = ("*/*", "application/json", "text/event-stream", "application/json, text/event-stream")
"""What HTTP libraries, both kinds of SDK and clients of both kinds of response send."""


_KINDS = (("application/json", "JSON"), (EVENT_STREAM, "a stream"))


@exercise(requests=11, interactions=10, uses=("stream",))
def creates_with_each_header(t: RequestBuilder) -> Steps:
    """A create with each `Accept` that clients send, and other header fields of an SDK; plain and as a stream.

    None is stored, as that would cost a GET and a DELETE of each. One that is rejected, or returns another kind of
    response, is sent again without `store`, which a server may reject. Then creates with an old and with an odd
    Api-Revision, and a read with the old one.
    """
    ways = {"plain": {}, "stream": {"stream": True}} if "stream" in t.capabilities else {"plain": {}}
    sent = {f"{way} {accept}": fields for way, fields in ways.items() for accept in _ACCEPTED}
    sdk = (("api-revision", t.contract.revision), ("user-agent", "google-genai-sdk/3.4.0 gl-python/3.12.4"))

    def build_create(name: str, **more: Any) -> Request:
        return t.create(sent[name], input=HELLO, **more).having(("accept", name.partition(" ")[2]), *sdk)

    unstored = {name: build_create(name, store=False) for name in sent} if t.keeps else {}
    accepted = yield from send_each(**unstored)
    others = [name for name in sent if name not in accepted or not _is_as_asked(name, accepted[name])]
    accepted |= yield from send_each(**{name: build_create(name) for name in others})
    created: Exchange = yield Send(t.create(input=HELLO).having(("api-revision", _OLD)))
    odd: Exchange = yield Send(t.create(input=HELLO).having(("api-revision", "harness")))
    found = id_of(created) if t.keeps else ""
    look = t.get(found).having(("api-revision", _OLD))
    read_old = (yield from poll_until_found(t, look))[-1] if found else None
    return {"accepted": accepted, "created_old": created, "created_odd": odd, "read_old": read_old}


def _is_as_asked(name: str, answer: Exchange) -> bool:
    return answer.status in SUCCESS and read(answer).is_stream is name.startswith("stream")


def ignores_accept(accepted: Mapping[str, Exchange]) -> Iterator[Finding]:
    if not any(answer.status in SUCCESS for answer in accepted.values()):
        raise Unmet("no create was accepted")
    controlled = {name.partition(" ")[0] for name, answer in accepted.items() if _is_as_asked(name, answer)}
    for name, answer in accepted.items():
        way, _, accept = name.partition(" ")
        if not is_no_answer(answer) and (name, answer.status) != ("plain text/event-stream", 406):
            yield from at(f"accepted[{name}]", _judge_accept(way, accept, answer, way in controlled))


def _judge_accept(way: str, accept: str, answer: Exchange, has_control: bool) -> Iterator[Finding]:
    """Whether a create is taken as asked; it binds if the same one with another `Accept` is: `has_control`."""
    (own, what), (wrong, other) = _KINDS if way == "plain" else _KINDS[::-1]
    words, accepts_all = f"a create with `Accept: {accept}`", accept == "*/*"
    binds = has_control and (own in accept or accepts_all)
    for found in expect_status(answer, accepts=SUCCESS, tolerates=() if binds else range(300, 600)):
        yield replace(found, message=f"{words} is rejected: {found.message}")
    if answer.status in SUCCESS and not _is_as_asked(way, answer):
        report = finding if has_control and wrong not in accept and not accepts_all else lenient_finding
        yield report(f"{words} returns {other}", what, other)


@exercise(requests=4, interactions=1, uses=("stream",))
def both_versions(t: RequestBuilder) -> Steps:
    """A create with neither model nor agent under each version, and to a path that is no route, to compare.

    Where the other version has the route, a stream is created there: every run judges its events.
    """
    body, own = {"input": HELLO}, t.version.partition("/")[0]
    seen: Exchanges = {"own": own, "nowhere": (yield Send(t.request("POST", NEARLY, body)))}
    for version in ("v1beta", "v1"):
        seen[version] = yield Send(t.request("POST", "interactions", body, version=version))
        # How a route answers a create that lacks its model.
        if version != own and seen[version].status == 400 and "stream" in t.capabilities:
            create = {"model": t.model, "input": HELLO, "stream": True}
            yield from read_whole_stream(t.request("POST", "interactions", create, version=version))
    return seen


def has_v1beta(v1beta: Exchange, nowhere: Exchange, own: str) -> Iterator[Finding]:
    if own != "v1beta" and v1beta.status in (404, 405):
        raise Unmet(f"the tested version is {own}, and a proxy may serve only one")
    yield from has_v1(v1beta, nowhere)


def has_v1(v1: Exchange, nowhere: Exchange) -> Iterator[Finding]:
    """A route is not missing because it streams, or refuses the body as not found in words of its own."""
    if v1.status in (401, 403):
        raise Unmet(f"the key was rejected: {format_answer(v1)}")
    if v1.succeeded and read(v1).is_stream:
        return  # an unrequested stream is another rule's
    if v1.status in FAILED:
        if is_like_nowhere(v1, nowhere):
            raise Unmet(f"this path and an unknown path return the same response: {format_answer(v1)}")
        return  # a route that fails is one; that it fails is another rule's
    if v1.status != 404 or is_like_nowhere(v1, nowhere):
        yield from expect_object(v1, accepts={*SUCCESS, *CLIENT_ERROR} - {404, 405})


# --- API keys: where a key is accepted, and what happens without one

_REFUSED = frozenset({400, 401, 403})
_NOT_THERE = frozenset({404, 405, 501})
_NOT_OFFERED = frozenset({None, 400, *_NOT_THERE, *BUSY})
"""How a request is answered that need not be offered, or was one too many."""


@exercise(requests=19, interactions=3, front_end=True, alone=True, uses=("stream",))
def one_interaction_many_keys(t: RequestBuilder) -> Steps:
    """Create with the key; read, create and delete with wrong or no keys; read with the key again.

    The create with a wrong key asks for a stream, and one without a key goes to the other version, too. Servers
    have a handler of their own for each mode, so each is requested without a key.
    """
    yield from _need_a_key_of_our_own(t)
    created: Exchange = yield Send(t.create(input=HELLO))
    found = id_of(created)
    if not found:
        return stop_exercise({"created": created}, f"the create returned no id: {format_answer(created)}")
    # Before it is readable, a 404 could be taken for a rejection, or for a forbidden deletion.
    readable = (yield from poll_until_found(t, found))[-1]
    path = f"interactions/{segment(found)}"
    streamed = {**_hello(t), "stream": True} if "stream" in t.capabilities else _hello(t)
    other = "v1" if t.version.startswith("v1beta") else "v1beta"
    begun = {**_hello(t), "background": True}
    bearer, no_bearer = ([("authorization", f"Bearer {key}")] for key in (t.key, WRONG_KEY))
    seen: Exchanges = {
        "created": created,
        "readable": readable,
        **(
            yield from send_each(
                read_without=t.request("GET", path, key=""),
                streamed_without=t.request("GET", path, query={"stream": True}, key=""),
                posted_without=t.request("POST", "interactions", streamed, key=""),
                begun_without=t.request("POST", "interactions", begun, key=""),
                created_without=t.request("POST", "interactions", _hello(t), key=""),
                created_elsewhere=t.request("POST", "interactions", _hello(t), key="", version=other),
                read_wrong=t.request("GET", path, key=WRONG_KEY),
            )
        ),
        "cancelled_without": (yield from _cancel_without_key(t)),
        "deleted_without": (yield Send(t.request("DELETE", path, key=""))),
        "created_wrong": (
            yield from read_whole_stream(t.request("POST", "interactions", streamed, key=WRONG_KEY))
        ),
        "read_next": (yield Send(t.request("GET", path))),
        **(
            yield from send_each(
                created_bearer=t.request("POST", "interactions", _hello(t), key="", headers=bearer),
                read_bearer=t.request("GET", path, key="", headers=bearer),
                read_wrong_bearer=t.request("GET", path, key="", headers=no_bearer),
                read_query=t.request("GET", path, key="", query={"key": t.key}),
            )
        ),
    }
    # What a connection garbled is there again, what a DELETE removed is not.
    seen["read_again"] = (yield Send(t.request("GET", path))) if seen["read_next"].status == 404 else None
    sent = ("read_without", "created_without", "read_wrong", "created_wrong")
    if "auth" in t.assumed and not any(seen[name].status in _REFUSED for name in sent):
        raise NotApplicable("no request without a key or with a wrong one was rejected")
    return seen


def _cancel_without_key(t: RequestBuilder) -> Part[Exchange | None]:
    """Cancel a background run without a key, and then with it; None if the target has no cancel."""
    if not {"background", "cancel"} <= t.capabilities:
        return None
    run: Exchange = yield Send(t.create(input=LONG, background=True))
    if not (found := id_of(run)):
        return None
    answer: Exchange = yield Send(t.request("POST", f"interactions/{segment(found)}/cancel", key=""))
    yield Send(t.cancel(found))  # it would cost tokens until its end
    return answer


def refuses_no_key(
    *,
    readable: Exchange,
    read_without: Exchange,
    created_without: Exchange,
    deleted_without: Exchange,
    read_again: Exchange | None,
    **optional: Exchange | None,
) -> Iterator[Finding]:
    if readable.succeeded or read_without.status != readable.status:  # else the key is not why it is not found
        yield from at("read_without", _expect_unauthenticated(read_without))
    yield from at("created_without", _expect_unauthenticated(created_without))
    for name, answer in optional.items():
        if answer is not None and answer.status not in _NOT_OFFERED:
            yield from at(name, _expect_unauthenticated(answer))
    if deleted_without.status in _NOT_THERE:
        yield lenient_finding(
            "the target offers no DELETE", "401", format_answer(deleted_without), exchange="deleted_without"
        )
    else:
        yield from at("deleted_without", _expect_unauthenticated(deleted_without))
    if readable.status in SUCCESS and read_again is not None and read_again.status == 404:
        yield finding("the rejected DELETE took effect", actual=format_answer(read_again), exchange="read_again")


_ALWAYS = ("readable", "read_without", "created_without", "deleted_without", "read_again")
_OPTIONAL = ("created_elsewhere", "streamed_without", "cancelled_without", "posted_without", "begun_without")
take(refuses_no_key, *_ALWAYS, *_OPTIONAL)


def takes_no_bearer_as_key(read_wrong: Exchange, read_wrong_bearer: Exchange) -> Iterator[Finding]:
    if read_wrong_bearer.succeeded and read_wrong.status in CLIENT_ERROR:
        message = "a wrong key is accepted as a bearer token"
        actual = format_answer(read_wrong_bearer)
        yield finding(message, "401", actual, code="auth.wrong/bearer", exchange="read_wrong_bearer")


def serves_the_next(
    readable: Exchange, created_wrong: Exchange, read_next: Exchange, read_again: Exchange | None
) -> Iterator[Finding]:
    if readable.status not in SUCCESS or created_wrong.status not in CLIENT_ERROR:
        raise Unmet("no read with the key succeeded before a create with a wrong key was rejected")
    if read_next.status in _REFUSED or (read_again is not None and read_again.succeeded):
        message = "a request with the key is rejected after one with a wrong key on its connection"
        yield finding(message, "200, as before", format_answer(read_next), exchange="read_next")


def reads_by_bearer_too(
    readable: Exchange, created_bearer: Exchange, read_bearer: Exchange, read_next: Exchange
) -> Iterator[Finding]:
    if readable.status not in SUCCESS or created_bearer.status not in SUCCESS:
        raise NotApplicable(f"no create with a bearer token is accepted: {format_answer(created_bearer)}")
    if read_next.status not in SUCCESS:  # such as after a DELETE without a key that took effect
        raise Unmet(f"the key cannot read the interaction any more, either: {format_answer(read_next)}")
    if read_bearer.status in CLIENT_ERROR:
        message = "a bearer token that creates interactions reads none"
        yield finding(message, "200, as with the key", format_answer(read_bearer), exchange="read_bearer")


def _expect_unauthenticated(answer: Exchange) -> Iterator[Finding]:
    yield from expect_status(answer, accepts={401}, tolerates=_REFUSED)
    if answer.status == 401 and code_of(answer) != "authentication":
        yield lenient_finding("the 401 has another error code", "code authentication", format_answer(answer))


def _need_a_key_of_our_own(t: RequestBuilder) -> Part[None]:
    """If the user gave no key, find out whether the target demands one: it does not if it accepts every key."""
    if not t.key:
        wrong: Exchange = yield Send(t.request("POST", "interactions", _hello(t), key=WRONG_KEY))
        without: Exchange = yield Send(t.create(input=HELLO))
        if (
            wrong.succeeded and without.succeeded and "auth" not in t.capabilities
        ):  # a target that declares it has some
            raise NotApplicable(
                "the target checks no keys: it accepts requests without a key and with a wrong key"
            )
        raise Unmet(
            "no key was given, so the check cannot omit it", remedy="with a key (--api-key, GEMINI_API_KEY)"
        )
    given = {name.lower() for name, _ in t.headers} & {KEY_HEADER, "authorization"}
    if given:
        raise Unmet(f"the extra header {given.pop()} sends a key with every request")


def _hello(t: RequestBuilder) -> dict[str, str]:
    return {"model": t.model, "input": HELLO}
