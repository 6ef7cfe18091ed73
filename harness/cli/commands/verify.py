"""`harness verify PATH…`: judge recorded traffic offline; nothing is sent.

Layer 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import Parser, add_revision_argument, contract_of
from harness.cli.masking import hidden
from harness.cli.output import say, write_json
from harness.outcome import Exit, Finding, Observation, UsageFault, Verdict, exit_code, verdict
from harness.outcome.words import counted
from harness.report.exchange_text import printable
from harness.report.finding_text import compared_lines, place
from harness.report.records import place_record
from harness.wire.mask import Mask

if TYPE_CHECKING:
    from harness.benches.recordings.file_judge import Verification
    from harness.benches.recordings.verify import CassetteFacts, Verified


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 clean, 1 a broken MUST or file (--strict: SHOULD, too), 3 nothing to judge."""
    parser = Parser(
        "verify", "Judge recorded traffic offline: cassettes (.yaml), .har, .sse, .events.jsonl, .json."
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file or folder of recordings")
    parser.add_argument("--strict", action="store_true", help="broken SHOULDs fail, too")
    parser.add_argument(
        "--secrets", action="store_true", help="only look for secrets (exit code 1 if there are any)"
    )
    add_revision_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse(words)
    paths = [Path(path) for path in arguments.paths]
    for path in paths:
        if not path.exists():
            raise UsageFault(f"there is no file or folder {str(path)!r}")
    if arguments.secrets:
        return _secrets(paths, as_json=arguments.json)
    from harness.benches.recordings.verify import verify
    from harness.contract.tables.protocol import PROTOCOL

    mask = Mask(fields=PROTOCOL.secret_fields)
    try:
        result = verify(paths, contract_of(arguments))
    except OSError as wrong:
        raise UsageFault(f"{wrong.filename} cannot be read: {wrong.strerror}") from None
    if arguments.json:
        write_json(mask.tree(verification_record(result)))
    else:
        _print_facts(result.facts)
        for revision, files in result.revisions.items():
            say(f"{counted(files, 'file')} judged by revision {revision}")
        _print(result.traffic, mask)
        for file, reason in result.unusable:
            say(printable(hidden(f"broken: {file}: {reason}")))
    return Exit.FAILED if result.unusable else _exit(result.traffic, strict=arguments.strict)


def _secrets(paths: Sequence[Path], *, as_json: bool) -> Exit:
    """Look for secrets, as a gate before recordings are shared. Exit code: 0 clean, 1 a hit, 3 no file."""
    from harness.benches.recordings.verify import secrets_in
    from harness.contract.tables.protocol import PROTOCOL

    scanned, secrets = secrets_in(paths, PROTOCOL)
    if as_json:
        found = [{"file": file, "kind": hit.kind, "place": hidden(hit.place)} for file, hit in secrets]
        write_json({"scanned": scanned, "secrets": found})
    else:
        for file, hit in secrets:
            say(printable(hidden(f"{file}: {hit.kind} at {hit.place} {hit.shown}".rstrip())))
        say(f"looked into {counted(scanned, 'file')}: {counted(len(secrets), 'possible secret')}")
    if not scanned:
        return Exit.NOTHING_RAN
    return Exit.FAILED if secrets else Exit.OK


def _print_facts(facts: Sequence[CassetteFacts]) -> None:
    for item in facts:
        for number in item.edited:
            say(printable(f"{item.file}: entry {number} was edited, or recorded without pieces: they are a guess"))
        for ending, times in item.endings:
            say(printable(f"{item.file}: {times} × {ending}, as recorded"))


def verification_record(verified: Verified) -> dict[str, Any]:
    """A verification as `schemas/output/verify.schema.json` describes it."""
    result = verified.traffic
    return {
        "entries": {"judged": result.entries, "left_out": len(result.left_out)},
        "judged": dict(result.judged),
        "left_out": [{"file": file, "reason": reason} for file, reason in result.left_out],
        "unusable": [{"file": file, "reason": reason} for file, reason in verified.unusable],
        "revisions": dict(verified.revisions),
        "findings": [_finding(finding) for finding in result.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    from harness.contract.rules import level_of

    place = place_record(finding.where)
    return {
        "file": place.pop("file", ""),
        "rule": finding.rule,
        "level": str(level_of(finding.rule)),
        "severity": str(finding.severity),
        "message": finding.message,
        "expected": finding.expected,
        "actual": finding.actual,
        **place,
    }


def _print(result: Verification, mask: Mask) -> None:
    from harness.contract.rules import level_of

    for finding in result.findings:
        where = ", ".join(filter(None, (finding.where.exchange, place(replace(finding.where, exchange="")))))
        source = f"{finding.where.file} ({where})" if where else finding.where.file
        kind = f"{_verdict(finding, strict=False).upper()} {finding.rule} [{level_of(finding.rule)}]"
        say(printable(mask.text(f"{source}: {kind} {finding.message}")))
        for line in compared_lines(finding, mask):
            say(f"  {line}")
    for file, reason in result.left_out:
        say(printable(hidden(f"left out: {file}: {reason}")))
    judged, left_out = result.judged, len(result.left_out)
    say(
        f"judged {counted(judged['streams'], 'stream')}, {counted(judged['bodies'], 'body', 'bodies')}, "
        f"{counted(judged['requests'], 'request')} in {result.entries} of "
        f"{counted(result.entries + left_out, 'entry', 'entries')}; left out {left_out}; "
        f"{counted(len(result.findings), 'finding')}"
    )


def _exit(result: Verification, *, strict: bool) -> Exit:
    if not any(result.judged.values()):
        return Exit.NOTHING_RAN
    return exit_code([Verdict.PASS, *(_verdict(finding, strict=strict) for finding in result.findings)])


def _verdict(finding: Finding, *, strict: bool) -> Verdict:
    from harness.contract.rules import BY_ID

    rule = BY_ID.get(finding.rule)
    if rule is None:
        return Verdict.ERROR
    observation = Observation.of([finding])
    said = verdict(observation, rule.level, rule.source.basis, strict=strict)
    return Verdict.INFO if said is Verdict.PASS else said
