"""Mutants: error bodies, and requests that should have been refused."""

from __future__ import annotations

from typing import Any

from harness.emulator.create.validation import Admission
from harness.emulator.engine import Engine
from harness.emulator.http.routing import Route
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered, html, plain_error, sent
from harness.emulator.service import Emulator
from harness.emulator.values.call import Call, Refusal, json_response
from harness.wire import COMPLETE, Chunked, Headers, PieceBody, Request, Response

ERRORS = Area("errors")


@ERRORS.mutant("error-code-int")
class _ErrorCodeInt(Emulator):
    """The code of an error is a number, its HTTP status, instead of a word."""

    def refused(self, refusal: Refusal) -> Response:
        return altered_error(super().refused(refusal), {"code": refusal.status})


@ERRORS.mutant("error-bare-string")
class _ErrorBareString(Emulator):
    """`error` is a string instead of an object."""

    def refused(self, refusal: Refusal) -> Response:
        return Response.json(refusal.status, b'{"error":"refused"}')


@ERRORS.mutant("error-detail")
class _ErrorDetail(Emulator):
    """Errors have a web framework's shape: `{"detail": …}`."""

    def refused(self, refusal: Refusal) -> Response:
        return altered(super().refused(refusal), lambda value: {"detail": value["error"]["message"]})


@ERRORS.mutant("error-empty-body")
class _ErrorEmptyBody(Emulator):
    """Errors have no body."""

    def refused(self, refusal: Refusal) -> Response:
        return Response.whole(refusal.status, Headers(), b"")


@ERRORS.mutant("error-html")
class _ErrorHtml(Emulator):
    """Errors are HTML pages."""

    def refused(self, refusal: Refusal) -> Response:
        return html(refusal.status)


@ERRORS.mutant("error-no-message")
class _ErrorNoMessage(Emulator):
    """Errors have a code but no message."""

    def refused(self, refusal: Refusal) -> Response:
        return altered(super().refused(refusal), lambda value: {"error": {"code": value["error"]["code"]}})


@ERRORS.mutant("error-code-upper")
class _ErrorCodeUpper(Emulator):
    """Error codes are in capitals, like the status of other Google APIs."""

    def refused(self, refusal: Refusal) -> Response:
        return altered_error(super().refused(refusal), {"code": refusal.code.upper()})


@ERRORS.mutant("error-code-empty")
class _ErrorCodeEmpty(Emulator):
    """Error codes are empty."""

    def refused(self, refusal: Refusal) -> Response:
        return altered_error(super().refused(refusal), {"code": ""})


@ERRORS.mutant("error-code-mismatch")
class _ErrorCodeMismatch(Emulator):
    """Every error has the code not_found, whatever its HTTP status."""

    def refused(self, refusal: Refusal) -> Response:
        return altered_error(super().refused(refusal), {"code": "not_found"})


@ERRORS.mutant("errors-are-200")
class _ErrorsAre200(Emulator):
    """Errors have the HTTP status 200."""

    def refused(self, refusal: Refusal) -> Response:
        response = super().refused(refusal)
        response.status = 200
        return response


@ERRORS.mutant("errors-are-500")
class _ErrorsAre500(Emulator):
    """Every refusal is answered with 500."""

    def refused(self, refusal: Refusal) -> Response:
        return plain_error(500)


@ERRORS.mutant("error-stack-trace")
class _ErrorStackTrace(Emulator):
    """Error messages contain a stack trace."""

    def refused(self, refusal: Refusal) -> Response:
        trace = (
            'Traceback (most recent call last):\n  File "/srv/app/main.py", line 12, in handle\nValueError: bad'
        )
        return altered_error(super().refused(refusal), {"message": trace})


@ERRORS.mutant("malformed-json-crashes")
class _MalformedJsonCrashes(Admission):
    """A body that is not JSON is answered with 500."""

    def parse(self, data: bytes) -> Json:
        try:
            return super().parse(data)
        except Refusal as refusal:
            if "not valid JSON" in refusal.message:
                raise Refusal(500, "api_error", "Internal error.") from None
            raise


@ERRORS.mutant("malformed-json-accepted")
class _MalformedJsonAccepted(Admission):
    """A body that is not JSON is answered with 200 and an invented result."""

    def parse(self, data: bytes) -> Json:
        try:
            return super().parse(data)
        except Refusal:
            return {"model": "gemini-3.5-flash", "input": "?"}


@ERRORS.mutant("wrong-type-accepted")
class _WrongTypeAccepted(Admission):
    """Known fields may have any type."""

    def shape(self, body: Json) -> None:
        self.unknown_fields(body)
        for name in [
            name for name, value in body.items() if name in _TYPES and not isinstance(value, _TYPES[name])
        ]:
            del body[name]
        body.setdefault("input", "?")
        if "agent" not in body:
            body.setdefault("model", "gemini-3.5-flash")
        super().shape(body)


