"""Rules of handling the unusual: parallel calls, hostile bodies, odd methods and ids.

Layer 1. Data only. Most are inferred or generic HTTP; none asks for more than a clean refusal.
"""

from __future__ import annotations

from harness.contract.rules.pages import ERRORS, HTTP, JSON, PROBES, REFERENCE, STREAMING, URIS
from harness.outcome import Basis, Level, Rule

_REFUSAL = ERRORS.cite(Basis.INFERRED, "Codes: invalid_request")

RULES: tuple[Rule, ...] = (
    Rule(
        id="rob.concurrent",
        level=Level.SHOULD,
        statement="Parallel creates bring each its own id and keep each its own input.",
        breaks="Under load one user gets the conversation of another.",
        source=REFERENCE.cite(Basis.INFERRED, "Interaction: id, steps"),
    ),
    Rule(
        id="rob.concurrent-streams",
        level=Level.MUST,
        statement="Streams that run at the same time bring each its own text, as one alone does (stream.text).",
        breaks="Under load one user reads the answer to another.",
        source=STREAMING.cite(Basis.DOCUMENTED, "Streamed and plain answers"),
    ),
    Rule(
        id="rob.deep-json",
        level=Level.SHOULD,
        statement="A body nested ten thousand deep is a client error, and the next call works.",
        breaks="One request takes the server down for everybody.",
        source=_REFUSAL,
    ),
    Rule(
        id="rob.empty-body",
        level=Level.SHOULD,
        statement="A create without a body is a client error.",
        breaks="A client's bug looks like an outage, and is retried.",
        source=_REFUSAL,
    ),
    Rule(
        id="rob.bad-utf8",
        level=Level.SHOULD,
        statement="A body that is not UTF-8 is a client error.",
        breaks="Damaged text is stored and comes back as something else, or the server fails.",
        source=JSON.cite(Basis.GENERIC, "8.1 Character encoding"),
    ),
    Rule(
        id="rob.method",
        level=Level.MAY,
        statement="A method that a route does not have is answered 404 or 405.",
        breaks="A wrong call looks like an outage, and is retried.",
        source=HTTP.cite(Basis.GENERIC, "15.5.6 405 Method Not Allowed"),
    ),
    Rule(
        id="rob.id-injection",
        level=Level.SHOULD,
        statement="An id with an encoded slash, dots, question mark or NUL never reaches another resource.",
        breaks="An id taken from outside reaches files, routes or other people's data.",
        source=URIS.cite(Basis.GENERIC, "2.2 Reserved characters; 3.3 Path"),
    ),
    Rule(
        id="rob.long-id",
        level=Level.MAY,
        statement="An id of several thousand characters is a client error.",
        breaks="A mistyped id looks like an outage, and is retried.",
        source=HTTP.cite(Basis.GENERIC, "4.1 URI references; 15.5.15 414 URI Too Long"),
    ),
    Rule(
        id="rob.content-type",
        level=Level.MAY,
        statement="A create labelled text/plain is accepted or refused as the client's error.",
        breaks="A forgotten header looks like an outage.",
        source=_REFUSAL,
    ),
    Rule(
        id="rob.case",
        level=Level.MAY,
        statement="camelCase names of body fields are answered 400.",
        breaks="An option spelt after another API of the same vendor is dropped without a word.",
        source=PROBES.cite(Basis.OBSERVED, "camelCase keys, with a suggestion"),
    ),
)
