"""The scan finds secrets in files of any recorder and reports nothing else."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.cassette import CassetteError, Journal, Recording, Redactor, save, scan, scan_file
from harness.cassette.framing import pieces_of
from harness.contract import PROTOCOL
from harness.wire import Headers, Request
from tests.cassette.samples import URL, answered, frames, get, post, streamed

KEY = "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"
LEAKS = {
    "header": answered(structs.replace(get(URL), headers=Headers([("X-Goog-Api-Key", "quite-ordinary")])), {}),
    "unusual header": replace(answered(get(URL), {}), headers=Headers([("x-auth-token", "quite-ordinary")])),
    "query": answered(get(f"{URL}?key=quite-ordinary"), {}),
    "parameter": answered(get(f"{URL}?X_API_KEY=quite-ordinary"), {}),
    "form": answered(
        Request(
            "POST",
            "/token",
            Headers([("content-type", "application/x-www-form-urlencoded")]),
            b"password=ordinary",
        ),
        {},
    ),
    "field": answered(post({"tools": [{"authorization": "quite ordinary"}]}), {}),
    "message": answered(post({}), {"error": {"message": f"{KEY} is not valid"}}),
    "deltas": streamed(post({}), frames(texts=["it is " + KEY[:9], KEY[9:30], KEY[30:] + "."])),
    "cookie": replace(answered(get(URL), {}), headers=Headers([("set-cookie", "quite-ordinary")])),
    "origin": replace(answered(get(URL), {}), origin="https://gateway.corp.internal"),
}


@pytest.mark.parametrize("place", LEAKS)
def test_cassette(place: str, tmp_path: Path) -> None:
    """A secret is found in a recording, its cassette and its journal; after redaction none is found."""
    kept = Redactor(PROTOCOL).redact(LEAKS[place])
    for number, (recording, leaks) in enumerate([(LEAKS[place], True), (kept, False)]):
        path = tmp_path / f"{number}.yaml"
        save(path, [recording])
        with Journal(tmp_path / f"{number}.part.yaml") as journal:
            journal.append(recording)
        for hits in (scan(recording, PROTOCOL), scan_file(path, PROTOCOL), scan_file(journal.path, PROTOCOL)):
            assert bool(hits) == leaks, hits
            assert "ordinary" not in repr(hits)
            assert KEY not in repr(hits)


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig"])
@pytest.mark.parametrize("name", ["a.txt", "a.yaml", "a.json", "a.jsonl", "a.sse"])
def test_a_file_in_any_coding_is_searched(name: str, coding: str, tmp_path: Path) -> None:
    """Windows tools write UTF-16, with a mark or without."""
    (tmp_path / name).write_bytes(f'{{"note": "é {KEY}"}}\n'.encode(coding))
    assert {hit.kind for hit in scan_file(tmp_path / name, PROTOCOL)} == {"Google API key"}


def test_what_nested_json_names_is_found_in_every_entry(tmp_path: Path) -> None:
    """A key that only the last entry names, in JSON inside JSON, is also found in the first, which quotes it."""
    key = "zq9nestedkey1234567890abcdef"
    quoted = answered(post({"input": f"the word {key}"}), {})
    naming = answered(post({"input": json.dumps({"n": json.dumps({"db_password": key})})}), {})
    save(tmp_path / "a.yaml", [quoted, naming])
    places = [hit.place for hit in scan_file(tmp_path / "a.yaml", PROTOCOL)]
    assert [sum(f"interactions[{number}]" in place for place in places) > 0 for number in (0, 1)] == [True, True]


@pytest.mark.parametrize("levels", range(5))
def test_a_name_in_escaped_json_within_words(levels: int, tmp_path: Path) -> None:
    """A key after its name is found in text that quotes JSON, however often that was escaped."""
    said = json.dumps({"api_key": "zq9nestedkey1234567890abcdef"})
    for _ in range(levels):
        said = json.dumps(said)
    save(tmp_path / "a.yaml", [answered(post({}), {"text": f"You said {said}."})])
    assert {hit.kind for hit in scan_file(tmp_path / "a.yaml", PROTOCOL)} == {"named secret"}


FILES = (
    (
        "a.har",
        {"log": {"entries": [{"request": {"headers": [{"name": "Authorization", "value": "x y"}]}}]}},
        "headers",
    ),
    ("a.json", {"a": [{"password": "hm"}]}, "a[0].password"),
    ("a.json", {"text": json.dumps({"deep": KEY})}, "text"),
    ("a.json", {KEY: 1}, ""),
    ("a.json", {"environment": {"env": {"DSN": "hm"}}}, "environment.env.DSN"),
    ("a.json", {"tools": [{"headers": {"X-T": "hm"}}]}, "tools[0].headers.X-T"),
    ("a.json", {"env": [{"name": "DSN", "value": "hm"}]}, "env[0].value"),
)


@pytest.mark.parametrize(("name", "value", "place"), FILES)
def test_other_files(tmp_path: Path, name: str, value: object, place: str) -> None:
    """Secrets are found in the files of other recorders and reported with their place."""
    (tmp_path / name).write_text(json.dumps(value))
    hits = scan_file(tmp_path / name, PROTOCOL)
    assert hits
    assert any(place in hit.place for hit in hits)


WRITTEN = (
    "REDACTED-47, REDACTED-48",
    "REDACTED-1; REDACTED-2",
    "Bearer REDACTED-1, Bearer REDACTED-2",
    "REDACTED-1",
    "Bearer REDACTED-1",
    "basic ***",
    "Bearer ${TOKEN}",
    "Bearer ",
    "",
)


@pytest.mark.parametrize("value", WRITTEN)
def test_placeholders_in_headers(value: str, tmp_path: Path) -> None:
    """A redacted header that still names its auth scheme is no secret, in a cassette or in a HAR file."""
    cassette = {"interactions": [{"request": {"headers": {"authorization": [value]}}}]}
    har = {"log": {"entries": [{"request": {"headers": [{"name": "Authorization", "value": value}]}}]}}
    for name, document in (("a.json", cassette), ("a.har", har)):
        (tmp_path / name).write_text(json.dumps(document))
        assert scan_file(tmp_path / name, PROTOCOL) == []


def test_what_cannot_be_looked_into(tmp_path: Path) -> None:
    """A body in an unsupported content encoding is reported, since it cannot be scanned."""
    coded = Recording(
        get(URL),
        200,
        Headers([("content-encoding", "br")]),
        b"\x8b\x02",
        pieces_of([(2, 0)]),
        origin="https://a.de",
    )
    save(tmp_path / "a.yaml", [coded])
    (hit,) = scan_file(tmp_path / "a.yaml", PROTOCOL)
    assert "cannot be looked into" in hit.kind
    assert "'br'" in hit.kind


def test_place_in_a_text(tmp_path: Path) -> None:
    """In a text file, and in one that is not valid JSON or YAML, the line of a secret is reported."""
    for name in ("a.txt", "a.json", "a.yaml", "a.sse"):
        (tmp_path / name).write_text(f"some: [\n}} text\n{KEY}\n")
        (hit,) = scan_file(tmp_path / name, PROTOCOL)
        assert hit.place == "line 3"


def test_what_is_not_text_is_scanned_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid file is scanned as text, whatever the current directory is."""
    (tmp_path / "a.yaml").write_bytes(b"version: 1\n\xff " + KEY.encode() + b"\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (hit,) = scan_file(tmp_path / "a.yaml", PROTOCOL)
    assert hit.place == "line 2"


def test_unreadable(tmp_path: Path) -> None:
    """A file that cannot be read raises an error and never passes the scan."""
    with pytest.raises(CassetteError, match="cannot be read"):
        scan_file(tmp_path / "none.yaml", PROTOCOL)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"# {KEY}\nversion: 1\ninteractions: []\n", 1),
        (f"version: 1\nnote: |  # {KEY}\n  text\n  more\ninteractions: []\n", 2),
        (f"version: 1\nnote: 'a\n\n  b'  # {KEY}\ninteractions: []\n", 4),
        (f"version: 1\nnote: &{KEY} text\ninteractions: []\n", 2),
        (f"version: 1\nnote: !{KEY} text\ninteractions: []\n", 2),
        (f"version: 1\ninteractions: []\n...\n# \u00e9\U0001f600 {KEY}\n", 4),
    ],
    ids=["comment", "comment of a block", "comment after lines", "anchor", "tag", "comment at the end"],
)
def test_what_is_no_value_of_a_file_is_searched(text: str, line: int, tmp_path: Path) -> None:
    """A secret in a comment, or in the name of an anchor or a tag, is found at its line, once."""
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    hits = scan_file(path, PROTOCOL)
    assert [hit.place for hit in hits if "line" in hit.place] == [f"line {line}"]
    assert len({hit.place for hit in hits}) == 1


