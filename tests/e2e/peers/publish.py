"""Writes `docs/implementations.md`: how third-party servers differ, as found by runs made now.

Run `python -m tests.e2e.peers.publish` in the root of the checkout; it needs Node, PyPI, npm and curl.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness import __version__
from harness.checks.catalogue import CATALOGUE
from harness.emulator import Emulator
from harness.outcome import Basis, Source
from harness.transport import ServerThread
from tests.e2e.peers import installing, known
from tests.e2e.peers.judging import AIMOCK_OPTIONS, LITELLM_OPTIONS, BothSides, Judged, judge, judge_gateway
from tests.e2e.peers.test_litellm import UPSTREAM
from tests.transport.peers import free_port

PAGE = Path(__file__).resolve().parents[3] / "docs" / "implementations.md"
BUCKETS = ("pass", "fail", "warn", "info", "untestable", "not_applicable")
HEAD = f"""# Third-party servers and the contract

Which promises of the Interactions API do other implementations keep? `harness check` {__version__} judged them on
loopback, and `harness gateway` judged the gateway as well. A finding is a difference from the cited source, not a
judgement of the software. Nothing here was compared with the live service.

- The gateway had the reference emulator as its upstream. The emulator passes every check, so each finding is
  caused by the gateway.
- `--capability +NAME` declares that a server has a capability, so that it is judged by the checks for it.
- The tables show the first finding of each check that failed or warned, cut to 160 characters; that of a gateway
  also shows information. For the verdicts see [check.md](check.md).

`python -m tests.e2e.peers.publish` generates this page. `make peers` tests that the defects confirmed with curl,
and the known ones of the gateway, are still found.

"""


def main() -> None:
    """Judge every server, confirm every known defect with curl, write the page."""
    sections = [HEAD, "| Implementation | " + " | ".join(b.replace("_", " ") for b in BUCKETS) + " |\n"]
    sections.append("|---" * (len(BUCKETS) + 1) + "|\n")
    details: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = free_port()
        with installing.litellm(folder, f"http://127.0.0.1:{port}") as url:
            both = judge_gateway(url, port)
        with ServerThread(Emulator(UPSTREAM)) as upstream, installing.litellm(folder, upstream.url) as url:
            title = f"LiteLLM's proxy ({installing.LITELLM.partition('==')[2]})"
            judged = judge(url, *LITELLM_OPTIONS)
            sections.append(row(title, judged))
            details.append(section(title, judged, known.LITELLM, url, installing.KEY, LITELLM_OPTIONS[2:]))
            details.append(from_both_sides(both))
        with installing.aimock(folder) as url:
            title = f"aimock ({installing.AIMOCK.rpartition('@')[2]})"
            judged = judge(url, *AIMOCK_OPTIONS)
            sections.append(row(title, judged))
            details.append(section(title, judged, known.AIMOCK, url, "any", AIMOCK_OPTIONS[2:]))
    PAGE.write_text("".join([*sections, *details]), "utf-8")


def from_both_sides(both: BothSides) -> str:
    """The section about what a gateway loses on the way and a client alone cannot see."""
    lines = ["### Findings as a gateway\n\n`harness gateway URL --api-key KEY --upstream-port PORT`, which acts "]
    lines.append("as the gateway's client and as its upstream.\n\n")
    lines.append("| Rule | Level | Verdict | What was seen | Source |\n|---|---|---|---|---|\n")
    for entry in both.report["rules"]:
        if entry["verdict"] in ("fail", "warn", "info"):
            source = Source(**{**entry["source"], "basis": Basis(entry["source"]["basis"])})
            cells = (f"`{entry['id']}`", entry["level"], entry["verdict"], seen(entry), str(source))
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    passed = [f"`{entry['id']}`" for entry in both.report["rules"] if entry["verdict"] == "pass"]
    lines.append(f"\nRules that passed: {', '.join(passed)}.\n")
    return "".join(lines)


def row(title: str, judged: Judged) -> str:
    """One line of the overview."""
    summary = judged.report["summary"]
    return f"| {title} | " + " | ".join(str(summary[bucket]) for bucket in BUCKETS) + " |\n"


def section(
    title: str, judged: Judged, defects: tuple[known.Known, ...], url: str, key: str, options: tuple[str, ...]
) -> str:
    """The section on one server: its defects, and the curl lines that show them."""
    sources = {check.id: str(check.rule.source) for check in CATALOGUE}
    lines = [f"\n## {title}\n\n`harness check URL --api-key KEY {' '.join(options)}`\n\n"]
    lines.append("| Check | Level | Verdict | What was seen | Source |\n|---|---|---|---|---|\n")
    for entry in judged.report["checks"]:
        if entry["verdict"] in ("fail", "warn"):
            cells = (f"`{entry['id']}`", entry["level"], entry["verdict"], seen(entry), sources[entry["id"]])
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    lines.append('\n### Defects confirmed with curl\n\nAdd `-H "x-goog-api-key: $KEY"` to each command. ')
    lines.append("`{id}` is the id in the previous answer,\nthe comment the status line of the last answer.\n\n")
    for defect in defects:
        commands, printed = known.curl(url, key, defect.steps)
        first = printed.splitlines()[0]
        lines.append(f"- `{defect.check}`: {defect.what} ({defect.source}).\n\n  ```\n")
        lines += [f"  {command}\n" for command in commands]
        lines.append(f"  # {first}\n  ```\n\n")
    return "".join(lines)


def seen(entry: dict[str, object]) -> str:
    """One line with the first finding of a check, or with the reason why the check could not look."""
    findings = entry["findings"]
    first = findings[0] if isinstance(findings, list) and findings else {"message": entry.get("reason", "")}
    actual = f": {first['actual']}" if first.get("actual") else ""
    text = " ".join(f"{first['message']}{actual}".split())
    return text if len(text) <= 160 else text[:159] + "…"


if __name__ == "__main__":
    main()
