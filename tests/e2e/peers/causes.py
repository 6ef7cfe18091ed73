"""The root causes of each implementation, in the versions of `installing`."""

from __future__ import annotations

from tests.e2e.peers.known import BACKGROUND, CREATE, PLAIN, REQUESTS, RESET, STREAMED, Cause, fault

_REFERENCE = "Interactions API reference"

LITELLM = (
    Cause(
        what="GET loses its query, so a stream can never be opened again",
        found_by=("resume.*", "bg.incomplete-visible", "gw.query", "gw.resume-through"),
        source=f"{_REFERENCE}, get: `stream`, `last_event_id`",
        steps=(CREATE, ("GET", "/v1beta/interactions/{id}?stream=true", None)),
        shows=r"(?i)content-type: application/json",
    ),
    Cause(
        what="cancel goes upstream as `:cancel`, which is no route: the answer is 404 and the run goes on",
        found_by=("cancel.*", "gw.route"),
        source="Background execution, cancel",
        steps=(BACKGROUND, ("POST", "/v1beta/interactions/{id}/cancel", None)),
        shows=r"^HTTP/1.1 404",
    ),
    Cause(
        what="there are no `/v1` routes, which google-genai 3.3.0 calls by default",
        found_by=("http.v1",),
        source="google-genai 3.3.0, default version",
        steps=(("POST", "/v1/interactions", PLAIN),),
        shows=r"^HTTP/1.1 404",
    ),
    Cause(
        what="fields of a create that the proxy does not know never arrive, and nothing says so",
        found_by=(
            "err.unknown-field",
            "create.both",
            "create.config-*",
            "agent.token-limit",
            "gw.body-fields",
            "gw.unknown-field",
        ),
        source=f"{_REFERENCE}, CreateInteraction; API errors: parameter_unknown",
        steps=(
            RESET,
            ("POST", "/v1beta/interactions", {**PLAIN, "labels": {"team": "a"}, "no_such_field": 1}),
            REQUESTS,
        ),
        shows=r"(?s)^(?!.*labels)(?!.*no_such_field).*Say hi",
    ),
    Cause(
        what="null and fields of its own are added: `agent`, `outputs`, `model` in each event",
        found_by=(
            "create.schema",
            "get.schema",
            "usage.types",
            "http.revision-ignored",
            "gw.additions",
            "*.schema",
        ),
        source=f"{_REFERENCE}, Interaction",
        steps=(CREATE,),
        shows=r'"agent":null',
    ),
    Cause(
        what="errors have the shape of another API: the code is the status as a string",
        found_by=("err.code-*", "err.shape", "auth.*", "gw.error-body", "gw.own-error"),
        source="API errors, shape of an error",
        steps=(("GET", "/v1beta/interactions/v1_unknown", None),),
        shows=r'"code":\s*"404"',
    ),
    Cause(
        what="DELETE answers `{success, id}` instead of an empty object",
        found_by=("del.ok",),
        source=f"{_REFERENCE}, delete",
        steps=(CREATE, ("DELETE", "/v1beta/interactions/{id}", None)),
        shows=r'"success"',
    ),
    Cause(
        what="a JSON array as the body crashes it",
        found_by=("err.body-array", "*.no-5xx"),
        source="RFC 9110, 15.5: what the client got wrong is a 4xx",
        steps=(("POST", "/v1beta/interactions", [1]),),
        shows=r"^HTTP/1.1 500",
    ),
    Cause(
        what="an id of two dots is answered 500",
        found_by=("rob.id-injection",),
        source="RFC 9110, 15.5",
        steps=(("GET", "/v1beta/interactions/%2e%2e", None),),
        shows=r"^HTTP/1.1 500",
    ),
    Cause(
        what="a stream that breaks off without an error is given an end: `[DONE]`",
        found_by=("gw.truncated", "gw.events"),
        source="both sides compared",
        steps=(fault("event:5,end"), STREAMED),
        shows=r"\[DONE\]",
    ),
    Cause(
        what="what cannot be decoded is skipped: an event that is no JSON, an error outside of any event",
        found_by=("gw.broken-frame", "gw.bare-error"),
        source="both sides compared",
    ),
    Cause(
        what="its own error in a stream is no error event of the API",
        found_by=("gw.error-event",),
        source=f"{_REFERENCE}, stream events: error",
    ),
    Cause(
        what="a create whose answer is lost is sent again, also with `num_retries: 0`",
        found_by=("gw.once",),
        source="RFC 9110, 9.2.2; both sides compared",
        steps=(RESET, fault("calls=before-headers,rst"), CREATE, REQUESTS),
        shows=r"(?s)Say hi.*Say hi",
    ),
    Cause(
        what="it polls background runs by itself",
        found_by=("gw.nothing-else",),
        source="both sides compared",
    ),
    Cause(
        what="`Retry-After` does not arrive",
        found_by=("gw.retry-after",),
        source="RFC 9110, 10.2.3",
        steps=(fault("calls=status:429,retry-after:7"), CREATE),
        shows=r"(?is)^HTTP/1.1 429(?!.*\nretry-after: 7)",
    ),
    Cause(
        what="`event:` lines are dropped",
        found_by=("gw.event-names",),
        source="both sides compared",
        steps=(STREAMED,),
        shows=r"(?s)^(?!.*\nevent: )",
    ),
)

