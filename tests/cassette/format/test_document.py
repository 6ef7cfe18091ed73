"""A cassette's YAML is read as data, never executed, and errors name the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cassette import CassetteError, load, scan_file
from harness.contract import PROTOCOL
from tests.cassette.samples import plain_vcr

ENTRY = """version: 1
interactions:
- request:
    method: POST
    uri: http://a/v1/interactions
    headers: {}
    body: %s
  response:
    status: {code: 200, message: OK}
    headers: {}
    body: {string: abc}
"""

CODE = ("!!python/object/apply:pathlib.Path.touch [%s]", "!!python/name:os.system", "!!python/module:os")


@pytest.mark.parametrize("written", CODE)
def test_a_file_cannot_run_code(tmp_path: Path, written: str) -> None:
    """A YAML tag that names code is refused with its line, with any installed version of vcrpy."""
    path, trace = tmp_path / "a.yaml", tmp_path / "trace"
    path.write_text(ENTRY % written.replace("%s", str(trace)), "utf-8")
    with pytest.raises(CassetteError, match=r"line 7: not readable as YAML: .*constructor"):
        load(path)
    assert not trace.exists()


WRONG = (
    (b"version: 1\n'caf\xe9'\n", 2, "not UTF-8"),
    (b'version: 1\n\na: "\x01"\n', 3, "control characters"),
    (b"version: 1\na: \xed\xa0\x80\n", 2, "invalid Unicode"),
    (b"a:\n- b\n- c: d: e\n", 3, "not readable as YAML"),
)


@pytest.mark.parametrize(("data", "line", "said"), WRONG)
def test_what_cannot_be_read(tmp_path: Path, data: bytes, line: int, said: str) -> None:
    """A file that is not valid text or YAML raises an error with file, line and reason."""
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    with pytest.raises(CassetteError) as wrong:
        load(path)
    assert str(wrong.value).startswith(f"{path}, line {line}: ")
    assert said in str(wrong.value)


@pytest.mark.parametrize(
    "text",
    ["abc", "!!python/unicode 'hé'", "'1'", '"\\u00e9\\U0001f600"', '"a\\n\\x85b"', "|-\n        a\n        b"],
)
def test_scalars_as_plain_vcrpy_reads_them(tmp_path: Path, text: str) -> None:
    """However a body is written in YAML, we read the same bytes as plain vcrpy."""
    path = tmp_path / "a.yaml"
    path.write_text(ENTRY.replace("{string: abc}", f"\n      string: {text}") % "null", "utf-8")
    given: dict[str, Any] = plain_vcr(path).responses[0]
    assert load(path).recordings[0].body == given["body"]["string"]


NESTS = ("[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000)


@pytest.mark.parametrize("text", NESTS, ids=lambda text: text[:3])
def test_a_deep_document_is_refused(tmp_path: Path, text: str) -> None:
    """An extremely nested document is refused; libyaml alone would crash the process."""
    path = tmp_path / "a.yaml"
    path.write_text(f"version: 1\ninteractions:\n  {text}")
    with pytest.raises(CassetteError, match="levels deep"):
        load(path)
    assert scan_file(path, PROTOCOL) == []
