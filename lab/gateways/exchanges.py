"""Gateways with defects in requests and whole answers: routes, fields, repeats, status, errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

from msgspec.structs import replace

from harness.checks.gateway.client import name_operation
from harness.contract.requests import TIER_HEADER
from harness.wire import At, Ending, Headers, Length, PieceBody, Request, Response, Service
from harness.wire.message import EVENT_STREAM
from lab.gateways.mutant import (
    Gateway,
    GatewayBuild,
    Json,
    answer_itself,
    change_answer,
    change_create,
    change_json,
    change_request,
    change_response,
    parse_body,
    read_body,
    row,
)


def _without(body: Json, name: str) -> Json:
    return {key: value for key, value in body.items() if key != name}


def _drop_seed(body: Json) -> Json:
    config = body.get("generation_config")
    return {**body, "generation_config": _without(config, "seed")} if isinstance(config, dict) else body


def _clamp(body: Json) -> Json:
    config = body.get("generation_config")
    return {**body, "generation_config": {**config, "max_output_tokens": 64}} if config else body


def _keep_text(body: Json) -> Json:
    given = body.get("input")
    if not isinstance(given, list):
        return body
    steps = [
        {**step, "content": [part for part in step["content"] if part["type"] == "text"]}
        if "content" in step
        else step
        for step in given
    ]
    return {**body, "input": steps}


class StoresCreates(Gateway):
    """Answers a create that equals an earlier one itself."""

    seen: tuple[bytes, ...] = ()

    def __call__(self, request: Request) -> Response:
        again = request.body != b"" and request.body in self.seen
        self.seen = (*self.seen, request.body)
        answer = b'{"id":"v1_none","status":"completed"}'
        return Response.json(200, answer) if again else super().__call__(request)


class RepeatsLost(Gateway):
    """Sends a create whose answer is lost again."""

    def __call__(self, request: Request) -> Response:
        response = self.upstream(request)
        first = next(response.body)
        if isinstance(first, Ending) and first.at is At.BEFORE_HEADERS:
            response.body.close()
            return self.upstream(request)
        rest = response.body
        response.body = PieceBody(chain((first,), rest), rest.close)
        return response


class KeepsKey(Gateway):
    """Sends the key of an earlier request: of the first one, or of the one before."""

    def __init__(self, upstream: Service, *, first: bool) -> None:
        super().__init__(upstream)
        self._first, self._kept = first, ""

    def relay_request(self, request: Request) -> Request:
        own = request.headers.get("x-goog-api-key")
        sent = self._kept or own
        self._kept = sent if self._first else own
        return request.having(("x-goog-api-key", sent))


class RepeatsRefused(Gateway):
    """Sends a create that is refused with 503 again."""

    def __call__(self, request: Request) -> Response:
        response = self.upstream(request)
        if response.status != 503:
            return response
        response.body.close()
        return self.upstream(request)


class RepeatsPolls(Gateway):
    """Keeps what a GET brought."""

    def __init__(self, upstream: Service) -> None:
        super().__init__(upstream)
        self._kept: dict[str, tuple[Headers, bytes]] = {}

    def __call__(self, request: Request) -> Response:
        if request.method != "GET" or b"stream=true" in request.target.encode():
            return super().__call__(request)
        if request.target not in self._kept:
            response = super().__call__(request)
            if response.status != 200:
                return response
            self._kept[request.target] = response.headers, read_body(response)[0]
        headers, data = self._kept[request.target]
        return Response.whole(200, headers, data)


class Polls(Gateway):
    """Looks at each background run itself."""

    def relay_response(self, request: Request, response: Response) -> Response:
        if parse_body(request).get("background") is not True:
            return super().relay_response(request, response)
        return change_json(response, lambda body: self._look(request, body))

    def _look(self, request: Request, body: Json) -> Json:
        if "id" in body:
            read_body(self.upstream(Request("GET", f"{request.raw_path}/{body['id']}", request.headers)))
        return body


class ListsModels(Gateway):
    """Lists the models before each create."""

    def relay_request(self, request: Request) -> Request:
        if name_operation(request) == "create":
            read_body(self.upstream(Request("GET", "/v1beta/models", request.headers)))
        return request


def _change_statuses(others: dict[int, int]) -> GatewayBuild:
    """Replace statuses."""

    def change(_: Request, response: Response) -> Response:
        response.status = others.get(response.status, response.status)
        return response

    return change_response(change)


def _label(theirs: str, ours: str) -> GatewayBuild:
    """Replace a media type."""

    def change(_: Request, response: Response) -> Response:
        if response.headers.media_type() == theirs:
            response.headers = response.headers.having("content-type", ours)
        return response

    return change_response(change)


def _make_page(status: int, media_type: str, text: bytes) -> Response:
    return Response.whole(status, Headers((("content-type", media_type),)), text)


def _show_page(_: Request, response: Response) -> Response:
    if response.status < 400:
        return response
    read_body(response)
    return _make_page(response.status, "text/html", b"<h1>Error</h1>")


def _start_stream(request: Request, response: Response) -> Response:
    if response.status < 400 or request.headers.get("accept") != EVENT_STREAM:
        return response
    data = b"data: " + read_body(response)[0] + b"\n\n"
    return Response.whole(200, Headers([("content-type", EVENT_STREAM)]), data)


def _set_header(name: str, value: str) -> GatewayBuild:
    """Replace a header field of every request that has it; "" drops it."""

    def change(request: Request) -> Request:
        headers = request.headers
        if name in headers:
            headers = headers.having(name, value) if value else headers.without(name)
        return replace(request, headers=headers)

    return change_request(change)


def _drop_header(name: str) -> GatewayBuild:
    """Drop a header field of every response."""

    def change(_: Request, response: Response) -> Response:
        response.headers = response.headers.without(name)
        return response

    return change_response(change)


def _edit_integers(edit: Callable[[int], float]) -> Callable[[Any], Any]:
    """Change the whole numbers in a value, at any depth."""

    def change(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: change(item) for name, item in value.items()}
        if isinstance(value, list):
            return [change(item) for item in value]
        return edit(value) if type(value) is int else value

    return change


_round = _edit_integers(lambda number: int(float(number)))
"""A value as a parser reads it that has only doubles."""


def _edit_results(change: Callable[[list[Json]], list[Json]]) -> GatewayBuild:
    """Change the function results of a create."""

    def edit(body: Json) -> Json:
        given = body.get("input")
        results = isinstance(given, list) and all(step.get("type") == "function_result" for step in given)
        return {**body, "input": change(given)} if results else body  # type: ignore[arg-type]

    return change_create(edit)


def _edit_calls(change: Callable[[list[Json]], list[Json]]) -> GatewayBuild:
    """Change the function calls of JSON responses."""

    def edit(body: Json) -> Json:
        steps = body.get("steps") or []
        calls = [step for step in steps if step.get("type") == "function_call"]
        others = [step for step in steps if step.get("type") != "function_call"]
        return {**body, "steps": others + change(calls)} if len(calls) > 1 else body

    return change_answer(edit)


def _rename_read(request: Request, response: Response) -> Response:
    if request.method != "GET" or response.status >= 400:
        return response
    return change_json(response, lambda body: {**body, "id": "other"} if "id" in body else body)


def _complete_cut(_: Request, response: Response) -> Response:
    if response.headers.media_type() != "application/json" or not isinstance(response.framing, Length):
        return response
    data, _ending = read_body(response)
    return Response.whole(response.status, response.headers, data)


MUTANTS = (
    row("route.colon", "route", "Cancel is sent upstream as `:cancel`, which is not a route.",
        change_request(lambda request: replace(request, target=request.target.replace("/cancel", ":cancel")))),
    row("route.no-get", "route", "The gateway itself rejects GET.",
        answer_itself(lambda request: (
            Response.json(404, b'{"detail":"Not Found"}') if request.method == "GET" else None))),
    row("route.delete-kept", "route", "A DELETE returns a response but is not forwarded.",
        answer_itself(lambda request: Response.json(200, b"{}") if request.method == "DELETE" else None)),
    row("query.stream", "query", "A GET loses its query, so it never streams.",
        change_request(lambda request: (
            replace(request, target=request.raw_path) if request.method == "GET" else request))),
    row("query.cursor", "query", "A resume loses its cursor, so the stream starts over.",
        change_request(lambda request: replace(request, target=request.target.partition("&last_event_id")[0]))),
    row("body.tier", "body-fields", "A documented field is dropped.",
        change_create(lambda body: _without(body, "service_tier"))),
    row("body.nested", "body-fields", "A field inside `generation_config` is dropped.",
        change_create(_drop_seed)),
    row("body.clamped", "body-fields", "A number is replaced by the gateway's own.",
        change_create(_clamp)),
    row("body.model", "body-fields", "Creates run on a cheaper model than the one that the client names.",
        change_create(lambda body: {**body, "model": "gemini-3.5-flash-lite"} if "model" in body else body)),
    row("body.text-only", "body-fields", "Only the text parts of an input are forwarded.",
        change_create(_keep_text)),
    row("body.unstored", "body-fields",
        "`store` is dropped, so the upstream stores an interaction that the client asked it not to store.",
        change_create(lambda body: _without(body, "store"))),
    row("body.stored", "body-fields", "A create that equals an earlier one is not forwarded.", StoresCreates),
    row("body.agent-tools", "body-fields", "The tools of a create with an agent are dropped.",
        change_create(lambda body: _without(body, "tools") if "agent" in body else body)),
    row("body.agent-stream-tools", "body-fields", "The tools of a streaming create with an agent are dropped.",
        change_create(lambda body: _without(body, "tools") if {"agent", "stream"} <= body.keys() else body)),
    row("body.strangers", "unknown-field", "A field that the gateway does not know is dropped.",
        change_create(lambda body: {
            name: value for name, value in body.items() if not name.startswith("harness_")})),
    row("body.labels", "additions", "A label of the gateway's own is added.",
        change_create(lambda body: {**body, "labels": {"gateway": "1", **body.get("labels", {})}})),
    row("results.tools", "body-fields", "The tools of a create with function results are dropped.",
        change_create(lambda body: _without(body, "tools") if "call_id" in json.dumps(body) else body)),
    row("ends.completed", "body", "A run that is incomplete arrives as completed.",
        change_answer(lambda body: {
            name: "completed" if value == "incomplete" else value for name, value in body.items()})),
    row("ends.filled", "body", "A run without output arrives with a text of the gateway.",
        change_answer(lambda body: (
            {**body, "steps": [{"type": "model_output", "content": [{"type": "text", "text": "No answer."}]}]}
            if body.get("status") == "completed" and not body.get("steps") else body))),
    row("results.signature", "body-fields", "A function result loses its signature.",
        _edit_results(lambda results: [_without(result, "signature") for result in results])),
    row("results.error", "body-fields", "A function result no longer reports that its function failed.",
        _edit_results(lambda results: [_without(result, "is_error") for result in results])),
    row("results.media", "body-fields", "A function result keeps the first part of its result only.",
        _edit_results(lambda results: [
            {**result, "result": result["result"][:1]} if isinstance(result["result"], list) else result
            for result in results])),
    row("results.string", "body-fields", "The object of a function result is sent as a string.",
        _edit_results(lambda results: [
            {**result, "result": json.dumps(result["result"])} if isinstance(result["result"], dict) else result
            for result in results])),
    row("results.sorted", "body-fields", "Function results are sorted by their call.",
        _edit_results(lambda results: sorted(results, key=lambda result: result["call_id"]))),
    row("results.one", "body-fields", "Of several function results only the first is forwarded.",
        _edit_results(lambda results: results[:1])),
    row("results.rounded", "body-fields", "Numbers of a create pass through doubles and lose their last digits.",
        change_create(_round)),
    row("calls.one", "body", "Of parallel function calls only the first is forwarded.",
        _edit_calls(lambda calls: calls[:1])),
    row("calls.swapped", "body", "Parallel function calls arrive in another order.",
        _edit_calls(lambda calls: calls[::-1])),
    row("calls.rounded", "body", "Numbers of a response pass through doubles and lose their last digits.",
        change_answer(_round)),
    row("calls.doubles", "body", "Whole numbers of a response are written as `5.0`.",
        change_answer(_edit_integers(float))),
    row("headers.key", "request-headers", "Requests arrive upstream without a key.",
        _set_header("x-goog-api-key", "")),
    row("keys.first", "keys", "The key of the first request is sent for all clients.",
        partial(KeepsKey, first=True)),
    row("keys.before", "keys", "A request is sent with the key of the one before.",
        partial(KeepsKey, first=False)),
    row("headers.revision", "request-headers", "The revision that the client names is dropped.",
        _set_header("api-revision", "")),
    row("headers.own-revision", "request-headers", "The gateway sends the revision that it was written for.",
        _set_header("api-revision", "2026-05-07")),
    row("headers.tier", "response-headers", "The header that names the tier is dropped.",
        _drop_header(TIER_HEADER)),
    row("once.lost", "once", "A create whose response is lost is sent again.", RepeatsLost),
    row("once.refused", "once", "A create that returns 503 is sent again.", RepeatsRefused),
    row("body.stale", "body", "The first response to a GET is returned for all later ones.", RepeatsPolls),
    row("else.polls", "nothing-else", "The gateway itself polls background runs.", Polls),
    row("else.models", "nothing-else", "The gateway lists the models before each create.", ListsModels),
    row("status.not-found", "status", "404 becomes 400.", _change_statuses({404: 400})),
    row("status.busy", "status", "503 becomes 502.", _change_statuses({503: 502})),
    row("status.swallowed", "status", "An error arrives with status 200.",
        _change_statuses({400: 200, 403: 200, 500: 200})),
    row("status.as-stream", "status", "An error arrives as a stream with status 200 if the client takes streams.",
        change_response(_start_stream)),
    row("error.number", "error-body", "The code of an error is the status, as a string.",
        change_answer(lambda body: {
            "error": {**body["error"], "code": "404", "type": "None", "param": None}}, errors=True)),
    row("error.own-words", "error-body", "The message of an error is replaced by the gateway's own.",
        change_answer(lambda body: {
            "error": {**body["error"], "message": "The provider returned an error."}}, errors=True)),
    row("error.page", "error-body", "An error arrives as an HTML page.", change_response(_show_page)),
    row("error.foreign", "own-error", "The gateway returns its own errors in the shape of another API.",
        answer_itself(lambda request: (
            Response.json(400, b'{"detail":[{"msg":"Extra inputs are not permitted"}]}')
            if b'"continuation_token"' in request.body else None))),
    row("error.crash", "own-error",
        "A create with an agent makes the gateway return the page of a crash.",
        answer_itself(lambda request: (
            _make_page(500, "text/plain", b"Internal Server Error")
            if b'"agent_config"' in request.body else None))),
    row("retry.dropped", "retry-after", "Retry-After is dropped.", _drop_header("retry-after")),
    row("media-type.stream", "media-type", "A stream arrives as text/plain.",
        _label("text/event-stream", "text/plain")),
    row("media-type.json", "media-type", "JSON arrives as a stream.", _label("application/json", EVENT_STREAM)),
    row("answer.usage", "body", "Responses lose their token usage.",
        change_answer(lambda body: {name: value for name, value in body.items() if name != "usage"})),
    row("answer.created", "body", "The creation time is replaced by the gateway's own.",
        change_answer(lambda body: {**body, "created": "2001-01-01T00:00:00Z"} if "created" in body else body)),
    row("answer.better", "body", "A run in progress is returned as completed.",
        change_answer(lambda body: (
            {**body, "status": "completed"} if body.get("status") == "in_progress" else body))),
    row("answer.last-step", "body", "Only the last step of a response is forwarded.",
        change_answer(lambda body: {**body, "steps": body["steps"][-1:]} if "steps" in body else body)),
    row("answer.two-ids", "body", "The response to a GET has a different id.", change_response(_rename_read)),
    row("answer.nulls", "additions", "A field of an older revision is added to responses.",
        change_answer(lambda body: {**body, "outputs": None})),
    row("answer.cut-json", "truncated",
        "A truncated body is forwarded as complete, with its shorter length.",
        change_response(_complete_cut)),
)  # fmt: skip