ROSETTA = (
    Cause(
        what="only create is offered",
        found_by=("gw.route", "get.*", "del.*", "cancel.*", "resume.*", "store.*"),
        source=f"{_REFERENCE}, get, cancel, delete",
        steps=(CREATE, ("GET", "/v1beta/interactions/{id}", None)),
        shows=r"^HTTP/1.1 40[45]",
    ),
    Cause(
        what="a run that is in progress is told as completed, and the errors of one that failed are lost",
        found_by=("gw.body", "bg.*"),
        source="both sides compared",
        steps=(BACKGROUND,),
        shows=r'"status": ?"completed"',
    ),
    Cause(
        what="a stream is written anew: events are lost, doubled and changed, ids and names of calls are missing",
        found_by=(
            "gw.events",
            "gw.unknown-event*",
            "gw.event-ids",
            "gw.event-names",
            "gw.utf8",
            "stream.*",
            "tool.stream-call",
        ),
        source="both sides compared; Streaming interactions, step.start and step.stop",
        steps=(STREAMED,),
        shows=r"(?s)step.stop.*step.stop.*step.stop",
    ),
    Cause(
        what="a stream that breaks off is told as completed",
        found_by=("gw.truncated",),
        source="both sides compared",
        steps=(fault("event:6+25,fin"), STREAMED),
        shows=r"interaction.completed",
    ),
    Cause(
        what="fields of a create that it does not know never arrive, and images and built-in tools are rewritten",
        found_by=(
            "gw.body-fields",
            "gw.unknown-field",
            "err.unknown-field",
            "err.bad-enum",
            "create.both",
            "create.config-*",
        ),
        source=f"{_REFERENCE}, CreateInteraction; API errors: parameter_unknown",
        steps=(
            RESET,
            ("POST", "/v1beta/interactions", {**PLAIN, "labels": {"team": "a"}, "no_such_field": 1}),
            REQUESTS,
        ),
        shows=r"(?s)^(?!.*labels)(?!.*no_such_field).*Say hi",
    ),
    Cause(
        what="an input that is one content, and no text, arrives empty",
        found_by=("create.input-content",),
        source=f"{_REFERENCE}, CreateInteraction: input",
        steps=(("POST", "/v1beta/interactions", {**PLAIN, "input": {"type": "text", "text": "Say hi."}}),),
        shows=r"^HTTP/1.1 400",
    ),
    Cause(
        what="what cannot be decoded is skipped: an event that is no JSON, an error outside of any event",
        found_by=("gw.broken-frame", "gw.bare-error"),
        source="both sides compared",
    ),
    Cause(
        what="its own errors have another shape: `error` is a string",
        found_by=("err.shape", "err.unknown-route", "err.code-*", "gw.own-error", "gw.error-event"),
        source="API errors, shape of an error",
        steps=(("PUT", "/v1beta/interactions", PLAIN),),
        shows=r'"error": ?"',
    ),
    Cause(
        what="a JSON array as the body crashes it",
        found_by=("err.body-array", "*.no-5xx"),
        source="RFC 9110, 15.5: what the client got wrong is a 4xx",
        steps=(("POST", "/v1beta/interactions", [1]),),
        shows=r"^HTTP/1.1 500",
    ),
    Cause(
        what="`Retry-After` does not arrive",
        found_by=("gw.retry-after",),
        source="RFC 9110, 10.2.3",
        steps=(fault("calls=status:429,retry-after:7"), CREATE),
        shows=r"(?is)^HTTP/1.1 429(?!.*\nretry-after: 7)",
    ),
    Cause(what="fields are added to creates, answers and events", found_by=("gw.additions",)),
    Cause(
        what="anybody is let in", found_by=("auth.*",), ours="`open_on_no_keys` was set, which asks for just that"
    ),
)

