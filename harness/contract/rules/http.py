"""Rules of the transport, of keys and of errors: what holds for every call.

Layer 1. Data only.
"""

from __future__ import annotations

from harness.contract.rules.pages import (
    BACKGROUND,
    BREAKING_CHANGES,
    ERRORS,
    HTTP,
    HTTP_1,
    JSON,
    OPENAPI,
    PROBES,
    RECORDINGS,
    REFERENCE,
    SDK,
)
from harness.outcome import Basis, Level, Rule

_CODES = ERRORS.cite(Basis.DOCUMENTED, "Table of codes")
_BODY = ERRORS.cite(Basis.DOCUMENTED, "Shape of an error")
_AUTHENTICATION = ERRORS.cite(Basis.DOCUMENTED, "Codes: authentication, permission_denied")
_INVALID = ERRORS.cite(Basis.DOCUMENTED, "Codes: invalid_request")
_JSON = JSON.cite(Basis.GENERIC, "8.1 Character encoding; RFC 9110, 8.3 Content-Type")

_TRANSPORT = (
    Rule(
        id="http.json-type",
        level=Level.MUST,
        statement="An answer whose body is JSON is labelled application/json.",
        breaks="Clients choose the decoder by the label: the SDK hands such a body over as text or as a stream.",
        source=REFERENCE.cite(Basis.SCHEMA, "Responses: application/json"),
    ),
    Rule(
        id="http.json-valid",
        level=Level.MUST,
        statement="A body labelled application/json parses as JSON in UTF-8.",
        breaks="Every client raises on the answer, whatever it said.",
        source=_JSON,
    ),
    Rule(
        id="http.ct-stream",
        level=Level.MUST,
        statement="The answer to an accepted stream=true create is labelled text/event-stream.",
        breaks="Clients choose the decoder by the label, and find no events.",
        source=OPENAPI.cite(Basis.SCHEMA, "CreateInteraction: text/event-stream"),
    ),
    Rule(
        id="http.length",
        level=Level.MUST,
        statement="Content-Length or the chunks of a response agree with the bytes that come.",
        breaks="Clients raise a connection error on a complete answer, or read the next one from its middle.",
        source=HTTP_1.cite(Basis.GENERIC, "6 Message body; 7.1 Chunked transfer coding"),
    ),
    Rule(
        id="http.redirect",
        level=Level.MAY,
        statement="API calls are answered without a redirect.",
        breaks="Clients that do not follow redirects fail; those that do may drop the body or the key.",
        source=REFERENCE.cite(Basis.INFERRED, "No operation lists a 3xx response"),
    ),
    Rule(
        id="http.unlisted",
        level=Level.MAY,
        statement="Answers hold nothing that the published schemas do not name: no other steps, events or fields.",
        breaks="Clients that know steps and fields by name drop what others hold. (A newer API has some; the live "
        "service shows some, as tool_call, provision_sandbox and compaction.)",
        source=PROBES.cite(Basis.OBSERVED, "tool_call steps of remote tools"),
    ),
    Rule(
        id="http.unknown-query",
        level=Level.SHOULD,
        statement="An unknown query parameter does not break a call.",
        breaks="Proxies and tracing tools that add parameters break every call.",
        source=PROBES.cite(Basis.OBSERVED, "Unknown query parameters are ignored"),
    ),
    Rule(
        id="http.v1beta",
        level=Level.MUST,
        statement="The interactions route exists under /v1beta.",
        breaks="Code written after the documentation finds nothing at its address.",
        source=BACKGROUND.cite(Basis.DOCUMENTED, "Every example calls /v1beta/interactions"),
    ),
    Rule(
        id="http.v1",
        level=Level.SHOULD,
        statement="The interactions route exists under /v1 too.",
        breaks="The official SDKs, whose default this path is, get 404 on every call.",
        source=SDK.cite(Basis.SCHEMA, "Default API version"),
    ),
    Rule(
        id="http.revision-ignored",
        level=Level.SHOULD,
        statement="An absent, old or odd Api-Revision header brings the same shape: steps.",
        breaks="A client that still sends the header of its revision gets a body it cannot read.",
        source=BREAKING_CHANGES.cite(Basis.DOCUMENTED, "Timeline: header ignored since June"),
    ),
    Rule(
        id="http.gzip",
        level=Level.MAY,
        statement="A body is compressed only when the request asked for it.",
        breaks="Clients without a decompressor, and raw readers of streams, see garbage.",
        source=RECORDINGS.cite(Basis.OBSERVED, "content-encoding only beside accept-encoding"),
    ),
)

_KEYS = (
    Rule(
        id="auth.missing",
        level=Level.MUST,
        statement="A call without a key is answered 401 with the code authentication.",
        breaks="Anyone reads, creates and deletes on somebody's account.",
        source=_AUTHENTICATION,
    ),
    Rule(
        id="auth.wrong",
        level=Level.MUST,
        statement="A call with a wrong key is refused.",
        breaks="Any text is a key.",
        source=_AUTHENTICATION,
    ),
    Rule(
        id="auth.header",
        level=Level.MUST,
        statement="The key is accepted in the x-goog-api-key header.",
        breaks="Every documented example and every SDK is refused.",
        source=BACKGROUND.cite(Basis.DOCUMENTED, "Every example sends x-goog-api-key"),
    ),
    Rule(
        id="auth.bearer",
        level=Level.MAY,
        statement="The key is accepted as a bearer token in the Authorization header.",
        breaks="Generic HTTP clients that only know bearer tokens are refused. (The schema says token, not key.)",
        source=OPENAPI.cite(Basis.SCHEMA, "Security scheme: Authorization: Bearer"),
    ),
    Rule(
        id="auth.query",
        level=Level.MAY,
        statement="The key is accepted in the key query parameter.",
        breaks="Older snippets that put the key into the address are refused.",
        source=BREAKING_CHANGES.cite(Basis.DOCUMENTED, "Examples with ?key="),
    ),
)

