"""Packages that are not what their names say: an archive writes in its own folder only, or is refused."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path, PurePosixPath

import pytest

from harness import documents
from harness.benches import packages
from harness.outcome import UsageFault

Make = Callable[[tarfile.TarFile, Path], None]


def _add(tar: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, to: str = "") -> None:
    item = tarfile.TarInfo(name)
    item.size, item.type, item.linkname = len(data), kind, to
    tar.addfile(item, io.BytesIO(data))


def _chain(tar: tarfile.TarFile, victim: Path) -> None:
    """Links whose target is longer than a path may be, which `realpath` then leaves as it is (CVE-2025-4517)."""
    long, steps, path = "d" * 247, "abcdefghijklmnop", PurePosixPath()
    for step in steps:
        _add(tar, str(path / long), b"", tarfile.DIRTYPE)
        _add(tar, str(path / step), b"", tarfile.SYMTYPE, long)
        path /= long
    last = f"{'/'.join(steps)}/{'l' * 254}"
    _add(tar, last, b"", tarfile.SYMTYPE, "../" * len(steps))
    _add(tar, "escape", b"", tarfile.SYMTYPE, f"{last}/../{victim.parent.name}")
    _add(tar, "flag", b"", tarfile.LNKTYPE, f"escape/{victim.name}")
    _add(tar, "flag", b"owned")


def _climb(tar: tarfile.TarFile, victim: Path) -> None:
    _add(tar, f"../{victim.parent.name}/{victim.name}", b"owned")


def _link(tar: tarfile.TarFile, victim: Path) -> None:
    _add(tar, "package/dist", b"", tarfile.SYMTYPE, str(victim.parent))
    _add(tar, f"package/dist/{victim.name}", b"owned")


def _link_beside(tar: tarfile.TarFile, victim: Path) -> None:
    _add(tar, "package/real.d.ts", b"")
    _add(tar, "package/other.d.ts", b"", tarfile.SYMTYPE, "real.d.ts")
    _add(tar, "package/pipe", b"", tarfile.FIFOTYPE)


def _nest(tar: tarfile.TarFile, victim: Path) -> None:
    _add(tar, f"package/{'a/' * 3000}x")


def _grow(tar: tarfile.TarFile, victim: Path) -> None:
    _add(tar, "package/zeros", bytes(20_000))


def _count(tar: tarfile.TarFile, victim: Path) -> None:
    """A header of digits that `tarfile` reads in the square of their number."""
    _add(tar, "more", b"1" * 2_000, tarfile.XHDTYPE)
    _add(tar, "package/a.d.ts", b"")


def _go_back(tar: tarfile.TarFile, victim: Path) -> None:
    """A size below zero, at which `tarfile` reads the same header again, for ever."""
    item = tarfile.TarInfo("package/a.d.ts")
    item.size = -512
    assert tar.fileobj is not None
    tar.fileobj.write(item.tobuf(tarfile.GNU_FORMAT))


def _multiply(tar: tarfile.TarFile, victim: Path) -> None:
    for _ in range(200):
        _add(tar, "package/a.d.ts", b"")


_MADE = (_chain, _link, _link_beside)
"""What can be unpacked without its links."""


@pytest.mark.parametrize("make", [_chain, _climb, _link, _link_beside, _nest, _grow, _count, _go_back, _multiply])
def test_a_package_of_npm_writes_in_its_folder_only(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No link of an archive is made, none is followed, and what cannot be unpacked ends in words."""
    victim, folder = tmp_path / "home" / "victim", tmp_path / "unpacked"
    for place in (victim.parent, folder):
        place.mkdir()
    victim.write_text("mine", encoding="utf-8")

    def plant(command: Sequence[str], wanted: str, into: Path) -> None:
        with tarfile.open(into / "x.tgz", "w:gz") as tar:
            _add(tar, "package/package.json", b'{"version": "1.0"}')
            make(tar, victim)

    monkeypatch.setattr(packages, "_run", plant)
    monkeypatch.setattr(packages, "find_program", lambda name: "/bin/true")
    monkeypatch.setattr(packages, "MOST_UNPACKED", 10_000)
    monkeypatch.setattr(documents, "MOST_FILES", 200)
    with nullcontext() if make in _MADE else pytest.raises(UsageFault, match="was not unpacked"):
        packages.download_npm("@google/genai", "1.0", folder)
    assert victim.read_text("utf-8") == "mine"
    assert [path.name for path in victim.parent.iterdir()] == ["victim"]
    written = [Path(where, name) for where, folders, files in os.walk(folder) for name in (*folders, *files)]
    assert all(path.is_dir() or path.is_file() for path in written)
    assert not any(path.is_symlink() for path in written)


@pytest.mark.parametrize("kind", ["climb", "grow", "multiply", "packed", "none", "damaged"])
def test_a_wheel_writes_in_its_folder_only(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that climbs stays below, and a bomb or a damaged archive ends in words before it fills the disk."""
    folder = tmp_path / "unpacked"
    folder.mkdir()

    def plant(command: Sequence[str], wanted: str, into: Path) -> None:
        wheel = into / "google_genai-9.9-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("../../victim" if kind == "climb" else "google/genai/types.py", bytes(20_000))
        whole = wheel.read_bytes()
        if kind == "none":
            wheel.write_bytes(b"no archive")
        elif kind == "damaged":
            wheel.write_bytes(whole[:55] + b"\xff" * 8 + whole[63:])

    monkeypatch.setattr(packages, "_run", plant)
    if kind == "grow":
        monkeypatch.setattr(packages, "MOST_UNPACKED", 10_000)
    elif kind == "multiply":
        monkeypatch.setattr(packages, "MOST_FILES", 0)
    elif kind == "packed":
        monkeypatch.setattr(packages, "MOST_PACKED", 100)
    if kind == "climb":
        packages.download_wheel("google-genai", "9.9", folder)
    else:
        with pytest.raises(UsageFault, match="was not unpacked"):
            packages.download_wheel("google-genai", "9.9", folder)
    assert not (tmp_path / "victim").exists()
