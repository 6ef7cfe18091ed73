"""Keys in many places of what a server answers, and the search for them in what commands write.

The server is the emulator; what it says also repeats a known key and one that only its shape tells, in plain form
and as each encoding writes it.
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

from harness.emulator import Emulator
from harness.wire import COMPLETE, Chunk, Chunked, Headers, Length, PieceBody, Request, Response, Service, encode
from harness.wire.message import WrappedBody

KEY = "zq9/canary+0f1e2d3c4b5a6978"
SHAPE = "AIzaSyD-canary0f1e2d3c4b5a69788796a5b4c3d"
"""A key of somebody else, which nobody names."""
TENANT = "zqt-tenant-0f1e2d3c4b5a6978"
"""A value that the user gives with `-H` under a name that says nothing."""


def spell(key: str) -> dict[str, str]:
    """The key in plain form, and as each encoding writes it."""
    data = key.encode()
    return {
        "plain": key,
        "percent": quote(key, safe=""),
        "small percent": quote(key, safe="").replace("%2F", "%2f"),
        "form": quote_plus(key),
        "segment of a path": key.replace("/", "%2F"),
        "JSON": key.replace("/", "\\/"),
        "base64": b64encode(data).decode(),
        "base64, one before": b64encode(b":" + data).decode(),
        "base64, two before": b64encode(b"a:" + data).decode(),
        "base64 for URLs": urlsafe_b64encode(b"user:" + data).decode(),
        "bearer": f"Bearer {key}",
    }


def repeat() -> dict[str, object]:
    """Each spelling of each key as text, as a member's name, deep in a list, in nested JSON, and in a URL."""
    spelled = [text for key in (KEY, SHAPE) for text in spell(key).values()]
    return {
        "text": [f"you sent {text} to us" for text in spelled],
        **{f"m {text}": number for number, text in enumerate(spelled)},
        "deep": [[{"deep": text}] for text in spelled],
        "nested": [json.dumps({"inner": [text]}) for text in spelled],
        "URL": [f"https://a.example/?next={text}#f" for text in spelled],
    }


class Repeats:
    """The emulator, or another service, behind a wrapper that adds the keys to each answer.

    With `wrong`, findings quote them: they are in the status of what is created.
    """

    def __init__(self, inner: Service | None = None, *, wrong: bool = False) -> None:
        self._inner = inner or Emulator()
        self._wrong = wrong

    def __call__(self, request: Request) -> Response:
        """Answer, with the keys and the tenant in head and body."""
        answer = self._inner(request)
        answer.reason = f"Sent {KEY} {SHAPE}"
        fields = [
            ("x-echo", KEY),
            ("x-other", SHAPE),
            ("x-goog-api-key", KEY),
            ("set-cookie", f"s={KEY}; Path=/"),
            ("x-tenant", TENANT),
            ("location", f"/v1beta/x?key={quote(KEY)}&upload_id={quote(KEY)}"),
            ("www-authenticate", f'Key realm="{KEY}"'),
        ]
        head = [(name, value) for name, value in answer.headers if name.lower() != "content-length"]
        answer.headers = Headers([*head, *fields])
        if answer.headers.media_type() == "application/json" and isinstance(answer.framing, Length):
            body = b"".join(piece.data for piece in answer.body if isinstance(piece, Chunk))
            answer.body.close()
            said = json.loads(body or b"{}")
            if isinstance(said, dict):
                said |= {"echo": repeat(), "tenant": TENANT}
                if isinstance(said.get("error"), dict):
                    said["error"]["message"] += f" {KEY} {TENANT}"
                if self._wrong and "status" in said:
                    said["status"] = f"quota of {KEY} used by {SHAPE}"
            data = json.dumps(said).encode()
            answer.framing, answer.body = Length(len(data)), PieceBody([Chunk(data), COMPLETE])
        elif isinstance(answer.framing, Chunked):
            answer.body = _Leaking(answer.body)
        return answer


class _Leaking(WrappedBody):
    """A stream with a comment, an unknown event, and texts that hold the keys, each split over two events."""

    def __init__(self, inner: object) -> None:
        super().__init__(inner)  # type: ignore[arg-type]
        halves = [key[start:end] for key in (KEY, SHAPE) for start, end in ((0, 9), (9, None))]
        deltas = [{"index": 0, "delta": {"type": "text", "text": f"{half}"}} for half in halves]
        said = [encode("step.delta", json.dumps({**d, "event_type": "step.delta"}).encode()) for d in deltas]
        said += [f": comment {KEY}\n\n".encode(), encode("echo", json.dumps(repeat()).encode())]
        self._said: Iterator[Chunk] = map(Chunk, said)
        self._begun = False

    def __next__(self) -> object:  # type: ignore[override]
        first = next(self._said, None) if self._begun else None
        self._begun = True
        return first or next(self._inner)


def leaks(*texts: str, folder: Path) -> list[str]:
    """What is left of a key or the tenant in texts and in all files of a folder: where, and what."""
    forms = {form for secret in (KEY, SHAPE, TENANT) for form in spell(secret).values()}
    # Of base64, what depends on the key alone.
    forms |= {
        form[4:-4] for secret in (KEY, SHAPE, TENANT) for name, form in spell(secret).items() if "base64" in name
    }
    said = {f"text {number}": text for number, text in enumerate(texts)}
    files = (path for path in folder.rglob("*") if path.is_file())
    said |= {str(path.relative_to(folder)): path.read_bytes().decode("utf-8", "replace") for path in files}
    return [
        f"{place}: {text[max(0, at - 60) : at + len(form) + 10]!r}"
        for place, text in said.items()
        for form in sorted(forms)
        if (at := text.find(form)) >= 0
    ]
