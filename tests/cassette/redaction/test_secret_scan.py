"""The scan finds secrets in files of any recorder and reports nothing else."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.cassette import CassetteError, Journal, Recording, Redactor, save, scan, scan_file
from harness.cassette.framing import pieces_of
from harness.contract import PROTOCOL
from harness.wire import Headers
from tests.cassette.samples import URL, answered, frames, get, post, streamed

KEY = "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"
LEAKS = {
    "header": answered(structs.replace(get(URL), headers=Headers([("X-Goog-Api-Key", "quite-ordinary")])), {}),
    "query": answered(get(f"{URL}?key=quite-ordinary"), {}),
    "message": answered(post({}), {"error": {"message": f"{KEY} is not valid"}}),
    "deltas": streamed(post({}), frames(texts=["it is " + KEY[:9], KEY[9:30], KEY[30:] + "."])),
    "origin": replace(answered(get(URL), {}), origin="https://gateway.corp.internal"),
}


@pytest.mark.parametrize("place", LEAKS)
def test_cassette(place: str, tmp_path: Path) -> None:
    """A secret is found in a recording, its cassette and its journal; after redaction none is found."""
    kept = Redactor(PROTOCOL).redact(LEAKS[place])
    for number, (recording, leaks) in enumerate([(LEAKS[place], True), (kept, False)]):
        path = tmp_path / f"{number}.yaml"
        save(path, [recording])
        with closing(Journal(tmp_path / f"{number}.part.yaml")) as journal:
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


FILES = (
    ("a.har", {"log": {"entries": [{"request": {"headers": [{"name": "Authorization", "value": "x y"}]}}]}}),
    ("a.json", {"a": [{"password": "hm"}]}),
    ("a.json", {"text": json.dumps({"deep": KEY})}),
    ("a.json", {"environment": {"env": {"DSN": "hm"}}}),
    ("a.json", {"name": "X-Auth-Token", "value": "opaque-nonsense-123456789"}),
)


@pytest.mark.parametrize(("name", "value"), FILES)
def test_other_files(tmp_path: Path, name: str, value: object) -> None:
    """Secrets are found in the files of other recorders and reported with their line."""
    (tmp_path / name).write_text(f"\n{json.dumps(value)}")
    assert [hit.place for hit in scan_file(tmp_path / name, PROTOCOL)] == ["line 2"]


WRITTEN = ("REDACTED-47, REDACTED-48", "Bearer REDACTED-1", "basic ***", "Bearer ${TOKEN}", "")


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


def test_unreadable(tmp_path: Path) -> None:
    """A file that cannot be read raises an error and never passes the scan."""
    with pytest.raises(CassetteError, match="cannot be read"):
        scan_file(tmp_path / "none.yaml", PROTOCOL)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"# {KEY}\nversion: 1\ninteractions: []\n", "line 1"),
        (f"version: 1\nnote: |  # {KEY}\n  text\n  more\ninteractions: []\n", "line 2"),
        (f"version: 1\nnote: {KEY}\ninteractions: []\n", "line 5"),
    ],
    ids=["comment", "comment of a block", "metadata"],
)
def test_what_is_no_value_of_a_file_is_searched(text: str, place: str, tmp_path: Path) -> None:
    """A secret in a comment, or beside the interactions is found."""
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert [hit.place for hit in scan_file(tmp_path / "a.yaml", PROTOCOL)] == [place]


IN_JSON = b64encode(json.dumps({"a": KEY}).encode()).decode()
HIDDEN = {
    "base64 body": {"response": {"content": {"encoding": "base64", "text": b64encode(KEY.encode()).decode()}}},
    "base64 json": {"response": {"content": {"encoding": "base64", "text": IN_JSON}}},
    "header": {"request": {"headers": [{"name": "x-goog-api-key", "value": "quite-ordinary"}]}},
    "url": {"request": {"url": "https://h/v1beta/interactions?key=quite-ordinary9"}},
    "escaped parameter": {"request": {"url": "https://h/x?access%5Ftoken=quite-ordinary9"}},
    "what is left out of an exchange": {"_page": f"see {KEY}"},
}


@pytest.mark.parametrize("parts", HIDDEN.values(), ids=HIDDEN)
def test_every_place_of_a_har_is_searched(parts: dict[str, Any], tmp_path: Path) -> None:
    """A secret in an encoded body, a URL or a header of a HAR is found, and its placeholder is not."""
    entry: dict[str, Any] = {
        "request": {"method": "POST", "url": "https://h/v1beta/interactions", "headers": []},
        "response": {"status": 200, "statusText": "OK", "headers": [], "content": {}},
    }
    for name, part in parts.items():
        entry[name] = {**entry.get(name, {}), **part} if isinstance(part, dict) else part
    path = tmp_path / "a.har"
    path.write_text(json.dumps({"log": {"entries": [entry]}}), encoding="utf-8")
    assert len(scan_file(path, PROTOCOL)) == 1
    harmless = re.sub("quite-ordinary9?", "REDACTED-1", path.read_text("utf-8"))
    path.write_text(harmless, encoding="utf-8")
    if "REDACTED" in harmless:
        assert scan_file(path, PROTOCOL) == []
