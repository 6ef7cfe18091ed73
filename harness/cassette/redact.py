"""Recordings without their secrets: headers, query, path, bodies, error messages, the origin. Layer 1.

On by default wherever something is recorded. What a name gives away (a header, a query parameter, a field) is
replaced and remembered, so that the same secret is found in an error message, too. Then everything that looks like
a secret is replaced and reported. Pieces and promised lengths follow the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, unquote_plus

from harness.cassette.bodies import BodyReader, Found
from harness.cassette.fault import CassetteError
from harness.cassette.framing import Edit, apply, follow
from harness.cassette.recording import Recording
from harness.cassette.vault import Vault, changed
from harness.wire import Headers, Request, StreamProtocol
from harness.wire.secrets import SECRET_PARAMETERS, is_placeholder, is_secret_header, plain_name

_PARAMETERS = frozenset(map(plain_name, SECRET_PARAMETERS))
_SHORTEST_LEARNED = 8
"""A header's value that is shorter is hidden there and not looked for elsewhere."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """One secret that was replaced: what kind, and where. Never the secret."""

    kind: str
    place: str


class Redactor:
    """Takes secrets out of recordings; one redactor for a session, so that a secret keeps its placeholder.

    `secrets` are values known from the start. `report` lists what was replaced, oldest first.
    """

    def __init__(self, protocol: StreamProtocol, *, secrets: Iterable[str] = ()) -> None:
        self.report: list[Replaced] = []
        self._protocol = protocol
        self._parameters = _PARAMETERS | frozenset(map(plain_name, protocol.secret_fields))
        self._vault = Vault(secrets)
        self._bodies = BodyReader(protocol, self._vault)

    def redact(self, recording: Recording) -> Recording:
        """The recording without its secrets. Raises CassetteError for a body that cannot be looked into."""
        recording = recording.decoded()
        coding = recording.headers.get("content-encoding").strip().lower()
        if coding not in ("", "identity") and recording.body:
            raise CassetteError(
                f"{recording.request.method} {recording.request.target} was answered in content-encoding "
                f"{coding!r}, which cannot be looked into: record with Accept-Encoding: identity or gzip"
            )
        self.learn(recording)
        request, response = self._request(recording.request), self._answer(recording)
        ending = replace(recording.ending, detail=self._text(recording.ending.detail, "ending"))
        return replace(
            response,
            request=request,
            headers=self._headers(response.headers, "response header"),
            ending=replace(response.ending, detail=ending.detail),
            reason=self._text(recording.reason, "status message"),
            origin=self._text(recording.origin, "origin"),
        )

    def learn(self, recording: Recording) -> None:
        """Take in what names give away, so that it is found in places without a name."""
        self._learn_headers(recording.headers)
        self._learn_request(recording.request)
        self._bodies.learn(recording.body)

    def request(self, request: Request) -> Request:
        """A request without its secrets, by itself."""
        self._learn_request(request)
        return self._request(request)

    def _learn_request(self, request: Request) -> None:
        self._learn_headers(request.headers)
        for name, value in request.query:
            if self.is_secret_parameter(name):
                self._learn(value)
        self._bodies.learn(request.body)

    def _learn_headers(self, headers: Headers) -> None:
        for name, value in headers:
            if is_secret_header(name):
                words = value.replace(";", " ").replace("=", " ").split() if "cookie" in name.lower() else [value]
                for word in words:
                    self._learn(word.partition(" ")[2] or word)

    def is_secret_parameter(self, name: str) -> bool:
        """Whether a query parameter's value is a secret by its name alone."""
        return plain_name(name) in self._parameters

    def _learn(self, value: str) -> None:
        if len(value) >= _SHORTEST_LEARNED:
            self._vault.learn(value)

    def _request(self, request: Request) -> Request:
        headers = self._headers(request.headers, "request header")
        found = self._bodies.find(request.body, stream=False)
        body = apply(request.body, self._noted(found, "request body"))
        if found and "content-length" in headers:
            headers = Headers((n, str(len(body)) if n.lower() == "content-length" else v) for n, v in headers)
        return Request(request.method, self._target(request.target), headers, body)

    def _answer(self, recording: Recording) -> Recording:
        resumed = self._protocol.is_resume(recording.request)
        found = self._bodies.find(
            recording.body,
            stream=recording.events,
            cut=not recording.complete,
            resumed=resumed is not None and resumed[1] is not None,
        )
        edits = self._noted(found, "response body")
        return (
            recording.edited(apply(recording.body, edits), follow(recording.pieces, edits)) if edits else recording
        )

    def _noted(self, found: Iterable[Found], place: str) -> list[Edit]:
        edits = []
        for item in found:
            self.report.append(Replaced(item.kind, f"{place}, byte {item.edit.start}"))
            edits.append(item.edit)
        return edits

    def _text(self, text: str, place: str) -> str:
        changes = self._vault.changes(text)
        self.report += [Replaced(change.kind, place) for change in changes]
        return changed(text, changes)

    def _headers(self, headers: Headers, place: str) -> Headers:
        return Headers((name, self._header(name, value, f"{place} {name}")) for name, value in headers)

    def _header(self, name: str, value: str, place: str) -> str:
        if not is_secret_header(name):
            return self._text(value, place)
        hidden = self._bodies.hidden(value)
        if hidden != value:
            self.report.append(Replaced("secret header", place))
        return hidden

    def _target(self, target: str) -> str:
        path, mark, query = target.partition("?")
        path = "/".join(self._segment(segment) for segment in path.split("/"))
        return path + mark + "&".join(self._pair(pair) for pair in query.split("&"))

    def _segment(self, segment: str) -> str:
        plain = unquote(segment)
        hidden = self._text(plain, "path")
        return segment if hidden == plain else quote(hidden, safe="")

    def _pair(self, pair: str) -> str:
        name, mark, value = pair.partition("=")
        plain = unquote_plus(value)
        if self.is_secret_parameter(unquote_plus(name)) and plain:
            if is_placeholder(plain):
                return pair
            self.report.append(Replaced("secret parameter", f"query {name}"))
            return f"{name}{mark}{self._vault.placeholder(plain)}"
        hidden = self._text(plain, f"query {name}")
        return pair if hidden == plain else f"{name}{mark}{quote(hidden, safe='')}"