ESCAPED = ("\\x41" + KEY[1:], "".join(f"\\u{ord(letter):04X}" for letter in KEY), KEY[:20] + "\\\n    " + KEY[20:],
           KEY[:9] + "\\\r\n\t " + KEY[9:-1] + f"\\U{ord(KEY[-1]):08x}",
           *(f"{KEY[:9]}\\{end}  {KEY[9:]}" for end in ("\r", "\x85", "\u2028", "\u2029")))  # fmt: skip


@pytest.mark.parametrize("word", ESCAPED, ids=["hex", "unicode", "two lines", "mixed", "CR", "NEL", "LS", "PS"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""), ("", "b: [\n"), ("<<<<<<< HEAD\n", ""), ("", "b: 2026-99-99\n"), ("", "a: x\n"),
        ("", "b: !f 1\n"),
        ("? [1, 2]\n: 1\n", ""), ("b: " + "[" * 300 + "]" * 300 + "\n", ""), ("b: {&q a: 1}\n", "c: *q\n...\n"),
    ],
    ids=["read", "open", "conflict", "date", "twice", "tag", "key", "deep", "alias"],
)  # fmt: skip
def test_a_key_in_escapes_of_yaml_is_found(before: str, after: str, word: str, tmp_path: Path) -> None:
    """It is found also where a parser stops, or keeps another value of the same name."""
    path = tmp_path / "a.yaml"
    text = f'{before}a: "{word}"\n{after}'
    for coding in ("utf-8", "utf-16", "utf-32-be") if word.isascii() else ("utf-8",):
        path.write_bytes(text.encode(coding))
        hits = scan_file(path, PROTOCOL)
        assert [hit.kind for hit in hits] == ["Google API key"]
        assert KEY not in repr(hits)


