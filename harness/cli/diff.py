"""`harness diff A B`: what changed between two recordings; drift of shape fails, drift of content informs.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import Parser
from harness.cli.reporting import say, write_json
from harness.outcome import Exit, UsageFault
from harness.report.wirelog import printable

if TYPE_CHECKING:
    from harness.runner.diff import Drift, Drifts

_NAMED = 3


def run(words: Sequence[str]) -> int:
    """The command: 0 no drift of shape, 1 drift of shape, 3 nothing to compare."""
    parser = Parser(
        "diff",
        "Compare two cassettes, or two folders of them. Shape: fields, types, order of events, statuses, headers "
        "that matter. Content: text, number of deltas, usage, ids, times.",
    )
    parser.add_argument("before", metavar="A", help="the older recording")
    parser.add_argument("after", metavar="B", help="the newer one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="leave out drift of content")
    arguments = parser.parse(words)
    before, after = Path(arguments.before), Path(arguments.after)
    for path in (before, after):
        if not path.exists():
            raise UsageFault(f"there is no file or folder {str(path)!r}")
    from harness.contract.protocol import PROTOCOL
    from harness.runner.diff import diff_paths

    drifts = diff_paths(before, after, PROTOCOL)
    if arguments.json:
        write_json(drift_record(arguments.before, arguments.after, drifts))
    else:
        print_drifts(drifts, quiet=arguments.quiet)
    if drifts.shape:
        return Exit.FAILED
    return Exit.OK if drifts.compared else Exit.NOTHING_RAN


def drift_record(before: str, after: str, drifts: Drifts) -> dict[str, Any]:
    """A comparison as `schemas/output/diff.schema.json` describes it."""
    return {
        "before": before,
        "after": after,
        "compared": drifts.compared,
        "shape": _records(drifts.shape),
        "content": _records(drifts.content),
    }


def _records(drifts: Mapping[Drift, list[str]]) -> list[dict[str, Any]]:
    return [
        {"place": drift.place, "before": drift.before, "after": drift.after, "exchanges": labels}
        for drift, labels in drifts.items()
    ]


def print_drifts(drifts: Drifts, *, quiet: bool = False) -> None:
    """One line for each drift, whatever the number of exchanges that show it."""
    for drift, labels in drifts.shape.items():
        say(printable(f"SHAPE    {drift}  [{_named(labels)}]"))
    if not quiet:
        for drift, labels in drifts.content.items():
            say(printable(f"content  {drift}  [{_named(labels)}]"))
    shape, content = len(drifts.shape), len(drifts.content)
    say(f"compared {drifts.compared} exchanges; drifts: {shape} of shape, {content} of content")


def _named(labels: Sequence[str]) -> str:
    names = list(dict.fromkeys(labels))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
