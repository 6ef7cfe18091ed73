"""Draws the effect of each fault plan: the same requests of a client to the emulator, with that plan.

Nothing is drawn by hand: a row shows the bytes that came over the wire.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.faults import cut
from harness.interactions import INTERACTIONS
from harness.report.evidence.curl import Display
from harness.report.story import read_events
from harness.transport import Limits, ServiceDriver
from harness.wire import Decoder, Exchange, Headers, How, LogicalClock, Request
from harness.wire.mask import Mask
from harness.wire.stream_picture import PictureRow, ReadStream, StreamPicture, draw_picture
from lab.site import render_part

KEY = Headers((("x-goog-api-key", "any"), ("content-type", "application/json")))
ACCEPTS = Headers((*KEY, ("accept-encoding", "gzip, deflate")))
RESUMES = 2
_DISPLAY = Display(INTERACTIONS, "http://127.0.0.1:8000", Mask({}))
_ENDS = {
    How.FIN: "closed",
    How.RST: "reset",
    How.STALL: "silent",
    How.TIMEOUT: "silent",
    How.REFUSED: "connection refused",
}


_INTRODUCTION = """\
Each drawing is a run: a client creates a background interaction as a stream, polls once, and resumes up to twice
after the last event with an id, until it receives the final event. A column is an event of the whole stream, so a
resume stands under the cut. [Fault plans](faults.md) has the grammar."""


def drawings_page(plans: Path) -> str:
    """The page with a place for the drawing of each plan of the block `plan` in a page."""
    lines = ["# Every fault, drawn", "", _INTRODUCTION, ""]
    for plan, meaning in _read_plans(plans):
        lines += [f"## {plan}", "", f"{meaning.capitalize()}.", "", _mark_place(plan), ""]
    return "\n".join(lines)


def put_drawings(output: str, plans: Path, sheet: str) -> str:
    """The page with the drawings at their places; they come when the search has read the page."""
    for plan, _ in _read_plans(plans):
        output = output.replace(_mark_place(plan), render_part("fault_part", picture=draw(plan), sheet=sheet))
    return output


def _read_plans(plans: Path) -> Iterator[tuple[str, str]]:
    block = re.search(r"```plan\n(.*?)```", plans.read_text("utf-8"), re.DOTALL)
    assert block is not None
    for line in block[1].splitlines():
        plan, _, meaning = line.partition("  ")
        yield plan, meaning.strip()


def _mark_place(plan: str) -> str:
    return f"<!-- drawing of {plan} -->"


def draw(plan: str) -> StreamPicture:
    """The picture of a plan, as reports draw one; a response that is no stream is a row of words."""
    readings, rows = list[ReadStream](), list[PictureRow | None]()
    for label, exchange in play(plan):
        end = format_end(exchange)
        if exchange.is_stream:
            events = [event.read for event in read_events(exchange, _DISPLAY)]
            broken = end if not exchange.complete else ""
            waited = f", {exchange.seconds:.0f} s" if exchange.seconds >= 1 else ""
            readings.append(
                ReadStream(name=f"{label}{waited}", events=events, after=find_cursor(exchange), end=broken)
            )
            rows.append(None)
        else:
            rows.append(PictureRow(name=label, end=end))
    picture = draw_picture(readings)
    drawn = iter(picture.rows)
    return replace(picture, rows=tuple(next(drawn) if row is None else row for row in rows))


def find_cursor(exchange: Exchange) -> str:
    """The cursor that a request resumes after; `""` for another one."""
    resumed = PROTOCOL.is_resume(exchange.request)
    return (resumed[1] or "") if resumed else ""


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


def format_end(exchange: Exchange) -> str:
    """The end of a response, in a word or two."""
    if exchange.status is None:
        return f"no response: {_ENDS.get(exchange.ending.how, str(exchange.ending.how))}"
    if exchange.status != 200:
        return str(exchange.status)
    if not exchange.complete:
        return f"{_ENDS.get(exchange.ending.how, str(exchange.ending.how))}{_describe_rest(exchange)}"
    return "200"


def _describe_rest(exchange: Exchange) -> str:
    """The bytes after the last complete event, if there are any."""
    frames = Decoder().feed(exchange.body) if exchange.is_stream else []
    rest = len(exchange.body) - (frames[-1].end if frames else 0)
    return f" after {rest} bytes of an event" if exchange.is_stream and rest else ""
