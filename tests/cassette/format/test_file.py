"""Cassette files lose nothing, are readable by plain vcrpy, notice edits and name the line of an error."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
import vcr
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cassette import CassetteError, CassetteFile, Recording, Unit, framing, journal, layout, load, save
from harness.contract import PROTOCOL
from harness.outcome import HarnessFault
from harness.wire import Headers, Request
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


BROKEN = (
    ("version: 1\ninteractions: ]\n", 2, "YAML"),
    ("- a\n- b\n", 1, "not a cassette"),
    ("version: 2\ninteractions: []\n", 1, "format 1"),
    ("version: 1\ninteractions: 3\n", 2, "not a list"),
    ("version: 1\nmetadata: x\ninteractions: []\n", 2, "metadata='x' is not a mapping"),
    ("version: 1\ninteractions:\n- request: 3\n", 3, "`request`"),
    ("version: 1\ninteractions:\n- []\n", 3, "entry 1 has no `request` mapping"),
    ("version: 1\ninteractions:\n- request: {method: GET}\n  response: {}\n", 3, "lacks uri, body, headers"),
)


@pytest.mark.parametrize(("text", "line", "said"), BROKEN)
def test_malformed(tmp_path: Path, text: str, line: int, said: str) -> None:
    """A file that is no cassette raises an error with the file, the line and what is wrong."""
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
    ("code: 200", "code: 100", "response.status.code=100 is not a final HTTP status"),
    ("message: OK", 'message: "O\\r\\nK"', "is more than one line"),
    ("framing: close", "length: 2\n      framing: length", "length=2 but the body has 3 bytes"),
    ("      v: 1", "      v: 9", "this release reads version 1"),
    ("framing: close", "frameing: close", "x-stream has no field `frameing`: did you mean 'framing'?"),
    ("framing: close", "framing: closed", "framing: invalid enum value 'closed'"),
    ("pieces: 3@0", "pieces: 3", "'3' is not a piece"),
    ("size: 3", "size: 4", "size=4 but the pieces add up to 3"),
    ("how: complete", "how: exploded", "end.how: invalid enum value 'exploded'"),
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


CODE = ("!!python/object/apply:pathlib.Path.touch [%s]", "!!python/name:os.system", "!!python/module:os")


@pytest.mark.parametrize("written", CODE)
def test_a_file_cannot_run_code(tmp_path: Path, written: str) -> None:
    """A YAML tag that names code is refused with its line, with any installed version of vcrpy."""
    path, trace = tmp_path / "a.yaml", tmp_path / "trace"
    path.write_text(LINE_BY_LINE.replace("body: null", f"body: {written.replace('%s', str(trace))}"))
    with pytest.raises(CassetteError, match=r"line 6: not readable as YAML: .*constructor"):
        load(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "text",
    ["abc", "!!python/unicode 'hé'", "'1'", '"\\u00e9\\U0001f600"', '"a\\n\\x85b"', "|-\n        a\n        b"],
)
def test_scalars_as_plain_vcrpy_reads_them(tmp_path: Path, text: str) -> None:
    """However a body is written in YAML, we read the same bytes as plain vcrpy."""
    path = tmp_path / "a.yaml"
    written = LINE_BY_LINE[: LINE_BY_LINE.index("    x-stream")]
    path.write_text(written.replace("{string: abc}", f"\n      string: {text}"), "utf-8")
    given: dict[str, Any] = plain_vcr(path).responses[0]
    assert load(path).recordings[0].body == given["body"]["string"]


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

    monkeypatch.setattr(layout, "dump", lambda part: real(part).replace(b"Hel", b"Hal"))
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
        written = layout.dump(texts)
    layout._build_dumper.cache_clear()
    assert yaml.load(written, Loader=yaml.SafeLoader) == texts


LONG = st.one_of(
    st.lists(st.sampled_from(words), min_size=12, max_size=40).map("".join)
    for words in (["a", "'", " word", "é"], ["a ", "\n", "\n\n", " é", "東🦊"], ["a\n", *SPECIAL])
)


@pytest.mark.slow
@given(LONG, st.binary(max_size=40))
def test_a_long_body_reads_back(text: str, data: bytes) -> None:
    """A body that is written a step after the other reads back byte for byte, with any reader."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        for module in (framing, journal, layout):
            patch.setattr(module, "STEP", 7)
        path = Path(folder) / "a.yaml"
        for body in (text.encode(), data, text.encode()[:-1]):
            kept = streamed(Request("POST", "/x", Headers(), body), [body])
            with CassetteFile(path, PROTOCOL, mode="rewrite", redact=False) as file:
                file.add(kept)
                part = load(path.with_name("a.part.yaml")).recordings[0]
            for found in (part, *load(path).recordings):
                assert (found.body, found.request.body) == (body, body)
            plain = yaml.load(path.read_bytes(), Loader=yaml.SafeLoader)["interactions"][0]
            assert plain == yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)["interactions"][0]


def test_a_body_with_an_emoji_is_left_to_no_emitter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The emitter of PyYAML, in which an emoji stands as it is, takes most of a second for a megabyte."""
    lengths, analyze = list[int](), yaml.emitter.Emitter.analyze_scalar
    monkeypatch.setattr(
        yaml.emitter.Emitter, "analyze_scalar", lambda self, text: lengths.append(len(text)) or analyze(self, text)
    )
    body = ('{"text":"' + "word " * 5000 + '🦊"}').encode()
    save(tmp_path / "a.yaml", [streamed(post({}), [body])])
    assert max(lengths, default=0) < 1000
    assert load(tmp_path / "a.yaml").recordings[0].body == body


def test_a_recorded_stream_is_readable(tmp_path: Path) -> None:
    """A stream stands in the file line by line, with the characters that it has."""
    body = 'event: step.delta\ndata: {"text":"déjà 東京 🦊"}\n\ndata: [DONE]\n\n'
    save(tmp_path / "a.yaml", [streamed(post({}), [body.encode()])])
    lines = [line.strip() for line in (tmp_path / "a.yaml").read_text("utf-8").splitlines()]
    start = lines.index("event: step.delta")
    assert lines[start : start + 4] == ["event: step.delta", 'data: {"text":"déjà 東京 🦊"}', "", "data: [DONE]"]
    assert load(tmp_path / "a.yaml").recordings[0].body == body.encode()
