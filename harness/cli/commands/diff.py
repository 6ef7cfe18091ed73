"""`harness diff A B`: what changed between two recordings. Drift of shape fails; drift of content only informs.

Layer 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.cli.arguments import Parser
from harness.cli.masking import mask_text, mask_tree
from harness.cli.output import say, write_json
from harness.outcome import Exit, UsageFault


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 no drift of shape, 1 drift of shape, 3 nothing to compare."""
    parser = Parser(
        "diff",
        "Compare two cassettes, or two folders of them.\n\n"
        "Shape: fields, types, order of events, statuses, headers that matter.\n"
        "Content: text, number of deltas, usage, ids, times.",
        epilog="exit codes: 0 the same shape · 1 drift of shape · 2 usage · 3 nothing to compare",
    )
    parser.add_argument("before", metavar="A", help="older recording")
    parser.add_argument("after", metavar="B", help="newer recording")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="do not show drift of content")
    arguments = parser.parse(words)
    before, after = Path(arguments.before), Path(arguments.after)
    for path in (before, after):
        if not path.exists():
            raise UsageFault(f"there is no file or folder {str(path)!r}")
    from harness.benches.recordings.diff import diff_paths
    from harness.contract.tables.protocol import PROTOCOL
    from harness.report.diff_text import drift_lines, drift_record, drift_totals

    drifts = diff_paths(before, after, PROTOCOL)
    if arguments.json:
        write_json({"before": arguments.before, "after": arguments.after, **mask_tree(drift_record(drifts))})
    else:
        for line in (*drift_lines(drifts, content=not arguments.quiet), drift_totals(drifts)):
            say(mask_text(line))
    if drifts.shape:
        return Exit.FAILED
    return Exit.OK if drifts.compared else Exit.NOTHING_RAN
