"""Cassette files lose nothing, are readable by plain vcrpy, notice edits and name the line of an error."""

from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import httpx
import pytest
import vcr
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cassette import (
    CassetteError,
    CassetteFile,
    Recording,
    Unit,
    layout,
    load,
    save,
)
from harness.contract import PROTOCOL
from harness.outcome import HarnessFault
from harness.wire import Request
from tests.cassette.samples import (
    DROPPED,
    HELLO,
    PROVENANCE,
    URL,
    answered,
    comparable,
    frames,
    names,
    plain_vcr,
    post,
    recordings,
    streamed,
)  # fmt: skip


@pytest.mark.slow
@given(recordings())
@settings(max_examples=150, deadline=None)
def test_round_trip(recording: Recording) -> None:
    """Any recording loads as it was saved, byte for byte, even after plain vcrpy rewrote the file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.yaml"
        save(path, [recording], PROVENANCE)
        first = load(path)
        plain = plain_vcr(path)
        assert plain.responses[0]["body"]["string"] == recording.body
        assert (plain.requests[0].body or b"") == recording.request.body
        plain.save_again()
        second = load(path)
    assert comparable(first.recordings[0]) == comparable(recording)
    assert comparable(second.recordings[0]) == comparable(recording)
    assert first.provenance == PROVENANCE
    assert second.provenance == (PROVENANCE if plain.keeps_metadata else None)


TARGETS = (("*", "http://target.invalid", "*"), ("http://h.example/x?y", "http://h.example", "/x?y"))


@pytest.mark.parametrize(("target", "origin", "kept"), TARGETS)
def test_targets_that_are_no_path(tmp_path: Path, target: str, origin: str, kept: str) -> None:
    """The target `*` is kept; an absolute URL is split into an origin and a path."""
    save(tmp_path / "a.yaml", [answered(Request("OPTIONS", target), {})])
    (recording,) = load(tmp_path / "a.yaml").recordings
    assert (recording.origin, recording.request.target) == (origin, kept)


def test_plain_entry_is_approximate(tmp_path: Path) -> None:
    """A file by plain vcrpy is played one event at a time and marked as approximate."""
    path = tmp_path / "plain.yaml"
    save(path, [streamed(post({}), frames())])
    text = re.sub(r"    x-stream:\n(?:      .*\n)+", "", path.read_text())
    assert "x-stream" not in text
    path.write_text(text)
    (recording,) = load(path).recordings
    assert recording.approximate
    assert recording.unit is Unit.EVENT
    assert list(recording.pieces.sizes) == [len(frame) for frame in frames()]


@pytest.mark.parametrize("new", ["Hello there, ", "Hal", ""])
def test_edited_body_is_noticed(tmp_path: Path, new: str) -> None:
    """An edited body is divided by event and marked approximate, but keeps its ending and total time."""
    path = tmp_path / "a.yaml"
    save(path, [DROPPED])
    path.write_text(path.read_text().replace("Hel", new))
    (recording,) = load(path).recordings
    assert recording.approximate
    assert recording.unit is Unit.EVENT
    assert recording.pieces.total == len(recording.body) == len(DROPPED.body) - 3 + len(new)
    assert recording.ending == DROPPED.ending
    assert sum(recording.pieces.waits) == sum(DROPPED.pieces.waits)


def test_plays_in_plain_vcrpy(tmp_path: Path) -> None:
    """Plain vcrpy plays a cassette to a patched client with its status, headers and every byte."""
    path = tmp_path / "a.yaml"
    save(path, [replace(DROPPED, origin="https://api.example.com")])
    with vcr.use_cassette(str(path), record_mode="none"), httpx.Client() as client:
        answer = client.post(f"https://api.example.com{URL}", content=DROPPED.request.body)
    assert (answer.status_code, answer.content) == (200, DROPPED.body)
    assert answer.headers["content-type"] == "text/event-stream"


HEAD = "version: 1\ninteractions:\n"
BROKEN = (
    ("version: 1\ninteractions: ]\n", 2, "YAML"),
    ("- a\n- b\n", 1, "not a cassette"),
    ("version: 2\ninteractions: []\n", 1, "format 1"),
    ("version: 1\ninteractions: 3\n", 2, "not a list"),
    ("version: 1\ninteractions:\n- request: 3\n", 3, "`request`"),
    ("version: 1\nmetadata: x\ninteractions: []\n", 2, "metadata='x' is not a mapping"),
    (
        HEAD + "- request: {method: GET, uri: /, body: null, headers: {}, x: 1}\n  response: {}\n",
        3,
        "request has no field `x`",
    ),
    (
        HEAD + "- request: {method: GET, uri: /, headers: {}}\n  response: {}\n",
        3,
        "lacks body",
    ),
    (HEAD + "- []\n", 3, "entry 1 has no `request` mapping"),
    (HEAD + "- [a, [b]]\n", 3, "entry 1 has no `request` mapping"),
)
GOOD = HEAD + "\n- request: {method: GET, uri: 'http://a/', body: null, headers: {}}\n  response: "
STATUS = "status: {code: 200, message: OK}, headers: {}, body: {string: abc}"
RESPONSES = (
    ("{headers: {}}", "status is missing"),
    ("{status: {code: many}}", "'many'"),
    (f"{{{STATUS}, x-stream: 3}}", "not a mapping"),
    (f"{{{STATUS}, x-stream: {{v: 9}}}}", "version 1"),
    (f"{{{STATUS}, x-stream: {{v: 1, pieces: '3@0 2', size: 3}}}}", "'2' is not a piece"),
    (f"{{{STATUS}, x-stream: {{v: 1, pieces: '3@0', size: 4}}}}", "add up to 3"),
    (f"{{{STATUS}, x-stream: {{v: 1, pieces: '3@0', size: 3}}}}", "end=None"),
    (f"{{{STATUS}, x-stream: {{v: 1, pieces: '3@0', size: 3, end: {{how: bang}}}}}}", "'bang'"),
    (f"{{{STATUS}, x-stream: {{v: 1, pieces: '3@0', size: 3, end: {{how: fin, sent: -1}}}}}}", "sent=-1"),
    (f"{{{STATUS}, x-stream: {{v: 1, pieces: '3@0', size: 3, end: {{how: fin}}}}}}", "framing=None"),
    (
        f"{{{STATUS}, x-stream: {{v: 1, pieces: '3@0', size: 3, end: {{how: fin}}, framing: length, length: 2}}}}",
        "length=2 but the body has 3 bytes",
    ),
    (f"{{{STATUS.replace('200', '99999')}}}", "99999"),
    (f"{{{STATUS.replace('200', '100')}}}", "is not a final HTTP status"),
    ('{status: {code: 200, message: "O\\r\\nK"}, headers: {}, body: {string: abc}}', "more than one line"),
    ("{status: {code: 200}, headers: {x y: [a]}}", "a name is a word"),
    ('{status: {code: 200}, headers: {x: ["a\\r\\nb: c"]}}', "a value one line"),
)


@pytest.mark.parametrize(
    ("text", "line", "said"), [*BROKEN, *((GOOD + response + "\n", 5, said) for response, said in RESPONSES)]
)
def test_malformed(tmp_path: Path, text: str, line: int, said: str) -> None:
    """A malformed file raises an error with the file, the line and what is wrong."""
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(CassetteError) as wrong:
        load(path)
    assert said in str(wrong.value)
    assert str(wrong.value).startswith(f"{path}, line {line}: ")


SLIPS = (
    ("method: GET", "metod: GET", "request has no field `metod`: did you mean 'method'?"),
    ("body: {string: abc}", "body: {strng: abc}", "response.body lacks `string`: it has 'strng'"),
    ("body: {string: abc}", "body: {base64_string: YWJj}", "lacks `string`: it has 'base64_string'"),
    ("body: {string: abc}", "body: {string: [abc]}", "response.body.string is list"),
    ("code: 200", "code: OK", "response.status.code='OK' is not a final HTTP status"),
    ("framing: close", "frameing: close", "x-stream has no field `frameing`: did you mean 'framing'?"),
    ("framing: close", "framing: closed", "framing='closed' is not one of"),
    ("pieces: 3@0", "pieces: 3", "'3' is not a piece"),
    ("size: 3", "size: 4", "size=4 but the pieces add up to 3"),
    ("how: complete", "how: exploded", "end.how='exploded' is not one of"),
    ("        by: server", "        buy: server", "end has no field `buy`: did you mean 'by'?"),
    ("x: [y]", 'x: ["y\\r\\nz"]', "a value one line"),
    ("headers: {}", 'headers: {a: ["y\\nz"]}', "request header 'a': 'y\\nz' cannot be sent"),
    ("headers: {}", 'headers: {"@/etc/passwd": [y]}', "request header '@/etc/passwd': 'y' cannot be sent"),
    ("method: GET", 'method: "GET\\x03"', "request.method='GET\\x03' is not a method"),
    ("http://a/", '"http://a/\\x15id"', "request.uri='http://a/\\x15id' has a blank or a control character"),
)
LINE_BY_LINE = """version: 1
interactions:
- request:
    method: GET
    uri: http://a/
    body: null
    headers: {}
  response:
    status:
      code: 200
      message: OK
    headers: {x: [y]}
    body: {string: abc}
    x-stream:
      v: 1
      framing: close
      pieces: 3@0
      size: 3
      end:
        how: complete
        by: server
