"""Redaction hides every secret, uses one placeholder for each, and changes nothing else."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cassette import CassetteError, Recording, Redactor, load, save, scan
from harness.cassette.framing import pieces_of
from harness.contract import PROTOCOL
from harness.wire import At, Chunked, Decoder, Ending, Headers, How, Length, Request, encode
from tests.cassette.samples import SSE, URL, answered, event, frames, get, post, recordings, streamed, text_delta
from tests.in_one_test import in_one_test

KEY = "AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"[:35]
PLAIN = "correct horse 7 battery"


def written(recording: Recording, tmp_path: Path) -> str:
    """The file of a recording and everything that can be read from it, as one text."""
    path = tmp_path / "a.yaml"
    save(path, [recording])
    (kept,) = load(path).recordings
    texts = [
        path.read_text(),
        repr(kept.request),
        repr(kept.headers),
        kept.origin,
        kept.reason,
        kept.ending.detail,
    ]
    for body in (kept.request.body, kept.body):
        texts += [body.decode("utf-8", "replace"), assembled(body)]
    return "\n".join(texts)


def assembled(body: bytes) -> str:
    """All decoded strings of a body, and the joined text of a stream."""
    joined: dict[str, str] = {}
    values: list[str] = []
    for frame in Decoder().feed(body):
        try:
            value = json.loads(frame.data)
        except ValueError:
            continue
        values.append(json.dumps(value, ensure_ascii=False))
        found = PROTOCOL.text_of(value)
        if found is not None:
            joined[found[0]] = joined.get(found[0], "") + found[1]
    with suppress(ValueError):
        values.append(json.dumps(json.loads(body), ensure_ascii=False))
    return "\n".join([*values, *joined.values()])


def escaped(text: str) -> bytes:
    """A JSON literal in which every character is escaped."""
    return b'"' + b"".join(f"\\u{ord(c):04x}".encode() for c in text) + b'"'


PLACES: dict[str, Any] = {
    "request header": lambda s: answered(get(URL), {}).__class__(
        Request("GET", URL, Headers([("x-note", f"see {s}")])), 200, Headers(), b"", pieces_of([])
    ),
    "path": lambda s: answered(get(f"/v1/{quote(s, safe='')}/x"), {}),
    "query": lambda s: answered(get(f"{URL}?a=1&note={quote(s, safe='')}&b=2"), {}),
    "request body": lambda s: answered(post({"input": [{"deep": {"er": f"my {s}, right"}}]}), {}),
    "member name": lambda s: answered(post({s: 1}), {}),
    "error message": lambda s: answered(
        post({}), {"error": {"message": f"API key {s} not valid", "code": "x"}}, 400
    ),
    "JSON in a string": lambda s: answered(post({}), {"arguments": json.dumps({"x": [json.dumps({"y": s})]})}),
    "escaped": lambda s: _raw(b'{"a": ' + escaped(s) + b"}"),
    "text": lambda s: _raw(f"<html>{s}</html>".encode(), "text/html"),
    "cut JSON": lambda s: _cut(b'{"b": "x", "a": ' + json.dumps(s).encode()[:-1]),
    "response header": lambda s: replace(answered(get(URL), {}), headers=Headers([("x-debug", f"k={s} ")])),
    "status message": lambda s: replace(answered(get(URL), {}), reason=f"no {s}"),
    "one event": lambda s: streamed(post({}), [*frames()[:3], text_delta(f"it is {s}."), *frames()[3:]]),
    "a comment": lambda s: streamed(post({}), [f": {s}\n\n".encode(), *frames()]),
    "a comment in an event": lambda s: streamed(
        post({}), [f": {s}\nevent: x\n".encode() + b'data: {"a":"b"}\n\n']
    ),
    "the name of an event": lambda s: streamed(post({}), [f"event: {s}\n".encode() + b'data: {"a":"b"}\n\n']),
    "an escaped event": lambda s: streamed(post({}), [b'data: {"a": ' + escaped(s) + b"}\n\n"]),
    "after the last event": lambda s: streamed(post({}), [*frames(), f": {s}".encode()]),
    "the cut event": lambda s: _cut_stream([*frames()[:3], text_delta(f"it is {s} and")[:-10]]),
    "gzip": lambda s: _gzipped(json.dumps({"message": s}).encode()),
    "gzip that is sent": lambda s: answered(_sent(gzip.compress(json.dumps({"input": s}).encode()), "gzip"), {}),
    "the name of a parameter": lambda s: answered(get(f"{URL}?{quote(s, safe='')}=1"), {}),
    "a parameter without a value": lambda s: answered(get(f"{URL}?a=1&{quote(s, safe='')}"), {}),
    "a form": lambda s: answered(_form(f"a=1&note={quote(s, safe='')}"), {}),
    "a pair of an exempt name": lambda s: answered(post({"a": [{"name": "data", "value": s}]}), {}),
    "an escaped string": lambda s: _raw(escaped(s)),
    "a stream of another label": lambda s: _raw(b"".join(frames(texts=[s[:7], s[7:15], s[15:]])), "text/plain"),
}


def _sent(body: bytes, coding: str) -> Request:
    fields = [
        ("content-type", "application/json"),
        ("Content-Encoding", coding),
        ("content-length", str(len(body))),
    ]
    return Request("POST", URL, Headers(fields), body)


def _form(body: str) -> Request:
    fields = [("content-type", "application/x-www-form-urlencoded"), ("content-length", str(len(body)))]
    return Request("POST", "/token", Headers(fields), body.encode())


def _raw(body: bytes, kind: str = "application/json") -> Recording:
    return Recording(get(URL), 200, Headers([("content-type", kind)]), body, pieces_of([(len(body), 5)]))


def _cut(body: bytes) -> Recording:
    ending = Ending(how=How.FIN, declared=len(body) + 9, sent=len(body))
    return replace(_raw(body), ending=ending, framing=Length(len(body) + 9))


def _cut_stream(parts: list[bytes]) -> Recording:
    return streamed(post({}), parts, Ending(how=How.RST))


def _gzipped(body: bytes) -> Recording:
    data = gzip.compress(body)
    fields = Headers([("content-type", "application/json"), ("content-encoding", "gzip")])
    return Recording(
        get(URL), 200, fields, data, pieces_of([(9, 1), (len(data) - 9, 2)]), framing=Length(len(data))
    )


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_hidden_in_every_place(place: str, tmp_path: Path) -> None:
    """What has the shape of a key, or was given to the redactor, is removed wherever it occurs, and reported."""
    for secret, known in ((KEY, []), (PLAIN, [PLAIN])):
        redactor = Redactor(PROTOCOL, secrets=known)
        kept = redactor.redact(PLACES[place](secret))
        text = written(kept, tmp_path)
        assert not any(form in text for form in (secret, quote(secret), json.dumps(secret)[1:-1]))
        assert redactor.report
        assert secret not in repr(redactor.report)
        assert scan(kept, PROTOCOL) == []


NAMED: dict[str, Any] = {
    "password of an origin": lambda s: replace(
        answered(get(URL), {}), origin=f"https://u:{quote(s, safe='')}@h.de"
    ),
    "password of an absolute target": lambda s: answered(get(f"http://u:{quote(s, safe='')}@h.de/x"), {}),
    "an escaped name": lambda s: answered(get(f"{URL}?$k%65y={quote(s, safe='')}"), {}),
    "field of a form": lambda s: answered(_form(f"a=1&refresh_token={quote_plus(s)}"), {}),
    "part of a form": lambda s: answered(
        Request(
            "POST", URL, body=b'--B\r\nContent-Disposition: form-data; name="api_key"\r\n\r\n%s\r\n' % s.encode()
        ),
        {},
    ),
    "the value of a variable": lambda s: answered(post({"environment": {"env": {"DSN": {"value": s}}}}), {}),
    "injected headers": lambda s: answered(post({"network": {"allowlist": [{"transform": {"X-Vault": s}}]}}), {}),
    "headers of a tool": lambda s: answered(post({"tools": [{"type": "mcp_server", "headers": {"X-T": s}}]}), {}),
    "a receiver": lambda s: answered(post({"webhook_config": {"uris": [f"https://h.de/{quote(s)}"]}}), {}),
    "URL in a URL": lambda s: _raw(b'{"u":"https://h.de?n=http%%3A%%2F%%2Fi%%3Fkey%%3D%s"}' % quote(s).encode()),
    "a credential": lambda s: answered(post({"value": s}, target="/v1beta/credentials/c1"), {}),
    "a field in gzip": lambda s: answered(_sent(gzip.compress(json.dumps({"api_key": s}).encode()), "gzip"), {}),
    "behind a byte order mark": lambda s: _raw(b"\xef\xbb\xbf" + json.dumps({"password": s}).encode()),
    "event of another label": lambda s: _raw(event("x", tool={"password": s})),
    "header": lambda s: answered(Request("GET", URL, Headers([("x-goog-api-key", s)])), {}),
    "authorization": lambda s: answered(Request("GET", URL, Headers([("Authorization", f"Bearer {s}")])), {}),
    "Basic in any header": lambda s: answered(
        Request("GET", URL, Headers([("x-upstream", f"Basic {b64encode(f'u:{s}'.encode()).decode()}")])), {}
    ),
    "cookie": lambda s: replace(answered(get(URL), {}), headers=Headers([("set-cookie", f"sid={s}; Path=/")])),
    "key parameter": lambda s: answered(get(f"{URL}?alt=sse&key={quote(s)}"), {}),
    "field": lambda s: answered(post({"tools": [{"headers": {"Authorization": s}}]}), {}),
    "event field": lambda s: streamed(post({}), [event("x", tool={"key": [s]})]),
    "nested field": lambda s: answered(post({}), {"new_signing_secret": {"value": [s]}}),
    "arguments": lambda s: streamed(post({}), [_arguments(part) for part in _thirds(json.dumps({"password": s}))]),
}


def _arguments(part: str) -> bytes:
    return event("step.delta", index=0, delta={"arguments": part, "type": "arguments_delta"})


def _thirds(text: str) -> list[str]:
    step = max(1, len(text) // 3)
    return [text[:step], text[step : 2 * step], text[2 * step :]]


@in_one_test(place=NAMED, secret=["ab 1/ü?=", "µ"])
def test_named_secret(place: str, secret: str) -> None:
    """A value that is secret by its name or place is hidden, whatever it looks like."""
    kept = Redactor(PROTOCOL).redact(NAMED[place](secret))
    text = f"{kept.origin} {kept.request!r} {kept.headers!r} {assembled(kept.request.body)} {assembled(kept.body)}"
    assert secret not in text
    assert quote(secret) not in text
    assert "REDACTED-1" in text
    assert scan(kept, PROTOCOL) == []


def test_innocent_headers() -> None:
    """Permission headers and cookie attributes are not secret, neither there nor where their words reappear."""
    fields = [
        ("access-control-allow-credentials", "true"),
        ("x-note", "Basic access for all users"),
        ("set-cookie", "a=0123456789; HttpOnly; SameSite=Strict"),
    ]
    recording = replace(answered(get(URL), {"text": "HttpOnly SameSite"}), headers=Headers(fields))
    kept = Redactor(PROTOCOL).redact(recording)
    assert kept.headers.get("access-control-allow-credentials") == "true"
    assert kept.headers.get("x-note") == "Basic access for all users"
    assert kept.body == recording.body
    assert "0123456789" not in kept.headers.get("set-cookie")


def test_learned_from_its_name() -> None:
    """A key learned from a header is hidden in later bodies under the same placeholder."""
    redactor = Redactor(PROTOCOL)
    first = redactor.redact(answered(post({}, x_goog_api_key="my-own-key-1"), {}))
    later = redactor.redact(answered(post({}), {"error": {"message": "the key my-own-key-1 is not valid"}}))
    assert first.request.headers.get("x-goog-api-key") == "REDACTED-1"
    assert json.loads(later.body) == {"error": {"message": "the key REDACTED-1 is not valid"}}


def test_learned_from_its_name_in_json_inside_json() -> None:
    """A key named in JSON three strings deep is hidden in the answer and later, also where no name is."""
    redactor, key = Redactor(PROTOCOL), "zq9nestedkey1234567890abcdef"
    nested = json.dumps({"n": json.dumps({"n": json.dumps({"db_password": key})})})
    asked = post({"input": nested})
    first = redactor.redact(answered(asked, {"text": f"you sent {asked.body.decode()}", "word": f"not {key}"}))
    later = redactor.redact(answered(post({"input": f"the word {key}"}), {}))
    assert key not in first.request.body.decode()
    assert key not in first.body.decode()
    assert json.loads(first.body)["word"] == "not REDACTED-1"
    assert json.loads(later.request.body) == {"input": "the word REDACTED-1"}


def test_learned_from_its_name_in_a_split_text() -> None:
    """A key named in arguments that come in parts is hidden wherever else it occurs, also earlier."""
    key = "zq9nestedkey1234567890abcdef"
    parts = [_arguments(part) for part in _thirds(json.dumps({"password": key}))]
    kept = Redactor(PROTOCOL).redact(streamed(post({"input": f"use {key}"}), parts))
    assert json.loads(kept.request.body) == {"input": "use REDACTED-1"}


def test_consistent() -> None:
    """A secret has the same placeholder everywhere, and different secrets have different ones."""
    other = "ghp_" + "Z9y8" * 9
    recording = answered(get(f"{URL}?key={KEY}"), {"a": KEY, "b": other, "c": f"{other} {KEY}"})
    kept = Redactor(PROTOCOL).redact(recording)
    assert kept.request.target == f"{URL}?key=REDACTED-1"
    assert json.loads(kept.body) == {"a": "REDACTED-1", "b": "REDACTED-2", "c": "REDACTED-2 REDACTED-1"}


@given(st.data())
@settings(max_examples=150, deadline=None)
@pytest.mark.slow
def test_split_over_events(data: st.DataObject) -> None:
    """A secret split over events in any way is hidden, and the text around it is kept."""
    secret, known = data.draw(st.sampled_from([(KEY, False), (PLAIN, True), ("ghp_" + "A1b2" * 9, False)]))
    text = f"say {secret} “now”"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    recording = streamed(post({}), frames(texts=parts))
    kept = Redactor(PROTOCOL, secrets=[secret] if known else []).redact(recording)
    assert re.search("say REDACTED-[12] “now”", assembled(kept.body))  # a half may look like a key of its own
    assert secret not in assembled(kept.body)
    assert kept.pieces.total == len(kept.body)
    assert len(Decoder().feed(kept.body)) == len(Decoder().feed(recording.body))


def test_exempt_fields() -> None:
    """Signatures, inline data and ids with what looks like a key are kept, since altered they are useless."""
    names = ("signature", "data", "id", "continuation_token", "previous_interaction_id")
    value = dict.fromkeys(names, f"v1_{KEY}")
    recording = answered(post(value), value)
    assert Redactor(PROTOCOL).redact(recording).request.body == recording.request.body
    assert Redactor(PROTOCOL).redact(recording).body == recording.body


@given(recordings())
@settings(max_examples=100, deadline=None)
@pytest.mark.slow
def test_only_secrets_change(recording: Recording) -> None:
    """A recording without secrets is unchanged, and redacting twice changes nothing more."""
    redactor = Redactor(PROTOCOL)
    kept = redactor.redact(recording)
    if not redactor.report:
        assert kept == recording
    assert Redactor(PROTOCOL).redact(kept) == kept


def test_bytes_around_stay() -> None:
    """Whitespace, escapes, number formats and duplicate members around a replaced value are kept."""
    body = f'{{ "n" : 1.0e+5,"a":"\\u00e9\\/", "k" :"{KEY}" ,"n": 12345678901234567890123 }}'.encode()
    url = "https://h.de/p%2Fq?n=%2Fa%3Fkey%3Dkey-of-mine-7%26z&key=key-of-mine-7&m=a+b"
    of_url = (json.dumps({"u": url}).encode(), f"u={url}".encode())
    for sent, secret in ((_raw(body), KEY), *((_raw(one), "key-of-mine-7") for one in of_url)):
        kept = Redactor(PROTOCOL).redact(sent)
        assert kept.body == sent.body.replace(secret.encode(), b"REDACTED-1")
    form = Redactor(PROTOCOL).request(_form(f"a=a%20b+c&u={url}"))
    assert form.body == f"a=a%20b+c&u={url}".replace("key-of-mine-7", "REDACTED-1").encode()


def test_lengths_follow() -> None:
    """Lengths, chunk sizes and pieces match the new bytes, and a truncated body is still short by as much."""
    body = json.dumps({"message": KEY}).encode()
    headers = Headers([("content-type", "application/json"), ("Content-Length", str(len(body) + 5))])
    ending = Ending(how=How.FIN, declared=len(body) + 5, sent=len(body))
    recording = Recording(
        post({"k": KEY}, content_length="1"), 200, headers, body, pieces_of([(20, 1), (len(body) - 20, 2)]),
        ending, Length(len(body) + 5),
    )  # fmt: skip
    kept = Redactor(PROTOCOL).redact(recording)
    assert kept.framing == Length(len(kept.body) + 5)
    assert kept.headers.get("content-length") == str(len(kept.body) + 5)
    assert (kept.ending.declared, kept.ending.sent) == (len(kept.body) + 5, len(kept.body))
    assert kept.request.headers.get("content-length") == str(len(kept.request.body))
    assert kept.pieces.total == len(kept.body)
    chunked = streamed(post({}), [text_delta(KEY)[:30]], Ending(how=How.RST, at=At.IN_CHUNK, declared=99, sent=30))
    assert Redactor(PROTOCOL).redact(chunked).framing == Chunked()


def test_gzip_is_undone() -> None:
    """A compressed response is stored decoded, with its encoding noted and the pieces of the text."""
    body = json.dumps({"a": "x" * 500}).encode()
    kept = Redactor(PROTOCOL).redact(_gzipped(body))
    assert (kept.body, kept.coding) == (body, "gzip")
    assert "content-encoding" not in kept.headers
    assert kept.pieces.total == len(body)
    assert kept.framing == Length(len(body))


def test_unknown_coding_is_refused() -> None:
    """A body in an encoding that cannot be decoded is refused instead of recorded unredacted."""
    fields = Headers([("content-encoding", "br")])
    with pytest.raises(CassetteError, match="identity or gzip"):
        Redactor(PROTOCOL).redact(replace(_raw(b"abc"), headers=fields))
    for coding, body in (("br", b"abc"), ("gzip", b"no gzip")):
        with pytest.raises(CassetteError, match=rf"asked in content-encoding '{coding}'"):
            Redactor(PROTOCOL).redact(answered(_sent(body, coding), {}))


def test_a_refusal_does_not_tell_the_key() -> None:
    """A refusal names the path of the request, without the query that may contain a key."""
    recording = replace(
        _raw(b"abc"), headers=Headers([("content-encoding", "br")]), request=get(f"{URL}?key={KEY}")
    )
    with pytest.raises(CassetteError) as refusal:
        Redactor(PROTOCOL).redact(recording)
    assert KEY not in str(refusal.value)


def test_data_in_several_lines() -> None:
    """A payload over several data lines, with any line endings, is redacted."""
    for newline in (b"\n", b"\r\n", b"\r"):
        frame = encode("error", b'{"error":\n{"message": "' + KEY.encode() + b'"}}', newline=newline)
        recording = Recording(get(URL), 200, SSE, frame, pieces_of([(len(frame), 0)]))
        assert Redactor(PROTOCOL).redact(recording).body == frame.replace(KEY.encode(), b"REDACTED-1")


ECHOED = (
    ("authorization", "Basic " + b64encode(b"user:hunter-two-77").decode(), "hunter-two-77"),
    ("x-upstream", "basic " + b64encode(b"user:hunter-two-77").decode(), "hunter-two-77"),
    ("x-secret-phrase", "correct9horse battery8staple", "correct9horse battery8staple"),
    ("cookie", "a=first-cookie-1; b=second-cookie-2", b64encode(b"first-cookie-1").decode()),
)


@pytest.mark.parametrize(("name", "value", "echo"), ECHOED)
def test_what_a_header_gave_away_in_parts(name: str, value: str, echo: str) -> None:
    """A part of a secret header, such as the password of Basic credentials, is hidden in bodies too."""
    fields = Headers([(name, value)])
    recording = replace(answered(post({}), {"message": f"no {echo}."}), request=Request("POST", URL, fields))
    seen_before = Headers([("set-cookie", "a=first-cookie-1; Path=/")])
    redactor = Redactor(PROTOCOL)
    redactor.redact(replace(answered(get(URL), {}), headers=seen_before))
    redacted = redactor.redact(recording)
    assert [word for word in echo.split() if word in redacted.body.decode()] == []
    assert redacted.request.headers.get(name) != value


OWN = "my-own-SECRET-canary-key-1"
EXEMPT = ("id", "signature", "data", "interaction_id", "previous_interaction_id")


@in_one_test(
    text=[OWN, b64encode(f"GEMINI_API_KEY={OWN}\n".encode()).decode(), b64encode(b"xy" + OWN.encode()).decode()],
    name=EXEMPT,
)
def test_a_key_of_the_owner_stays_nowhere(text: str, name: str) -> None:
    """Not even in an id, a signature or inline data, which otherwise stay as they are; an uploaded file is one."""
    recording = answered(post({"input": [{name: text}]}), {name: text, "steps": [{name: f"{text}/x"}]})
    for known in (Redactor(PROTOCOL, secrets=[OWN]), Redactor(PROTOCOL)):
        known.hide([OWN])
        kept = known.redact(recording)
        assert text[9:-9] not in repr((kept.request, kept.body))
        assert "REDACTED-1" in json.loads(kept.body)["steps"][0][name]
    assert Redactor(PROTOCOL).redact(recording) == recording
    assert scan(recording, PROTOCOL, secrets=[OWN])


@in_one_test(key=[KEY, "AQ.Ab8RN6J0123456789-abcdefghijkl", "ya29.a0.0123456789_abcdefghij"], name=EXEMPT)
def test_an_id_that_is_a_key_as_a_whole_is_hidden(key: str, name: str) -> None:
    """None has the form of a key of Google by chance, so `harness verify --secrets` reports it, too."""
    recording = answered(post({"input": [{name: key}]}), {name: key})
    kept = Redactor(PROTOCOL).redact(recording)
    assert key not in repr((kept.request, kept.body))
    assert scan(recording, PROTOCOL)


@in_one_test(
    sent=[
        ("Authorization", f"Bearer {OWN}"),
        ("Cookie", f"a=b; session={OWN}"),
        ("", f"?key={OWN}"),
        ("", "api_key"),
    ],
    name=EXEMPT,
)
def test_the_key_of_a_request_stays_nowhere(sent: tuple[str, str], name: str) -> None:
    """It is one of the user's own, although the environment of the recorder has none."""
    header, value = sent
    plain = post({"input": [{name: OWN}]})
    target = plain.target + value if not header and OWN in value else plain.target
    headers = Headers([*plain.headers.items(), *([sent] if header else ())])
    body = plain.body if OWN in value else post({"input": [{name: OWN}], "webhook_config": {value: OWN}}).body
    request = Request(plain.method, target, headers, body)
    recording = answered(request, {name: f"v1_{OWN}/x"})
    redactor = Redactor(PROTOCOL)
    kept = redactor.redact(recording)
    assert OWN not in repr((kept.request, kept.body))
    earlier = redactor.redact(answered(plain, {name: OWN}))
    assert OWN not in repr((earlier.request, earlier.body))
