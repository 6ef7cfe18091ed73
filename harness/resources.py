"""Where the shipped data folders (`schemas/`, `cassettes/`) are, in a checkout and in an installation.

Knows the two places a folder can be, whether a generated file is up to date, and where the cache of the user is;
must not know what is in them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent


@cache
def folder(name: str) -> Path:
    """The folder `name` shipped with the project.

    A checkout keeps it beside the package, a wheel inside it (`harness/_data`). Raises FileNotFoundError,
    naming both places, when neither has it.
    """
    places = (_PACKAGE / "_data" / name, _PACKAGE.parent / name)
    for place in places:
        if place.is_dir():
            return place
    looked = " nor ".join(str(place) for place in places)
    raise FileNotFoundError(f"the data folder {name!r} is neither at {looked}: reinstall interactions-harness")


def cache_folder(name: str) -> Path:
    """The folder of this name in the cache of the user, which may be missing.

    A relative `XDG_CACHE_HOME` does not count: a folder that someone else wrote could bring what is in it.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "harness" / name


def digest(texts: Mapping[str, bytes]) -> str:
    """The identity of these texts, each with its name."""
    found = hashlib.sha256()
    for name, text in sorted(texts.items()):
        found.update(f"{name}:{len(text)}:".encode())
        found.update(text)
    return found.hexdigest()


def read_published_codes() -> tuple[list[str], list[str]]:
    """The finding codes that `schemas/output/codes.json` publishes: those in use, and those that are retired."""
    value = json.loads((folder("schemas") / "output" / "codes.json").read_bytes())
    return value["codes"], value["retired"]


def read_generated(path: Path, made_from: str) -> dict[str, Any] | None:
    """The content of a generated file; None if it is missing, or was made from `tables` with another digest."""
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if value.get("tables") == made_from else None
