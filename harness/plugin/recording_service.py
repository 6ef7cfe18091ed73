"""Records a service while it answers: each piece is forwarded at once, and the record is kept before the last one.

Stands between the code under test and the upstream server. A request that the file has goes no further.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from threading import Lock, RLock
from urllib.parse import parse_qsl, urlencode, urlsplit

from harness.cassette import CassetteFile, Recording
from harness.cassette.player import MISS_CODE, MISS_STATUS, answer_from
from harness.errors import CassetteError
from harness.plugin.cassette_files import Wanted
from harness.plugin.environment_variables import PLACEHOLDER_KEY
from harness.plugin.vcr_compat import edit_request, edit_response
from harness.transport.http1.reader import RECORDED_BYTES
from harness.transport.proxy import UpstreamServer
from harness.wire import (  # fmt: skip
    By,
    Chunk,
    Chunked,
    Ending,
    Exchange,
    ExchangeBuilder,
    Headers,
    How,
    Length,
    Piece,
    Request,
    Response,
)
from harness.wire.addresses import readdress, stand_in_url
from harness.wire.message import EVENT_STREAM, WrappedBody
from harness.wire.secrets import secrets_in_header
from harness.wire.sse import events_in

_UNREACHED = (How.REFUSED, How.TLS)
"""Endings not recorded: the service was not reached, and a replay would hide that nothing was recorded."""
_HOP = ("host", "connection", "content-length", "transfer-encoding", "accept-encoding")


class RecordingService:
    """A `Service` that answers from the file if it can, and otherwise asks the upstream server and records.

    `key` replaces the placeholder that ready-made clients send; without a key, their requests are refused. The
    headers and query parameters that are `wanted` out of files are sent but not written.
    """

    def __init__(self, file: CassetteFile, wanted: Wanted, key: str | None) -> None:
        self.protocol = wanted.api.load_protocol()
        parts = urlsplit(wanted.upstream)
        self._file = file
        self._wanted = wanted
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._prefix = parts.path.rstrip("/")
        self._upstream = UpstreamServer(self._origin)
        self._key = key
        self.kept = 0
        """How many exchanges were recorded."""
        self.unreached = 0
        """How many requests did not reach the server, so that the record lacks them."""
        self.rejected: dict[tuple[str, str, bytes], tuple[int, str, str]] = {}
        """The requests that got 429 or 5xx at last, with the status: it says nothing of the code under test."""
        self.unwritten: list[str] = []
        """Why calls that reached it are not in the record."""
        self.open: set[_Kept] = set()
        self._is_over = False

    def close(self) -> None:
        """Record what the code under test left open, as far as it was read: later the file takes nothing."""
        for body in tuple(self.open):
            if body.reading.acquire(timeout=1.0):  # in less, a server notices that its client has left
                with suppress(CassetteError):  # `unwritten` has it
                    body.close()
                body.reading.release()
            else:
                self.unwritten.append("a response was still being read when the test had ended")
        self._is_over = True

    def __call__(self, request: Request) -> Response:
        """Answer a request, forwarding each piece as it arrives."""
        asked, wanted = request, self._wanted
        headers = request.headers.without(*_HOP)
        if self._key is not None and headers.get(wanted.api.key_header) == PLACEHOLDER_KEY:
            headers = headers.having(wanted.api.key_header, self._key)
        request = Request(request.method, request.target, headers, request.body)
        written: Request | None = self._without_filtered(request)
        if written is not None and wanted.edit_request is not None:
            written = edit_request(written, self._origin, wanted.edit_request)
        known = self._file.play(written or request)
        if known is not None:
            return answer_from(known, asked)
        if not self._file.may_record:
            return self._miss(f"not recorded: {request.method} {request.raw_path}")
        if self._key is None and request.headers.get(wanted.api.key_header) == PLACEHOLDER_KEY:
            return self._miss(f"there is no key to record with: set {wanted.api.key_variable}")
        target = request.below(self._prefix)
        response = self._upstream(Request(request.method, target, request.headers, request.body))
        response.headers = readdress(response.headers, self._origin + self._prefix, self._origin)
        # The values that `vcr_config` keeps out of files; the service may repeat them in its answer.
        held = [secrets_in_header(n, v) for n, v in request.headers if n.lower() in wanted.dropped_headers]
        held.append([v for n, v in request.query if n.lower() in wanted.dropped_parameters])
        if written is not None:
            response.body = _Kept(response, written, self, [*chain.from_iterable(held)])
        fields = readdress(response.headers, self._origin, stand_in_url(asked))
        return Response(response.status, fields, response.framing, response.body, response.reason)

    def keep(self, secrets: Sequence[str], exchange: Exchange) -> None:
        """Write an exchange that is over; of one that ends after the test, nothing."""
        if exchange.ending.how in _UNREACHED:
            self.unreached += 1
        elif not self._is_over:
            asked, status = exchange.request, exchange.status or 0
            self.rejected.pop(key := (asked.method, asked.target, asked.body), None)
            if status == 429 or status >= 500:
                self.rejected[key] = status, asked.method, asked.raw_path
            try:
                recording: Recording | None = Recording.of(exchange, origin=self._origin)
                if recording is not None and self._wanted.edit_response is not None:
                    recording = edit_response(recording, self._wanted.edit_response)
                if recording is None:
                    return
                self.kept += self._file.add(recording, secrets=secrets) is not None
            except CassetteError as wrong:  # the client gets a reset, and may hide it
                self.unwritten.append(str(wrong))
                raise

    def _without_filtered(self, request: Request) -> Request:
        """The request without what `vcr_config` keeps out of files; secrets are redacted separately."""
        headers = Headers((n, v) for n, v in request.headers if n.lower() not in self._wanted.dropped_headers)
        path, mark, query = request.target.partition("?")
        if mark and self._wanted.dropped_parameters:
            pairs = parse_qsl(query, keep_blank_values=True)
            query = urlencode([pair for pair in pairs if pair[0].lower() not in self._wanted.dropped_parameters])
        return Request(request.method, f"{path}?{query}" if query else path, headers, request.body)

    def _miss(self, reason: str) -> Response:
        return self.protocol.refuse(MISS_STATUS, MISS_CODE, reason)


class _Kept(WrappedBody):
    """A body that is recorded while it is read.

    If the client leaves after its interaction has completed, the rest of the body is read for the record.
    """

    def __init__(
        self, response: Response, request: Request, service: RecordingService, secrets: Sequence[str]
    ) -> None:
        super().__init__(response.body)
        self._service, self._secrets = service, secrets
        service.open.add(self)
        self._began = time.monotonic()
        self._is_stream = response.headers.media_type() == EVENT_STREAM
        self._response = response
        self._recorder = ExchangeBuilder(request, most=RECORDED_BYTES)
        self._over = False
        self.reading, self._ending = RLock(), Lock()  # the server may read on one thread, and close on another

    def __next__(self) -> Piece:
        with self.reading:
            piece = next(self._inner)
            if isinstance(piece, Ending):
                self._finish(piece)
            elif isinstance(piece, Chunk):
                self._head()
                self._recorder.chunk(piece, time.monotonic() - self._began)
            return piece

    def close(self) -> None:
        if not self._over and (
            not self._is_stream
            or any(map(self._service.protocol.completes, events_in(self._recorder.span(0, self._recorder.size))))
        ):
            for _ in self:
                pass
        self._inner.close()
        self._finish(Ending(By.CLIENT, How.FIN))

    def _head(self) -> None:
        if self._recorder.status is None:
            headers, framing = self._response.headers, self._response.framing
            # The fields that the framing implies are for other tools that read the file.
            if isinstance(framing, Length) and "content-length" not in headers:
                headers = Headers([*headers, ("content-length", str(framing.size))])
            if isinstance(framing, Chunked) and "transfer-encoding" not in headers:
                headers = Headers([*headers, ("transfer-encoding", "chunked")])
            self._recorder.head(self._response.status, headers, framing, self._response.reason)

    def _finish(self, ending: Ending) -> None:
        with self._ending:
            if self._over:
                return
            self._over = True
            if not ending.headless:
                self._head()
            try:
                self._service.keep(self._secrets, self._recorder.finish(ending, time.monotonic() - self._began))
            finally:
                self._service.open.discard(self)
