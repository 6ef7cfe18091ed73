"""What a user may name as a revision: one that is shipped, or a folder such as `harness drift --propose` writes.

Layer 1. Every option and parameter that takes a revision asks here, so that all refuse the same in the same words.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from harness.contract.contract import load
from harness.contract.schema.schemas import REVISIONS
from harness.outcome import UsageFault
from harness.outcome.words import nearest


def find_revision(name: str, option: str) -> str:
    """The name of a shipped revision, or the path of the folder of one. Raises UsageFault naming `option`."""
    if name in REVISIONS:
        return name
    if not Path(name).is_dir():
        near = nearest(name, REVISIONS, most=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        known = ", ".join(REVISIONS)
        raise UsageFault(f"{option}: unknown revision {name!r} of the API; known are {known}{hint}")
    folder = Path(name).resolve()
    check_revision_name(folder, option)
    try:
        load(str(folder))
    except LookupError as error:
        raise UsageFault(f"{option}: {name!r} is not the folder of a revision: {error.args[0]}") from None
    except ValueError as error:
        raise UsageFault(f"{option}: the revision {name!r} cannot be used: {error}") from None
    return str(folder)


def check_revision_name(folder: Path, option: str) -> None:
    """A revision is a day, because rules hold from one revision to another. Raises UsageFault naming `option`."""
    if not _is_day(folder.name):
        example = "name the folder like a revision, such as 2026-12-01"
        raise UsageFault(f"{option}: {folder.name!r} is not a date: {example}")


def _is_day(name: str) -> bool:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", name) is None:
        return False
    try:
        date.fromisoformat(name)
    except ValueError:
        return False
    return True
