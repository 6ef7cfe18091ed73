"""Where the shipped data folders (`schemas/`, `cassettes/`) are, in a checkout and in an installation.

Layer 0. Knows the two places a folder can be; must not know what is in it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

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
