"""The options that spread a run over several machines.

Layer 7.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from harness.engine.sharding.shards import Shard, parse_shard
from harness.outcome import UsageFault
from harness.report.side_by_side.run_file import read_run


def add_shard_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the options."""
    group.add_argument("--shard", metavar="K/N", help="run only part K of N; `harness merge` joins their reports")
    group.add_argument(
        "--shard-times", metavar="FILE", help="JSON report of an earlier run, to make the parts take equally long"
    )


def read_seconds(name: str | None) -> Mapping[str, float]:
    """What each result took in an earlier run, by id; nothing without a file. Raises UsageFault."""
    if not name:
        return {}
    return {entry.id: entry.seconds for entry in read_run(Path(name)).entries.values()}


def shard_of(arguments: argparse.Namespace) -> Shard | None:
    """The part to run; None for the whole. Raises UsageFault if it is none, or for times without a shard."""
    if arguments.shard_times and not arguments.shard:
        raise UsageFault("--shard-times says how to divide a run: it needs --shard K/N")
    return parse_shard(arguments.shard) if arguments.shard else None
