"""Mutants: media types, lengths, headers and versions; keys."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

from harness.emulator.auth import Auth
from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import Json, crash, refuse, when
from harness.emulator.mutants.hooks import arrival, request, response, row
from harness.emulator.mutants.parts import Change, Defect, around, before, instead, memory
from harness.emulator.run.stream_response import Streams
from harness.emulator.service import Emulator
from harness.emulator.values.call import Call, Refusal, Route
from harness.kit.mutant import table
from harness.wire import At, By, Chunk, Ending, Headers, How, Length, PieceBody, Request, Response

_READ_PARAMETERS = {"stream", "last_event_id", "include_input", "key"}


_REVISION = "2026-05-20"


def _label_as(media_type: str) -> Headers:
    return Headers((("content-type", media_type),))


def _promise_one_byte_more(engine: Engine, data: bytes) -> Response:
    size = len(data) + 1
    end = Ending(By.SERVER, How.FIN, At.IN_BODY, declared=size, sent=size - 1)
    return Response(200, Engine.json(engine, data).headers, Length(size), PieceBody((Chunk(data), end)))


def _redirect_reads(request: Request, where: Route) -> Response | None:
    if request.method != "GET" or where.version != "v1beta":
        return None
    return Response.whole(307, Headers((("location", request.target.replace("/v1beta/", "/v1/")),)), b"")


def _show_outputs(body: Json, call: Call) -> None:
    if call.request.headers.get("api-revision", _REVISION) != _REVISION:
        body["outputs"] = [part for step in body.pop("steps", []) for part in step.get("content", [])]
        body["role"] = "model"


def _lose(version: str) -> Defect:
    return instead(Emulator.perform, when(lambda _, engine, call: call.version == version, lambda *_: None))


def _has_no_key(auth: Auth, request: Request, query: Mapping[str, str]) -> bool:
    return not auth.key(request, query)


def _spoil(inner: Change, auth: Auth, request: Request, query: Mapping[str, str]) -> str:
    """Take what was not read of a rejected create for the next request."""
    if memory(auth).pop("spoiled", False):
        raise Refusal(400, "invalid_request", "Bad request syntax.")
    try:
        return str(inner(request, query))
    except Refusal:
        memory(auth)["spoiled"] = request.method == "POST"
        raise


def _without(request: Request, header: str) -> Request:
    return Request(request.method, request.target, request.headers.without(header))


def _is_unknown_key(auth: Auth, key: str) -> bool:
    return key not in (auth._settings.keys or {})


def _repeat_the_key(auth: Auth, key: str) -> str:
    try:
        return Auth.owner(auth, key)
    except Refusal as refusal:
        raise Refusal(401, "authentication", f"{refusal.message} The key was {key}.") from None


MUTANTS = table(
    "http",
    row("json-labelled-html", "JSON responses have the Content-Type text/html.",
        instead(Engine.json, lambda _, data: Response.whole(200, _label_as("text/html; charset=utf-8"), data))),
    row("json-cut-short", "JSON responses lack their last byte, and Content-Length does not count it.",
        instead(Engine.json, lambda _, data: Response.json(200, data[:-1]))),
    row("json-latin1", "JSON responses are encoded in Latin-1 although JSON is UTF-8.",
        instead(Engine.json, lambda _, data: Response.json(200, data.decode().encode("latin-1", "replace")))),
    row("length-too-long", "Content-Length announces one byte more than is sent.",
        instead(Engine.json, _promise_one_byte_more)),
    row("reads-redirected", "Reads are redirected to another version of the API.", arrival(_redirect_reads)),
    row("unknown-query-crashes", "A read with an unknown query parameter returns 500.",
        request("GET interactions/*", when(lambda call, _: set(call.query) - _READ_PARAMETERS, crash))),
    row("accept-decides", "A create whose `Accept` is */* returns 406.",
        request("POST interactions", when(
            lambda call, _: call.request.headers.get("accept") == "*/*",
            refuse("Not acceptable.", 406, "invalid_request")))),
    row("charset-refused", "A create whose Content-Type has a charset returns 415.",
        request("POST interactions", when(
            lambda call, _: "charset" in call.request.headers.get("content-type", ""),
            refuse("Unsupported media type.", 415)))),
    row("chunked-refused", "A create in chunks returns 400.",
        request("POST interactions", when(
            lambda call, _: "transfer-encoding" in call.request.headers, refuse("The body is empty.")))),
    row("gzip-unasked", "Responses are compressed although the client did not ask for it.",
        instead(Engine.json, lambda _, data: Response.whole(
            200, _label_as("application/json").having("content-encoding", "gzip"), gzip.compress(data, mtime=0)))),
    row("revision-legacy",
        "A create with another Api-Revision still returns the `outputs` of the old generation of the API.",
        response("POST interactions", _show_outputs)),
    row("v1-missing", "There are no routes under /v1, which the official SDK calls.", _lose("v1")),
    row("v1beta-missing", "There are no routes under /v1beta, which the documentation uses.", _lose("v1beta")),
    row("stream-labelled-json", "Streams have the Content-Type application/json.",
        instead(Streams.headers, lambda _: _label_as("application/json"))),
    row("key-missing-crashes", "A call without a key returns 500.",
        before(Auth.project, when(_has_no_key, crash))),
    row("any-key-opens", "Any key is accepted, even one that belongs to no project.",
        instead(Auth.owner, when(_is_unknown_key, lambda auth, key: "somebody"))),
    row("bearer-ignored", "A bearer token is ignored.",
        instead(Auth.key, lambda auth, request, query: Auth.key(auth, _without(request, "authorization"), query))),
    row("bearer-creates-only", "A read with a bearer token is rejected; a create is not.",
        instead(Auth.project, when(
            lambda auth, request, _: request.method == "GET" and "authorization" in request.headers,
            lambda auth, request, query: Auth.project(auth, _without(request, "authorization"), query)))),
    row("wrong-key-spoils-next", "After a create with a wrong key the next request is rejected, too.",
        around(Auth.project, _spoil)),
    row("query-key-ignored", "The query parameter `key` is ignored.",
        instead(Auth.key, lambda auth, request, query: Auth.key(auth, request, {}))),
    row("key-leaks", "The refusal of a wrong key repeats the key.",
        instead(Auth.owner, when(_is_unknown_key, _repeat_the_key))),
    row("reads-need-no-key", "A read without a key is served.",
        instead(Auth.project, when(
            lambda auth, request, query: request.method == "GET" and _has_no_key(auth, request, query),
            lambda auth, *_: next(iter((auth._settings.keys or {"": "default"}).values()))))),
)  # fmt: skip
