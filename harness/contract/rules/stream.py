"""Rules of one stream of events, whichever request opened it. Layer 1. Data only.

`harness.contract.judge.stream` judges them from the bytes alone; `streaming` has those that need more.
"""

from __future__ import annotations

from harness.contract.rules.pages import (
    BACKGROUND,
    BREAKING_CHANGES,
    HTTP_1,
    JSON,
    RECORDINGS,
    REFERENCE,
    SDK,
    SERVER_SENT_EVENTS,
    STREAMING,
)
from harness.outcome import Basis, Level, Rule

_ORDER = STREAMING.cite(Basis.DOCUMENTED, "Order of events")
_STEPS = STREAMING.cite(Basis.DOCUMENTED, "Steps: start, delta, stop")
_END = STREAMING.cite(Basis.DOCUMENTED, "End of the stream")
_EVENTS = REFERENCE.cite(Basis.SCHEMA, "Stream events")
_RECORDED = RECORDINGS.cite(Basis.OBSERVED, "streams, all of them")
_RESUME = BACKGROUND.cite(Basis.DOCUMENTED, "Resume a stream")

RULES: tuple[Rule, ...] = (
    Rule(
        id="stream.framing",
        level=Level.MUST,
        statement="A stream is well-formed server-sent events in UTF-8, the last of them ended by a blank line.",
        breaks="A conforming client drops the event that no blank line ends, or garbles its text.",
        source=SERVER_SENT_EVENTS.cite(Basis.GENERIC, "9.2.6 Interpreting an event stream"),
    ),
    Rule(
        id="stream.json",
        level=Level.MUST,
        statement="The data of each event is a JSON object, or the final [DONE].",
        breaks="A client's parser raises in the middle of an answer, or hands on a bare string as an event.",
        source=_EVENTS,
    ),
    Rule(
        id="stream.surrogates",
        level=Level.SHOULD,
        statement="No string of an event holds half of a surrogate pair.",
        breaks="An emoji that was split between two deltas cannot be encoded again, and the client crashes later.",
        source=JSON.cite(Basis.GENERIC, "8.2 Unicode characters"),
    ),
    Rule(
        id="stream.event-type",
        level=Level.MUST,
        statement="Each event names itself in a string event_type.",
        breaks="Clients dispatch on event_type; without it an event is taken for another kind, or lost.",
        source=_EVENTS,
    ),
    Rule(
        id="stream.name-agrees",
        level=Level.SHOULD,
        statement="The `event:` field, where there is one, equals the event_type of the data.",
        breaks="Clients that dispatch on the SSE event name and clients that read the data see different streams.",
        source=_RECORDED,
    ),
    Rule(
        id="stream.schema",
        level=Level.MUST,
        statement="Each event of a known type fits the schema of its type.",
        breaks="Typed clients find None where their types promise a value.",
        source=_EVENTS,
    ),
    Rule(
        id="stream.first",
        level=Level.MUST,
        statement="The first event is interaction.created, unless an error event reports that nothing will come.",
        breaks="A client never learns the id of the interaction that it would have to poll, resume or cancel.",
        source=_ORDER,
    ),
    Rule(
        id="stream.created-once",
        level=Level.SHOULD,
        statement="A stream creates its interaction once.",
        breaks="A client that resets its state on creation throws away what it has collected.",
        source=STREAMING.cite(Basis.INFERRED, "Order of events"),
    ),
    Rule(
        id="stream.created-status",
        level=Level.SHOULD,
        statement="A new interaction is created in_progress or queued.",
        breaks="A client that believes the first status stops reading before the answer.",
        source=_ORDER,
    ),
    Rule(
        id="stream.id-constant",
        level=Level.MUST,
        statement="All events of a stream that name its interaction name the same one.",
        breaks="A client resumes, cancels or chains to the wrong interaction.",
        source=_EVENTS,
    ),
    Rule(
        id="stream.start-before",
        level=Level.MUST,
        statement="A delta or stop belongs to a step that was started and has not stopped.",
        breaks="Clients look the step up by its index and raise, or write into another step.",
        source=_STEPS,
    ),
    Rule(
        id="stream.stop-once",
        level=Level.MUST,
        statement="Each started step stops exactly once before the interaction ends, unless that broke it off.",
        breaks="Clients act on a step when it stops: a tool call is never run, or run twice.",
        source=_STEPS,
    ),
    Rule(
        id="stream.index-contiguous",
        level=Level.SHOULD,
        statement="Steps are numbered 0, 1, 2, … in the order they start.",
        breaks="Clients that keep steps in a list put them at the wrong place, or raise.",
        source=_RECORDED,
    ),
    Rule(
        id="stream.no-interleave",
        level=Level.SHOULD,
        statement="A step stops before the next one starts.",
        breaks="Clients that keep one current step mix two.",
        source=_RECORDED,
    ),
    Rule(
        id="stream.index-reuse",
        level=Level.SHOULD,
        statement="No index is started twice.",
        breaks="The second step overwrites the first.",
        source=STREAMING.cite(Basis.INFERRED, "Steps: start, delta, stop"),
    ),
    Rule(
        id="stream.stop-usage",
        level=Level.SHOULD,
        statement="The usage that step.stop events carry counts the whole run so far: its total never falls.",
        breaks="A client that watches what a run costs sees the last step alone, and overruns its budget.",
        source=STREAMING.cite(Basis.DOCUMENTED, "step.stop: cumulative usage of agents"),
    ),
    Rule(
        id="stream.delta-known",
        level=Level.MAY,
        statement="The type of each delta is one that the reference lists.",
        breaks="Clients skip what they do not know, so its content is lost to them.",
        source=SDK.cite(Basis.SCHEMA, "types of stream events, StepDeltaData"),
    ),
    Rule(
        id="stream.delta-fits",
        level=Level.SHOULD,
        statement="The type of a delta belongs to the type of its step.",
        breaks="Clients that assemble by the step's type drop the delta or raise.",
        source=SDK.cite(Basis.SCHEMA, "types of stream events, StepDeltaData and Step"),
    ),
    Rule(
        id="stream.args-join",
        level=Level.SHOULD,
        statement="The arguments_delta fragments of a function call join to one JSON object.",
        breaks="The client cannot parse the arguments, so the tool is never called.",
        source=STREAMING.cite(Basis.DOCUMENTED, "Streaming tool calls"),
    ),
    Rule(
        id="stream.sig-last",
        level=Level.MAY,
        statement="A thought_signature is the last delta of its thought.",
        breaks="Clients that close the thought at its signature lose what follows.",
        source=_RECORDED,
    ),
    Rule(
        id="stream.completed-last",
        level=Level.MUST,
        statement="interaction.completed comes at most once, and no event follows it but [DONE].",
        breaks="Clients return at interaction.completed; what follows is never read.",
        source=_END,
    ),
    Rule(
        id="stream.terminal",
        level=Level.MUST,
        statement="A stream that ends in order ends with interaction.completed, or with an error in its place.",
        breaks="A client cannot tell a finished answer from a dropped one: it reports half of it as whole, or "
        "asks for the stream again for ever.",
        source=_END,
    ),
    Rule(
        id="stream.legacy-names",
        level=Level.MUST,
        statement="Events and deltas have the names of the revision of May 2026, not those before it.",
        breaks="Clients of today skip events whose names they do not know: the answer, or its end, never comes.",
        source=BREAKING_CHANGES.cite(Basis.DOCUMENTED, "Names of stream events"),
    ),
    Rule(
        id="stream.bare-error",
        level=Level.MAY,
        statement="A stream that fails says so in an error event, not in bare JSON outside the framing.",
        breaks="Decoders of event streams drop such lines: the answer seems to end in order, and nobody learns "
        "why. (The live service does so.)",
        source=RECORDINGS.cite(Basis.OBSERVED, "streams that die in the middle"),
    ),
    Rule(
        id="stream.completed-status",
        level=Level.SHOULD,
        statement="interaction.completed carries a status in which nothing runs any more.",
        breaks="A client that polls until the status settles waits for ever.",
        source=_END,
    ),
    Rule(
        id="stream.completed-usage",
        level=Level.SHOULD,
        statement="interaction.completed carries usage, unless the run failed or was cancelled.",
        breaks="Cost accounting counts the answer as free.",
        source=_END,
    ),
    Rule(
        id="stream.completed-no-steps",
        level=Level.MAY,
        statement="interaction.completed repeats no steps: they were streamed.",
        breaks="Clients that also take steps from the last event show the answer twice.",
        source=_END,
    ),
    Rule(
        id="stream.done",
        level=Level.SHOULD,
        statement="A stream that ends in order ends with the data [DONE].",
        breaks="Clients that read until the sentinel report an unexpected end.",
        source=_END,
    ),
    Rule(
        id="stream.done-final",
        level=Level.MUST,
        statement="Nothing comes after [DONE].",
        breaks="Clients stop reading at [DONE]; what follows is lost.",
        source=_END,
    ),
    Rule(
        id="stream.closes",
        level=Level.MUST,
        statement="After its last event a stream ends; it does not stay open in silence.",
        breaks="Clients that read to the end of the answer hang with the whole result in their hands.",
        source=HTTP_1.cite(Basis.GENERIC, "8 Handling Incomplete Messages"),
    ),
    Rule(
        id="stream.error-shape",
        level=Level.MUST,
        statement="The error in an error event, if there is one, is an object whose code and message are strings.",
        breaks="The handler that should report the failure fails itself.",
        source=_EVENTS,
    ),
    Rule(
        id="stream.evid-unique",
        level=Level.SHOULD,
        statement="No two events of a stream carry the same event_id.",
        breaks="A cursor that names two places resumes at the wrong one: text is lost or doubled.",
        source=_RESUME,
    ),
    Rule(
        id="stream.evid-delta",
        level=Level.MAY,
        statement="If a background stream gives event ids, each of its deltas carries one.",
        breaks="After a drop the client goes back to the last delta that had one. (The live service gives ids to "
        "some deltas only.)",
        source=_RESUME,
    ),
)
