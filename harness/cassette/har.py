"""Reads other recorders' files as exchanges: HAR, and `when`/`then` documents of httpmock (Rust). Values out.

Knows their formats and nothing of the API. An `Unreadable` names the problem; where possible it replaces only one
entry, so that a strange entry does not hide the others.
"""

from __future__ import annotations

import base64
import json
from array import array
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

from harness.cassette.framing import is_text
from harness.errors import Unreadable
from harness.wire import COMPLETE, Arrivals, At, By, Ending, Exchange, Headers, How, Request, UntilClose
from harness.wire.bodies import CODINGS, coding_of, decode_pieces, is_coded
from harness.wire.message import EVENT_STREAM

Document = Mapping[str, Any]

_UNANSWERED = Ending(By.SERVER, How.FIN, At.BEFORE_HEADERS, detail="no response, by its status 0")


def exchanges_in(documents: list[Any]) -> list[tuple[str, Exchange | Unreadable]] | None:
    """The entries of a `when`/`then` or HAR file, each with a name; None if it is neither."""
    if documents and all(
        isinstance(document, Mapping) and {"when", "then"} <= document.keys() for document in documents
    ):
        return _read_each(_read_when_then, documents)
    log = documents[0].get("log") if len(documents) == 1 and isinstance(documents[0], Mapping) else None
    if isinstance(log, Mapping) and isinstance(log.get("entries"), list):
        return _read_each(_read_har, log["entries"])
    return None


def _read_each(
    read: Callable[[Document], Exchange], entries: Iterable[Document]
) -> list[tuple[str, Exchange | Unreadable]]:
    found = []
    for number, entry in enumerate(entries, 1):
        exchange: Exchange | Unreadable
        try:
            exchange = read(entry)
        except Unreadable as wrong:
            exchange = wrong
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as wrong:
            exchange = Unreadable(f"an entry does not fit its format: {type(wrong).__name__} {wrong}")
        found.append(name_entry(number, exchange))
    return found


def name_entry(number: int, entry: Exchange | Unreadable) -> tuple[str, Exchange | Unreadable]:
    """An entry with its name: its number, from 1, and its method and path if they can be read."""
    if isinstance(entry, Unreadable):
        return f"entry {number}", entry
    return f"entry {number}, {entry.request.method} {entry.request.raw_path}", entry


def _read_when_then(document: Document) -> Exchange:
    when, then = document["when"], document["then"]
    query = urlencode([(item["name"], item["value"]) for item in when.get("query_param") or ()])
    target = when["path"] + (f"?{query}" if query else "")
    request = _build_request(when["method"], target, _read_headers(when.get("header")), _encode(when.get("body")))
    return _build_exchange(request, then["status"], _read_headers(then.get("header")), _encode(then.get("body")))


def _read_har(entry: Document) -> Exchange:
    asked, came = entry["request"], entry["response"]
    sent = _encode((asked.get("postData") or {}).get("text"))
    headers = _read_headers(asked.get("headers"))
    parts = urlsplit(asked["url"])
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = _build_request(asked["method"], target, headers, sent)
    content = came.get("content") or {}
    data = _encode(content.get("text"))
    if content.get("encoding") == "base64":
        data = base64.b64decode(data)
    headers = _read_headers(came.get("headers")).without("content-encoding")  # HAR keeps the decoded body
    return _build_exchange(request, came["status"], headers, data)


def _build_request(method: Any, target: str, headers: Headers, body: bytes) -> Request:
    if not isinstance(method, str):
        raise TypeError(f"the method is {method!r}, not a text")
    return Request(method, target, headers, body)


def _build_exchange(request: Request, status: Any, headers: Headers, body: bytes) -> Exchange:
    """Build the exchange. Recorders write status 0, or -1 in HAR, if no response came."""
    number = int(status)
    if isinstance(status, bool) or status not in (number, str(number)):
        raise ValueError(f"the status is {status!r}, not a whole number")
    answered = number > 0
    body = decode_body(body, headers)
    return Exchange(
        request=request,
        status=number if answered else None,
        headers=headers,
        framing=UntilClose(),
        body=body,
        size=len(body),
        sha256=sha256(body).hexdigest(),
        truncated=False,
        arrivals=Arrivals(array("Q"), array("d"), 0),
        ending=COMPLETE if answered else _UNANSWERED,
        seconds=0.0,
    )


def build_stream(body: bytes) -> Exchange:
    """The exchange of a stream of which only the events are recorded: nothing is known of its request."""
    return _build_exchange(Request("GET", "/"), 200, Headers([("content-type", EVENT_STREAM)]), body)


def decode_body(body: bytes, headers: Headers) -> bytes:
    """The body with its content coding undone, as far as it goes. Raises Unreadable if that is impossible."""
    coding = coding_of(headers)
    if coding in CODINGS and is_coded(coding, body):
        try:
            return b"".join(decode_pieces(coding, body, [len(body)]))
        except ValueError as wrong:
            raise Unreadable(str(wrong)) from None
    if coding and coding not in CODINGS and not is_text(body):
        raise Unreadable(f"its body is in content-encoding {coding!r}, which is not undone here")
    return body


def _read_headers(items: Any) -> Headers:
    return Headers((str(item["name"]), str(item["value"])) for item in items or ())


def _encode(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return bytes(value) if isinstance(value, (bytes, bytearray)) else json.dumps(value).encode()
