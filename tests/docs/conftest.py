"""The site, built once for all tests that look at it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.built_once import build_once

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, of a strict build: a warning, such as a link that leads nowhere, fails every test of it.

    HARNESS_SITE names the one that `make docs` has just built.
    """
    if "HARNESS_SITE" in os.environ:
        return Path(os.environ["HARNESS_SITE"])
    if find_spec("mkdocs") is None:
        pytest.skip("MkDocs is not installed: run `make docs` first")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}

    def build(folder: Path) -> None:
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(done.stderr, pytrace=False)

    return build_once(tmp_path_factory, "site", build)
