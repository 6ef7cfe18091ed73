"""What is known to cure a finding about a gateway: settings of widespread proxies, by the code of the finding.

Layer 2, data. Each line was tried with the proxy it names or is in its documentation; most findings have none.
"""

from __future__ import annotations

_LONGER_WAIT = (
    "a longer read time-out; nginx: `proxy_read_timeout`; HAProxy: `timeout server`; Apache: `ProxyTimeout`; "
    "Envoy: `timeout` and `idle_timeout` of the route; a client library inside the gateway: its own, such as "
    "`Timeout(…, read=None)` of httpx, `sock_read` and `total` of aiohttp"
)
_NODE_TELLS_THE_REQUEST = (
    "a gateway on Node: a body that only the end of its connection delimits ends with `end` and `complete`, even "
    "after a reset; only the `error` event of the request to the upstream reports it, so destroy the "
    "socket of the client there"
)
CURES: dict[str, str] = {
    "gw.truncated/clean-end-close": _NODE_TELLS_THE_REQUEST,
    "gw.truncated/clean-json-close": _NODE_TELLS_THE_REQUEST,
    "gw.idle/cut": _LONGER_WAIT,
    "gw.idle/clean-end": _LONGER_WAIT,
    "gw.idle/no-stream": _LONGER_WAIT,
    "gw.live/buffered": (
        "nginx: `proxy_buffering off;` (or an answer with `X-Accel-Buffering: no`), and no `gzip` for "
        "text/event-stream; Apache: `flushpackets=on` on its ProxyPass; Caddy: `flush_interval -1`"
    ),
    "gw.live/compressed": (
        "no compression of text/event-stream, or a flush after each event; nginx: no `text/event-stream` in "
        "`gzip_types`; `compression` of Express: a `filter` that leaves it out"
    ),
    "gw.live/behind": (
        "nginx: `proxy_buffering off;` (or an answer with `X-Accel-Buffering: no`), and no `gzip` for "
        "text/event-stream; Apache: `flushpackets=on` on its ProxyPass; Caddy: `flush_interval -1`"
    ),
    "gw.hang-up": (
        "HAProxy: `option abortonclose` in its backend; nginx: `proxy_ignore_client_abort off;` (its default) and "
        "`proxy_buffering off;`"
    ),
    "gw.once/repeated": (
        "nginx: leave `non_idempotent` out of `proxy_next_upstream`; HAProxy: `retry-on none` or `retries 0`; a "
        "client library inside the gateway: its own number of retries, often `max_retries` or `num_retries`"
    ),
}
"""Sentences for people; `harness explain` shows those of a rule."""


def cures_of(rule: str) -> list[str]:
    """What cures the findings of a rule, each once."""
    return list(dict.fromkeys(cure for code, cure in CURES.items() if code.partition("/")[0] == rule))
