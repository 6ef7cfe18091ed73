"""The cure of a finding fits the product that the gateway names."""

from __future__ import annotations

import pytest

from harness.checks.gateway.findings import CURES, choose_cure
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
        ("gw.live/buffered", {"server": "nginx/1.22.1"}, "nginx 1.22.1: `proxy_buffering off;`"),
        ("gw.live/buffered", {"via": "1.1 Caddy"}, "Caddy: `flush_interval -1`"),
        ("gw.live/buffered", {"server": "uvicorn"}, "none known for uvicorn"),
        ("gw.idle/cut", {"server": "uvicorn"}, "uvicorn: its read timeout"),
        ("gw.once/repeated", {"x_powered_by": "Express"}, "Express: its own number of retries"),
        ("gw.truncated/clean-end-close", {"server": "nginx"}, "none known for nginx"),
        ("gw.idle/cut", {"via": "1.1 varnish (Varnish/7.1)"}, "none known for varnish"),
        ("gw.hang-up", {}, "HAProxy: `option abortonclose` in its backend; nginx:"),
        ("gw.body/lost", {"server": "nginx/1.22.1"}, ""),
    ],
)
def test_the_setting_is_that_of_the_product(code: str, fields: dict[str, str], expected: str) -> None:
    cure = choose_cure(code, answered_with(**fields))
    assert cure.startswith(expected)
    assert bool(cure) == (code in CURES)
    if fields and code in CURES:
        assert "; " not in cure or "nginx 1.22.1" in cure
