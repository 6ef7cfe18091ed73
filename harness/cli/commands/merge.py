"""`harness merge A.jsonl B.jsonl …`: the shards of one run put together again. Sends nothing.

Layer 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.arguments import read_options
from harness.cli.common_options import OutputOptions, verbose_option
from harness.cli.masking import mask_tree
from harness.cli.options import PATH, Page, Trust, argument, flag
from harness.cli.output import Listeners
from harness.interactions import INTERACTIONS
from harness.report.merged_shards import merge_stored_runs
from harness.report.stored_events import unreadable


@dataclass(kw_only=True)
class MergeArguments(OutputOptions):
    """The options of `harness merge`."""

    files: Sequence[str] = argument(
        "stored events of all shards of one run", PATH, nargs="+", metavar="EVENTS", trust=Trust.CALL
    )
    same_target: bool = flag("treat the targets of the shards as one server at several addresses")
    verbose: int = verbose_option("explain every failure and warning")

    page = Page(
        "merge",
        ("harness merge shard-*.jsonl", "harness merge shard-*.jsonl --report html=report.html"),
        groups=("output",),
        notes="""\
The options --shard K/N --report events=FILE of one command write the files, one
for each K from 1 to N, with the same target, options and version. Verdicts,
exit code and headline are those of one run. The merged reports contain the text,
the curl line and the diagram of each exchange, without times. A response of more
than 8,192 characters is cut, and has its diagram in the report of its shard.

Take shards from your own jobs only: each reports its part of the run.""",
    )


OPTIONS = MergeArguments


def run(words: Sequence[str]) -> int:
    """Run the command."""
    arguments = read_options(MergeArguments, words)
    paths = [Path(name) for name in arguments.files]
    merged = merge_stored_runs(paths, INTERACTIONS, same_target=arguments.same_target, mask=mask_tree)
    listeners = Listeners(arguments, merged.presentation)
    listeners.state.started = merged.started
    listeners.state.capabilities = merged.capabilities
    listeners.state.revision = merged.revision
    with unreadable(", ".join(arguments.files)):  # a word in it may be one that no run writes
        return listeners.follow(event for event in merged.events).exit
