"""Texts of strangers in the files that a person reads or applies: an editor shows all that is there."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.cassette import load, save
from harness.cassette.journal import Journal
from harness.written_files import append_file, write_file
from tests.cassette.samples import answered, comparable, post

HIDING = "\x1b]0;t\x07\x7f\x85\x9b2J\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2067\u2068\u2069\ufeff"
UNSEEN = re.compile(
    "\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)


def find_hiding(folder: Path) -> dict[str, list[str]]:
    """The files below a folder with a character that hides something, and which."""
    found = {
        path.relative_to(folder).as_posix(): UNSEEN.findall(path.read_bytes().decode("utf-8"))
        for path in folder.rglob("*")
        if path.is_file()
    }
    return {name: list(map(ascii, hiding)) for name, hiding in found.items() if hiding}


@pytest.mark.parametrize("write", [write_file, append_file])
def test_a_text_shows_what_hides(write: Any, tmp_path: Path) -> None:
    """Each such character is an escape that JSON reads back; the ends of lines and other letters stay."""
    path = tmp_path / "a.json"
    write(path, json.dumps({"é": f"x\u05d0{HIDING}"}, ensure_ascii=False) + "\r\n\t\n")
    assert find_hiding(tmp_path) == {}
    assert path.read_bytes().endswith(b"\r\n\t\n")
    assert json.loads(path.read_text("utf-8")) == {"é": f"x\u05d0{HIDING}"}


BODIES = (HIDING, HIDING[6:], f"{HIDING[6:]}\nb\n", f"{'x' * 70_000}{HIDING[6:]}", "a\n" * 40_000 + HIDING[6:])


@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{len(body)}")
@pytest.mark.parametrize("is_journal", [True, False])
def test_a_cassette_shows_what_hides(is_journal: bool, body: str, tmp_path: Path) -> None:
    """A reviewer sees what a recorded text has, also after a kill of its recorder; it is read back as it was."""
    path = tmp_path / "a.yaml"
    recording = answered(post({"input": body}, x_note="caf\xe9 \x85\x9b"), {"text": body})
    if is_journal:
        with closing(Journal(path)) as journal:
            journal.append(recording)
    else:
        save(path, [recording])
    assert find_hiding(tmp_path) == {}
    assert list(map(comparable, load(path).recordings)) == [comparable(recording)]
