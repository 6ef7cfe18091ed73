"""Mutants: many requests at once, and input that no client should send."""

from __future__ import annotations

from dataclasses import replace

from harness.emulator.create.validation import Admission
from harness.emulator.engine import Engine
from harness.emulator.http.routing import Route
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, plain_error
from harness.emulator.run.run import Run
from harness.emulator.service import Emulator
from harness.emulator.values.call import Call, Refusal, json_response
from harness.emulator.values.create_request import Order
from harness.emulator.values.ids import Ids
from harness.emulator.values.suggestions import snake
from harness.wire import Request, Response

ROBUSTNESS = Area("robustness")


@ROBUSTNESS.mutant("inputs-mixed-up")
class _InputsMixedUp(Engine):
    """Creates are stored with the input of the create before them."""

    _before: Order | None = None

    def open(self, order: Order) -> tuple[Run, Order]:
        run, order = super().open(order)
        if self._before is not None and isinstance(order.body.get("input"), str):
            run.given = self._before.given
        self._before = order
        return run, order


@ROBUSTNESS.mutant("ids-collide")
class _IdsCollide(Ids):
    """Ids collide: there are only eight of them."""

    def number(self) -> int:
        return super().number() & 0x7


@ROBUSTNESS.mutant("deep-json-crashes")
class _DeepJsonCrashes(Admission):
    """A very deeply nested body is answered with 500."""

    def parse(self, data: bytes) -> Json:
        try:
            return super().parse(data)
        except Refusal as refusal:
            if "too deeply" in refusal.message:
                raise Refusal(500, "api_error", "maximum recursion depth exceeded") from None
            raise


@ROBUSTNESS.mutant("deep-json-kills")
class _DeepJsonKills(Engine):
    """After a very deeply nested body, every call is answered with 503."""

    _dead = False

    def handle(self, call: Call) -> Response | None:
        self._dead = self._dead or call.request.body.count(b"[") + call.request.body.count(b"{") > 5_000
        if self._dead:
            raise Refusal(503, "service_unavailable", "Down.")
        return super().handle(call)


@ROBUSTNESS.mutant("empty-body-crashes")
class _EmptyBodyCrashes(Engine):
    """A create without a body is answered with 500."""

    def create(self, call: Call) -> Response:
        return super().create(call) if call.request.body else plain_error(500)


@ROBUSTNESS.mutant("bad-utf8-crashes")
class _BadUtf8Crashes(Engine):
    """A create that is not UTF-8 is answered with 500."""

    def create(self, call: Call) -> Response:
        try:
            call.request.body.decode()
        except UnicodeDecodeError:
            return plain_error(500)
        return super().create(call)


@ROBUSTNESS.mutant("bad-utf8-accepted")
class _BadUtf8Accepted(Engine):
    """Bytes that are not UTF-8 are replaced, and the create goes on."""

    def create(self, call: Call) -> Response:
        clean = call.request.body.decode("utf-8", "replace").encode()
        request = Request(call.request.method, call.request.target, call.request.headers, clean)
        return super().create(replace(call, request=request))


@ROBUSTNESS.mutant("content-type-crashes")
class _ContentTypeCrashes(Engine):
    """A create labelled text/plain is answered with 500."""

    def create(self, call: Call) -> Response:
        if call.request.headers.media_type() not in {"application/json", ""}:
            return plain_error(500)
        return super().create(call)


@ROBUSTNESS.mutant("put-crashes")
class _PutCrashes(Engine):
    """An unsupported method is answered with 500."""

    def wrong_method(self, call: Call, allowed: tuple[str, ...]) -> Response:
        return plain_error(500)


@ROBUSTNESS.mutant("put-creates")
class _PutCreates(Engine):
    """PUT creates an interaction, as POST does."""

    def wrong_method(self, call: Call, allowed: tuple[str, ...]) -> Response:
        return self.create(call) if call.request.body else json_response({})


@ROBUSTNESS.mutant("odd-id-crashes")
class _OddIdCrashes(Emulator):
    """An id with unusual characters is answered with 500."""

    def operate(self, engine: Engine, request: Request, where: Route) -> Response:
        if any(set(segment) & set("/?\x00") or segment in {".", ".."} for segment in where.segments):
            return plain_error(500)
        return super().operate(engine, request, where)


@ROBUSTNESS.mutant("encoded-path-resolved")
class _EncodedPathResolved(Emulator):
    """An encoded slash in an id is resolved to another path, and the read is answered with 200."""

    def operate(self, engine: Engine, request: Request, where: Route) -> Response:
        if any("/" in segment for segment in where.segments) and request.method == "GET":
            return json_response({"agents": []})
        return super().operate(engine, request, where)


@ROBUSTNESS.mutant("long-id-crashes")
class _LongIdCrashes(Emulator):
    """An id of more than a thousand characters is answered with 500."""

    def operate(self, engine: Engine, request: Request, where: Route) -> Response:
        if any(len(segment) > 1_000 for segment in where.segments):
            return plain_error(500)
        return super().operate(engine, request, where)


@ROBUSTNESS.mutant("camel-case-accepted")
class _CamelCaseAccepted(Admission):
    """Field names in camelCase are accepted."""

    def shape(self, body: Json) -> None:
        for name in [name for name in body if name not in self.known_fields and snake(name) in self.known_fields]:
            body[snake(name)] = body.pop(name)
        super().shape(body)


@ROBUSTNESS.mutant("camel-case-crashes")
class _CamelCaseCrashes(Admission):
    """A create with a field name in camelCase is answered with 500."""

    def shape(self, body: Json) -> None:
        if any(snake(name) != name for name in body):
            raise Refusal(500, "api_error", "Internal error.")
        super().shape(body)
