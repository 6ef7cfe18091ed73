"""Judges the files of a release: `python .ci/distributions.py dist`. Raises SystemExit with all that is wrong."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import BytesParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ("schemas", "cassettes")
"""Folders that a wheel holds inside the package."""


def judge(folder: Path) -> Iterator[str]:
    """Everything that is wrong with the one wheel and the one sdist in a folder."""
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    tracked = list_tracked()
    sources = {path for path in tracked if path.startswith("harness/") and Path(path).name != "README.md"}
    data = {path for path in tracked if path.startswith(tuple(f"{name}/" for name in DATA))}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        yield from (f"{wheel.name} has {name} twice" for name in {name for name in names if names.count(name) > 1})
        wanted = {*sources, *(f"harness/_data/{path}" for path in data)}
        yield from (f"{wheel.name} lacks {name}" for name in sorted(wanted - set(names)))
        generated = {name for name in names if "/bundled/" in name or "/strict/" in name}
        if len(generated) < 20:
            yield f"{wheel.name} has {len(generated)} of the files that `make generated` writes"
        odd = {name for name in names if not name.startswith(("harness/", "interactions_harness-"))}
        yield from (f"{wheel.name} has {name}, which is no part of the package" for name in sorted(odd))
        for name in names:
            if str(ROOT).encode() in archive.read(name) or str(Path.home()).encode() + b"/" in archive.read(name):
                yield f"{name} in {wheel.name} names a folder of this machine"
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        yield from judge_metadata(
            archive.read(metadata), archive.read(metadata.replace("METADATA", "entry_points.txt"))
        )
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    missing = {
        *sources,
        *data,
        "pyproject.toml",
        "hatch_build.py",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
    } - held
    yield from (f"{sdist.name} lacks {name}" for name in sorted(missing))


def list_tracked() -> set[str]:
    """The files in version control."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def judge_metadata(metadata: bytes, entry_points: bytes) -> Iterator[str]:
    """What is wrong with the metadata of the wheel, compared with `pyproject.toml` and the package."""
    told, project = (
        BytesParser().parsebytes(metadata),
        tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"],
    )
    version = (
        (ROOT / "harness" / "__init__.py").read_text("utf-8").partition('__version__ = "')[2].partition('"')[0]
    )
    for name, value in (
        ("Name", project["name"]),
        ("Version", project["version"]),
        ("Summary", project["description"]),
    ):
        if told[name] != value:
            yield f"the metadata have {name}: {told[name]!r}, pyproject.toml has {value!r}"
    if version and version != project["version"]:
        yield f"harness.__version__ is {version!r}, the version in pyproject.toml {project['version']!r}"
    for command in project["scripts"]:
        if f"{command} = " not in entry_points.decode():
            yield f"the entry points lack the command {command}"
    if b"pytest11" not in entry_points:
        yield "the entry points lack the pytest plugin"


if __name__ == "__main__":
    if problems := list(judge(Path(sys.argv[1]))):
        raise SystemExit("\n".join(problems))
