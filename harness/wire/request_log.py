"""A bounded log of the requests that a session received, with secrets masked, for tests to inspect.

A `Mask` knows where the secrets are; must not know what a request means.
"""

from __future__ import annotations

from collections import deque
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from harness.wire.message import Request

if TYPE_CHECKING:
    from harness.wire.mask import Mask
    from harness.wire.secrets import SecretFields

KEPT_BODY = 64 * 1024
"""Bytes kept of each body; in a longer JSON body the long texts are cut, so that it can still be decoded."""

_KEPT_TEXT = 1000


@dataclass(eq=False)
class RequestLog:
    """The last `most` requests, oldest first, with at most `body` bytes of each body; `to_dicts` masks secrets.

    Together they have at most about `most_bytes`; the latest is kept in any case.
    """

    most: int
    fields: SecretFields | None = None
    """The JSON members that hold a secret."""
    _: KW_ONLY
    body: int = KEPT_BODY
    most_bytes: int = 16 * 1024 * 1024
    _bytes: int = field(default=0, init=False)
    _kept: deque[tuple[Request, int]] = field(default_factory=deque, init=False)
    """Each request with its size."""

    @cached_property
    def _mask(self) -> Mask:
        from harness.wire.mask import Mask  # late: most logs are never read

        return Mask(fields=self.fields)

    def add(self, request: Request) -> None:
        """Add one request; a long body is shortened, so that memory stays bounded."""
        length, headers, kept = len(request.body), request.headers, self._kept
        if length > self.body:
            short = _shorten_body(request.body, self.body, self._mask)
            request = Request(request.method, request.target, headers, short)
            length = len(short)
        size = length + len(request.target) + (headers.known_size or headers.size)
        kept.append((request, size))
        total = self._bytes + size
        while len(kept) > self.most or (total > self.most_bytes and len(kept) > 1):
            total -= kept.popleft()[1]
        self._bytes = total

    def clear(self) -> None:
        """Forget all requests."""
        self._kept.clear()
        self._bytes = 0

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return `{"method", "target", "headers", "body"}` of each; a JSON body is decoded, any other is text.

        If a header came several times, its values are joined by commas. The keys that any request carried are
        hidden in all of them.
        """
        for request, _ in self._kept:
            self._mask.learn(request)
        return [_show_request(request, self._mask) for request, _ in self._kept]


def _show_request(request: Request, mask: Mask) -> dict[str, Any]:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        masked, name = mask.header(name, value), mask.text(name)
        headers[name] = f"{headers[name]}, {masked}" if name in headers else masked
    body: Any = None
    if request.body:
        try:
            body = mask.body(msgspec.json.decode(request.body), request)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            body = mask.text(request.body.decode("utf-8", "replace"))
    return {"method": request.method, "target": mask.text(request.target), "headers": headers, "body": body}


def _shorten_body(data: bytes, most: int, mask: Mask) -> bytes:
    """Cut the long texts of a JSON body; if it is not JSON or still too long, keep its start, masked."""
    try:
        short = msgspec.json.encode(_shorten_texts(msgspec.json.decode(data)))
        if len(short) <= most:
            return short
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return mask.text(data[:most].decode("utf-8", "replace")).encode()


def _shorten_texts(value: Any) -> Any:
    """Copy a body with its long texts cut."""
    if isinstance(value, str):
        cut = len(value) - _KEPT_TEXT
        return value if cut <= 0 else f"{value[:_KEPT_TEXT]}… ({cut} more characters)"
    if isinstance(value, dict):
        return {name: _shorten_texts(inner) for name, inner in value.items()}
    return [_shorten_texts(item) for item in value] if isinstance(value, list) else value