AIMOCK = (
    Cause(
        what="a create without `stream` returns a stream",
        found_by=("create.no-stream-json", "http.v1beta"),
        source=f"{_REFERENCE}, create: `stream`",
        steps=(("POST", "/v1beta/interactions", {"model": "gemini-3.5-flash", "input": "Say hi."}),),
        shows=r"(?i)content-type: text/event-stream",
    ),
    Cause(
        what="only create is offered: nothing is stored, and `background` is ignored",
        found_by=("get.*", "del.*", "store.*", "bg.*", "cancel.*", "resume.*"),
        source=f"{_REFERENCE}, get, cancel, delete",
        steps=(CREATE, ("GET", "/v1beta/interactions/{id}", None)),
        shows=r"^HTTP/1.1 404",
    ),
    Cause(
        what="a create is hardly validated: no model and no agent, both, unknown fields, models and agents",
        found_by=(
            "err.unknown-field",
            "err.unknown-model",
            "err.bad-enum",
            "create.model-xor-agent",
            "create.both",
            "create.config-*",
        ),
        source=f"{_REFERENCE}, CreateInteraction; API errors",
        steps=(("POST", "/v1beta/interactions", {"input": "Say hi.", "stream": False}),),
        shows=r"^HTTP/1.1 200",
    ),
    Cause(
        what="whatever agent is named, also one that does not exist, a plain run of a model answers",
        found_by=("agent.*",),
        source="Managed agents, agent",
        steps=(("POST", "/v1beta/interactions", {"agent": "no-such-agent", "input": "Say hi.", "stream": False}),),
        shows=r'"model":',
    ),
    Cause(
        what="an input that no fixture matches is 404, also one that is malformed, missing or one content",
        found_by=("err.wrong-type", "create.input-content", "create.input-missing"),
        source=f"{_REFERENCE}, CreateInteraction: input",
        steps=(("POST", "/v1beta/interactions", {**PLAIN, "input": {"type": "text", "text": "Say hi."}}),),
        shows=r"^HTTP/1.1 404",
    ),
    Cause(
        what="errors have another shape",
        found_by=("err.shape", "err.code-*"),
        source="API errors, shape of an error",
        steps=(("POST", "/v1beta/interactions", {**PLAIN, "input": {"type": "text", "text": "Say hi."}}),),
        shows=r"NOT_FOUND|No fixture",
    ),
    Cause(
        what="`created`, `updated` and `object` are missing",
        found_by=("create.times", "create.object"),
        source=f"{_REFERENCE}, Interaction",
        steps=(CREATE,),
        shows=r"(?s)^(?!.*\"created\")",
    ),
    Cause(
        what="an emoji is split into the two halves of its surrogate pair",
        found_by=("stream.surrogates",),
        source="RFC 8259, 8.2",
        steps=(STREAMED,),
        shows=r"\\ud83d\"",
    ),
    Cause(
        what="a stream has no `[DONE]`",
        found_by=("stream.done",),
        source="Streaming interactions, end of the stream",
        steps=(STREAMED,),
        shows=r"(?s)^(?!.*\[DONE\])",
    ),
    Cause(
        what="a step whose content is a string, and `tools` that are no list, crash it",
        found_by=("err.no-crash",),
        source="RFC 9110, 15.6: a request does not make the server fail",
        steps=(
            ("POST", "/v1beta/interactions", {**PLAIN, "input": [{"type": "user_input", "content": "Say hi."}]}),
        ),
        shows=r"^HTTP/1.1 500",
    ),
    Cause(
        what="the output is no JSON though JSON was asked for",
        found_by=("create.response-format",),
        ours="the output is what our fixture says, and a mock has to answer that",
    ),
)
