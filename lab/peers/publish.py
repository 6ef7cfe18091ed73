"""`python -m lab peers`: writes `docs/implementations.md` and its evidence, how third-party servers differ.

It installs and runs them now, needs Node, PyPI, npm and curl, and takes minutes. It raises if the control has a
finding, or if a curl line does not show what it is there for.
"""

from __future__ import annotations

import argparse
import datetime
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import __version__
from harness.outcome import Exit
from lab.peers import installing
from lab.peers.implementations import ALL, CONTROL, Implementation, SetUp
from lab.peers.judging import Judged, judge, judge_gateway, new_upstream
from lab.peers.known import Cause, curl, unexplained

DOCS = Path(__file__).resolve().parents[2] / "docs"
BUCKETS = ("passed", "failed", "warned", "not_tested", "not_offered")
HEAD = f"""# Third-party servers and the contract

```console
$ make peers        # installs these servers and judges them again
```

Which rules of the Interactions API do other implementations meet? `harness check` {__version__} judged them on
loopback on {{today}}, and `harness gateway` judged the gateways as well. A finding is a difference from the
cited source, not a judgment of the software. Nothing here was compared with the live service.

- Each was installed completely, as its own documentation describes, in the newest version whose requirements
  could be met.
- The upstream of a gateway was the built-in emulator. The control is a proxy that changes nothing, in the place
  of the gateway and with the same set-up. It has no finding, so the findings come from the gateways.
- Each implementation was judged in two set-ups. An item is published only if both show it, or if one cannot show
  it for a reason that the evidence states.
- Each item below is one cause, for any number of checks and rules that report it.
  [implementations-evidence.md](implementations-evidence.md) has the checks, a response and curl lines for each
  item.

The following were excluded. These have no route for interactions: OmniRoute 3.7.9, 9router 0.5.69 and Portkey's
gateway 1.15.2 (npm), api-for-gemini 1.4.2, llmock 0.2.2, memflow-relay 0.1.2 and vertex-proxy 0.4.0 (PyPI).
any-llm-sdk 1.40.2 (PyPI) calls the API as a client. CLIProxyAPI has the route, and is on neither npm nor PyPI.

"""
EVIDENCE_HEAD = """# Evidence of the findings in third-party servers

The summary is [implementations.md](implementations.md). Each item has the checks that report it, the first
finding, and curl lines that show it.

```console
$ harness gateway "$URL" -c gw.events          # both sides of a gateway, for items without curl lines
```

The curl lines were run in the judged set-up: `$URL` is the server, `$UPSTREAM` the emulator behind it (`harness
serve`). The [control API](control.md) of the emulator sets faults and shows the received requests. Add `-H
"x-goog-api-key: $KEY"` to the lines that go to `$URL`. A defect that shows only if the upstream misbehaves
inside an event has no curl line.

`python -m lab peers` generates this page and the summary. `make peers` tests that each cause is
still found, that its curl lines show it, and that nothing else is found.
"""


def run(words: Sequence[str]) -> int:
    """Judge every implementation in each of its set-ups, run every curl line, write both pages."""
    about = (__doc__ or "").partition(": ")[2]
    argparse.ArgumentParser(prog="python -m lab peers", description=about).parse_args(words)
    rows, causes, details = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for implementation in (CONTROL, *ALL):
            runs = [judge_in(implementation, set_up, folder) for set_up in implementation.set_ups]
            rows += [overview(implementation, number, run) for number, run in enumerate(runs)]
            if implementation is CONTROL:
                found = runs[0].noticed("noted")
                assert not found, f"the set-up itself has findings: {found}"
            else:
                not_found = [cause.what for run in runs[1:] for cause in run.missing(implementation.causes)]
                assert not not_found, f"{implementation}: the second set-up does not show {not_found}"
                causes.append(summary(implementation))
                details.append(section(implementation, runs[0]))
    titles = (
        "Implementation",
        "Version",
        *(b.replace("_", " ") for b in BUCKETS),
        "gateway rules: passed, failed, warned",
    )
    table = [f"| {' | '.join(titles)} |\n", "|---" * len(titles), "|\n", *rows]
    head = HEAD.format(today=datetime.date.today().isoformat())
    pages = {
        "implementations.md": [head, *table, *causes],
        "implementations-evidence.md": [EVIDENCE_HEAD, *details],
    }
    for name, parts in pages.items():
        (DOCS / name).write_text(re.sub(r"[^\S\n]+\n", "\n", "".join(parts)), "utf-8")
    return Exit.OK


@dataclass(frozen=True)
class Run:
    """One set-up judged: what a client sees of it, what its two sides show, and the curl lines of each cause."""

    served: Judged
    relayed: Judged | None
    lines: dict[str, list[str]]

    @property
    def reports(self) -> tuple[Judged, ...]:
        """As a server, and as a gateway if it is one."""
        return (self.served, self.relayed) if self.relayed else (self.served,)

    def noticed(self, *more: str) -> list[str]:
        """The checks and rules that failed or warned, or have one of these outcomes."""
        return [name for report in self.reports for name in report.noticed(*more)]

    def missing(self, causes: tuple[Cause, ...]) -> list[Cause]:
        """The causes that this run does not show and would have to."""
        found = self.noticed("noted", "not_offered")
        return [c for c in causes if not c.only_first and not any(c.covers(name) for name in found)]


