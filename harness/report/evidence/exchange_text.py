"""An exchange as lines for a person: request, answer, ending; cut to a useful size, secrets hidden.

Layer 6.
"""

from __future__ import annotations

import re

from harness.outcome.words import shorten
from harness.report.evidence.display import Display
from harness.wire import Exchange, Headers, Request
from harness.wire.control_characters import escape_controls
from harness.wire.mask import Mask

SHOWN = 1_600
"""Most characters of a body that a report shows uncut."""

MASKED = 1 << 18
"""Most bytes of a body without events that are searched for secrets. To search all of a huge one takes minutes; no
secret is cut at the end of what is shown, which is far shorter."""

_STREAM = re.compile(rb"\s*(?:\xef\xbb\xbf)?(?:event|data|id|retry)?:")
_NOISE = frozenset({"date", "server", "content-length", "transfer-encoding", "connection", "user-agent", "host"})


def exchange_lines(exchange: Exchange, display: Display, *, shown: int = SHOWN) -> list[str]:
    """`>` lines show what was sent, `<` lines what came; a last line says how an incomplete answer ended."""
    request, mask = exchange.request, display.mask
    lines = [f"> {request.method} {mask.text(request.target)}"]
    lines += [f"> {line}" for line in _list_headers(request.headers, mask)]
    lines += [f"> {line}" for line in body_lines(request.body, request, display, shown)]
    if exchange.status is None:
        lines.append("< no answer")
    else:
        lines.append(f"< {exchange.status}")
        lines += [f"< {line}" for line in _list_headers(exchange.headers, mask)]
        lines += [f"< {line}" for line in body_lines(exchange.body, request, display, shown)]
    if not exchange.ending.complete:
        lines.append(f"< [{ending_line(exchange, mask)}]")
    return lines


def ending_line(exchange: Exchange, mask: Mask) -> str:
    """How the answer ended, in one line: who, how, where."""
    ending = exchange.ending
    counted = f", {ending.sent} of {ending.declared} bytes" if ending.declared is not None else ""
    detail = f": {mask.text(ending.detail)}" if ending.detail else ""
    return escape_controls(f"ended by {ending.by}: {ending.words}{counted}{detail}")


def body_lines(body: bytes, request: Request, display: Display, shown: int = SHOWN) -> list[str]:
    """A body as masked lines; only the beginning and the end of a long one, because a stream often fails last.

    Of a huge one that is no stream only the beginning, unless more is wanted. `request` is the request of its
    exchange.
    """
    if len(body) > MASKED > shown and not _STREAM.match(body):
        text = escape_controls(body_text(body[:MASKED], request, display))[:shown]
        text = f"{text}\n[… the beginning of {len(body):,} bytes …]"
    else:
        text = _cut_out_middle(escape_controls(body_text(body, request, display)), shown)
    return text.rstrip("\n").splitlines() if text else []


def _cut_out_middle(text: str, shown: int) -> str:
    if len(text) > shown:
        head, tail = shown * 2 // 3, shown // 3
        cut = len(text) - head - tail
        text = f"{text[:head]}\n[… {cut} characters …]\n{text[-tail:]}"
    return text


def begin_body(body: bytes, mask: Mask, most: int, request: Request | None = None) -> str:
    """The beginning of a body in one line of at most so many characters, masked; `request` as in `body_lines`."""
    line = " ".join(mask.show(body[:MASKED].decode("utf-8", "replace"), request).split())
    return f"{line[: most - 1]}…" if len(body) > MASKED else shorten(line, most)


def body_text(body: bytes, request: Request, display: Display) -> str:
    """A body as text without its secrets, even those that are spread over several events of a stream."""
    if _STREAM.match(body):
        from harness.report.evidence.split_secrets import without_spread_secrets

        body = without_spread_secrets(body, display.mask, display.api.load_protocol())
    return display.mask.text(body.decode("utf-8", "replace"), request)


def _list_headers(headers: Headers, mask: Mask) -> list[str]:
    return [
        escape_controls(f"{mask.text(name)}: {mask.header(name, value)}")
        for name, value in headers
        if name.lower() not in _NOISE
    ]
