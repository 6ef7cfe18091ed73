"""Recorder files as exchanges: vcrpy cassettes, `when`/`then` documents, HAR. Layer 1, bytes in, values out.

Knows other people's formats and nothing of the API; what it cannot read it names in a `Unreadable`.
"""

from __future__ import annotations

import base64
import json
import zlib
from array import array
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

from harness.wire import COMPLETE, Arrivals, At, By, Ending, Exchange, Headers, How, Request, UntilClose

Document = Mapping[str, Any]

_GZIP = b"\x1f\x8b"
_UNANSWERED = Ending(By.SERVER, How.FIN, At.BEFORE_HEADERS, detail="no answer, by its status 0")


class Unreadable(Exception):
    """A file is not what its name or its first lines promise; the message says what is wrong with it."""


def load_yaml(data: bytes) -> list[Any]:
    """All documents of a YAML file."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return [document for document in yaml.load_all(data, Loader=loader) if document is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise Unreadable(f"not YAML: {str(wrong).splitlines()[0]}") from wrong


def exchanges_in(documents: list[Any]) -> list[tuple[str, Exchange]] | None:
    """The exchanges of a recorder's file with their names in it; None when it is no recorder's file."""
    if documents and all(
        isinstance(document, Mapping) and {"when", "then"} <= document.keys() for document in documents
    ):
        pairs: Iterator[Exchange] = map(_when_then, documents)
    elif len(documents) == 1 and isinstance(documents[0], Mapping):
        document = documents[0]
        log = document.get("log")
        if isinstance(document.get("interactions"), list) and "version" in document:
            pairs = map(_cassette, document["interactions"])
        elif isinstance(log, Mapping) and isinstance(log.get("entries"), list):
            pairs = map(_har, log["entries"])
        else:
            return None
    else:
        return None
    try:
        return [(f"entry {number}", exchange) for number, exchange in enumerate(pairs, 1)]
    except (AttributeError, LookupError, TypeError, ValueError, zlib.error) as wrong:
        raise Unreadable(f"an entry is not as its format has it: {type(wrong).__name__} {wrong}") from wrong


def _when_then(document: Document) -> Exchange:
    when, then = document["when"], document["then"]
    query = urlencode([(item["name"], item["value"]) for item in when.get("query_param") or ()])
    target = when["path"] + (f"?{query}" if query else "")
    request = Request(when["method"], target, _named(when.get("header")), _bytes(when.get("body")))
    return _exchange(request, then["status"], _named(then.get("header")), _bytes(then.get("body")))


def _cassette(entry: Document) -> Exchange:
    asked, came = entry["request"], entry["response"]
    request = Request(
        asked["method"], _target(asked["uri"]), _listed(asked.get("headers")), _bytes(asked.get("body"))
    )
    body = came["body"]
    data = _bytes(body.get("string") if isinstance(body, Mapping) else body)
    return _exchange(request, came["status"]["code"], _listed(came.get("headers")), data, _ending(came))


def _har(entry: Document) -> Exchange:
    asked, came = entry["request"], entry["response"]
    sent = _bytes((asked.get("postData") or {}).get("text"))
    request = Request(asked["method"], _target(asked["url"]), _named(asked.get("headers")), sent)
    content = came.get("content") or {}
    data = _bytes(content.get("text"))
    if content.get("encoding") == "base64":
        data = base64.b64decode(data)
    headers = _named(came.get("headers")).without("content-encoding")  # HAR keeps the decoded body
    return _exchange(request, came["status"], headers, data)


def _ending(came: Document) -> Ending:
    """Our own recorder notes how a body ended; a plain vcrpy file cannot, and is taken for complete."""
    stream = came.get("x-stream")
    end = stream.get("end") if isinstance(stream, Mapping) else None
    how = (end.get("kind") or end.get("how")) if isinstance(end, Mapping) else end
    if how in (None, How.COMPLETE):
        return COMPLETE
    return Ending(By.SERVER, How(how) if how in list(How) else How.FIN, detail=str(how))


def _exchange(request: Request, status: int, headers: Headers, body: bytes, ending: Ending = COMPLETE) -> Exchange:
    """Status 0 is how recorders write that no answer came."""
    if body.startswith(_GZIP) and headers.get("content-encoding"):
        body = zlib.decompressobj(47).decompress(body)  # tolerates one that was cut
    return Exchange(
        request=request,
        status=int(status) or None,
        headers=headers,
        framing=UntilClose(),
        body=body,
        size=len(body),
        sha256=sha256(body).hexdigest(),
        truncated=False,
        arrivals=Arrivals(array("Q"), array("d"), 0),
        ending=ending if int(status) or not ending.complete else _UNANSWERED,
        seconds=0.0,
    )


def _target(uri: str) -> str:
    parts = urlsplit(uri)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _named(items: Any) -> Headers:
    return Headers((str(item["name"]), str(item["value"])) for item in items or ())


def _listed(fields: Any) -> Headers:
    pairs = (fields or {}).items()
    return Headers(
        (str(name), str(v)) for name, values in pairs for v in (values if isinstance(values, list) else [values])
    )


def _bytes(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return bytes(value) if isinstance(value, (bytes, bytearray)) else json.dumps(value).encode()