_ERROR_BODIES = (
    Rule(
        id="err.shape",
        level=Level.MUST,
        statement="The body of a 4xx or 5xx is an object with `error`, which holds string `message` and `code`.",
        breaks="Clients show an empty or raw error, and cannot tell what to do about it.",
        source=_BODY,
    ),
    Rule(
        id="err.status",
        level=Level.MUST,
        statement="An error is answered with a status of errors, 4xx or 5xx, and a refusal not with 500.",
        breaks="Clients take it for the result: no SDK raises, a poll loop never ends; or they send again for "
        "minutes what is refused.",
        source=_CODES,
    ),
    Rule(
        id="err.no-crash",
        level=Level.MUST,
        statement="A right request does not make the server fail: no 5xx, busy times apart, and no hang-up. "
        "No request, right or wrong, ends it.",
        breaks="Clients retry for minutes what can never work, or report an outage that is a bug.",
        source=HTTP.cite(Basis.GENERIC, "15.6 Server Error 5xx"),
    ),
    Rule(
        id="err.code-string",
        level=Level.SHOULD,
        statement="The code of an error is a non-empty string.",
        breaks="Client code that compares codes never matches.",
        source=_BODY,
    ),
    Rule(
        id="err.code-word",
        level=Level.MAY,
        statement="The code of an error is a word in snake_case.",
        breaks="Client code that compares codes never matches. (The live service sends sentences at times.)",
        source=_BODY,
    ),
    Rule(
        id="err.code-status",
        level=Level.SHOULD,
        statement="A code of the published table comes with that table's HTTP status.",
        breaks="Clients choose exception and retry by status: they retry what is hopeless or give up what is not.",
        source=_CODES,
    ),
    Rule(
        id="err.no-leak",
        level=Level.SHOULD,
        statement="An error shows neither the caller's key nor a stack trace.",
        breaks="Keys and internals end up in logs, tickets and recordings.",
        source=ERRORS.cite(Basis.INFERRED, "The fields of an error are a code and a message"),
    ),
    Rule(
        id="err.retry-after",
        level=Level.SHOULD,
        statement="Where a 429 carries Retry-After, it is a number of seconds or an HTTP date.",
        breaks="Clients that honour the field wait for ever or not at all.",
        source=HTTP.cite(Basis.GENERIC, "10.2.3 Retry-After"),
    ),
)

_REFUSALS = (
    Rule(
        id="err.malformed-json",
        level=Level.MUST,
        statement="A body that is not JSON is answered 400.",
        breaks="A client's bug looks like the server's, and is retried.",
        source=_INVALID,
    ),
    Rule(
        id="err.wrong-type",
        level=Level.MUST,
        statement="A known field with the wrong JSON type is answered 400.",
        breaks="The mistake is silently dropped or crashes the server: a wrong result, or a retry loop.",
        source=_INVALID,
    ),
    Rule(
        id="err.body-array",
        level=Level.SHOULD,
        statement="A JSON array in place of the create object is a client error.",
        breaks="A 5xx makes clients retry what can never work.",
        source=ERRORS.cite(Basis.INFERRED, "Codes: invalid_request"),
    ),
    Rule(
        id="err.unknown-field",
        level=Level.SHOULD,
        statement="An unknown field of the create body is answered 400.",
        breaks="A misspelt option is dropped without a word, and the user pays for something else.",
        source=ERRORS.cite(Basis.DOCUMENTED, "Codes: parameter_unknown"),
    ),
    Rule(
        id="err.unknown-model",
        level=Level.MUST,
        statement="A model that does not exist is refused with a client error.",
        breaks="A misspelt model is retried as a server error, or quietly replaced.",
        source=ERRORS.cite(Basis.DOCUMENTED, "Codes: model_not_found"),
    ),
    Rule(
        id="err.bad-enum",
        level=Level.SHOULD,
        statement="A value outside a closed enumeration is answered 400.",
        breaks="The option is dropped without a word.",
        source=ERRORS.cite(Basis.DOCUMENTED, "Examples of invalid_request messages"),
    ),
    Rule(
        id="err.unknown-route",
        level=Level.SHOULD,
        statement="A path that is no route is answered 404.",
        breaks="A mistyped path looks like an outage, or worse, like a success.",
        source=HTTP.cite(Basis.GENERIC, "15.5.5 404 Not Found"),
    ),
    Rule(
        id="err.stream-prestream",
        level=Level.MUST,
        statement="An invalid create with stream=true reports its failure, as an HTTP error or as an error event.",
        breaks="The client sees a stream without events and takes it for an empty answer.",
        source=ERRORS.cite(Basis.DOCUMENTED, "Errors of streaming requests"),
    ),
)

RULES: tuple[Rule, ...] = (*_TRANSPORT, *_KEYS, *_ERROR_BODIES, *_REFUSALS)
