"""Rules of the streams that GET opens: replay from the start, resume after a cursor, several readers.

Layer 1. Data only. A cursor is the top-level `event_id` of an event; if a server sends none, resume is
untestable, not broken.
"""

from __future__ import annotations

from harness.contract.rules.pages import BACKGROUND, ERRORS, REFERENCE, URIS
from harness.outcome import Basis, Level, Rule

_REFERENCE = REFERENCE.cite(Basis.DOCUMENTED, "Get an interaction: last_event_id")
_RESUME = BACKGROUND.cite(Basis.DOCUMENTED, "Resume a stream")
_SAMPLE = BACKGROUND.cite(Basis.INFERRED, "Resume a stream (the sample depends on it)")

RULES: tuple[Rule, ...] = (
    Rule(
        id="resume.opens",
        level=Level.MUST,
        statement="GET with stream=true on a background interaction answers an event stream.",
        breaks="Resume is impossible: a client that asks for events receives something it cannot read.",
        source=REFERENCE.cite(Basis.SCHEMA, "Get an interaction: stream"),
    ),
    Rule(
        id="resume.same-id",
        level=Level.MUST,
        statement="The events that GET streams name the interaction that was asked for.",
        breaks="A client follows, cancels or chains to the run of somebody else.",
        source=REFERENCE.cite(Basis.SCHEMA, "Stream events: the id of the interaction"),
    ),
    Rule(
        id="resume.replay",
        level=Level.SHOULD,
        statement="GET with stream=true and no cursor delivers a background run's events from the first one.",
        breaks="A client that lost its connection before the first event id never sees the beginning.",
        source=BACKGROUND.cite(Basis.OBSERVED, "Resume a stream: the sample's first request has no cursor"),
    ),
    Rule(
        id="resume.exclusive",
        level=Level.MUST,
        statement="After cursor X comes what followed X and nothing that came before it.",
        breaks="Clients append what they already have: text doubles, steps appear twice.",
        source=_REFERENCE,
    ),
    Rule(
        id="resume.no-gap",
        level=Level.MUST,
        statement="After cursor X no event that followed X is missing.",
        breaks="The resumed answer silently lacks a part of the text.",
        source=_REFERENCE,
    ),
    Rule(
        id="resume.ids-stable",
        level=Level.SHOULD,
        statement="An event carries the same event_id in every reading of its stream.",
        breaks="A cursor remembered from one connection means nothing on the next, and duplicates go unnoticed.",
        source=BACKGROUND.cite(Basis.INFERRED, "Resume a stream: event_id as a token"),
    ),
    Rule(
        id="resume.live",
        level=Level.MUST,
        statement="A reader that hangs up while the run goes on and returns with its cursor gets the rest.",
        breaks="The very case resume is for, a connection lost in the middle of a long run, loses output.",
        source=_RESUME,
    ),
    Rule(
        id="resume.from-create",
        level=Level.MUST,
        statement="A reader that leaves the stream of its create gets the rest by GET with the cursor it has.",
        breaks="The documented loop, create as a stream and resume when it breaks off, loses or doubles output.",
        source=_RESUME,
    ),
    Rule(
        id="resume.last",
        level=Level.MAY,
        statement="A cursor at the final event yields no new events.",
        breaks="A client that reconnects after the end prints the answer again.",
        source=REFERENCE.cite(Basis.INFERRED, "Get an interaction: last_event_id"),
    ),
    Rule(
        id="resume.bad-cursor",
        level=Level.MAY,
        statement="An unknown cursor is refused, reported in the stream, or answered from the start.",
        breaks="A client with an expired cursor hangs, or takes a silent nothing for the end of the answer.",
        source=BACKGROUND.cite(Basis.INFERRED, "Resume a stream (expired cursors are not documented)"),
    ),
    Rule(
        id="resume.finished",
        level=Level.SHOULD,
        statement="A stream resumed after the run is over still ends with interaction.completed.",
        breaks="Reconnect loops that wait for the completion never end.",
        source=_SAMPLE,
    ),
    Rule(
        id="resume.two-readers",
        level=Level.SHOULD,
        statement="Two readers of one running interaction both receive every event.",
        breaks="A reconnect beside a connection not yet noticed as dead takes events away from one of them.",
        source=BACKGROUND.cite(Basis.INFERRED, "Resume a stream: a reconnect may overlap the old connection"),
    ),
    Rule(
        id="resume.well-formed",
        level=Level.SHOULD,
        statement="A resumed stream keeps the rules of every stream, but for its beginning.",
        breaks="A client that copes with the whole stream fails on its rest.",
        source=REFERENCE.cite(Basis.INFERRED, "Get an interaction: stream"),
    ),
    Rule(
        id="resume.encoded",
        level=Level.SHOULD,
        statement="A percent-encoded cursor means the same as the plain one.",
        breaks="Opaque cursors hold characters such as + / =; clients encode them and get the wrong place.",
        source=URIS.cite(Basis.GENERIC, "2.1 and 6.2.2.2 Percent-encoding"),
    ),
    Rule(
        id="resume.unknown",
        level=Level.SHOULD,
        statement="Streaming an interaction that does not exist is refused.",
        breaks="A client waits for events of a run that is not there.",
        source=ERRORS.cite(Basis.DOCUMENTED, "not_found"),
    ),
    Rule(
        id="resume.foreground",
        level=Level.MAY,
        statement="GET with stream=true on a stored foreground interaction replays it or is refused cleanly.",
        breaks="A client that asks for a stream receives something it cannot read.",
        source=REFERENCE.cite(Basis.INFERRED, "Get an interaction: stream"),
    ),
)
