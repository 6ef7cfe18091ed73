"""The rules of a gateway, each with its level, its source, the exchanges it wants and its judge.

Layer 2. `Basis.COMPARED` bounds the level of a rule that rests on a comparison of both sides. The levels below
follow one principle. MUST: the client is told what was never sent, is not told what was sent, or pays twice.
SHOULD: the client can notice the loss or do without. MAY: something was merely added.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.checks.gateway import judge_ends, judge_requests, judge_streams
from harness.checks.gateway.exercises import EXERCISES
from harness.checks.gateway.findings import RelayJudge
from harness.contract.rules import pages
from harness.kit.check import Check, Exercise
from harness.kit.relay import RelayCatalogue
from harness.outcome import Basis, Level, Rule, Source, Subject

PROFILE = "gateway"


def _cite_comparison(what: str) -> Source:
    return Source(Basis.COMPARED, "Both sides of the gateway", what)


_SILENT = frozenset(
    {
        "body-fields", "once", "body", "events", "unknown-event", "unknown-event-field", "broken-frame",
        "isolated", "truncated", "bare-error", "resume-through",
    }
)  # fmt: skip
"""Rules whose breach neither client nor upstream can notice."""


def _check(
    name: str,
    level: Level,
    source: Source,
    statement: str,
    breaks: str,
    globs: Sequence[str],
    judge: RelayJudge,
    rests_on: tuple[str, ...] = (),
) -> Check:
    rule = Rule(
        id=f"gw.{name}",
        level=level,
        statement=statement,
        breaks=breaks,
        source=source,
        subject=Subject.RELAY,
        silent=name in _SILENT,
    )
    needed = {glob.partition(".")[0] for glob in globs}
    exercise = Exercise.join(each for each in EXERCISES if each.name in needed)
    title = statement.rstrip(".")
    return Check(
        rule=rule,
        title=title,
        profile=PROFILE,
        exercise=exercise,
        judge=judge,
        globs=tuple(globs),
        rests_on=rests_on,
    )


_REQUESTS = (
    _check(
        "route",
        Level.MUST,
        pages.REFERENCE.cite(Basis.DOCUMENTED, "Create, get, cancel, delete"),
        "Each documented operation arrives upstream as that operation.",
        "A cancel or a deletion is not done, and the run goes on and is billed.",
        ["plain.create", "plain.get", "plain.delete", "cancel.cancel"],
        judge_requests.route,
    ),
    _check(
        "query",
        Level.MUST,
        pages.REFERENCE.cite(Basis.DOCUMENTED, "Get an interaction: stream, last_event_id, include_input"),
        "The documented query parameters of a get arrive upstream.",
        "A stream cannot be opened again after a drop: what was lost stays lost.",
        ["plain.get-input", "resume.first", "resume.rest", "busy.rest"],
        judge_requests.query,
    ),
    _check(
        "body-fields",
        Level.MUST,
        _cite_comparison("the fields of a create; Interactions API reference, CreateInteraction"),
        "Each documented field of a create arrives upstream with its value, or the create is refused.",
        "The client believes in settings (of safety, of cost, of storage) that were never asked for.",
        ["fields.*"],
        judge_requests.body_fields,
    ),
    _check(
        "unknown-field",
        Level.SHOULD,
        pages.ERRORS.cite(Basis.DOCUMENTED, "Codes: parameter_unknown"),
        "A field of a create that the gateway does not know arrives upstream, or the create is refused.",
        "A misspelled field is never noticed, and a new one cannot be used until the gateway learns it.",
        ["stranger.create"],
        judge_requests.unknown_field,
    ),
    _check(
        "once",
        Level.MUST,
        _cite_comparison("one create, one interaction; RFC 9110, 9.2.2 Idempotent Methods"),
        "One create of the client is one create upstream, also when its answer is lost.",
        "A second interaction runs and is billed, and nobody knows its id.",
        ["plain.create", "loss.*", "refusal.*"],
        judge_requests.once,
    ),
    _check(
        "nothing-else",
        Level.SHOULD,
        _cite_comparison("requests upstream that no client made"),
        "Nothing is asked of the upstream that no client asked for.",
        "Quotas shrink by requests nobody sees, and a run moves under the eyes of a stranger.",
        ["watch.strays"],
        judge_requests.nothing_else,
    ),
)

_ANSWERS = (
    _check(
        "status",
        Level.MUST,
        _cite_comparison("the status of an answer"),
        "The client gets the status that the upstream gave.",
        "Clients decide by it whether to send again: a refusal is repeated, or a failure taken for success.",
        ["plain.*", "refusal.*"],
        judge_requests.status,
    ),
    _check(
        "error-body",
        Level.SHOULD,
        _cite_comparison("code and message of an error"),
        "An error arrives with the code and the message that the upstream gave it.",
        "Programs tell errors apart by the code, people by the message.",
        ["plain.unknown", "refusal.*"],
        judge_requests.error_body,
    ),
    _check(
        "retry-after",
        Level.SHOULD,
        _cite_comparison("Retry-After; RFC 9110, 10.2.3"),
        "Retry-After of a refusal arrives.",
        "Clients come back too early and are refused again, or wait for longer than they have to.",
        ["refusal.429", "refusal.503"],
        judge_requests.retry_after,
    ),
    _check(
        "body",
        Level.MUST,
        _cite_comparison("the fields of an answer"),
        "Every field of a JSON answer arrives as it was.",
        "The client is told other results, or another use of tokens, than the upstream reported.",
        ["plain.*", "polls.*", "cancel.*", "resume.create", "rich.create", "ends.json"],
        judge_requests.body,
    ),
    _check(
        "media-type",
        Level.MUST,
        _cite_comparison("Content-Type; RFC 9110, 8.3"),
        "A stream arrives as text/event-stream, and JSON as JSON.",
        "Clients choose the decoder by Content-Type: they find no events in a stream, or no fields in an answer.",
        ["plain.*", "stream.create", "resume.whole"],
        judge_requests.media_type,
    ),
    _check(
        "coding",
        Level.MUST,
        pages.HTTP.cite(Basis.GENERIC, "8.4 Content-Encoding"),
        "An answer to a client that takes gzip is in the coding that its Content-Encoding names.",
        "Clients that offer compression, as most do, fail to decode the answer, or read it as garbage.",
        ["gzip.*"],
        judge_ends.judge_coding,
    ),
    _check(
        "additions",
        Level.MAY,
        _cite_comparison("more than was sent"),
        "Nothing is added to creates, to answers or to events.",
        "A strict decoder refuses what it does not know.",
        ["fields.*", "plain.*", "cancel.*", "stream.create"],
        judge_streams.additions,
    ),
)

_STREAMS = (
    _check(
        "events",
        Level.MUST,
        _cite_comparison("the events of a stream"),
        "Each event of a stream arrives once, in order and as it was, and no other does.",
        "Text is missing, doubled or scrambled, and the stream looks whole.",
        [
            "stream.create",
            "stream.one-chunk",
            "stream.large",
            "rich.stream",
            "ends.*",
            "background.stream",
            "live.stream",
            "resume.whole",
        ],
        judge_streams.events,
    ),
    _check(
        "event-ids",
        Level.MUST,
        pages.BACKGROUND.cite(Basis.DOCUMENTED, "Resume a stream: event_id"),
        "Events that carry an id carry one behind the gateway, each its own.",
        "A dropped stream cannot be resumed.",
        ["background.stream", "resume.first", "resume.whole"],
        judge_streams.event_ids,
    ),
    _check(
        "event-names",
        Level.SHOULD,
        _cite_comparison("the event: lines of a stream"),
        "Events keep their `event:` line.",
        "Listeners of an EventSource, which go by that name, hear nothing.",
        ["stream.create", "resume.whole"],
        judge_streams.event_names,
    ),
    _check(
        "unknown-event",
        Level.SHOULD,
        _cite_comparison("an event of an unknown type"),
        "An event of a type that the gateway does not know passes.",
        "What a later revision tells cannot be heard until the gateway learns it.",
        ["stream.strangers"],
        judge_streams.unknown_event,
    ),
    _check(
        "unknown-event-field",
        Level.SHOULD,
        _cite_comparison("an unknown field of an event"),
        "A field of an event that the gateway does not know passes.",
        "What a later revision tells cannot be heard until the gateway learns it.",
        ["stream.strangers"],
        judge_streams.unknown_event_field,
    ),
    _check(
        "broken-frame",
        Level.MUST,
        _cite_comparison("an event that is no JSON"),
        "An event that the gateway cannot read is passed on or fails the stream: it is not skipped.",
        "Text is missing from the middle of an answer that says it is complete.",
        ["stream.broken-frame"],
        judge_streams.broken_frame,
    ),
    _check(
        "utf8",
        Level.MUST,
        pages.HTTP_1.cite(Basis.GENERIC, "7.1 Chunked transfer coding: chunks are no units of text"),
        "Characters survive when the upstream's chunks end inside them.",
        "Text in most languages is damaged now and then, wherever the network happens to cut.",
        ["stream.create", "stream.bytes"],
        judge_streams.utf8,
    ),
    _check(
        "isolated",
        Level.MUST,
        _cite_comparison("two streams at the same time"),
        "A client gets nothing of another client's stream.",
        "One user reads another user's answer.",
        ["two.*"],
        judge_streams.judge_isolation,
    ),
    _check(
        "crowd",
        Level.MUST,
        _cite_comparison("six streams at the same time"),
        "Of several streams at the same time each comes through, or is refused with 429 or 503.",
        "Under load some users get errors that the upstream did not make, and half answers.",
        ["crowd.*"],
        judge_streams.judge_crowd,
    ),
)

_LIFE = (
    _check(
        "live",
        Level.SHOULD,
        _cite_comparison("when events arrive"),
        "An event arrives before the upstream has the next one.",
        "Answers appear all at once or lag behind, and time-outs end streams that are alive.",
        ["live.stream", "gzip.live"],
        judge_ends.live,
    ),
    _check(
        "idle",
        Level.MUST,
        _cite_comparison("a stream that stands still for a while"),
        "A stream in which nothing comes for a while arrives to its end.",
        "Whenever the model thinks for longer than the gateway waits, an answer that is paid for is lost.",
        ["idle.stream", "stream.create", "stream.one-chunk"],
        judge_ends.idle,
    ),
    _check(
        "truncated",
        Level.MUST,
        _cite_comparison("how an answer ends"),
        "What breaks off upstream does not look complete to the client.",
        "Half an answer is taken for the whole, and nobody resumes.",
        ["truncation.*"],
        judge_ends.judge_truncation,
    ),
    _check(
        "error-event",
        Level.SHOULD,
        pages.REFERENCE.cite(Basis.SCHEMA, "Stream events: error"),
        "An error that the gateway itself tells in a stream is an error event of the API.",
        "Clients see an event without a type, skip it, and take the end for an end.",
        ["truncation.*", "stream.broken-frame"],
        judge_ends.error_event,
    ),
    _check(
        "bare-error",
        Level.MUST,
        _cite_comparison("an error that is part of no event"),
        "An error that the upstream writes into a stream outside of any event reaches the client in some form.",
        "A refusal or an outage looks like the end of an answer, and the reason is never known.",
        ["bare.*"],
        judge_ends.judge_bare_error,
    ),
    _check(
        "own-error",
        Level.SHOULD,
        pages.ERRORS.cite(Basis.SCHEMA, "Shape of an error"),
        "An error that the gateway itself answers has the API's shape: an object with a code and a message.",
        "Clients find neither code nor message, and report a fault of their own in place of the gateway's.",
        ["plain.*", "cancel.*", "fields.*", "stranger.*", "loss.*", "truncation.*"],
        judge_ends.judge_own_errors,
    ),
    _check(
        "resume-through",
        Level.MUST,
        pages.BACKGROUND.cite(Basis.DOCUMENTED, "Resume a stream"),
        "A dropped stream can be resumed through the gateway: nothing is missing, nothing comes twice.",
        "Text is lost or doubled at each drop.",
        ["resume.first", "resume.rest", "resume.whole"],
        judge_ends.resume_through,
        rests_on=("gw.query/stream",),
    ),
    _check(
        "hang-up",
        Level.SHOULD,
        _cite_comparison("a client that leaves"),
        "The upstream learns that the client left.",
        "Connections pile up behind the gateway until it has no more, though nobody listens.",
        ["hang_up.stream"],
        judge_ends.hang_up,
    ),
)

CHECKS: tuple[Check, ...] = (*_REQUESTS, *_ANSWERS, *_STREAMS, *_LIFE)
BY_ID = {check.id: check for check in CHECKS}
CATALOGUE = RelayCatalogue(CHECKS, EXERCISES)
