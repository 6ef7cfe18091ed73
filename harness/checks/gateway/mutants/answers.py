"""Gateways with defects in whole answers: status, errors, fields. Layer 2."""

from __future__ import annotations

from harness.checks.gateway.mutants.mutant import (
    GatewayBuild,
    answer_itself,
    change_answer,
    change_json,
    change_response,
    read_body,
    row,
)
from harness.wire import Headers, Length, Request, Response


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


def _drop_retry_after(_: Request, response: Response) -> Response:
    response.headers = response.headers.without("retry-after")
    return response


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
    row("status.not-found", "status", "404 becomes 400.", _change_statuses({404: 400})),
    row("status.busy", "status", "503 becomes 502.", _change_statuses({503: 502})),
    row("status.swallowed", "status", "An error arrives with status 200.",
        _change_statuses({400: 200, 403: 200, 500: 200})),
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
    row("retry.dropped", "retry-after", "Retry-After is dropped.", change_response(_drop_retry_after)),
    row("media-type.stream", "media-type", "A stream arrives as text/plain.",
        _label("text/event-stream", "text/plain")),
    row("media-type.json", "media-type", "JSON arrives as text/html.", _label("application/json", "text/html")),
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
