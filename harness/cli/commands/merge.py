"""`harness merge A.json B.json …`: the shards of one run put together again. Sends nothing.

Layer 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.cli.arguments import Parser
from harness.cli.masking import mask_tree
from harness.cli.output import Listeners, add_output_arguments
from harness.interactions import INTERACTIONS
from harness.report.shards.merge_reports import merge_reports

_EPILOG = """\
The reports are written by --shard K/N --report json=FILE of one command, one
for each K from 1 to N, with the same target, options and version. Verdicts,
exit code and headline are those of one run. Of an exchange, the merged reports
have the text and the curl line; the diagrams are in the reports of the shards."""


def run(words: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("merge", "Put the shards of one run together again.", epilog=_EPILOG)
    parser.add_argument("files", nargs="+", metavar="REPORT", help="JSON reports of all shards of one run")
    parser.add_argument(
        "--same-target",
        action="store_true",
        help="the shards judged the same server at several addresses, such as a copy on each machine",
    )
    add_output_arguments(parser.add_argument_group("output"), verbose="explain every failure and warning")
    arguments = parser.parse(words)
    paths = [Path(name) for name in arguments.files]
    merged = merge_reports(paths, INTERACTIONS, same_target=arguments.same_target, mask=mask_tree)
    listeners = Listeners(arguments, merged.presentation)
    listeners.state.started = merged.started
    listeners.state.capabilities = merged.capabilities
    return listeners.follow(event for event in merged.events).exit
