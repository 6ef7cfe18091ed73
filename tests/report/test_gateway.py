"""How a report shows a passage through a gateway."""

from __future__ import annotations

import pytest

from harness.kit.relay import RelayedExchange
from harness.report.evidence.evidence_text import relayed_lines
from harness.wire import (
    COMPLETE,
    At,
    By,
    Chunk,
    Ending,
    Exchange,
    ExchangeBuilder,
    Headers,
    How,
    Request,
    UntilClose,
)
from harness.wire.mask import Mask

SECRET = "very-secret-key-1"


JSON, EVENTS = "application/json", "text/event-stream"


def exchange(request: Request, status: int | None, body: bytes = b"", kind: str = JSON) -> Exchange:
    """A finished exchange, or one whose connection was reset if there is no status."""
    recorder = ExchangeBuilder(request)
    if status is not None:
        recorder.head(status, Headers((("content-type", kind),)), UntilClose())
        recorder.chunk(Chunk(body), 0.0)
    return recorder.finish(DROPPED if status is None else COMPLETE, 0.0)


CREATE = Request("POST", "/v1beta/interactions", Headers(), b'{"input": "hi"}')
COLON = Request("POST", "/v1beta/interactions/a:cancel")
DROPPED = Ending(by=By.SERVER, how=How.RST, at=At.BEFORE_HEADERS)
STREAM = b'data: {"event_type":"step.stop"}\n\ndata: [DONE]\n\n'


def lines(client: Exchange, *upstream: Exchange, misrouted: tuple[Exchange, ...] = ()) -> list[str]:
    """The lines that show a passage."""
    passage = RelayedExchange(name="x.y", client=client, upstream=upstream, misrouted=misrouted)
    return list(relayed_lines(passage, Mask({"KEY": SECRET})))


def test_all_four_sides_in_order() -> None:
    """Every request and response between client, gateway and upstream is shown in order, retries included."""
    lost, again = exchange(CREATE, None), exchange(CREATE, 200, STREAM, EVENTS)
    assert lines(exchange(CREATE, 200, b'{"id": "a"}'), lost, again) == [
        'client → gateway    POST /v1beta/interactions {"input": "hi"}',
        'gateway → upstream  POST /v1beta/interactions {"input": "hi"}',
        "upstream → gateway  no response, ended: the server reset the connection before the headers",
        'gateway → upstream  POST /v1beta/interactions {"input": "hi"}',
        "upstream → gateway  200 stream of 2 events, the last [DONE]",
        'gateway → client    200 {"id": "a"}',
    ]


def test_what_arrived_instead_is_shown() -> None:
    """A misdirected request is shown in place of the expected one; if none arrived, that is said."""
    assert lines(exchange(CREATE, 404), misrouted=(exchange(COLON, 404),))[1].endswith(
        "POST /v1beta/interactions/a:cancel"
    )
    assert lines(exchange(CREATE, 404))[1] == "gateway → upstream  nothing"


@pytest.mark.parametrize("body", [b'{"input": "%s"}', b"data: %s\n\n", b"%s"])
def test_secrets_and_control_characters_are_not_shown(body: bytes) -> None:
    """Neither the API key nor terminal control characters are shown, wherever they occur."""
    filled = body.replace(b"%s", SECRET.encode() + b"\x1b[2J")
    request = Request("POST", f"/v1beta/interactions?key={SECRET}", Headers(), filled)
    for kind in (JSON, EVENTS):
        text = "\n".join(lines(exchange(request, 200, filled, kind), exchange(request, 200, filled, kind)))
        assert SECRET not in text
        assert "\x1b" not in text
