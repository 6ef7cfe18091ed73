"""Mutants: HTTP itself."""

from __future__ import annotations

import gzip
import json

from harness.emulator.engine import Engine
from harness.emulator.http.routing import Route
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered, bytes_of, is_json, with_bytes
from harness.emulator.run.stream_response import Streams
from harness.emulator.service import Emulator
from harness.emulator.values.call import Call, Refusal
from harness.wire import At, By, Chunk, Ending, Headers, How, Length, PieceBody, Request, Response

HTTP = Area("http")

_HTML = Headers((("content-type", "text/html; charset=utf-8"),))


@HTTP.mutant("json-labelled-html")
class _JsonLabelledHtml(Engine):
    """JSON responses are labelled text/html."""

    def json(self, data: bytes) -> Response:
        return Response.whole(200, _HTML, data)


@HTTP.mutant("content-type-missing")
class _ContentTypeMissing(Engine):
    """JSON responses have no Content-Type."""

    def json(self, data: bytes) -> Response:
        return Response.whole(200, Headers(), data)


@HTTP.mutant("json-cut-short")
class _JsonCutShort(Engine):
    """JSON responses lack their last byte, and Content-Length does not count it."""

    def json(self, data: bytes) -> Response:
        return super().json(data[:-1])


@HTTP.mutant("json-latin1")
class _JsonLatin1(Engine):
    """JSON responses are encoded in Latin-1 although JSON is UTF-8."""

    def json(self, data: bytes) -> Response:
        return super().json(data.decode().encode("latin-1", "replace"))


@HTTP.mutant("length-too-long")
class _LengthTooLong(Engine):
    """Content-Length announces one byte more than is sent."""

    def json(self, data: bytes) -> Response:
        size = len(data) + 1
        end = Ending(By.SERVER, How.FIN, At.IN_BODY, declared=size, sent=size - 1)
        whole = super().json(data)
        return Response(200, whole.headers, Length(size), PieceBody((Chunk(data), end)))


@HTTP.mutant("reads-redirected")
class _ReadsRedirected(Emulator):
    """Reads are redirected to another version of the API."""

    def operate(self, engine: Engine, request: Request, where: Route) -> Response:
        if request.method == "GET" and where.version == "v1beta":
            return Response.whole(307, Headers((("location", request.target.replace("/v1beta/", "/v1/")),)), b"")
        return super().operate(engine, request, where)


@HTTP.mutant("unknown-query-crashes")
class _UnknownQueryCrashes(Engine):
    """A read with an unknown query parameter is answered with 500."""

    def get(self, call: Call, interaction_id: str) -> Response:
        if set(call.query) - {"stream", "last_event_id", "include_input", "key"}:
            raise Refusal(500, "api_error", "Internal error.")
        return super().get(call, interaction_id)


@HTTP.mutant("gzip-unasked")
class _GzipUnasked(Engine):
    """Responses are compressed although the client did not ask for it."""

    def json(self, data: bytes) -> Response:
        headers = Headers((("content-type", "application/json"), ("content-encoding", "gzip")))
        return Response.whole(200, headers, gzip.compress(data, mtime=0))


@HTTP.mutant("revision-legacy")
class _RevisionLegacy(Engine):
    """A create with another Api-Revision still returns the `outputs` of the old generation of the API."""

    def create(self, call: Call) -> Response:
        response = super().create(call)
        wanted = call.request.headers.get("api-revision")
        return altered(response, _outputs) if wanted and wanted != "2026-05-20" else response


@HTTP.mutant("revision-required")
class _RevisionRequired(Engine):
    """A create with an Api-Revision other than the current one is answered with 500."""

    def create(self, call: Call) -> Response:
        if call.request.headers.get("api-revision", "2026-05-20") != "2026-05-20":
            raise Refusal(500, "api_error", "Unsupported revision.")
        return super().create(call)


@HTTP.mutant("v1-missing")
class _V1Missing(Emulator):
    """There are no routes under /v1, which the official SDK calls."""

    def operate(self, engine: Engine, request: Request, where: Route) -> Response:
        if where.version == "v1":
            raise self.unknown_path(request, where)
        return super().operate(engine, request, where)


@HTTP.mutant("v1beta-missing")
class _V1BetaMissing(Emulator):
    """There are no routes under /v1beta, which the documentation uses."""

    def operate(self, engine: Engine, request: Request, where: Route) -> Response:
        if where.version == "v1beta":
            raise self.unknown_path(request, where)
        return super().operate(engine, request, where)


@HTTP.mutant("stream-labelled-json")
class _StreamLabelledJson(Streams):
    """Streams are labelled application/json."""

    def headers(self) -> Headers:
        return Headers((("content-type", "application/json"),))


@HTTP.mutant("stream-labelled-plain")
class _StreamLabelledPlain(Streams):
    """Streams are labelled text/plain."""

    def headers(self) -> Headers:
        return Headers((("content-type", "text/plain"),))


@HTTP.mutant("json-has-bom")
class _JsonHasBom(Engine):
    """JSON responses begin with a byte order mark."""

    def json(self, data: bytes) -> Response:
        return super().json(b"\xef\xbb\xbf" + data)


@HTTP.mutant("json-twice-encoded")
class _JsonTwiceEncoded(Emulator):
    """JSON responses are encoded twice: a JSON string that contains JSON."""

    def operate(self, engine: Engine, request: Request, where: Route) -> Response:
        response = super().operate(engine, request, where)
        return (
            with_bytes(response, json.dumps(bytes_of(response).decode()).encode())
            if is_json(response)
            else response
        )


def _outputs(body: Json) -> None:
    outputs = [part for step in body.pop("steps", []) for part in step.get("content", [])]
    body["outputs"] = outputs
    body["role"] = "model"
