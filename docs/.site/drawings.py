"""Draws the effect of each fault plan: the same requests of a client to the emulator, with that plan.

Nothing is drawn by hand: a row shows the bytes that came over the wire.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.faults import cut
from harness.transport import Limits, ServiceDriver
from harness.wire import Decoder, Exchange, Headers, How, LogicalClock, Request

KEY = Headers((("x-goog-api-key", "any"), ("content-type", "application/json")))
ACCEPTS = Headers((*KEY, ("accept-encoding", "gzip, deflate")))
RESUMES = 2
CELL, GAP, HEIGHT, WIDTH = 17, 3, 22, 400
"""In units of the drawing, which fits a phone: a label is above its cells, and the cells wrap."""
A_LINE = (WIDTH - 100) // (CELL + GAP)
_COLOURS = {"whole": "#2e7d5b", "part": "#c98a1b", "odd": "#5c6bc0"}
_ENDS = {
    How.FIN: "closed",
    How.RST: "reset",
    How.STALL: "silent",
    How.TIMEOUT: "silent",
    How.REFUSED: "connection refused",
}


_INTRODUCTION = """\
Each drawing is a run: a client creates a background interaction as a stream, polls once, and resumes up to twice
after the last event with an id, until it receives the final event. A filled cell is a complete event, a narrow
one a part of an event, a dotted one a comment or an event that the service never sent. [Fault plans](faults.md)
has the grammar."""


def drawings_page(plans: Path) -> str:
    """The page with a drawing for each plan of the block `plan` in a page."""
    block = re.search(r"```plan\n(.*?)```", plans.read_text("utf-8"), re.DOTALL)
    assert block is not None
    lines = [
        "# Every fault, drawn",
        "",
        _INTRODUCTION,
        "",
    ]
    for line in block[1].splitlines():
        plan, _, meaning = line.partition("  ")
        lines += [f"## {plan}", "", f"{meaning.strip().capitalize()}.", "", draw(plan), ""]
    return "\n".join(lines)


def draw(plan: str) -> str:
    """A plan as an SVG, with the same content as text for a screen reader."""
    parts, words, y = [], [], 0
    for label, exchange in play(plan):
        y += HEIGHT
        parts.append(f'<text x="0" y="{y - 5}" font-size="12" fill="currentColor">{escape(label)}</text>')
        cells, end = list(cells_of(exchange)), format_end(exchange)
        for place, (kind, name) in enumerate(cells):
            x = place % A_LINE * (CELL + GAP) + 1
            y += HEIGHT if place % A_LINE == 0 else 0
            width = CELL if kind != "part" else CELL // 2
            dots = ' stroke-dasharray="2 2" fill="none"' if kind == "odd" else f' fill="{_COLOURS[kind]}"'
            parts.append(
                f'<rect x="{x}" y="{y - 18}" width="{width}" height="17" rx="2" stroke="{_COLOURS[kind]}"{dots}>'
                f"<title>{escape(name)}</title></rect>"
            )
        x = ((len(cells) - 1) % A_LINE + 1) * (CELL + GAP) + 4 if cells else 132
        parts.append(f'<text x="{x}" y="{y - 5}" font-size="12" fill="currentColor">{escape(end)}</text>')
        words.append(f"{label}: {len(cells)} events, {end}" if cells else f"{label}: {end}")
        y += 6
    title = escape("; ".join(words))
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {y}" width="100%" style="max-width:{WIDTH}px" '
        f'aria-label="{title}">{"".join(parts)}</svg>'
    )


def play(plan: str) -> Iterator[tuple[str, Exchange]]:
    """The requests of the client, each with its response.

    A plan that leaves the first stream alone gets one that drops before it, or a client that creates twice.
    """
    again = plan.startswith("pass/")
    plan = f"starts=event:5,rst/{plan}" if plan.startswith("resumes=") else plan
    clock = LogicalClock()
    emulator = Emulator(clock=clock)
    emulator.reply("One, two, three, four.")
    driver = ServiceDriver(cut(emulator, plan, PROTOCOL), clock, limits=Limits().within(3600.0))
    body = {"model": "gemini-3.8-flash", "input": "Count.", "background": True, "stream": True}
    create = Request("POST", "/v1beta/interactions", ACCEPTS, json.dumps(body).encode())
    read = driver.send(create)
    yield "create, streamed", read
    if read.status != 200 or again:
        read = driver.send(create)
        yield "create again", read
    seen = events_of(read)
    name = next((event["interaction"]["id"] for event in seen if "interaction" in event), "")
    if not name:
        return
    path = f"/v1beta/interactions/{name}"
    yield "poll", driver.send(Request("GET", path, KEY))
    cursor = ""
    for _ in range(RESUMES):
        if any(event.get("event_type") == "interaction.completed" for event in seen):
            break
        cursor = next((event["event_id"] for event in reversed(seen) if event.get("event_id")), cursor)
        after = f"&last_event_id={cursor}" if cursor else ""
        read = driver.send(Request("GET", f"{path}?stream=true{after}", ACCEPTS))
        yield ("resume" if cursor else "stream again"), read
        seen = events_of(read)


def events_of(exchange: Exchange) -> list[dict[str, Any]]:
    """The complete events that are JSON."""
    found = []
    for frame in Decoder().feed(exchange.body):
        try:
            value = json.loads(frame.data)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def cells_of(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """The kind and the name of each event of a stream, and of the bytes after the last complete one."""
    if not exchange.is_stream:
        return
    decoder = Decoder()
    end = 0
    for frame in decoder.feed(exchange.body):
        end = frame.end
        try:
            name = json.loads(frame.data).get("event_type", "?")
        except (ValueError, AttributeError):
            name = frame.data.decode("utf-8", "replace")
        known = name == "[DONE]" or name.startswith(("interaction.", "step."))
        yield ("whole" if known else "odd"), name or "comment"
    if end < len(exchange.body):
        yield "part", f"{len(exchange.body) - end} bytes of an event"


def format_end(exchange: Exchange) -> str:
    """The end of a response, in a word or two."""
    if exchange.status is None:
        return f"no response: {_ENDS.get(exchange.ending.how, str(exchange.ending.how))}"
    if exchange.status != 200:
        return str(exchange.status)
    waited = f" after {exchange.seconds:.0f} s" if exchange.seconds >= 1 else ""
    if not exchange.complete:
        return f"✕ {_ENDS.get(exchange.ending.how, str(exchange.ending.how))}{waited}"
    return f"ends{waited}" if exchange.is_stream else "200"
