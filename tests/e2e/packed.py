"""The npm package as it is published: packed by npm, and installed from the file into an empty folder."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.built_once import build_once

NODE = Path(__file__).parent / "node"
_PACKAGE = Path(__file__).resolve().parents[2] / "javascript"


def install_packed(place: Path, factory: pytest.TempPathFactory, *, with_others: bool = True) -> Path:
    """Install the packed package in a folder, beside those of `node` if these are wanted; return the file.

    Skips the test where npm, or what it needs, is missing.
    """
    others = NODE / "node_modules"
    if with_others and not (others / "vitest").is_dir():
        pytest.skip("run `npm install --prefix tests/e2e/node --no-package-lock` first")
    shutil.copytree(build_once(factory, "packed", _install), place, dirs_exist_ok=True, symlinks=True)
    if with_others:
        for found in others.iterdir():
            target = place / "node_modules" / found.name
            if target.is_dir() and found.name == ".bin":
                for program in found.iterdir():
                    (target / program.name).symlink_to(program)
            elif not target.exists():
                target.symlink_to(found)
    (file,) = (place / "packed").glob("interactions-harness-*.tgz")
    return file


def _install(place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("no npm on PATH")
    quiet = ("--silent", "--no-audit", "--no-fund", "--no-update-notifier")
    packed = place / "packed"
    packed.mkdir(parents=True)
    subprocess.run([npm, "pack", *quiet, "--pack-destination", packed], cwd=_PACKAGE, check=True, timeout=120)
    (file,) = packed.glob("interactions-harness-*.tgz")
    (place / "package.json").write_text('{"private": true, "type": "module"}', "utf-8")
    subprocess.run(
        [npm, "install", *quiet, "--offline", "--no-save", "--no-package-lock", "--omit=peer", file],
        cwd=place, check=True, timeout=120,
    )  # fmt: skip
