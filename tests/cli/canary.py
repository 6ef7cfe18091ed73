"""A key in sixty places of what a server answers, and the search for it in what commands write.

The server is the emulator; what it says also repeats a key, spelled in every way that is known.
"""

from __future__ import annotations

import gzip
import itertools
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus

from harness.emulator import Emulator
from harness.wire import (
    COMPLETE,
    At,
    Chunk,
    Chunked,
    Ending,
    Headers,
    How,
    Length,
    PieceBody,
    Request,
    Response,
    Service,
    encode,
)
from harness.wire.secret_texts import cores, spellings

KEY = "zq9/canary+0f1e2d3c4b5a6978"
TENANT = "zqt-tenant-0f1e2d3c4b5a6978"
"""A value that the user gives with `-H` under a name that says nothing."""


def spell(key: str) -> dict[str, str]:
    """The key in each spelling, by what it is called."""
    data = key.encode()
    return {
        "plain": key,
        "upper case": key.upper(),
        "lower case": key.lower(),
        "hex": data.hex(),
        "upper hex": data.hex().upper(),
        "percent": quote(key, safe=""),
        "small percent": quote(key, safe="").lower(),
        "form": quote_plus(key),
        "all percent": "".join(f"%{byte:02X}" for byte in data),
        "all percent twice": "".join(f"%25{byte:02X}" for byte in data),
        "unicode twice": "".join(f"\\\\u{byte:04x}" for byte in data),
        "twice percent": quote(quote(key, safe=""), safe=""),
        "HTML": escape(key).replace("/", "&#x2F;").replace("+", "&#43;"),
        "decimal HTML": "".join(f"&#{byte};" for byte in data),
        "hex HTML": "".join(f"&#x{byte:x};" for byte in data),
        "JSON": key.replace("/", "\\/"),
        "unicode": "".join(f"\\u{byte:04x}" for byte in data),
        "base64": b64encode(data).decode(),
        "base64, one before": b64encode(b":" + data).decode(),
        "base64, two before": b64encode(b"a:" + data).decode(),
        "base64 for URLs": urlsafe_b64encode(b"user:" + data).decode(),
        "bearer": f"Bearer {key}",
    }


def repeat(key: str) -> dict[str, object]:
    """Forty places in a JSON value: each spelling as text, and as a member's name or in nested JSON."""
    texts = {f"as {name}": f"you sent {spelled} to us" for name, spelled in spell(key).items()}
    others: dict[str, object] = {}
    for number, (name, spelled) in enumerate(spell(key).items()):
        places: tuple[object, ...] = (
            {f"m {spelled}": number},
            [[{"deep": spelled}]],
            json.dumps({"inner": [spelled]}),
            f"https://a.example/{number}?next={spelled}#f",
        )
        others[f"in {name}"] = places[number % 4]
    return {**texts, **others}


class Repeats:
    """The emulator, or another service, behind a wrapper that adds the key to each answer.

    With `wrong`, findings quote it: it is in the status of what is created.
    """

    def __init__(self, inner: Service | None = None, *, wrong: bool = False) -> None:
        self._inner = inner or Emulator()
        self._wrong = wrong

    def __call__(self, request: Request) -> Response:
        """Answer, with the key and the tenant in head and body."""
        key, tenant = KEY, TENANT
        answer = self._inner(request)
        answer.reason = f"Sent {key}"
        answer.headers = Headers([*_heads(answer.headers), *_leaking_headers(key, tenant)])
        if answer.headers.media_type() == "application/json" and isinstance(answer.framing, Length):
            body = b"".join(piece.data for piece in answer.body if isinstance(piece, Chunk))
            answer.body.close()
            said = _with(json.loads(body or b"{}"), key, tenant)
            if self._wrong and isinstance(said, dict) and "status" in said:
                said["status"] = f"quota of {key} used"
            data = json.dumps(said).encode()
            answer.framing, answer.body = Length(len(data)), PieceBody([Chunk(data), COMPLETE])
        elif isinstance(answer.framing, Chunked):
            answer.body = _Leaking(answer.body, key)
        return answer


