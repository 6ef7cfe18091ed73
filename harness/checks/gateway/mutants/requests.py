"""Gateways with defects in requests: where they go, what is in them, how often they are sent. Layer 2."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from harness.checks.gateway.client import OperationName, operation_of
from harness.checks.gateway.mutants.mutant import (
    Gateway,
    Json,
    answer_itself,
    change_create,
    change_json,
    change_request,
    parse_body,
    read_body,
    row,
)
from harness.wire import At, Ending, Headers, PieceBody, Request, Response, Service


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
        if operation_of(request) is OperationName.CREATE:
            read_body(self.upstream(Request("GET", "/v1beta/models", request.headers)))
        return request


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
    row("body.text-only", "body-fields", "Only the text parts of an input are forwarded.",
        change_create(_keep_text)),
    row("body.unstored", "body-fields",
        "`store` is dropped, so the upstream stores an interaction that the client asked it not to store.",
        change_create(lambda body: _without(body, "store"))),
    row("body.swallowed", "body-fields", "A create with a continuation token is not forwarded.",
        answer_itself(lambda request: (
            Response.json(200, b'{"id":"v1_none","status":"completed"}')
            if "continuation_token" in parse_body(request) else None))),
    row("body.strangers", "unknown-field", "A field that the gateway does not know is dropped.",
        change_create(lambda body: {
            name: value for name, value in body.items() if not name.startswith("harness_")})),
    row("body.labels", "additions", "A label of the gateway's own is added.",
        change_create(lambda body: {**body, "labels": {"gateway": "1", **body.get("labels", {})}})),
    row("once.lost", "once", "A create whose response is lost is sent again.", RepeatsLost),
    row("once.refused", "once", "A create that returns 503 is sent again.", RepeatsRefused),
    row("body.stale", "body", "The first response to a GET is returned for all later ones.", RepeatsPolls),
    row("else.polls", "nothing-else", "The gateway itself polls background runs.", Polls),
    row("else.models", "nothing-else", "The gateway lists the models before each create.", ListsModels),
)  # fmt: skip
