"""What the report of every shard says of its part, whichever command it ran: written here, and read again.

Layer 6. A report may come from a stranger: whatever is missing or of another type makes it unreadable, in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.engine.baseline import Entry
from harness.engine.sharding.shards import Shard, ShardPart
from harness.outcome import UsageFault
from harness.report.side_by_side.run_file import read_record


def part_record(part: ShardPart) -> dict[str, Any]:
    """The part as plain data, but for what only `check` has; the caller hides secrets."""
    return {
        "number": part.shard.number,
        "of": part.shard.of,
        "version": part.version,
        "catalogue": part.catalogue,
        "revision": part.revision,
        "selection": part.selection,
        "strict": part.strict,
        "baseline": [asdict(entry) for entry in part.baseline],
        "ran": list(part.ran),
        "whole": list(part.whole),
    }


def read_part(record: Mapping[str, Any]) -> ShardPart:
    """The part that the report of a shard tells of. Read it within `unreadable`."""
    shard = record["shard"]
    return ShardPart(
        shard=Shard(int(shard["number"]), int(shard["of"])),
        version=str(shard["version"]),
        catalogue=str(shard["catalogue"]),
        revision=str(shard["revision"]),
        selection=str(shard["selection"]),
        strict=bool(shard["strict"]),
        baseline=tuple(
            Entry(e["id"], e["reason"], e["since"], e["finding"], e.get("unknown", "")) for e in shard["baseline"]
        ),
        ran=tuple(map(str, shard["ran"])),
        whole=tuple(map(str, shard["whole"])),
    )


def read_shard_record(path: Path) -> dict[str, Any]:
    """The members of the report of a shard. Raises UsageFault if it is none."""
    record = read_record(path)
    if not isinstance(record.get("shard"), dict):
        raise UsageFault(
            f"{str(path)!r} is no report of a shard: write one with --shard K/N --report json=FILE, such as "
            "`harness check emulator --shard 1/2 --report json=1.json`"
        )
    return record


@contextmanager
def unreadable(name: str) -> Iterator[None]:
    """Raise UsageFault if what is read in here is not as our own reports write it; `name` is that of the file."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise UsageFault(
            f"{name!r} is no whole report of a shard ({type(wrong).__name__}: {wrong}): run the shard again"
        ) from None