class Cuts:
    """The emulator, every second answer of which breaks off inside the key, each time in another spelling."""

    def __init__(self) -> None:
        self._inner = Emulator()
        cut = (one[: len(one) * 4 // 5] for one in spell(KEY).values())
        self._spelled = itertools.cycle(f'{{"id": "v1_a", "x": "{one}' for one in cut)
        self._number = 0

    def __call__(self, request: Request) -> Response:
        """Answer, or break off."""
        self._number += 1
        answer = self._inner(request)
        if self._number % 2:
            return answer
        answer.body.close()
        said = [Chunk(next(self._spelled).encode()), Ending(how=How.FIN, at=At.IN_BODY)]
        fields = Headers([("content-type", "application/json")])
        return Response(200, fields, Length(9000), PieceBody(said))


def _heads(headers: Headers) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in headers if name.lower() != "content-length")


def _leaking_headers(key: str, tenant: str) -> list[tuple[str, str]]:
    """Nine places in a response head."""
    return [
        ("x-echo", key), ("x-goog-api-key", key), ("set-cookie", f"s={key}; Path=/"), ("x-tenant", tenant),
        ("x-hex", key.encode().hex()), ("location", f"/v1beta/x?key={quote(key)}&upload_id={quote(key)}"),
        (f"x-{key.encode().hex()}", "1"), ("www-authenticate", f'Key realm="{key}"'), ("x-html", escape(key)),
    ]  # fmt: skip


def _with(value: object, key: str, tenant: str) -> object:
    if not isinstance(value, dict):
        return value
    error = value.get("error")
    if isinstance(error, dict):
        value = {**value, "error": {**error, "message": f"{error.get('message')} {key} {tenant}"}}
    packed = gzip.compress(key.encode(), mtime=0).hex()
    return {**value, "echo": repeat(key), "tenant": tenant, "packed": len(packed)}


class _Leaking:
    """A stream with a comment, an event name, an unknown event and a text that hold the key."""

    def __init__(self, inner: object, key: str) -> None:
        self._inner = inner
        halves = [{"index": 0, "delta": {"type": "text", "text": part}} for part in (key[:9], key[9:])]
        said = [encode("step.delta", json.dumps({**half, "event_type": "step.delta"}).encode()) for half in halves]
        said += [f": comment {key}\n\n".encode(), encode("echo", json.dumps(repeat(key)).encode())]
        self._first = [Chunk(part) for part in said]
        self._begun = False

    def __iter__(self) -> _Leaking:
        return self

    def __next__(self) -> object:
        if self._begun and self._first:
            return self._first.pop(0)
        self._begun = True
        return next(self._inner)  # type: ignore[call-overload]

    def close(self) -> None:
        """Close the inner body."""
        self._inner.close()  # type: ignore[attr-defined]


def leaks(*texts: str, folder: Path, key: str = KEY, parts: bool = False) -> list[str]:
    """What is left of the key or the tenant in texts and in all files of a folder: the spelling, and where.

    With `parts`, twelve characters of the key in any spelling are too many.
    """
    forms = {form.lower() for secret in (key, TENANT) for form in (*spell(secret).values(), *spellings(secret))}
    forms |= {core.lower() for secret in (key, TENANT) for core in cores(secret)}
    if parts:
        forms |= {spelled[6:18].lower().replace("\\\\", "\\") for spelled in spell(key).values()}
    said = {f"text {number}": text for number, text in enumerate(texts)}
    files = (path for path in folder.rglob("*") if path.is_file())
    said |= {str(path.relative_to(folder)): path.read_bytes().decode("utf-8", "replace") for path in files}
    found = []
    for place, text in said.items():
        low = text.lower().replace("\\\\", "\\")
        for form in sorted(forms):
            if form in low:
                at = low.index(form)
                found.append(f"{place}: {text[max(0, at - 60) : at + len(form) + 10]!r}")
    return found
