"""The options of `harness torture`, and its help.

Layer 7.
"""

from __future__ import annotations

import argparse

from harness.cli.arguments import Parser, add_revision_argument, count, positive_seconds
from harness.cli.baseline_options import add_baseline_arguments
from harness.cli.output import add_output_arguments
from harness.cli.sharding import add_shard_arguments
from harness.cli.tested_clients import TIMEOUT
from harness.cli.torture_cases import DEFAULT_ENDINGS

_FOLDED = (
    "cuts", "endings", "revision", "text", "script", "further", "scenario", "cassette", "dry_run", "fail_fast",
    "baseline", "baseline_update", "baseline_prune", "shard", "shard_times", "json", "verbose", "color",
    "annotations",
)  # fmt: skip
"""What one can do without at first."""

_EPILOG = """\
CMD reads a stream: GET $INTERACTIONS_BASE_URL/v1beta/interactions/$INTERACTION_ID?stream=true
with any key as x-goog-api-key ($HARNESS_MODE names other modes). It prints
the text that it ended up with, and nothing else, or writes {"text": …,
"status": …} into the file $HARNESS_RESULT. It exits with a code other than 0
if it gave up. With --loop it reads a line {"case": …, "base_url": …,
"interaction": …, "mode": …} for each case and answers with a line {"case": …,
"text": …, "status": …} or {"case": …, "error": …}. More: docs/torture.md

exit codes: 0 no promise is broken · 1 one is · 2 usage, or a client that fails
without a fault · 3 nothing ran · 4 time was up before the end · 130 interrupted"""


def build_parser() -> Parser:
    """The parser of the command line; the options that one can do without are folded away."""
    parser = Parser(
        "torture",
        "Play what can go wrong with a stream to a client, case by case, and judge what it ends up with.",
        usage="harness torture [options] -- CMD …\n       harness torture [options] --client NAME[==VERSION]",
        epilog=_EPILOG,
    )
    group = parser.add_argument_group("what is played (--dry-run lists the cases)")
    _add_case_arguments(group)
    _add_stream_arguments(group)
    _add_client_arguments(parser.add_argument_group("the client"))
    group = parser.add_argument_group("verdicts and reports")
    _add_verdict_arguments(group)
    add_baseline_arguments(group)
    add_shard_arguments(group)
    add_output_arguments(group, verbose="name every case")
    parser.fold(_FOLDED)
    return parser


def _add_client_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--client", metavar="NAME", help="instead of CMD, one by name (`harness clients --list`)")
    group.add_argument(
        "--mode",
        metavar="NAME",
        help="follow (default), create, background, poll, chain, tools or cancel",
    )
    group.add_argument("--loop", action="store_true", help="start it once, to read tasks (default: for each case)")
    group.add_argument(
        "--timeout",
        type=positive_seconds,
        default=TIMEOUT,
        metavar="S",
        help=f"limit for each case, once started ({TIMEOUT:g})",
    )
    group.add_argument("-j", "--jobs", type=count, metavar="N", help="clients at a time (two for each processor)")


def _add_verdict_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--dry-run", action="store_true", help="list the cases and run nothing")
    group.add_argument("--strict", action="store_true", help="broken SHOULDs fail, too (default: they warn)")
    group.add_argument(
        "--enough",
        type=_parse_whole,
        metavar="N",
        help="leave a kind after N equal failures (5; 0, never, with baseline or shard)",
    )
    group.add_argument("--fail-fast", action="store_true", help="stop at the first failure")
    group.add_argument(
        "--deadline",
        type=positive_seconds,
        metavar="S",
        help="end after S seconds, never green then (default: none)",
    )


def _parse_whole(text: str) -> int:
    return 0 if text == "0" else count(text)


def _add_case_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--set",
        metavar="NAME",
        help="quick (50 cases), standard (440, default), thorough (800), every-byte, table; default of other "
        "modes: polling (30), turns (40), cancelling (25)",
    )
    group.add_argument(
        "--incidents",
        metavar="LIST",
        nargs="?",
        const="all",
        help="instead: what really happened; all (default) or these",
    )
    group.add_argument("--kinds", metavar="LIST", help="only these kinds of the set (default: all)")
    group.add_argument(
        "--cuts",
        action="append",
        metavar="WHERE",
        help="instead: every-event, structural, every-byte, or a plan",
    )
    group.add_argument(
        "--endings",
        metavar="LIST",
        help=f"how connections end at --cuts ({DEFAULT_ENDINGS})",
    )
    group.add_argument(
        "--event-ids",
        metavar="LIST",
        default="all",
        help="events with an id: all (default), deltas, sparse, none",
    )
    group.add_argument(
        "--resume",
        choices=("exclusive", "inclusive"),
        metavar="HOW",
        default="exclusive",
        help="exclusive (default), or inclusive: repeats an event",
    )


def _add_stream_arguments(group: argparse._ArgumentGroup) -> None:
    add_revision_argument(group)
    group.add_argument("--text", help="what the model says (default: that of the mode)")
    group.add_argument("--script", metavar="JSON", help="the whole answer instead (docs/emulator.md)")
    group.add_argument("--further", metavar="JSON", help="the answer in further turns (default: of the mode)")
    group.add_argument("--scenario", metavar="FILE", help="a file of answers instead")
    group.add_argument("--cassette", metavar="FILE", help="a recorded stream instead")
