"""What is asked of a client.

Layer 2, values only. What a client MUST do is little: it must not say that it has the whole answer when it has
not, must not show a part twice, and must neither create twice nor forget a turn without a word. Coming back after
a drop is a SHOULD.
"""

from __future__ import annotations

from harness.contract.rules import pages
from harness.outcome import Basis, Level, Rule, Source

_RESUME = pages.BACKGROUND.cite(Basis.DOCUMENTED, "Resume a stream: last_event_id")
_END = pages.STREAMING.cite(Basis.DOCUMENTED, "interaction.completed ends a stream")

WHOLE = Rule(
    id="client.whole",
    level=Level.MUST,
    statement="A client that reports success has the whole result, and knows that it is whole.",
    silent=True,
    breaks="Users read half a text, or one with holes, that looks whole.",
    source=_END,
)
ONCE = Rule(
    id="client.once",
    level=Level.MUST,
    statement="A client that reports success has no part of the result twice.",
    silent=True,
    breaks="Users read text twice; a function is called with doubled arguments.",
    source=_RESUME,
)
CREATES_ONCE = Rule(
    id="client.creates-once",
    level=Level.MUST,
    statement="A client does not create a second interaction without a word when an answer to the first was lost.",
    silent=True,
    breaks="Two interactions run and are billed, and their tools act twice.",
    source=Source(
        Basis.GENERIC,
        "RFC 9110",
        "9.2.2 Idempotent Methods",
        "https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2",
    ),
)
CONTEXT = Rule(
    id="client.context",
    level=Level.MUST,
    statement="A client that reports success for a further turn has sent it with what it goes on from: "
    "previous_interaction_id, or the earlier turns.",
    silent=True,
    breaks="The model answers without the conversation, and nobody is told that it was forgotten.",
    source=pages.OVERVIEW.cite(Basis.DOCUMENTED, "Stateful conversations: previous_interaction_id"),
)
STATUS = Rule(
    id="client.status",
    level=Level.MUST,
    statement="The status that a client reports is that of the interaction.",
    silent=True,
    breaks="Users take a failed, cancelled or truncated run for a good one.",
    source=pages.REFERENCE.cite(Basis.DOCUMENTED, "Interaction: status"),
)
RECOVERS = Rule(
    id="client.recovers",
    level=Level.SHOULD,
    statement="A client comes back after a drop and ends with the whole result.",
    breaks="A paid answer is lost though the service still has it.",
    source=_RESUME,
)
READS = Rule(
    id="client.reads",
    level=Level.SHOULD,
    statement="A client reads every legal form of an event stream, whatever its comments, line ends, unknown "
    "fields, and the places where its pieces end.",
    breaks="Streams work on one network and fail on another; answers come late, and by polling.",
    source=Source(
        Basis.GENERIC,
        "WHATWG HTML",
        "9.2.6 Interpreting an event stream",
        "https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation",
    ),
)
ENDS = Rule(
    id="client.ends",
    level=Level.SHOULD,
    statement="A client ends, with the result or with an error, whatever happens to its connections.",
    breaks="Users wait for ever, or a loop of requests never stops.",
    source=Source(Basis.OBSERVED, "issue trackers of clients", "a resumed stream that stays open and silent"),
)
STANDS = Rule(
    id="client.stands",
    level=Level.SHOULD,
    statement="A client survives what happens to its connections: its process goes on.",
    breaks="A dropped connection takes down the whole program.",
    source=Source(Basis.OBSERVED, "issue trackers of clients", "exceptions that no caller can catch"),
)

RULES = {rule.id: rule for rule in (WHOLE, ONCE, CREATES_ONCE, CONTEXT, STATUS, RECOVERS, READS, ENDS, STANDS)}
"""What is asked of a client, by id."""
