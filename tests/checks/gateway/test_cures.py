"""The cure of a finding fits the product that the gateway names."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from harness.checks.gateway.findings import choose_cure, load_cures
from harness.checks.gateway.judge_requests import once
from harness.kit.relay import RelayedExchange
from harness.wire import Headers, Request
from tests.benches.gateway.inprocess import Sides


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
        ("gw.live/buffered", {"server": "nginx/1.22.1"}, "nginx: `proxy_http_version 1.1;` or"),
        ("gw.live/compressed", {"x_powered_by": "Express"}, "Node, Express: `compression`"),
        ("gw.hang-up", {"server": "Python/3.11 aiohttp/3.9.1"}, "aiohttp: `handler_cancellation=True`"),
        ("gw.body/stale", {"via": "HTTP/1.1 host.example (Varnish/7.1)"}, "Varnish: `return (pass);`"),
        ("gw.idle/cut", {"server": "uvicorn"}, "depends on the product. nginx: `proxy_read_timeout`; HAProxy: "),
        ("gw.hang-up", {}, "depends on the product. HAProxy: `option abortonclose`"),
        ("gw.once/repeated", {"via": "1.1 v (Varnish/7.1)"}, "a client library: its own number of retries"),
        ("gw.body/lost", {"server": "nginx/1.22.1"}, ""),
    ],
)
def test_the_setting_is_that_of_the_product(code: str, fields: dict[str, str], expected: str) -> None:
    """A product without a setting of its own gets all that are known: its client library may have one."""
    cure = choose_cure(code, answered_with(**fields))
    assert cure.startswith(expected)
    assert bool(cure) == (code in load_cures())


def test_a_product_is_known_by_its_command_too() -> None:
    """HAProxy names itself in no header."""
    silent = replace(answered_with(), product="haproxy")
    assert choose_cure("gw.hang-up", silent).startswith("HAProxy: ")


def twice(upstream):  # type: ignore[no-untyped-def]
    """A gateway that reads the response to a create, and sends the create again."""

    def relay(request: Request):  # type: ignore[no-untyped-def]
        for _ in upstream(request).body:
            pass
        return upstream(request)

    return relay


def test_a_repeated_create_names_the_end_of_its_first_stream() -> None:
    """The first bytes of a stream say nothing of why a gateway sent the create again."""
    (found,) = once([Sides(twice).create("plain.create", stream=True)])
    assert found.actual == "2, the first of them: 200 and a stream (complete)"
