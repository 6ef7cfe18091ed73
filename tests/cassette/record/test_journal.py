"""Whenever a recorder dies, its journal can be loaded and has every finished exchange."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cassette import CassetteError, CassetteFile, Journal, Recording, load
from harness.cassette.journal import alone, lock
from harness.contract import PROTOCOL
from tests.cassette.samples import DROPPED, HELLO, answered, comparable, get, plain_vcr, recordings

METADATA = {"harness": {"format": 1, "target": "emulator", "recorder": "tëst"}}


@given(st.lists(recordings(), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
@pytest.mark.slow
def test_loads_after_every_append(made: list[Recording]) -> None:
    """After each append, we and plain vcrpy read every recording back byte for byte."""
    with TemporaryDirectory() as folder, closing(Journal(Path(folder) / "a.yaml", METADATA)) as journal:
        for number, recording in enumerate(made, 1):
            journal.append(recording)
            kept = load(journal.path)
            assert list(map(comparable, kept.recordings)) == list(map(comparable, made[:number]))
            assert [r["body"]["string"] for r in plain_vcr(journal.path).responses] == [
                r.body for r in made[:number]
            ]
            assert kept.provenance is not None
            assert kept.provenance.recorder == "tëst"


def torn(journal: Journal, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    """Every state of the file on disk while `recording` is appended byte by byte."""
    state = bytearray(journal.path.read_bytes())
    writes: list[tuple[int, bytes]] = []
    real = Journal._write

    def noted(file: IO[bytes], parts: Iterable[bytes]) -> None:
        data = b"".join(parts)
        writes.append((file.tell(), data))
        real(file, (data,))

    monkeypatch.setattr(Journal, "_write", staticmethod(noted))
    journal.append(recording)
    for at, data in writes:
        for number in range(len(data)):
            state[at + number : at + number + 1] = data[number : number + 1]
            yield bytes(state)


@pytest.mark.slow
def test_torn_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After any byte of an append the file is a valid cassette, with the new entry only once it is complete."""
    second = answered(get("/ö😀"), {"x": "1 # no: 'comment'\n"})
    with closing(Journal(tmp_path / "a.yaml", METADATA)) as journal:
        journal.append(HELLO)
        states = list(torn(journal, second, monkeypatch))
    counts = []
    for state in states:
        path = tmp_path / "torn.yaml"
        path.write_bytes(state)
        counts.append(len(load(path).recordings))
    assert counts == [1] * (len(states) - 1) + [2]


def test_going_on_after_a_torn_write(tmp_path: Path) -> None:
    """A new recorder refuses the journal of a killed one, so that no partial entry gets into the next."""
    path = tmp_path / "a.yaml"
    with closing(Journal(path)) as journal:
        journal.append(HELLO)
    with closing(Journal(path)) as journal, pytest.raises(CassetteError, match="was killed"):
        journal.append(HELLO)


RECORDER = """
import itertools, sys
from dataclasses import replace
from msgspec import structs
from harness.cassette import CassetteFile
from harness.cassette.journal import alone, lock
from harness.contract import PROTOCOL
from tests.cassette.samples import DROPPED

with CassetteFile(sys.argv[1], PROTOCOL, mode="all") as cassette:
    for number in itertools.count(1):
        cassette.add(replace(DROPPED, request=structs.replace(DROPPED.request, target=f"/{number}")))
        print(number, flush=True)
"""


@pytest.mark.slow
def test_killed_recorder(tmp_path: Path) -> None:
    """Killing a recorder loses no finished exchange and leaves the cassette to be replaced unchanged."""
    path = tmp_path / "a.yaml"
    with CassetteFile(path, PROTOCOL) as cassette:
        cassette.add(HELLO)
    before = path.read_bytes()
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(path)], stdout=subprocess.PIPE, cwd=root
    ) as recorder:
        assert recorder.stdout is not None
        finished = [int(recorder.stdout.readline()) for _ in range(20)][-1]
        recorder.send_signal(signal.SIGKILL)
    assert path.read_bytes() == before
    with CassetteFile(path, PROTOCOL, mode="all") as cassette:
        assert cassette.interrupted is not None
        rescued = load(cassette.interrupted)
    assert len(rescued.recordings) >= finished
    assert {recording.body for recording in rescued.recordings} == {DROPPED.body}
    assert path.read_bytes() == before


@pytest.mark.parametrize("linked", [False, True])
def test_what_a_recorder_left_that_was_killed_in_its_last_write(tmp_path: Path, linked: bool) -> None:
    """The next recorder of the cassette deletes it, and no file of another one, nor while another one records."""
    path = real = tmp_path / "a[1].yaml"
    if linked:
        real = tmp_path / "elsewhere" / "b.yaml"
        real.parent.mkdir()
        path.symlink_to(real)
    left = real.with_name(f".{real.name}.0123abcd.tmp")
    others = [real.with_name(name) for name in (".a1.yaml.0123abcd.tmp", f".{real.name}.notes.tmp", "c.tmp")]
    for file in (left, *others):
        file.write_bytes(b"version: 1")
    with CassetteFile(path, PROTOCOL, mode="none"):
        assert left.exists()
    with alone(path), pytest.raises(CassetteError, match="another recorder"), CassetteFile(path, PROTOCOL):
        pass
    assert left.exists()
    with CassetteFile(path, PROTOCOL) as cassette:
        cassette.add(HELLO)
    assert not left.exists()
    assert all(file.exists() for file in others)


def test_an_append_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed append is undone, so that the next append produces a valid entry."""
    path = tmp_path / "a.yaml"
    with closing(Journal(path)) as journal:
        journal.append(HELLO)
        before = path.read_bytes()
        real = Journal._write

        def half(file: IO[bytes], parts: Iterable[bytes]) -> None:
            file.write(b"".join(parts)[:40])
            file.flush()
            raise OSError("disk full")

        monkeypatch.setattr(Journal, "_write", staticmethod(half))
        with pytest.raises(OSError, match="disk full"):
            journal.append(DROPPED)
        monkeypatch.setattr(Journal, "_write", staticmethod(real))
        assert path.read_bytes() == before
        journal.append(DROPPED)
    assert [recording.body for recording in load(path).recordings] == [HELLO.body, DROPPED.body]


def test_a_lock_on_a_deleted_file_keeps_nobody_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the last owner deletes the lock file before it is locked, the recorder locks the one that is there."""
    taken: list[Path] = []

    def late(file: IO[bytes], path: Path) -> None:
        if not taken:
            taken.append(path)
            Path(file.name).unlink()
        lock(file, path)

    monkeypatch.setattr("harness.cassette.journal.lock", late)
    path = tmp_path / "a.yaml"
    with alone(path), pytest.raises(CassetteError, match="another recorder"), alone(path):
        pass
    assert list(tmp_path.iterdir()) == []
