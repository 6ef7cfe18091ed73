"""Finds a package of a registry on this machine, or downloads it into a folder; nothing of it is run or imported.

Layer 5. Knows pip and npm as commands; must not know what is in a package.
"""

from __future__ import annotations

import gzip
import json
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from harness.child_processes import PYTHON, explain_not_found, find_program, run_tool
from harness.documents import MOST_FILES, is_bounded_tar
from harness.outcome import UsageFault
from harness.outcome.words import read_version, shorten
from harness.written_files import write_file

PATIENCE = 120.0
"""Seconds that a download may take."""

LATEST = "latest"

MOST_UNPACKED = 1 << 29
"""Most bytes that a package may unpack to; the largest SDKs have a twentieth of it."""


MOST_PACKED = 1 << 25
"""Most bytes of a wheel; the largest SDKs have a twentieth of it."""


_PADDING = 1 << 20
"""Bytes of headers that a small archive may have besides."""


class Package(NamedTuple):
    """A package on disk: its name, its version, and the folder that holds its files."""

    name: str
    version: str
    folder: Path


def find_installed(name: str) -> Package | None:
    """The Python package that is installed beside this program, if there is one."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    return Package(name, distribution.version, Path(str(distribution.locate_file(""))))


def download_wheel(name: str, version: str, folder: Path) -> Package:
    """Download a Python package with pip, without what it depends on. `version` may be `LATEST`.

    Raises UsageFault if pip is missing, there is no network, or no such version.
    """
    wanted = name if version == LATEST else f"{name}=={version}"
    command = [*PYTHON, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*command, "--only-binary=:all:", "--dest", str(folder), "--", wanted], wanted, folder)
    wheel = next(iter(sorted(folder.glob("*.whl"))), None)
    if wheel is None:
        raise UsageFault(f"pip downloaded no wheel of {wanted!r}: unpack the package yourself and name its folder")
    unpacked = folder / "unpacked"
    with _unpacking(wanted):
        if wheel.stat().st_size > MOST_PACKED:  # `zipfile` reads its list of files as a whole
            raise ValueError(f"it has more than {MOST_PACKED:,} bytes")
    with _unpacking(wanted), zipfile.ZipFile(wheel) as archive:
        if len(archive.infolist()) > MOST_FILES:
            raise ValueError(f"it has more than {MOST_FILES:,} files")
        _require_size(item.file_size for item in archive.infolist())
        archive.extractall(unpacked)
    return Package(name, wheel.name.split("-")[1], unpacked)


def download_npm(name: str, version: str, folder: Path) -> Package:
    """Download an npm package with `npm pack`. `version` may be `LATEST`. Raises UsageFault, too."""
    npm = find_program("npm")
    if npm is None:
        raise UsageFault(
            f"npm downloads {name}, and {explain_not_found('npm')}; or unpack the package and name its folder"
        )
    wanted = f"{name}@{version}"
    write_file(folder / "package.json", "{}")  # or npm looks for a project in the folders above
    command = [npm, "pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", str(folder)]
    _run([*command, "--", wanted], wanted, folder)
    archive = next(iter(sorted(folder.glob("*.tgz"))), None)
    if archive is None:
        raise UsageFault(
            f"npm downloaded no archive of {wanted!r}: unpack the package yourself and name its folder"
        )
    with _unpacking(wanted), gzip.open(archive) as file:
        if not is_bounded_tar(_read_blocks(file), MOST_UNPACKED):
            raise ValueError(f"it has headers that no tool writes, or more than {MOST_FILES:,} files")
    with _unpacking(wanted), tarfile.open(archive, "r:gz") as tar:
        _require_size(item.size for item in tar)
        # Links are left out, not only those that lead elsewhere: through a chain of links with long names, the
        # filter of Python before 3.11.13 writes outside the folder (CVE-2025-4517). npm packs none.
        tar.extractall(folder, [item for item in tar if item.isfile()], filter="data")
    return Package(name, read_npm_version(folder / "package"), folder / "package")


_BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, OverflowError, RuntimeError,
)  # fmt: skip


@contextmanager
def _unpacking(wanted: str) -> Iterator[None]:
    """Raise UsageFault if an archive cannot be unpacked, or would write outside its folder."""
    try:
        yield
    except _BROKEN as wrong:
        raise UsageFault(
            f"{wanted!r} was not unpacked ({type(wrong).__name__}: {shorten(str(wrong), 200)}): "
            "unpack the package yourself and name its folder"
        ) from None


def _read_blocks(file: gzip.GzipFile) -> Iterator[bytes]:
    """The blocks of an archive: of its files, and as many of headers and padding."""
    for _ in range((2 * MOST_UNPACKED + _PADDING) // tarfile.BLOCKSIZE):
        if not (block := file.read(tarfile.BLOCKSIZE)):
            return
        yield block
    raise ValueError(f"it unpacks to more than {MOST_UNPACKED:,} bytes")


def _require_size(sizes: Iterable[int]) -> None:
    """Raise ValueError for an archive of more than any SDK has, as soon as so much of it was seen."""
    total = 0
    for size in sizes:
        total += size
        if total > MOST_UNPACKED:
            raise ValueError(f"it unpacks to more than {MOST_UNPACKED:,} bytes")


def read_npm_version(folder: Path) -> str:
    """The version that the `package.json` of a folder states, or "" if it states none."""
    try:
        stated = str(json.loads((folder / "package.json").read_bytes()).get("version", ""))
    except (OSError, ValueError, AttributeError):
        return ""
    return read_version(stated)


def _run(command: Sequence[str], wanted: str, folder: Path) -> None:
    """Run an installer in the folder that gets the package, so that no file of another folder configures it."""
    try:
        done = run_tool(command, folder, seconds=PATIENCE)
    except TimeoutError:
        raise UsageFault(f"{wanted!r} was not downloaded within {PATIENCE:.0f} s: check the network") from None
    if done.returncode:
        raise UsageFault(
            f"{wanted!r} could not be downloaded: {_find_reason(done.stderr or done.stdout, done.returncode)}\n"
            "help: check the network and the version, or name a folder with the unpacked package"
        )


def _find_reason(output: str, code: int) -> str:
    """The line of an installer's output with its reason to fail: pip's last one, the first sentence of npm."""
    lines = output.strip().splitlines() or [f"the installer ended with status {code} and printed nothing"]
    sentences = [text for line in lines if len((text := line.removeprefix("npm error ")).split()) > _A_CODE]
    return sentences[0] if sentences and lines[0].startswith("npm error") else lines[-1]


_A_CODE = 3
"""Most words of a line in which npm names a code: `errno ECONNREFUSED`."""