def test_a_value_beside_a_comment_is_found_once(tmp_path: Path) -> None:
    """What the values contain is not found again in the text of the file."""
    path = tmp_path / "a.yaml"
    path.write_text(f"# no secret\nversion: 1\nnote: {KEY}\ninteractions: []\n", encoding="utf-8")
    assert [hit.place for hit in scan_file(path, PROTOCOL)] == ["[0].note"]


IN_JSON = b64encode(json.dumps({"a": KEY}).encode()).decode()
HIDDEN = {
    "base64 body": {"response": {"content": {"encoding": "base64", "text": b64encode(KEY.encode()).decode()}}},
    "base64 json": {
        "response": {
            "content": {"encoding": "base64", "text": b64encode(json.dumps({"a": KEY}).encode()).decode()}
        }
    },
    "base64 form": {"request": {"postData": {"encoding": "base64", "text": b64encode(KEY.encode()).decode()}}},
    "unpadded base64": {"response": {"content": {"encoding": "Base64", "text": IN_JSON.rstrip("=")}}},
    "base64 for URLs": {
        "response": {
            "content": {"encoding": "base64", "text": urlsafe_b64encode(f"~~~???{KEY}".encode()).decode()}
        }
    },
    "query": {"request": {"queryString": [{"name": "key", "value": "quite-ordinary"}]}},
    "escaped name": {"request": {"queryString": [{"name": "access%5Ftoken", "value": "quite-ordinary"}]}},
    "cookie": {"request": {"cookies": [{"name": "sid", "value": "quite-ordinary"}]}},
    "header": {"request": {"headers": [{"name": "x-goog-api-key", "value": "quite-ordinary"}]}},
    "escaped url": {"request": {"url": "https://h/v1beta/interactions?k%65y=quite-ordinary9"}},
    "escaped parameter": {"request": {"url": "https://h/x?access%5Ftoken=quite-ordinary9"}},
}


@pytest.mark.parametrize("entry", HIDDEN.values(), ids=HIDDEN)
def test_every_place_of_a_har_is_searched(entry: dict[str, Any], tmp_path: Path) -> None:
    """A secret in an encoded body, a cookie, a parameter or a header of a HAR is found, and its twin is not."""
    path = tmp_path / "a.har"
    path.write_text(json.dumps({"log": {"entries": [entry]}}), encoding="utf-8")
    assert len(scan_file(path, PROTOCOL)) == 1
    harmless = json.dumps({"log": {"entries": [entry]}}).replace("quite-ordinary", "REDACTED-")
    harmless = harmless.replace("REDACTED-9", "REDACTED-1").replace('REDACTED-"', 'REDACTED-1"')
    path.write_text(harmless, encoding="utf-8")
    if harmless.count("REDACTED"):
        assert scan_file(path, PROTOCOL) == []


def test_a_name_that_stands_twice_hides_no_value(tmp_path: Path) -> None:
    """JSON parsers keep the last value of a name: the first is searched, too."""
    path = tmp_path / "a.json"
    path.write_text(f'{{"a": "{KEY}", "a": "x"}}', encoding="utf-8")
    assert len(scan_file(path, PROTOCOL)) == 1


@pytest.mark.parametrize("tree", [{}, {"y": [None]}, [[None]]])
def test_a_pair_of_name_and_value_is_searched_anywhere(tree: Any, tmp_path: Path) -> None:
    """A body of its own, too, may name a credential beside its value, as headers of other tools do."""
    pair = {"name": "X-Auth-Token", "value": "opaque-nonsense-123456789"}
    file = tmp_path / "a.json"
    file.write_text(json.dumps(tree or pair).replace("null", json.dumps(pair)), "utf-8")
    assert [hit.kind for hit in scan_file(file, PROTOCOL)] == ["secret header"]
