"""The mutation score as a page of the site: `python -m harness.cli.rules.mutation_page SCORE.json…` takes it over.

Layer 7. The files are JSON reports of `harness mutants --generated`: of one run, or of all its shards. The file
`docs/mutation.json` keeps what the page needs of them; the list of excuses comes from the rules.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.defects.survivors import load_excuses, load_floors
from harness.engine.mutation_score import DefectOutcome, sum_up
from harness.engine.results import DefectRow
from harness.report.commands.mutation_score import GROUPS, group_by, kills_of, score_record, survivors_of
from harness.written_files import write_file

DATA = Path(__file__).resolve().parents[3] / "docs" / "mutation.json"

_PLACES = ("operator", "part", "field", "value", "call", "mode", "moment", "when")
_ODDITY = "oddity"
_MOST_RULES = 40
_HEAD = "| Shown | Failed | Warned | Listed | Survived | Reported | MUST failed |"
_LINE = "|---:|---:|---:|---:|---:|---:|---:|"


def condense(records: Sequence[Mapping[str, Any]], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page needs of the reports of one run or of its shards; `before` is an earlier score."""
    rows = {row.mutant: row for record in records for row in map(_read_row, record["defects"])}
    defects = [row for row in rows.values() if row.place["part"] != _ODDITY]
    odd = [row for row in rows.values() if row.place["part"] == _ODDITY]
    return {
        "generated": records[0]["generated"],
        "seed": records[0]["seed"],
        "not_shown": sum(len(record["not_shown"]) for record in records),
        "score": score_record(sum_up(defects)),
        "before": before,
        "groups": {
            name: {key: score_record(score) for key, score in group_by(defects, of).items()}
            for name, of in GROUPS.items()
            if name != "field"
        },
        "rules": dict(kills_of(defects).most_common(_MOST_RULES)),
        "excused": dict(
            Counter(row.excuse for row in defects if row.excuse and row.outcome == DefectOutcome.SURVIVED)
        ),
        "survivors": sorted(survivors_of(defects)),
        "oddities": {"played": len(odd), "failed": sorted(_list_failed(odd))},
    }


def write_page(data: Mapping[str, Any]) -> str:
    """Return what follows on the page after what is written there."""
    score, before, odd = data["score"], data["before"], data["oddities"]
    lines = [
        f"The traffic of a clean run allows {data['generated']:,} defects. A sample of",
        f"{score['shown'] + data['not_shown']:,} (seed {data['seed']}) was run; {data['not_shown']:,} of them",
        "changed no byte that a client got, so they do not count.",
        "",
        f"| Catalog {_HEAD}",
        f"|---{_LINE}",
        f"| before | {_cells(before)} |",
        f"| now | {_cells(score)} |",
        "",
        f"{odd['played']} legal oddities were run in the same way.",
        f"A check failed on {len(odd['failed'])} of them.",
        *(f"\n- {_escape(name)}" for name in odd["failed"]),
    ]
    for name, groups in data["groups"].items():
        lines += ["", f"## Score by {name}", "", f"| {name.capitalize()} {_HEAD}", f"|---{_LINE}"]
        lines += [f"| {key} | {_cells(cells)} |" for key, cells in groups.items()]
    lines += ["", "## Checks that report most defects", "", "| Check | Defects |", "|---|---:|"]
    lines += [f"| [{check}](rules/{check}.md) | {number} |" for check, number in data["rules"].items()]
    lines += ["", "## Listed survivors", "", "A defect of these kinds may survive.", ""]
    lines += ["| Entry | Kind | Survivors | Why |", "|---|---|---:|---|"]
    lines += [
        f"| `{excuse.name}` | {excuse.kind} | {data['excused'].get(excuse.name, 0)} | {excuse.because} |"
        for excuse in load_excuses()
    ]
    lines += ["", "## Survivors that are not listed", "", "The catalog does not prove these.", ""]
    lines += [f"- {_escape(name)}" for name in data["survivors"]]
    return "\n".join(lines) + "\n"


def mutation_page() -> str:
    """Return what follows on the page, from the data that is kept."""
    return write_page(json.loads(DATA.read_bytes()))


def _read_row(record: Mapping[str, Any]) -> DefectRow:
    place = {name: str(record[name]) for name in _PLACES}
    return DefectRow(
        record["id"],
        tuple(record["killers"]),
        tuple(record["errors"]),
        place,
        record["outcome"],
        record["excuse"],
        record["level"],
    )


def _list_failed(odd: Sequence[DefectRow]) -> list[str]:
    return [row.mutant for row in odd if row.outcome == DefectOutcome.FAILED]


def _cells(score: Mapping[str, Any]) -> str:
    counts = (score[name] for name in ("shown", "failed", "warned", "excused", "survived"))
    shares = (f"{score[name]:.1f} %" for name in ("found_percent", "must_failed_percent"))
    return " | ".join([*(f"{count:,}" for count in counts), *shares])


def _escape(name: str) -> str:
    shown = name if len(name) <= 160 else name[:80] + "…" + name[-79:]
    return "`" + shown.replace("`", "'") + "`"


def main(paths: Sequence[str]) -> int:
    """Take over the reports of a run, and say how far the score is from its floors."""
    if not paths:
        print("usage: python -m harness.cli.rules.mutation_page SCORE.json…", file=sys.stderr)
        return 2
    before = json.loads(DATA.read_bytes())["before"] if DATA.exists() else {}
    data = condense([json.loads(Path(path).read_bytes()) for path in paths], before)
    write_file(DATA, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    score = data["score"]
    for name, reached in (("found", score["found_percent"]), ("red", score["must_failed_percent"])):
        print(f"{name}: {reached} % (floor {load_floors()[name]} %)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