@ERRORS.mutant("wrong-type-crashes")
class _WrongTypeCrashes(Admission):
    """A known field with the wrong type is answered with 500."""

    def shape(self, body: Json) -> None:
        if any(not isinstance(body[name], kind) for name, kind in _TYPES.items() if name in body):
            raise Refusal(500, "api_error", "Internal error.")
        super().shape(body)


@ERRORS.mutant("array-body-crashes")
class _ArrayBodyCrashes(Admission):
    """A body that is an array is answered with 500."""

    def parse(self, data: bytes) -> Json:
        if data.lstrip()[:1] == b"[":
            raise Refusal(500, "api_error", "Internal error.")
        return super().parse(data)


@ERRORS.mutant("unknown-field-dropped")
class _UnknownFieldDropped(Admission):
    """Unknown fields are silently dropped."""

    def shape(self, body: Json) -> None:
        for name in set(body) - set(self.known_fields):
            del body[name]
        super().shape(body)


@ERRORS.mutant("unknown-field-crashes")
class _UnknownFieldCrashes(Admission):
    """A create with an unknown field is answered with 500."""

    def unknown_fields(self, body: Json) -> None:
        if set(body) - set(self.known_fields):
            raise Refusal(500, "api_error", "Internal error.")


@ERRORS.mutant("unknown-model-mapped")
class _UnknownModelMapped(Admission):
    """Any name that is not an agent is accepted as a model."""

    def is_model(self, name: str) -> bool:
        return not self.is_agent(name, "")


@ERRORS.mutant("unknown-model-crashes")
class _UnknownModelCrashes(Admission):
    """A create with a model that does not exist is answered with 500."""

    def author(self, body: Json, project: str) -> tuple[str | None, str | None]:
        try:
            return super().author(body, project)
        except Refusal as refusal:
            if refusal.code == "model_not_found":
                raise Refusal(500, "api_error", "Internal error.") from None
            raise


@ERRORS.mutant("bad-enum-accepted")
class _BadEnumAccepted(Admission):
    """Unknown tool types and thinking levels are ignored."""

    def shape(self, body: Json) -> None:
        config = body.get("generation_config")
        if isinstance(config, dict) and config.get("thinking_level") not in {
            None,
            "minimal",
            "low",
            "medium",
            "high",
        }:
            del config["thinking_level"]
        super().shape(body)

    def tool_types(self, body: Json) -> None:
        return None


@ERRORS.mutant("unknown-route-200")
class _UnknownRoute200(Emulator):
    """An unknown path is answered with 200 and an empty object."""

    def operate(self, engine: Engine, request: Request, where: Route) -> Response:
        try:
            return super().operate(engine, request, where)
        except Refusal as refusal:
            if refusal.message.startswith("There is no " + request.method):
                return json_response({})
            raise


@ERRORS.mutant("unknown-route-crashes")
class _UnknownRouteCrashes(Emulator):
    """An unknown path is answered with 500."""

    def unknown_path(self, request: Request, where: Route) -> Refusal:
        return Refusal(500, "api_error", "Internal error.")


@ERRORS.mutant("refused-stream-silent")
class _RefusedStreamSilent(Engine):
    """A streaming create that is refused is answered with an empty stream, without an error."""

    def refused_create(self, call: Call, refusal: Refusal) -> Response:
        if sent(call).get("stream") is True:
            return Response(200, self.streams.headers(), Chunked(), PieceBody((COMPLETE,)))
        return super().refused_create(call, refusal)


@ERRORS.mutant("refused-stream-crashes")
class _RefusedStreamCrashes(Engine):
    """A streaming create that is refused is answered with 500."""

    def refused_create(self, call: Call, refusal: Refusal) -> Response:
        if sent(call).get("stream") is True:
            return plain_error(500)
        return super().refused_create(call, refusal)


@ERRORS.mutant("retry-after-in-words")
class _RetryAfterInWords(Emulator):
    """Retry-After is neither seconds nor a date."""

    def refused(self, refusal: Refusal) -> Response:
        response = super().refused(refusal)
        if refusal.status == 429:
            response.headers = response.headers.having("retry-after", "soon")
        return response


_TYPES: dict[str, Any] = {
    "model": str,
    "agent": str,
    "input": (str, list, dict),
    "stream": bool,
    "store": bool,
    "background": bool,
    "tools": list,
    "system_instruction": str,
    "previous_interaction_id": str,
    "generation_config": dict,
}


def altered_error(response: Response, fields: Json) -> Response:
    """An error response with some fields replaced."""

    def change(value: Json) -> None:
        value["error"].update(fields)

    return altered(response, change)