def judge_in(implementation: Implementation, set_up: SetUp, folder: Path) -> Run:
    """Judge an implementation in one of its set-ups, and run the curl lines of its causes."""
    home = Path(tempfile.mkdtemp(dir=folder))
    steps = [cause for cause in implementation.causes if cause.steps]
    if set_up is not implementation.set_ups[0]:
        steps = [cause for cause in steps if not cause.only_first]
    if set_up.gateway is None:
        assert set_up.server is not None
        with set_up.server(home) as url:
            served = judge(url, *implementation.options)
            return Run(served, None, {cause.what: run_curl(url, "", cause) for cause in steps})
    port, upstream = new_upstream()
    with set_up.gateway(home, upstream) as url:
        relayed = judge_gateway(url, port)
    with installing.reference(home) as upstream, set_up.gateway(home, upstream) as url:
        served = judge(url, *implementation.options)
        return Run(served, relayed, {cause.what: run_curl(url, upstream, cause) for cause in steps})


def run_curl(url: str, upstream: str, cause: Cause) -> list[str]:
    """The curl lines of a cause and the last status line. Raises AssertionError if they do not show it."""
    commands, printed = curl(url, upstream, installing.KEY, cause.steps)
    assert re.search(cause.shows, printed), f"{cause.what}:\n{printed[:2000]}"
    return [*commands, f"# {printed.splitlines()[0]}"]


def overview(implementation: Implementation, number: int, run: Run) -> str:
    """One line of the table; `number` is that of the set-up, from 0."""
    counts = [str(run.served.counts[bucket]) for bucket in BUCKETS]
    both = (
        ", ".join(str(run.relayed.counts[verdict]) for verdict in ("passed", "failed", "warned"))
        if run.relayed
        else "–"
    )
    name = f"{implementation.name}, second set-up" if number else implementation.name
    return f"| {name} | {implementation.version or '–'} | {' | '.join(counts)} | {both} |\n"


def summary(implementation: Implementation) -> str:
    """The causes of one implementation, a line each."""
    causes = [name_cause(cause) for cause in implementation.causes if not cause.ours]
    lines = "".join(f"{number}. {line}\n" for number, line in enumerate(causes, 1))
    return f"\n## {implementation.name} {implementation.version}\n\n{lines}"


def name_cause(cause: Cause) -> str:
    """A cause and its source, as one sentence."""
    return f"**{cause.what}**" + (f" ({cause.source})" if cause.source else "") + "."


def section(implementation: Implementation, run: Run) -> str:
    """The section on one implementation: its set-ups, its root causes, and what our set-up is behind."""
    text = [f"\n## {implementation.name} {implementation.version}\n"]
    for set_up in implementation.set_ups:
        text += ["\n```\n", *(f"{line}\n" for line in set_up.lines), "```\n"]
    text.append("\n")
    for number, cause in enumerate((c for c in implementation.causes if not c.ours), 1):
        text += [f"{number}. {line}" for line in describe(cause, run.reports, run.lines.get(cause.what, []))]
    ours = [cause for cause in implementation.causes if cause.ours]
    if ours:
        text.append("\nNot counted, because the set-up causes them:\n\n")
        text += [
            f"- {cause.what} ({', '.join(f'`{f}`' for f in cause.found_by)}): {cause.ours}.\n" for cause in ours
        ]
    left = unexplained(run.noticed(), implementation.causes)
    if left:
        text.append(f"\nAlso reported, and not yet explained: {', '.join(f'`{name}`' for name in left)}.\n")
    return "".join(text)


def describe(cause: Cause, both: tuple[Judged, ...], lines: list[str]) -> Iterator[str]:
    """A cause as an item of a list: its name, the checks that report it, a finding, and the lines that show it."""
    found = [(judged, name) for judged in both for name in judged.noticed("noted") if cause.covers(name)]
    names = ", ".join(f"`{name}`" for _, name in found) or "no check of its own"
    text = f"{name_cause(cause)}\n   Reported by {names}.\n"
    if found:
        text += f"   Finding: {seen(found[0][0].row(found[0][1]))}\n"
    if cause.only_first:
        text += f"   Found in the first set-up only: {cause.only_first}.\n"
    if lines:
        text += "\n   ```\n" + "".join(f"   {line}\n" for line in lines) + "   ```\n"
    yield f"{text}\n"


def seen(row: dict[str, Any]) -> str:
    """One line with the first finding of a check or rule."""
    findings = row["findings"]
    first = findings[0] if isinstance(findings, list) and findings else {"message": row.get("reason", "")}
    actual = f": `{first['actual'].replace('`', '')}`" if first.get("actual") else ""
    text = " ".join(f"{first['message']}{actual}".split())
    return text if len(text) <= 200 else f"{text[:198].rstrip('`')}…`"
