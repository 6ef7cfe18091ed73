"""Remove secrets from recordings: headers, query, path, bodies, error messages, the origin. Layer 1.

On by default wherever something is recorded. A value that its name marks as secret (a header, a query parameter, a
field) is replaced and remembered, so that the same secret is also found in an error message. Then everything that
looks like a secret is replaced and reported. Pieces and declared lengths are adjusted to the new bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, quote, unquote, unquote_plus

from msgspec import structs

from harness.cassette.body_secrets import BodySecretFinder
from harness.cassette.framing import ByteEdit, Found, apply, bytes_of, follow, text_of
from harness.cassette.placeholders import PlaceholderTable, apply_changes
from harness.cassette.recording import Recording
from harness.errors import CassetteError
from harness.wire import Headers, Request, StreamProtocol
from harness.wire.coding import CODINGS, coding_of, decode_pieces
from harness.wire.secret_texts import secrets_in_header
from harness.wire.secrets import is_placeholder, is_secret_header, looks_random, names_own_key

_ROUNDS = 3
SHORTEST_LEARNED = 8
"""A shorter value of a header or parameter is hidden in place, but not searched for elsewhere."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """One secret that was replaced: its kind and its place, never the secret itself."""

    kind: str
    place: str


class Redactor:
    """Removes secrets from recordings. Use one redactor per session, so that each secret keeps its placeholder.

    `secrets` are values known from the start. `report` lists what was replaced, oldest first. `learned` grows with
    each secret: what was redacted before may contain it. Safe to use from several threads.
    """

    def __init__(self, protocol: StreamProtocol, *, secrets: Iterable[str] = ()) -> None:
        self.report: list[Replaced] = []
        self._protocol = protocol
        self._fields = protocol.secret_fields
        self._table = PlaceholderTable(secrets)
        self.bodies = BodySecretFinder(protocol, self._table)
        """Finds the same secrets in bodies alone."""

    @property
    def learned(self) -> int:
        """The number of known secrets."""
        return self._table.learned

    def redact(self, recording: Recording) -> Recording:
        """Return the recording without its secrets. Raises CassetteError for a body that cannot be decoded."""
        recording = recording.decode()
        recording = replace(recording, request=decode_request(recording.request))
        _must_be_readable(recording)
        self.learn(recording)
        for _ in range(_ROUNDS):  # what is recognized at the end may also stand, unrecognizable, at the beginning
            known = self.learned
            pass_ = _Pass(self._protocol, self._table, self.bodies)
            redacted = pass_.recording(recording)
            if self.learned == known:
                break
        self.report += pass_.report
        return redacted

    def learn(self, recording: Recording) -> None:
        """Learn the values that names mark as secret, so that they are also found in places without a name."""
        self._learn_headers(recording.headers)
        self._learn_request(recording.request)
        self.bodies.learn(recording.body, above=self._fields.above(recording.request.segments))

    def hide(self, secrets: Iterable[str]) -> None:
        """Learn values that cannot be recognized as secrets; only their owner knows."""
        for secret in secrets:
            if len(secret) >= SHORTEST_LEARNED:
                self._table.learn(secret, own=True)

    def request(self, request: Request) -> Request:
        """Return a single request without its secrets."""
        request = decode_request(request)
        self._learn_request(request)
        pass_ = _Pass(self._protocol, self._table, self.bodies)
        redacted = pass_.request(request)
        self.report += pass_.report
        return redacted

    def _learn_request(self, request: Request) -> None:
        self._learn_headers(request.headers, sent=True)
        form = parse_qsl(text_of(request.body)) if _is_form(request) else ()
        for name, value in (*_parameters_of_path(request), *request.query, *form):
            if self._fields.names_parameter(name):
                self._learn(value, own=names_own_key(name) or looks_random(value))
        self.bodies.learn(request.body, sent=True, above=self._fields.above(request.segments))

    def _learn_headers(self, headers: Headers, *, sent: bool = False) -> None:
        for name, value in headers:
            if is_secret_header(name):
                once = name.lower() == "set-cookie"  # of which there may be many
                for secret in secrets_in_header(name, value)[once:]:
                    own = sent and (names_own_key(name) or looks_random(secret))
                    self._learn(secret, in_base64=not once, own=own)

    def _learn(self, value: str, *, in_base64: bool = True, own: bool = False) -> None:
        if len(value) >= SHORTEST_LEARNED:
            self._table.learn(value, in_base64=in_base64, own=own)


class _Pass:
    """One search through a recording; `report` is what it replaced."""

    def __init__(self, protocol: StreamProtocol, table: PlaceholderTable, bodies: BodySecretFinder) -> None:
        self.report: list[Replaced] = []
        self._protocol = protocol
        self._fields = protocol.secret_fields
        self._table = table
        self._bodies = bodies

    def recording(self, recording: Recording) -> Recording:
        """The recording with every secret that is known or recognized replaced."""
        request, response = self.request(recording.request), self._answer(recording)
        detail = self._redact_text(recording.ending.detail, "ending")
        return replace(
            response,
            request=request,
            headers=self._redact_headers(response.headers, "response header"),
            ending=structs.replace(response.ending, detail=detail),
            reason=self._redact_text(recording.reason, "status message"),
            origin=self._redact_text(recording.origin, "origin"),
        )

    def _find_path_above(self, request: Request) -> tuple[str, ...]:
        """The path under which the members of an exchange's bodies stand."""
        return self._fields.above(request.segments)

    def request(self, request: Request) -> Request:
        """The request with every secret that is known or recognized replaced."""
        headers = self._redact_headers(request.headers, "request header")
        if _is_form(request):
            body = bytes_of(self._redact_pairs(text_of(request.body), "request body"))
        else:
            found = self._bodies.find(request.body, above=self._find_path_above(request))
            body = apply(request.body, self._note(found, "request body"))
        if len(body) != len(request.body):
            headers = headers.with_length(len(body))
        return Request(request.method, self._redact_target(request.target), headers, body)

    def _answer(self, recording: Recording) -> Recording:
        resumed = self._protocol.is_resume(recording.request)
        found = self._bodies.find(
            recording.body,
            stream=recording.events,
            cut=not recording.complete,
            resumed=resumed is not None and resumed[1] is not None,
            above=self._find_path_above(recording.request),
        )
        edits = self._note(found, "response body")
        return (
            recording.with_body(apply(recording.body, edits), follow(recording.pieces, edits))
            if edits
            else recording
        )

    def _note(self, found: Iterable[Found], place: str) -> list[ByteEdit]:
        edits = []
        for item in found:
            self.report.append(Replaced(item.kind, f"{place}, byte {item.edit.start}"))
            edits.append(item.edit)
        return edits

    def _redact_text(self, text: str, place: str, *, escaped: bool = True) -> str:
        changes = self._table.changes(text, escaped=escaped)
        self.report += [Replaced(change.kind, place) for change in changes]
        return apply_changes(text, changes)

    def _redact_headers(self, headers: Headers, place: str) -> Headers:
        return Headers(self._redact_field(name, value, place) for name, value in headers)

    def _redact_field(self, name: str, value: str, place: str) -> tuple[str, str]:
        hidden = self._redact_text(name, place, escaped=False)
        return hidden, self._redact_header(name, value, f"{place} {hidden}")

    def _redact_header(self, name: str, value: str, place: str) -> str:
        if not is_secret_header(name):
            return self._redact_text(value, place)
        hidden = self._bodies.hide_value(value)
        if hidden != value:
            self.report.append(Replaced("secret header", place))
        return hidden

    def _redact_target(self, target: str) -> str:
        path, mark, query = target.partition("?")
        path = "/".join(self._redact_segment(segment) for segment in path.split("/"))
        whole = path + mark + self._redact_pairs(query, "query")
        return self._redact_text(whole, "path", escaped=False)  # also finds secrets that span several parts

    def _redact_segment(self, segment: str) -> str:
        """Redact a segment of a path, and its parameters (`name;token=…`)."""
        name, *parameters = segment.split(";")
        parts = [self._part(name, unquote(name), "path"), *(self._pair(pair, "path") for pair in parameters)]
        return ";".join(parts)

    def _redact_pairs(self, pairs: str, place: str) -> str:
        """Redact the parameters of a query or a form; `pairs` is in their encoded form."""
        return "&".join(self._pair(pair, place) for pair in pairs.split("&"))

    def _pair(self, pair: str, place: str) -> str:
        name, mark, value = pair.partition("=")
        plain = unquote_plus(value)
        if not (plain and self._fields.names_parameter(unquote_plus(name))):
            shown = self._part(name, unquote_plus(name), place)
            return shown + mark + self._part(value, plain, f"{place} {shown}")
        if is_placeholder(plain):
            return pair
        self.report.append(Replaced("secret parameter", f"{place} {name}"))
        return f"{name}{mark}{self._table.placeholder(plain)}"

    def _part(self, part: str, plain: str, place: str) -> str:
        """Redact a path segment, or the name or value of a parameter; `plain` is `part` decoded."""
        hidden = self._redact_text(plain, place)
        return part if hidden == plain else quote(hidden, safe="")


