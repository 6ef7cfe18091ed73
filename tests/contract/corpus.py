"""Recordings made by other projects, as the tests use them; without them, the tests that need them are skipped."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = (ROOT / os.environ.get("HARNESS_CORPUS", "../shared/corpus")).resolve()

needs_corpus = pytest.mark.skipif(
    not (FOLDER / "MANIFEST.jsonl").is_file(), reason="no corpus: set HARNESS_CORPUS to the folder of recordings"
)

ODDITIES = {
    "js-genai-1254-cancel-404.json": "err.shape",  # from the gateway in front of the service
}
"""What the live service really sent although a rule warns of it: file name → that rule."""


@cache
def manifest() -> tuple[dict[str, Any], ...]:
    """The entries of the manifest; empty without a corpus."""
    path = FOLDER / "MANIFEST.jsonl"
    return tuple(json.loads(line) for line in path.read_text("utf-8").splitlines()) if path.is_file() else ()


def files(kind: str, generation: str = "steps", *, framing: str | None = None) -> list[Path]:
    """The files of one kind and generation that look like real recordings."""
    return [
        FOLDER / line["file"]
        for line in manifest()
        if line["kind"] == kind
        and line["api_revision_or_generation"] == generation
        and line["looks_real"]
        and (framing is None or line["framing"] == framing)
    ]
