"""The cure of a finding fits the product that the gateway names."""

from __future__ import annotations

import pytest

from harness.checks.gateway.findings import CURES, choose_cure, product_of_command
from harness.checks.gateway.judge_requests import once
from harness.checks.gateway.judge_streams import additions
from harness.kit.relay import RelayedExchange
from harness.wire import Chunk, Headers, Request, Response
from tests.benches.gateway.inprocess import Sides
from tests.growth import TIMES, assert_linear


def answered_with(**fields: str) -> RelayedExchange:
    """A create whose response shows these header fields to the client."""

    def gateway(upstream):  # type: ignore[no-untyped-def]
        def relay(request: Request):  # type: ignore[no-untyped-def]
            response = upstream(request)
            more = tuple((name.replace("_", "-"), value) for name, value in fields.items())
            response.headers = Headers((*response.headers.items(), *more))
            return response

        return relay

    return Sides(gateway).create("plain.create")


@pytest.mark.parametrize(
    ("code", "fields", "expected"),
    [
        ("gw.live/buffered", {"server": "nginx/1.22.1"}, "nginx 1.22.1: `proxy_http_version 1.1;` or"),
        ("gw.hang-up", {"via": "1.1 Caddy"}, "Caddy: `flush_interval -1` left out"),
        ("gw.truncated/clean-end-chunked", {"server": "Caddy"}, "Caddy: an update"),
        ("gw.live/buffered", {"server": "lighttpd/1.4.69"}, "lighttpd 1.4.69: `server.stream-response-body = 1`"),
        ("gw.idle/cut", {"server": "lighttpd/1.4.69"}, "none for lighttpd 1.4.69"),
        ("gw.live/buffered", {"server": "uvicorn"}, "none for uvicorn"),
        ("gw.idle/cut", {"server": "uvicorn"}, "uvicorn: its read timeout"),
        ("gw.once/repeated", {"x_powered_by": "Express"}, "Express: its own number of retries"),
        ("gw.truncated/clean-end-close", {"server": "nginx"}, "none for nginx"),
        ("gw.truncated/clean-end-close", {"server": "Python/3.11 aiohttp/3.9.1"}, "none for aiohttp 3.9.1"),
        ("gw.hang-up", {"server": "Python/3.11 aiohttp/3.9.1"}, "aiohttp 3.9.1: `handler_cancellation=True`"),
        ("gw.idle/cut", {"server": "Python/3.11 aiohttp/3.9.1"}, "aiohttp 3.9.1: its read timeout"),
        ("gw.hang-up", {"server": "BaseHTTP/0.6 Python/3.11.7"}, "none for BaseHTTP 0.6"),
        ("gw.hang-up", {"server": "Python/3.11.7"}, "depends on the product, which the gateway does not name."),
        ("gw.idle/cut", {"via": "1.1 varnish (Varnish/7.1)"}, "none for Varnish 7.1"),
        ("gw.body/stale", {"via": "HTTP/1.1 host.example (Varnish/7.1)"}, "Varnish 7.1: `return (pass);`"),
        (
            "gw.hang-up",
            {},
            "depends on the product, which the gateway does not name. HAProxy: `option abortonclose`",
        ),
        ("gw.body/lost", {"server": "nginx/1.22.1"}, ""),
    ],
)
def test_the_setting_is_that_of_the_product(code: str, fields: dict[str, str], expected: str) -> None:
    cure = choose_cure(code, answered_with(**fields))
    assert cure.startswith(expected)
    assert bool(cure) == (code in CURES)
    if fields and code in CURES and "does not name" not in cure:
        others = {name for name in CURES[code] if f"{name}: " in cure}
        assert len(others) <= 1


def test_a_product_that_was_named_once_is_remembered() -> None:
    """An exchange in which the gateway returned nothing has the cure of the product that an earlier one named."""
    sides = Sides(named_by_its_first_response)
    sides.create("first")
    assert choose_cure("gw.hang-up", sides.create("second")).startswith("Caddy: ")


def named_by_its_first_response(upstream):  # type: ignore[no-untyped-def]
    """A gateway that names itself once."""
    names = [(("server", "Caddy"),), ()]

    def relay(request: Request):  # type: ignore[no-untyped-def]
        response = upstream(request)
        response.headers = Headers((*response.headers.items(), *names.pop(0)))
        return response

    return relay


def twice(upstream):  # type: ignore[no-untyped-def]
    """A gateway that reads the response to a create, and sends the create again."""

    def relay(request: Request):  # type: ignore[no-untyped-def]
        for _ in upstream(request).body:
            pass
        return upstream(request)

    return relay


def adding(count: int):  # type: ignore[no-untyped-def]
    """A gateway that adds so many members to each response."""
    members = "".join(f'"k{number}":1,' for number in range(count)).encode()

    def wrap(upstream):  # type: ignore[no-untyped-def]
        def relay(request: Request):  # type: ignore[no-untyped-def]
            response = upstream(request)
            body = b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
            return Response.json(response.status, body.replace(b"{", b"{" + members, 1))

        return relay

    return wrap


def test_many_additions_are_found_in_bounded_time_and_some_are_named() -> None:
    """A gateway chooses how many members it adds."""
    few, many = (Sides(adding(count)).create("plain.create") for count in (1_000, 1_000 * TIMES))
    assert_linear(lambda: list(additions([few])), lambda: list(additions([many])))
    (found,) = additions([many])
    assert found.message.endswith(f" and {1_000 * TIMES - 20} more")


def test_a_repeated_create_names_the_end_of_its_first_stream() -> None:
    """The first bytes of a stream say nothing of why a gateway sent the create again."""
    (found,) = once([Sides(twice).create("plain.create", stream=True)])
    assert found.actual == "2, the first of them: 200 and a stream (complete)"


@pytest.mark.parametrize(
    ("program", "product"),
    [("/usr/sbin/haproxy", "haproxy"), ("nginx", "nginx"), ("sh", ""), ("docker", ""), ("./my-gateway", "")],
)
def test_a_command_names_its_product(program: str, product: str) -> None:
    """HAProxy names itself in no header, but a run that starts it has its command."""
    assert product_of_command(program) == product
