"""Gateways with defects in requests: where they go, what is in them, how often they are sent. Layer 2."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from harness.checks.gateway.mutants.mutant import (
    Gateway,
    Json,
    MutantTable,
    change_json,
    parse_body,
    read_body,
    with_body,
)
from harness.checks.gateway.operation import OperationName, operation_of
from harness.wire import At, Ending, Headers, PieceBody, Request, Response, Service

AREA = MutantTable()


class Drops(Gateway):
    """Changes the body of creates."""

    def relay_request(self, request: Request) -> Request:
        if operation_of(request) is not OperationName.CREATE:
            return request
        return with_body(request, self.change_body(parse_body(request)))

    def change_body(self, body: Json) -> Json:
        """The fields that go upstream."""
        return body


@AREA.mutant("route.colon", "route")
class CancelsByColon(Gateway):
    """Cancel is sent upstream as `:cancel`, which is not a route."""

    def relay_request(self, request: Request) -> Request:
        return replace(request, target=request.target.replace("/cancel", ":cancel"))


@AREA.mutant("route.no-get", "route")
class OffersNoGet(Gateway):
    """The gateway itself refuses GET."""

    def __call__(self, request: Request) -> Response:
        if request.method == "GET":
            return Response.json(404, b'{"detail":"Not Found"}')
        return super().__call__(request)


@AREA.mutant("route.delete-kept", "route")
class KeepsDeleted(Gateway):
    """A deletion is answered but not passed on."""

    def __call__(self, request: Request) -> Response:
        return Response.json(200, b"{}") if request.method == "DELETE" else super().__call__(request)


@AREA.mutant("query.stream", "query")
class DropsStream(Gateway):
    """A get loses its query, so it never streams."""

    def relay_request(self, request: Request) -> Request:
        return replace(request, target=request.raw_path) if request.method == "GET" else request


@AREA.mutant("query.cursor", "query")
class DropsCursor(Gateway):
    """A resume loses its cursor, so the stream starts over."""

    def relay_request(self, request: Request) -> Request:
        return replace(request, target=request.target.partition("&last_event_id")[0])


@AREA.mutant("body.tier", "body-fields")
class DropsTier(Drops):
    """A documented field is dropped."""

    def change_body(self, body: Json) -> Json:
        return {name: value for name, value in body.items() if name != "service_tier"}


@AREA.mutant("body.nested", "body-fields")
class DropsSeed(Drops):
    """A field inside `generation_config` is dropped."""

    def change_body(self, body: Json) -> Json:
        config = body.get("generation_config")
        if not isinstance(config, dict):
            return body
        return {**body, "generation_config": {k: v for k, v in config.items() if k != "seed"}}


@AREA.mutant("body.clamped", "body-fields")
class Clamps(Drops):
    """A number is replaced by the gateway's own."""

    def change_body(self, body: Json) -> Json:
        config = body.get("generation_config")
        return {**body, "generation_config": {**config, "max_output_tokens": 64}} if config else body


@AREA.mutant("body.text-only", "body-fields")
class KeepsTextOnly(Drops):
    """Only the text parts of an input are passed on."""

    def change_body(self, body: Json) -> Json:
        given = body.get("input")
        if not isinstance(given, list):
            return body
        steps = [
            {**step, "content": [part for part in step["content"] if part["type"] == "text"]} for step in given
        ]
        return {**body, "input": steps}


@AREA.mutant("body.unstored", "body-fields")
class Stores(Drops):
    """`store` is dropped, so an interaction that was not to be stored is stored."""

    def change_body(self, body: Json) -> Json:
        return {name: value for name, value in body.items() if name != "store"}


@AREA.mutant("body.swallowed", "body-fields")
class AnswersItself(Gateway):
    """A create with a continuation token is answered but not passed on."""

    def __call__(self, request: Request) -> Response:
        if "continuation_token" in parse_body(request):
            return Response.json(200, b'{"id":"v1_none","status":"completed"}')
        return super().__call__(request)


@AREA.mutant("body.strangers", "unknown-field")
class DropsStrangers(Drops):
    """A field that the gateway does not know is dropped."""

    def change_body(self, body: Json) -> Json:
        return {name: value for name, value in body.items() if not name.startswith("harness_")}


@AREA.mutant("body.labels", "additions")
class AddsLabels(Drops):
    """A label of the gateway's own is added."""

    def change_body(self, body: Json) -> Json:
        return {**body, "labels": {"gateway": "1", **body.get("labels", {})}}


@AREA.mutant("once.lost", "once")
class RepeatsLost(Gateway):
    """A create whose answer is lost is sent again."""

    def __call__(self, request: Request) -> Response:
        response = self.upstream(request)
        first = next(response.body)
        if isinstance(first, Ending) and first.at is At.BEFORE_HEADERS:
            response.body.close()
            return self.upstream(request)
        rest = response.body
        response.body = PieceBody(chain((first,), rest), rest.close)
        return response


@AREA.mutant("once.refused", "once")
class RepeatsRefused(Gateway):
    """A create that is refused with 503 is sent again."""

    def __call__(self, request: Request) -> Response:
        response = self.upstream(request)
        if response.status != 503:
            return response
        response.body.close()
        return self.upstream(request)


@AREA.mutant("body.stale", "body")
class RepeatsPolls(Gateway):
    """What a GET brought is the answer to every later GET of the same."""

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


@AREA.mutant("else.polls", "nothing-else")
class Polls(Gateway):
    """The gateway itself polls background runs."""

    def relay_response(self, request: Request, response: Response) -> Response:
        if parse_body(request).get("background") is not True:
            return super().relay_response(request, response)
        return change_json(response, lambda body: self._look(request, body))

    def _look(self, request: Request, body: Json) -> Json:
        if "id" in body:
            read_body(self.upstream(Request("GET", f"{request.raw_path}/{body['id']}", request.headers)))
        return body


@AREA.mutant("else.models", "nothing-else")
class ListsModels(Gateway):
    """The gateway lists the models before each create."""

    def relay_request(self, request: Request) -> Request:
        if operation_of(request) is OperationName.CREATE:
            read_body(self.upstream(Request("GET", "/v1beta/models", request.headers)))
        return request
