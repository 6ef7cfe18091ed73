"""Finds an SDK on this machine, or downloads it into a folder; nothing of it is run or imported."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from harness.errors import UsageFault

PATIENCE = 120.0
"""Seconds that a download may take: that of an SDK takes a few."""

LATEST = "latest"


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
    """Download a Python package with pip, without what it depends on. `version` may be `LATEST`."""
    wanted = name if version == LATEST else f"{name}=={version}"
    command = [
        sys.executable,
        "-I",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    _run([*command, "--only-binary=:all:", "--dest", str(folder), "--", wanted], wanted, folder)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return Package(name, wheel.name.split("-")[1], folder / "unpacked")


def download_npm(name: str, version: str, folder: Path) -> Package:
    """Download an npm package with `npm pack`. `version` may be `LATEST`."""
    npm = shutil.which("npm")
    if npm is None:
        raise UsageFault(f"npm downloads {name} and is not installed: unpack the package and name its folder")
    wanted = f"{name}@{version}"
    (folder / "package.json").write_text("{}", "utf-8")  # or npm looks for a project in the folders above
    command = [npm, "pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", str(folder)]
    _run([*command, "--", wanted], wanted, folder)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive, "r:gz") as tar:
        tar.extractall(folder, filter="data")
    return Package(name, read_npm_version(folder / "package"), folder / "package")


def read_npm_version(folder: Path) -> str:
    """The version that the `package.json` of a folder states, or "" if it states none."""
    try:
        return str(json.loads((folder / "package.json").read_bytes()).get("version", ""))
    except (OSError, ValueError):
        return ""


def _run(command: Sequence[str], wanted: str, folder: Path) -> None:
    """Run an installer in the folder that gets the package. Raises UsageFault with the reason that it prints."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise UsageFault(f"{wanted!r} was not downloaded within {PATIENCE:.0f} s: check the network") from None
    if done.returncode:
        printed = (done.stderr or done.stdout).strip() or f"the installer ended with status {done.returncode}"
        raise UsageFault(f"{wanted!r} could not be downloaded: check the network and the version\n{printed}")