def _parameters_of_path(request: Request) -> list[tuple[str, str]]:
    """The names and values of parameters in the segments of a path (`/x;token=…`)."""
    pairs = [pair.partition("=") for segment in request.raw_path.split("/") for pair in segment.split(";")[1:]]
    return [(unquote(name), unquote(value)) for name, _, value in pairs]


def decode_request(request: Request) -> Request:
    """The request with gzip or deflate decoded; unchanged if that is not possible."""
    coding = coding_of(request.headers)
    if coding not in CODINGS or not request.body:
        return request
    try:
        body = b"".join(decode_pieces(coding, request.body, [len(request.body)]))
    except ValueError:
        return request
    headers = request.headers.without("content-encoding").with_length(len(body))
    return Request(request.method, request.target, headers, body)


def _must_be_readable(recording: Recording) -> None:
    """Raise CassetteError for a body that is still encoded: it cannot be searched, so it is not known clean."""
    request = recording.request
    for what, headers, body in (
        ("answered", recording.headers, recording.body),
        ("asked", request.headers, request.body),
    ):
        coding = coding_of(headers)
        if coding and body:
            raise CassetteError(
                f"{request.method} {request.raw_path} was {what} in content-encoding {coding!r}, which cannot be "
                "looked into: record with identity or gzip"
            )


def _is_form(request: Request) -> bool:
    return request.headers.media_type() == "application/x-www-form-urlencoded"