"""


@pytest.mark.parametrize(("right", "slip", "said"), SLIPS, ids=[slip for _, slip, _ in SLIPS])
def test_a_slip_is_named_with_the_line_to_edit(tmp_path: Path, right: str, slip: str, said: str) -> None:
    """A field with a wrong name or value is told by its own line, not by that of its entry."""
    path = tmp_path / "bad.yaml"
    path.write_text(LINE_BY_LINE)
    assert load(path).recordings[0].body == b"abc"
    assert LINE_BY_LINE.count(right) == 1
    path.write_text(LINE_BY_LINE.replace(right, slip))
    with pytest.raises(CassetteError) as wrong:
        load(path)
    line = LINE_BY_LINE[: LINE_BY_LINE.index(right.strip())].count("\n") + 1
    assert str(wrong.value).startswith(f"{path}, line {line}: entry 1")
    assert said in str(wrong.value)


@pytest.mark.parametrize(
    "body", ["body: {}", "body: null", "body: {string: null}", "body: ''", "protocol: HTTP/2"]
)
def test_what_vcrpy_writes_without_a_body(tmp_path: Path, body: str) -> None:
    """vcrpy writes `body: {}` if none could be read: it stays readable, as do its other fields."""
    path = tmp_path / "a.yaml"
    text = LINE_BY_LINE[: LINE_BY_LINE.index("    x-stream")]
    path.write_text(text.replace("body: {string: abc}", body))
    assert load(path).recordings[0].body == b""


def test_a_status_that_a_server_really_sent(tmp_path: Path) -> None:
    """A status above 599 is invalid, but servers send it: what the recorder wrote is read again."""
    path = tmp_path / "a.yaml"
    save(path, [answered(post({}), {}, status=999)])
    assert load(path).recordings[0].status == 999


def test_not_there_and_not_text(tmp_path: Path) -> None:
    """A missing or non-text file is an error and never treated as an empty cassette to overwrite."""
    with pytest.raises(CassetteError, match="does not exist"):
        load(tmp_path / "none.yaml")
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"version: 1\n\xff\xfe")
    with pytest.raises(CassetteError, match="line 2: not UTF-8"):
        load(path)
    with pytest.raises(CassetteError, match="line 2"), CassetteFile(path, PROTOCOL, mode="all"):
        pass
    assert path.read_bytes() == b"version: 1\n\xff\xfe"


def test_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save that fails leaves the old file unchanged and no temporary file."""
    path = tmp_path / "a.yaml"
    save(path, [HELLO])
    before = path.read_bytes()

    def die(handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(OSError, match="disk full"):
        save(path, [DROPPED])
    assert path.read_bytes() == before
    assert names(tmp_path) == ["a.yaml"]


def test_what_does_not_read_back_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A saved file is read back, and replaces the old one only if nothing was lost."""
    path = tmp_path / "a.yaml"
    save(path, [HELLO])
    before = path.read_bytes()
    real = layout.dump

    def bent(part: object, file: IO[bytes]) -> None:
        text = io.BytesIO()
        real(part, text)
        file.write(text.getvalue().replace(b"Hel", b"Hal"))

    monkeypatch.setattr(layout, "dump", bent)
    with pytest.raises(HarnessFault, match="left as it was"):
        save(path, [DROPPED])
    assert path.read_bytes() == before
    assert names(tmp_path) == ["a.yaml"]


def test_empty_is_refused(tmp_path: Path) -> None:
    """A cassette without recordings is never written."""
    with pytest.raises(CassetteError, match="nothing was recorded"):
        save(tmp_path / "a.yaml", [])
    assert names(tmp_path) == []


def test_a_link_stays_one(tmp_path: Path) -> None:
    """Saving to a symbolic link writes to its target and keeps the link."""
    link, path = tmp_path / "link.yaml", tmp_path / "a.yaml"
    save(path, [HELLO])
    link.symlink_to(path)
    save(link, [DROPPED])
    assert link.is_symlink()
    assert load(path).recordings[0].body == DROPPED.body


def test_permissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old file keeps its permissions, a new one gets the default ones, and the umask is never changed."""
    monkeypatch.setattr(os, "umask", None)
    path, other = tmp_path / "a.yaml", tmp_path / "other"
    other.touch()
    save(path, [HELLO])
    assert path.stat().st_mode == other.stat().st_mode
    path.chmod(0o640)
    save(path, [HELLO])
    assert path.stat().st_mode & 0o777 == 0o640


SPECIAL = [*" \t\n\r\x85\u2028\u2029\ufeff\x00\x7fé東🦊\U000e0041\ufdd3", *":#-'\"{}|>"]
ODD = st.text(st.sampled_from(["a", *SPECIAL]), max_size=14)


@pytest.mark.parametrize("built_on_libyaml", [True, False])
@given(st.dictionaries(st.sampled_from("abc"), ODD))
def test_every_text_reads_back(built_on_libyaml: bool, texts: dict[str, str]) -> None:
    """Text is written for people, and reads back character for character, whatever it is made of."""
    with pytest.MonkeyPatch.context() as patch:
        if not built_on_libyaml:
            patch.delattr(yaml, "CSafeDumper")
        layout._build_dumper.cache_clear()
        file = io.BytesIO()
        layout.dump(texts, file)
    layout._build_dumper.cache_clear()
    assert yaml.load(file.getvalue(), Loader=yaml.SafeLoader) == texts


def test_a_recorded_stream_is_readable(tmp_path: Path) -> None:
    """A stream stands in the file line by line, with the characters that it has."""
    body = 'event: step.delta\ndata: {"text":"déjà 東京 🦊"}\n\ndata: [DONE]\n\n'
    save(tmp_path / "a.yaml", [streamed(post({}), [body.encode()])])
    lines = [line.strip() for line in (tmp_path / "a.yaml").read_text("utf-8").splitlines()]
    start = lines.index("event: step.delta")
    assert lines[start : start + 4] == ["event: step.delta", 'data: {"text":"déjà 東京 🦊"}', "", "data: [DONE]"]
    assert load(tmp_path / "a.yaml").recordings[0].body == body.encode()
