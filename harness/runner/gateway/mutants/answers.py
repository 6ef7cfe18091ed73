"""Gateways that do wrong with whole answers: status, errors, fields. Layer 4."""

from __future__ import annotations

from harness.runner.gateway.mutants.mutant import Area, Gateway, Json, altered, taken
from harness.wire import Headers, Length, Request, Response

AREA = Area()


class Answers(Gateway):
    """Changes JSON objects; `errors` says which kind of them."""

    errors = False

    def answered(self, request: Request, response: Response) -> Response:
        if (response.status >= 400) is not self.errors:
            return super().answered(request, response)
        return altered(super().answered(request, response), self.changed)

    def changed(self, body: Json) -> Json:
        """The object as the client gets it."""
        return body


class Statuses(Gateway):
    """Changes statuses by a table."""

    other: dict[int, int] = {}

    def answered(self, request: Request, response: Response) -> Response:
        response.status = self.other.get(response.status, response.status)
        return super().answered(request, response)


@AREA.mutant("status.not-found", "status")
class NotFoundIsBad(Statuses):
    """404 becomes 400."""

    other = {404: 400}


@AREA.mutant("status.busy", "status", mild=True)
class BusyIsBadGateway(Statuses):
    """503 becomes 502."""

    other = {503: 502}


@AREA.mutant("status.swallowed", "status")
class ErrorsSucceed(Statuses):
    """An error comes with status 200."""

    other = {400: 200, 403: 200, 500: 200}


@AREA.mutant("error.number", "error-body")
class NumbersForCodes(Answers):
    """The code of an error is the status, as a string."""

    errors = True

    def changed(self, body: Json) -> Json:
        return {"error": {**body["error"], "code": "404", "type": "None", "param": None}}


@AREA.mutant("error.own-words", "error-body")
class OwnWords(Answers):
    """An error has the gateway's own message."""

    errors = True

    def changed(self, body: Json) -> Json:
        return {"error": {**body["error"], "message": "The provider returned an error."}}


@AREA.mutant("error.page", "error-body")
class ErrorPage(Gateway):
    """An error is a page of HTML."""

    def answered(self, request: Request, response: Response) -> Response:
        if response.status < 400:
            return super().answered(request, response)
        taken(response)
        return Response.whole(response.status, Headers((("content-type", "text/html"),)), b"<h1>Error</h1>")


@AREA.mutant("retry.dropped", "retry-after")
class DropsRetryAfter(Gateway):
    """Retry-After does not pass."""

    def answered(self, request: Request, response: Response) -> Response:
        response.headers = response.headers.without("retry-after")
        return super().answered(request, response)


@AREA.mutant("answer.usage", "body")
class LosesUsage(Answers):
    """The use of tokens is left out of answers."""

    def changed(self, body: Json) -> Json:
        return {name: value for name, value in body.items() if name != "usage"}


@AREA.mutant("answer.created", "body")
class RewritesCreated(Answers):
    """The time of creation is the gateway's."""

    def changed(self, body: Json) -> Json:
        return {**body, "created": "2001-01-01T00:00:00Z"} if "created" in body else body


@AREA.mutant("answer.last-step", "body")
class KeepsLastStep(Answers):
    """Of the steps only the last one is passed on."""

    def changed(self, body: Json) -> Json:
        return {**body, "steps": body["steps"][-1:]} if "steps" in body else body


@AREA.mutant("answer.two-ids", "body")
class RenamesInSome(Gateway):
    """The id is another one in the answer to a get."""

    def answered(self, request: Request, response: Response) -> Response:
        response = super().answered(request, response)
        if request.method != "GET" or response.status >= 400:
            return response
        return altered(response, lambda body: {**body, "id": "other"} if "id" in body else body)


@AREA.mutant("answer.nulls", "additions")
class AddsNulls(Answers):
    """Fields of an older form are added."""

    def changed(self, body: Json) -> Json:
        return {**body, "outputs": None}


@AREA.mutant("answer.cut-json", "truncated")
class CompletesCutJson(Gateway):
    """A body that breaks off gets the length that it has."""

    def answered(self, request: Request, response: Response) -> Response:
        response = super().answered(request, response)
        if response.headers.media_type() != "application/json" or not isinstance(response.framing, Length):
            return response
        data, _ = taken(response)
        return Response.whole(response.status, response.headers, data)
