"""Rules of streams that one stream alone cannot show. Layer 1. Data only.

Checks and the judge of histories judge them: they compare a stream with its request, with time, or with what GET
returns.
"""

from __future__ import annotations

from harness.contract.rules.pages import MIGRATION, STREAMING
from harness.outcome import Basis, Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        id="stream.opens",
        level=Level.MUST,
        statement="A create with stream=true answers an event stream.",
        breaks="A client that asks for events receives something it cannot read, or nothing.",
        source=STREAMING.cite(Basis.DOCUMENTED, "stream: true"),
    ),
    Rule(
        id="stream.alt-sse",
        level=Level.MAY,
        statement="A streaming create that says alt=sse in its query too is answered with a stream.",
        breaks="Clients that were moved over from older endpoints, which send both, are refused.",
        source=MIGRATION.cite(Basis.DOCUMENTED, "Streaming: alt=sse"),
    ),
    Rule(
        id="stream.text",
        level=Level.MUST,
        statement="The text of a whole stream is the text that GET returns.",
        breaks="The user read another answer than the one that is stored: words are missing, or come twice.",
        source=STREAMING.cite(Basis.DOCUMENTED, "Streamed and plain answers"),
    ),
    Rule(
        id="stream.end-matches-get",
        level=Level.SHOULD,
        statement="The status and the token counts at the end of a whole stream are those that GET returns.",
        breaks="A client that streamed reports a success that was a failure, or another cost than is billed.",
        source=STREAMING.cite(Basis.INFERRED, "Streamed and plain answers"),
    ),
    Rule(
        id="stream.equals-get",
        level=Level.SHOULD,
        statement="The steps assembled from the stream are the output steps that GET returns, text apart.",
        breaks="What the user saw while streaming is not what is stored, nor what the next turn builds on.",
        source=STREAMING.cite(Basis.DOCUMENTED, "Streamed and plain answers"),
    ),
    Rule(
        id="stream.incremental",
        level=Level.SHOULD,
        statement="Events arrive while the answer is made, not all at its end.",
        breaks="Streaming gains the user nothing: the first word comes with the last.",
        source=STREAMING.cite(Basis.INFERRED, "Why stream"),
    ),
    Rule(
        id="stream.bg-and-stream",
        level=Level.SHOULD,
        statement="A create with both background and stream answers with a stream that names its interaction.",
        breaks="A client that wants to watch a long run and survive a drop can do only one of the two.",
        source=STREAMING.cite(Basis.DOCUMENTED, "Streaming agents"),
    ),
    Rule(
        id="stream.hangup",
        level=Level.SHOULD,
        statement="A client that hangs up in the middle of a stream does not hurt later calls.",
        breaks="One closed browser tab takes the service down for others.",
        source=STREAMING.cite(Basis.INFERRED, "End of the stream"),
    ),
)
