"""The facts about an API that streams server-sent events, for the generic layers.

The class is here; the value for the Interactions API is `harness.contract.PROTOCOL`. Callers pass it down, so that
`cassette`, `faults`, `transport` and `resume` work for any such API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.wire.message import Request, Response
from harness.wire.secrets import SecretFields

JsonObject = Mapping[str, Any]


class StreamProtocol(Struct, frozen=True, kw_only=True):
    """The knowledge of one API that record, replay, fault injection and resume need.

    Callables take the decoded JSON payload of an event unless stated otherwise, and never raise on odd input.
    """

    name: str
    cursor: Callable[[JsonObject], str | None]
    """The token that resumes after this event; None if the event carries none."""
    with_cursor: Callable[[JsonObject, str | None], dict[str, Any]]
    """The event with another cursor, or with none."""
    completes: Callable[[JsonObject], bool]
    """Whether the stream's result is complete after this event."""
    ends: Callable[[JsonObject], bool | None]
    """Whether a stream is over after this event; None if it says nothing of that, as one that keeps alive."""
    is_error: Callable[[JsonObject], bool]
    """Whether this is the API's in-stream error event."""
    sentinel: bytes
    """Payload of the final frame that is not JSON, `b""` when the API has none."""
    stream_id: Callable[[JsonObject], str | None]
    """The id of the resource that the stream belongs to; None if this event does not contain it."""
    resume: Callable[[Request, str, str | None], Request]
    """(any request of the conversation, resource id, cursor) → the request that streams the rest."""
    is_resume: Callable[[Request], tuple[str, str | None] | None]
    """(resource id, cursor) of a request that streams a resource, None for any other request."""
    error_event: Callable[[str, str, str | None], bytes]
    """(code, message, event id) → one whole in-stream error frame."""
    bare_error: Callable[[bool], bytes]
    """(refused) → the JSON, outside the framing of the stream, that reports a refusal or else an outage."""
    error_body: Callable[[int, str, str], bytes]
    """(status, code, message) → the JSON body of an error response; the code "" is the one of the status."""
    shaped_error: Callable[[str, int, str, str | None], tuple[str, bytes]]
    """(shape, status, message, seconds to wait) → media type and body of an error response in this shape:
    `service`, `front-end`, `list`, `sentence` or `html`."""
    operation: Callable[[Request], str]
    """What a request does with a resource that streams: `create`, `get`, `cancel` or `delete`; "" for others."""
    text_of: Callable[[JsonObject], tuple[str, str] | None]
    """(join key, text) of an event that carries a text fragment; fragments with the same key are concatenated."""
    id_fields: frozenset[str]
    """JSON field names, at any depth, whose values are ids that recordings may map."""
    opaque_fields: frozenset[str]
    """Field names whose values must never be altered (signatures, inline data)."""
    is_fragment: Callable[[JsonObject], bool]
    """Whether an event carries a piece of an output, so that another run may have more or fewer of them."""
    name_event: Callable[[Any], str]
    """The kind of an event as its payload states it, in a word or two; takes any JSON value."""
    kind_fields: frozenset[str]
    """JSON field names, at any depth, whose values name a kind or a state: part of the shape of an answer."""
    secret_fields: SecretFields
    """Which members of its bodies hold secrets."""
    ignored: frozenset[str] = frozenset()
    """Names of query parameters and JSON members, at any depth, that no comparison looks at."""

    def refuse(self, status: int, code: str, message: str) -> Response:
        """A response with an error."""
        return Response.json(status, self.error_body(status, code, message))

    def hiding(self, names: Iterable[str] = (), patterns: Iterable[str] = ()) -> StreamProtocol:
        """The same API for a project with secrets of its own.

        They are the values of headers, query and form parameters and JSON members of these names, and what the
        regular expressions match.
        """
        return replace(self, secret_fields=self.secret_fields.having(names, patterns))

    def ignoring(self, names: Iterable[str]) -> StreamProtocol:
        """The same API for a project in which parameters and members of these names mean nothing."""
        return replace(self, ignored=self.ignored.union(names))
