"""The options that spread a run over several machines.

Layer 7.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from harness.outcome import UsageFault
from harness.report.side_by_side.run_file import read_record


def add_shard_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the options."""
    group.add_argument("--shard", metavar="K/N", help="run only part K of N; `harness merge` joins their reports")
    group.add_argument(
        "--shard-times", metavar="FILE", help="JSON report of an earlier run, to make the parts take equally long"
    )


def read_seconds(name: str | None) -> Mapping[str, float]:
    """What each check took in an earlier run, by id; nothing without a file. Raises UsageFault."""
    if not name:
        return {}
    record = read_record(Path(name))
    try:
        return {str(item["id"]): float(item["seconds"]) for item in record["checks"]}
    except (KeyError, TypeError, ValueError) as wrong:
        raise UsageFault(
            f"--shard-times {name!r} is no report of `harness check` ({type(wrong).__name__}: {wrong}): "
            "write one with --report json=FILE"
        ) from None


def require_shardable(arguments: argparse.Namespace) -> None:
    """Raise UsageFault if a shard is to rewrite a baseline, or if there are times without a shard."""
    if arguments.shard and (arguments.baseline_update or arguments.baseline_prune):
        raise UsageFault("--shard sees only a part of the run: change the baseline with a whole one")
    if arguments.shard_times and not arguments.shard:
        raise UsageFault("--shard-times says how to divide a run: it needs --shard K/N")
