"""Record a service while it answers: each piece is forwarded at once, and the record is kept before the last one.

Layer 7. Knows an open cassette and the server to record; what a test asked for is read in `replay`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from urllib.parse import parse_qsl, urlencode, urlsplit

from harness.benches.client.cases.stream_source import events_in
from harness.cassette import CassetteFile, Recording
from harness.cassette.player import MISS_CODE, MISS_STATUS, answer_from
from harness.kit.api import Api
from harness.plugin.environment_variables import PLACEHOLDER_KEY
from harness.transport.proxy.upstream import UpstreamServer
from harness.wire import (
    At,
    By,
    Chunk,
    Chunked,
    Ending,
    Exchange,
    ExchangeBuilder,
    Framing,
    Headers,
    How,
    Length,
    Piece,
    Request,
    Response,
    StreamProtocol,
)  # fmt: skip
from harness.wire.addresses import readdress, stand_in_url
from harness.wire.message import EVENT_STREAM, WrappedBody
from harness.wire.secrets.forms import secrets_in_header

_UNREACHED = (How.REFUSED, How.TLS)
"""Endings not recorded: the service was not reached, and a replay would hide that nothing was recorded."""
_HOP = ("host", "connection", "content-length", "transfer-encoding", "accept-encoding")


class RecordingService:
    """A `Service` that answers from the file if it can, and otherwise asks the server at `url` and records.

    `key` replaces the placeholder that ready-made clients send; without a key, their requests are refused. The
    `headers` and query `parameters` named here, in lower case, are sent but not written.
    """

    def __init__(
        self,
        file: CassetteFile,
        url: str,
        api: Api,
        *,
        key: str | None,
        headers: frozenset[str],
        parameters: frozenset[str],
    ) -> None:
        self._api = api
        self._protocol = api.load_protocol()
        parts = urlsplit(url)
        self._file = file
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._prefix = parts.path.rstrip("/")
        self._upstream = UpstreamServer(self._origin)
        self._key = key
        self._headers = headers
        self._parameters = parameters
        self.unreached = 0
        """How many requests did not reach the server, so that the record lacks them."""

    def __call__(self, request: Request) -> Response:
        """Answer a request, forwarding each piece as it arrives."""
        asked = request
        headers = request.headers.without(*_HOP)
        if self._key is not None and headers.get(self._api.key_header) == PLACEHOLDER_KEY:
            headers = headers.having(self._api.key_header, self._key)
        request = Request(request.method, request.target, headers, request.body)
        written = self._without_filtered(request)
        known = self._file.play(written)
        if known is not None:
            return answer_from(known, asked)
        if not self._file.may_record:
            return self._miss(f"not recorded: {request.method} {request.raw_path}")
        if self._key is None and request.headers.get(self._api.key_header) == PLACEHOLDER_KEY:
            return self._miss(f"there is no key to record with: set {self._api.key_variable}")
        target = self._prefix + request.target
        response = self._upstream(Request(request.method, target, request.headers, request.body))
        response.headers = readdress(response.headers, self._origin + self._prefix, self._origin)
        response.body = _Kept(response, written, self._protocol, partial(self._keep, self._left_out(request)))
        fields = readdress(response.headers, self._origin, stand_in_url(asked))
        return Response(response.status, fields, response.framing, response.body, response.reason)

    def _keep(self, secrets: Sequence[str], exchange: Exchange) -> None:
        if exchange.ending.how in _UNREACHED:
            self.unreached += 1
        else:
            self._file.add(Recording.of(exchange, origin=self._origin), secrets=secrets)

    def _left_out(self, request: Request) -> list[str]:
        """The values that `vcr_config` keeps out of files; the service may repeat them in its answer."""
        headers = [secrets_in_header(n, v) for n, v in request.headers if n.lower() in self._headers]
        return [*chain.from_iterable(headers), *(v for n, v in request.query if n.lower() in self._parameters)]

    def _without_filtered(self, request: Request) -> Request:
        """The request without what `vcr_config` keeps out of files; secrets are redacted separately."""
        headers = Headers((n, v) for n, v in request.headers if n.lower() not in self._headers)
        path, mark, query = request.target.partition("?")
        if mark and self._parameters:
            pairs = parse_qsl(query, keep_blank_values=True)
            query = urlencode([pair for pair in pairs if pair[0].lower() not in self._parameters])
        return Request(request.method, f"{path}?{query}" if query else path, headers, request.body)

    def _miss(self, reason: str) -> Response:
        return Response.json(MISS_STATUS, self._protocol.error_body(MISS_STATUS, MISS_CODE, reason))


class _Kept(WrappedBody):
    """A body that is recorded while it is read.

    If the client leaves after its interaction has completed, the rest of the body is read for the record.
    """

    def __init__(
        self, response: Response, request: Request, protocol: StreamProtocol, keep: Callable[[Exchange], None]
    ) -> None:
        super().__init__(response.body)
        self._protocol = protocol
        self._keep = keep
        self._began = time.monotonic()
        self._is_stream = response.headers.media_type() == EVENT_STREAM
        self._response = response
        self._recorder = ExchangeBuilder(request)
        self._data = bytearray()
        self._over = False

    def __next__(self) -> Piece:
        piece = next(self._inner)
        if isinstance(piece, Ending):
            self._finish(piece)
        elif isinstance(piece, Chunk):
            self._head()
            self._recorder.chunk(piece, time.monotonic() - self._began)
            if self._is_stream:
                self._data += piece.data
        return piece

    def close(self) -> None:
        if not self._over and (
            not self._is_stream or any(map(self._protocol.completes, events_in(bytes(self._data))))
        ):
            for _ in self:
                pass
        self._inner.close()
        self._finish(Ending(By.CLIENT, How.FIN))

    def _head(self) -> None:
        if self._recorder.status is None:
            response = self._response
            self._recorder.head(
                response.status, _with_framing_fields(response.headers, response.framing), response.framing
            )

    def _finish(self, ending: Ending) -> None:
        if self._over:
            return
        self._over = True
        if ending.at not in (At.BEFORE_HEADERS, At.IN_HEADERS):
            self._head()
        self._keep(self._recorder.finish(ending, time.monotonic() - self._began))


def _with_framing_fields(headers: Headers, framing: Framing) -> Headers:
    """Add the header fields that the framing implies, if they are missing, for other tools that read the file."""
    if isinstance(framing, Length) and "content-length" not in headers:
        return Headers([*headers, ("content-length", str(framing.size))])
    if isinstance(framing, Chunked) and "transfer-encoding" not in headers:
        return Headers([*headers, ("transfer-encoding", "chunked")])
    return headers
