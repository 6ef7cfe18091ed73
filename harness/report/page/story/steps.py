"""Single steps of a story, and the words in them: a request, an answer, its ending. Layer 6."""

from __future__ import annotations

from urllib.parse import unquote

from harness.outcome.words import shorten
from harness.report.evidence.display import Display
from harness.report.evidence.evidence_text import begin_body
from harness.report.evidence.stream_events import read_events
from harness.report.page.story.story import StoryStep
from harness.wire import By, Ending, Exchange, How, Request

MOST_CELLS = 12
"""Most events of one chunk that are named."""

_PATH = 64
"""Most characters of a path."""

_DETAIL = 90
"""Most characters of what a body says."""


def request_step(
    request: Request, began: float | None, display: Display, *, lane: str = "front", hot: bool = False
) -> StoryStep:
    """The arrow of a request, `began` seconds after the first one."""
    return StoryStep(
        kind="request",
        text=request.method,
        at=None if began is None else round(1000 * began),
        lane=lane,
        quoted=shorten_path(display.mask.show(request.target)),
        detail=say_body(request.body, request, display),
        hot=hot,
    )


def shorten_path(target: str) -> str:
    """The path without what all requests begin with; the whole one is in the text below."""
    path, question, query = target.partition("?")
    parts = path.split("/")
    short = "…/" + "/".join(shorten(part, 18) for part in parts[2:]) if len(parts) > 3 or parts[2:] else path
    return shorten(f"{short}{question}{unquote(query, errors='replace')}", _PATH)


def say_body(body: bytes, request: Request, display: Display) -> str:
    """The beginning of a body, in one line."""
    return begin_body(body, display.mask, _DETAIL, request)


def say_answer(exchange: Exchange, display: Display) -> str:
    """The beginning of an answer, in one line."""
    return say_body(exchange.body, exchange.request, display)


def format_ending(ending: Ending) -> str:
    """Who ended an answer, and how, in plain words."""
    if ending.by is By.CLIENT:
        return "the client hangs up"
    where = ending.at.replace("_", " ")
    if ending.by is By.LIMIT:
        return f"nothing more came in time ({where})" if ending.how is How.TIMEOUT else f"our limit ({where})"
    words = {
        How.COMPLETE: "complete",
        How.FIN: "the connection is closed",
        How.RST: "the connection is reset",
        How.REFUSED: "the connection is refused",
        How.TLS: "TLS fails",
        How.BAD_HTTP: "no valid HTTP",
    }
    return f"{words.get(ending.how, str(ending.how))} {where}"


def format_span(seconds: float) -> str:
    """A time between two moments."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{round(1000 * seconds)} ms"


def answer_step(exchange: Exchange, lane: str, display: Display, *, hot: bool = False) -> StoryStep:
    """The arrow of an answer whose moment is not known; a break if none came."""
    if exchange.status is None:
        return StoryStep(kind="break", text=f"no answer: {format_ending(exchange.ending)}", lane=lane, hot=hot)
    broken = "" if exchange.ending.complete else f"; {format_ending(exchange.ending)}"
    if exchange.is_stream:
        events = read_events(exchange, display)
        cells = tuple(f"{event.number} {event.name}" for event in events[:MOST_CELLS])
        more = f"{len(events) - MOST_CELLS} more" if len(events) > MOST_CELLS else ""
        return StoryStep(
            kind="answer",
            text=str(exchange.status),
            lane=lane,
            hot=hot,
            cells=cells,
            detail=f"{more}{broken}".strip("; "),
        )
    said = say_answer(exchange, display)
    return StoryStep(
        kind="answer", text=str(exchange.status), lane=lane, quoted=said, hot=hot, detail=broken.strip("; ")
    )
