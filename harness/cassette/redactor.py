"""Remove secrets from recordings: headers, query, path, bodies, error messages, the origin.

On by default wherever something is recorded. Three things are replaced: values that the recorder was given, such
as the user's keys; values that their names mark, each of which is remembered, so that it is also found in an error
message; and texts of the known shapes of keys. Pieces and declared lengths are adjusted to the new bytes.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote, unquote_plus

from msgspec import structs

from harness.cassette.framing import follow
from harness.cassette.recording import Recording
from harness.cassette.stored_bytes import Spool, StoredBytes
from harness.errors import CassetteError
from harness.wire import Headers, Request, StreamProtocol, secret_finder
from harness.wire.bodies import CODINGS, coding_of, decode_pieces
from harness.wire.message import STEP
from harness.wire.secrets import find_password, is_placeholder, secrets_in_header

Redacted = TypeVar("Redacted", Recording, Request)

_ROUNDS = 3
"""What is recognized in the answer may stand in the request, and what that names in the answer again."""

SHORTEST_LEARNED = 8
"""A shorter value of a header or parameter is hidden in place, but not searched for elsewhere."""

_STREAM = re.compile(rb"\s*(?:\xef\xbb\xbf)?(?:event|data|id|retry)?:")
"""The beginning of an event stream, whatever its Content-Type is."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """One secret that was replaced: its kind and its place, never the secret itself."""

    kind: str
    place: str


class Redactor:
    """Removes secrets from recordings. Use one redactor per session, so that each secret keeps its placeholder.

    `secrets` are values known from the start; `protocol.hiding` adds names and patterns of yours. `report` lists
    what was replaced, oldest first. `learned` grows with each secret: what was redacted before may contain it.
    Safe to use from several threads.
    """

    def __init__(self, protocol: StreamProtocol, *, secrets: Iterable[str] = ()) -> None:
        self.report: list[Replaced] = []
        self._protocol = protocol
        self._fields = protocol.secret_fields
        self._placeholders: dict[str, str] = {}
        self._lock = threading.Lock()
        self._finder = secret_finder.SecretFinder(
            self._fields,
            self._name_placeholder,
            secrets=secrets,
            exempt=protocol.opaque_fields | protocol.id_fields,
        )

    def _name_placeholder(self, secret: str) -> str:
        """The placeholder of a secret: a number, which reveals not even its length."""
        with self._lock:
            return self._placeholders.setdefault(secret, f"REDACTED-{len(self._placeholders) + 1}")

    @property
    def learned(self) -> int:
        """The number of known secrets."""
        return self._finder.learned

    def redact(self, recording: Recording) -> Recording:
        """Return the recording without its secrets. Raises CassetteError for a body that cannot be decoded."""
        recording = recording.decode()
        request = decode_request(recording.request)
        recording = replace(recording, request=request)
        for what, one in (("answered", recording), ("asked", request)):
            # It cannot be searched, so it is not known to be clean.
            if one.body and (coding := coding_of(one.headers)):
                asked = f"{request.method} {request.raw_path} was {what} in content-encoding {coding!r}"
                raise CassetteError(f"{asked}, which cannot be looked into: record with identity or gzip")
        self._learn_headers(recording.headers)
        self._learn_request(request)
        return self._repeat(lambda each: each.redact_recording(recording))

    def redact_all(
        self, recordings: Sequence[Recording]
    ) -> list[tuple[Recording | CassetteError, list[Replaced]]]:
        """Each recording without its secrets, or why it cannot be redacted, and what was replaced in it.

        An earlier recording may quote what only a later one marks as secret: each find redacts the earlier again.
        """
        redacted: dict[int, tuple[Recording | CassetteError, list[Replaced]]] = {}
        made_with = dict.fromkeys(range(len(recordings)), -1)
        while behind := [number for number, learned in made_with.items() if learned < self.learned]:
            for number in behind:
                before = len(self.report)
                result: Recording | CassetteError
                try:
                    result = self.redact(recordings[number])
                except CassetteError as wrong:
                    result = wrong
                redacted[number] = result, self.report[before:]
                made_with[number] = self.learned
        return [redacted[number] for number in range(len(recordings))]

    def hide(self, secrets: Iterable[str]) -> None:
        """Learn values that cannot be recognized as secrets; only their owner knows."""
        for secret in secrets:
            if len(secret) >= SHORTEST_LEARNED:
                self._finder.learn(secret)

    def request(self, request: Request) -> Request:
        """Return a single request without its secrets."""
        request = decode_request(request)
        self._learn_request(request)
        return self._repeat(lambda each: each.redact_request(request))

    def _repeat(self, redact: Callable[[_Pass], Redacted]) -> Redacted:
        """The result of a pass that found no new secret: a name may mark a value that stands before it."""
        for _ in range(_ROUNDS):
            known, last = self.learned, _Pass(self)
            redacted = redact(last)
            if self.learned == known:
                break
        self.report += last.report
        return redacted

    def _learn_request(self, request: Request) -> None:
        self._learn_headers(request.headers)
        form = parse_qsl(secret_finder.text_of(request.body)) if _is_form(request) else ()
        self.hide(value for name, value in (*request.query, *form) if self._fields.names_parameter(name))

    def _learn_headers(self, headers: Headers) -> None:
        for name, value in headers:
            if self._fields.names_header(name) or find_password(value):
                self.hide(secrets_in_header(name, value))

    def find_in_body(self, body: bytes, of: Recording | Request | None = None) -> list[secret_finder.TextEdit]:
        """Return all edits of a body, in order and without overlap; `of` is its recording or request."""
        request = of.request if isinstance(of, Recording) else of
        if not ((isinstance(of, Recording) and of.events) or _STREAM.match(body)):
            return self._finder.in_document(body, self._fields.above(request.segments) if request else ())
        try:
            return self._finder.in_stream(body, self._protocol)
        except secret_finder.UnreadableSecret as wrong:
            raise CassetteError(f"{wrong}: it cannot be redacted, so record something else") from None


class _Pass:
    """One pass with the secrets that are known by now; `report` has what it replaced."""

    def __init__(self, redactor: Redactor) -> None:
        self.report: list[Replaced] = []
        self._redactor = redactor
        self._fields, self._finder = redactor._fields, redactor._finder

    def redact_recording(self, recording: Recording) -> Recording:
        request = self.redact_request(recording.request)
        if edits := self._redactor.find_in_body(recording.body, recording):
            self.report += [Replaced(edit.kind, f"response body, byte {edit.start}") for edit in edits]
            body = _apply(recording.body, edits)
            recording = recording.with_body(body, follow(recording.pieces, edits))
        return replace(
            recording,
            request=request,
            headers=self._redact_headers(recording.headers, "response header"),
            ending=structs.replace(recording.ending, detail=self._redact_text(recording.ending.detail, "ending")),
            reason=self._redact_text(recording.reason, "status message"),
            origin=self._redact_text(recording.origin, "origin"),
        )

    def redact_request(self, request: Request) -> Request:
        headers = self._redact_headers(request.headers, "request header")
        if _is_form(request):
            form = secret_finder.text_of(request.body)
            body = secret_finder.bytes_of(self._redact_pairs(form, "request body"))
        else:
            edits = self._redactor.find_in_body(request.body, request)
            self.report += [Replaced(edit.kind, f"request body, byte {edit.start}") for edit in edits]
            body = secret_finder.apply_to_bytes(request.body, edits)
        if len(body) != len(request.body):
            headers = headers.with_length(len(body))
        return Request(request.method, self._redact_target(request.target), headers, body)

    def _redact_text(self, text: str, place: str) -> str:
        edits = self._finder.in_text(text)
        self.report += [Replaced(edit.kind, place) for edit in edits]
        return secret_finder.apply_edits(text, edits)

    def _redact_headers(self, headers: Headers, place: str) -> Headers:
        fields = []
        for name, value in headers:
            shown = self._redact_text(name, place)
            if self._fields.names_header(name) or find_password(value):
                hidden = self._finder.hide_value(value)
                if hidden != value:
                    self.report.append(Replaced("secret header", f"{place} {shown}"))
            else:
                hidden = self._redact_text(value, f"{place} {shown}")
            fields.append((shown, hidden))
        return Headers(fields)

    def _redact_target(self, target: str) -> str:
        path, mark, query = target.partition("?")
        segments = [self._redact_part(segment, unquote, "path") for segment in path.split("/")]
        whole = "/".join(segments) + mark + self._redact_pairs(query, "query")
        return self._redact_text(whole, "path")  # also finds secrets that span several parts

    def _redact_pairs(self, pairs: str, place: str) -> str:
        """Redact the parameters of a query or a form; `pairs` is in their encoded form."""
        return "&".join(self._redact_pair(pair, place) for pair in pairs.split("&"))

    def _redact_pair(self, pair: str, place: str) -> str:
        name, mark, value = pair.partition("=")
        plain = unquote_plus(value)
        if not (plain and self._fields.names_parameter(unquote_plus(name))):
            shown = self._redact_part(name, unquote_plus, place)
            return shown + mark + self._redact_part(value, unquote_plus, f"{place} {shown}")
        if is_placeholder(plain):
            return pair
        self.report.append(Replaced("secret parameter", f"{place} {name}"))
        return f"{name}{mark}{self._redactor._name_placeholder(plain)}"

    def _redact_part(self, part: str, decode: Callable[[str], str], place: str) -> str:
        """Redact a path segment, or the name or value of a parameter: as it is written, as far as that goes."""
        part = self._redact_text(part, place)
        plain = decode(part)
        hidden = self._redact_text(plain, place)
        return part if hidden == plain else quote(hidden, safe="")


def _apply(body: Any, edits: Sequence[secret_finder.TextEdit]) -> bytes:
    """The body after `edits`; in a file, too, if it is in one."""
    if not isinstance(body, StoredBytes):
        return secret_finder.apply_to_bytes(body, edits)
    spool, at = Spool(body.folder), 0
    for edit in (*edits, secret_finder.TextEdit(len(body), len(body), "", "")):
        for start in range(at, edit.start, STEP):
            spool.write(body[start : min(start + STEP, edit.start)])
        spool.write(secret_finder.bytes_of(edit.text))
        at = edit.end
    return spool.getvalue()


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


def _is_form(request: Request) -> bool:
    return request.headers.media_type() == "application/x-www-form-urlencoded"
