"""`assert_conforms`: check a value of the Interactions API against the contract.

For implementers of the API. The value may be a response of httpx or httpx2, the bytes of a stream, events, an
interaction, or an exchange of the harness.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harness.checks.clients.result_comparison import events_of, plain
from harness.contract import CURRENT, PROTOCOL, Contract, StreamJudge, judge_error, judge_interaction, load, read
from harness.contract.contract import find_revision
from harness.outcome import Finding, Level, Severity, UsageFault
from harness.outcome.words import format_count
from harness.report.finding_text import finding_lines
from harness.rules import BY_ID, level_of
from harness.wire import Exchange, encode
from harness.wire.bodies import loads
from harness.wire.mask import Mask, hide_secrets
from harness.wire.message import EVENT_STREAM


def assert_conforms(
    value: Any, *, level: str = "SHOULD", background: bool = False, revision: str = CURRENT
) -> None:
    """Assert that nothing in `value` breaks a rule of at least this `level` (MUST, SHOULD, MAY).

    `background=True` marks the stream of a background run, whose deltas should have cursors. `revision`
    is the one of the API that the value must keep to, or the path of its folder.
    """
    __tracebackhide__ = True
    order = [Level.MUST, Level.SHOULD, Level.MAY]
    if level.upper() not in order:
        raise UsageFault(f"level={level!r} is not one of MUST, SHOULD, MAY")
    wanted = order[: order.index(Level(level.upper())) + 1]
    findings = findings_of(value, background=background, revision=revision)
    broken = [found for found in findings if level_of(found.rule) in wanted and found.severity is Severity.BROKEN]
    if broken:
        shown = 10
        lines = [_format_finding(finding) for finding in broken[:shown]]
        more = f"\n  … and {len(broken) - shown} more" if len(broken) > shown else ""
        count = format_count(len(broken), "finding")
        raise AssertionError(f"{count} against the contract:\n" + "\n".join(lines) + more)


def findings_of(value: Any, *, background: bool = False, revision: str = CURRENT) -> list[Finding]:
    """Judge a response, stream, interaction or exchange. Raises UsageFault for a value it cannot read."""
    contract = load(find_revision(revision, "assert_conforms, revision"))
    if isinstance(value, Exchange):
        return list(read(value, contract).findings)
    if isinstance(value, bytes):
        if value.lstrip()[:1] in (b"{", b"["):
            return judge_interaction(loads(value).value, contract)
        return _judge_stream(value, background, contract)
    if hasattr(value, "status_code") and hasattr(value, "headers"):
        return _judge_response(value, background, contract)
    events = events_of(list(value) if hasattr(value, "__next__") else value)
    if events is not None:  # their framing is unknown and not judged
        judge = StreamJudge(contract, background=background, framed=False)
        for event in events:
            judge.feed(encode(str(event.get("event_type", "")), msgspec.json.encode(event)))
        return list(judge.finish().findings)
    body = plain(value)
    if not isinstance(body, Mapping):
        raise UsageFault(
            f"assert_conforms cannot read a {type(value).__name__}: pass a response, the bytes of a stream, its "
            "events, or an interaction"
        )
    return judge_error(body, None) if set(body) == {"error"} else judge_interaction(dict(body), contract)


def _judge_response(response: Any, background: bool, contract: Contract) -> list[Finding]:
    data = response.content if hasattr(response, "content") else response.read()
    if str(response.headers.get("content-type", "")).lower().startswith(EVENT_STREAM):
        return _judge_stream(data, background, contract)
    refused = response.status_code >= 400
    read_body = loads(data)
    if read_body.value is None and read_body.fault:
        shown = data[:80].decode("utf-8", "replace")
        return [Finding("err.shape" if refused else "create.schema", "the body is not JSON", "JSON", shown)]
    if refused:
        return judge_error(read_body.value, response.status_code)
    return judge_interaction(read_body.value, contract)


def _judge_stream(data: bytes, background: bool, contract: Contract) -> list[Finding]:
    judge = StreamJudge(contract, background=background)
    judge.feed(data)
    return list(judge.finish().findings)


def _format_finding(finding: Finding) -> str:
    message, *compared = finding_lines(hide_secrets(finding, Mask(fields=PROTOCOL.secret_fields)))
    rule = BY_ID.get(finding.rule)
    lines = [f"{level_of(finding.rule)} {finding.rule}: {message}", *(f"  {line}" for line in compared)]
    lines += [f"    {rule.statement} [{rule.source}]"] if rule is not None else []
    return "\n".join(f"  {line}" for line in lines)
