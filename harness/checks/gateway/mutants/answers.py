"""Gateways with defects in whole answers: status, errors, fields. Layer 2."""

from __future__ import annotations

from harness.checks.gateway.mutants.mutant import Gateway, Json, MutantTable, change_json, read_body
from harness.wire import Headers, Length, Request, Response

AREA = MutantTable()


class Answers(Gateway):
    """Changes the JSON objects of answers: of errors if `errors` is set, else of all others."""

    errors = False

    def relay_response(self, request: Request, response: Response) -> Response:
        if (response.status >= 400) is not self.errors:
            return super().relay_response(request, response)
        return change_json(super().relay_response(request, response), self.change_body)

    def change_body(self, body: Json) -> Json:
        """The object as the client gets it."""
        return body


class Statuses(Gateway):
    """Replaces statuses according to a table."""

    other: dict[int, int] = {}

    def relay_response(self, request: Request, response: Response) -> Response:
        response.status = self.other.get(response.status, response.status)
        return super().relay_response(request, response)


@AREA.mutant("status.not-found", "status")
class NotFoundIsBad(Statuses):
    """404 becomes 400."""

    other = {404: 400}


@AREA.mutant("status.busy", "status")
class BusyIsBadGateway(Statuses):
    """503 becomes 502."""

    other = {503: 502}


@AREA.mutant("status.swallowed", "status")
class ErrorsSucceed(Statuses):
    """An error arrives with status 200."""

    other = {400: 200, 403: 200, 500: 200}


@AREA.mutant("error.number", "error-body")
class NumbersForCodes(Answers):
    """The code of an error is the status, as a string."""

    errors = True

    def change_body(self, body: Json) -> Json:
        return {"error": {**body["error"], "code": "404", "type": "None", "param": None}}


@AREA.mutant("error.own-words", "error-body")
class OwnWords(Answers):
    """The message of an error is replaced by the gateway's own."""

    errors = True

    def change_body(self, body: Json) -> Json:
        return {"error": {**body["error"], "message": "The provider returned an error."}}


@AREA.mutant("error.page", "error-body")
class ErrorPage(Gateway):
    """An error arrives as an HTML page."""

    def relay_response(self, request: Request, response: Response) -> Response:
        if response.status < 400:
            return super().relay_response(request, response)
        read_body(response)
        return Response.whole(response.status, Headers((("content-type", "text/html"),)), b"<h1>Error</h1>")


@AREA.mutant("error.foreign", "own-error")
class AnswersInAnotherShape(Gateway):
    """What the gateway itself refuses is told in the shape of another API."""

    def __call__(self, request: Request) -> Response:
        if b'"continuation_token"' in request.body:
            return Response.json(400, b'{"detail":[{"msg":"Extra inputs are not permitted"}]}')
        return super().__call__(request)


@AREA.mutant("error.crash", "own-error")
class CrashesOnAgents(Gateway):
    """A create with an agent makes the gateway answer with the page of a crash."""

    def __call__(self, request: Request) -> Response:
        if b'"agent_config"' in request.body:
            return Response.whole(500, Headers((("content-type", "text/plain"),)), b"Internal Server Error")
        return super().__call__(request)


@AREA.mutant("retry.dropped", "retry-after")
class DropsRetryAfter(Gateway):
    """Retry-After is dropped."""

    def relay_response(self, request: Request, response: Response) -> Response:
        response.headers = response.headers.without("retry-after")
        return super().relay_response(request, response)


@AREA.mutant("media-type.stream", "media-type")
class CallsStreamsText(Gateway):
    """A stream arrives as text/plain."""

    theirs, ours = "text/event-stream", "text/plain"

    def relay_response(self, request: Request, response: Response) -> Response:
        if response.headers.media_type() == self.theirs:
            response.headers = response.headers.having("content-type", self.ours)
        return super().relay_response(request, response)


@AREA.mutant("media-type.json", "media-type")
class CallsJsonText(CallsStreamsText):
    """JSON arrives as text/html."""

    theirs, ours = "application/json", "text/html"


@AREA.mutant("answer.usage", "body")
class LosesUsage(Answers):
    """Answers lose their token usage."""

    def change_body(self, body: Json) -> Json:
        return {name: value for name, value in body.items() if name != "usage"}


@AREA.mutant("answer.created", "body")
class RewritesCreated(Answers):
    """The creation time is replaced by the gateway's own."""

    def change_body(self, body: Json) -> Json:
        return {**body, "created": "2001-01-01T00:00:00Z"} if "created" in body else body


@AREA.mutant("answer.better", "body")
class ClaimsCompletion(Answers):
    """A run that is in progress is told as one that completed."""

    def change_body(self, body: Json) -> Json:
        return {**body, "status": "completed"} if body.get("status") == "in_progress" else body


@AREA.mutant("answer.last-step", "body")
class KeepsLastStep(Answers):
    """Only the last step of an answer is passed on."""

    def change_body(self, body: Json) -> Json:
        return {**body, "steps": body["steps"][-1:]} if "steps" in body else body


@AREA.mutant("answer.two-ids", "body")
class RenamesInSome(Gateway):
    """The answer to a get has a different id."""

    def relay_response(self, request: Request, response: Response) -> Response:
        response = super().relay_response(request, response)
        if request.method != "GET" or response.status >= 400:
            return response
        return change_json(response, lambda body: {**body, "id": "other"} if "id" in body else body)


@AREA.mutant("answer.nulls", "additions")
class AddsNulls(Answers):
    """A field of an older revision is added to answers."""

    def change_body(self, body: Json) -> Json:
        return {**body, "outputs": None}


@AREA.mutant("answer.cut-json", "truncated")
class CompletesCutJson(Gateway):
    """A body that breaks off is passed on as complete, with the length that it has."""

    def relay_response(self, request: Request, response: Response) -> Response:
        response = super().relay_response(request, response)
        if response.headers.media_type() != "application/json" or not isinstance(response.framing, Length):
            return response
        data, _ = read_body(response)
        return Response.whole(response.status, response.headers, data)
