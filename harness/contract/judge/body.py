"""Judges the JSON body of a success: an interaction of any origin, an agent, an environment, a webhook.

Takes any JSON value, even one that is nothing like the expected one. Judges only what holds for every such body;
what depends on the request (a new id, no leading user_input) is left to checks. The body of a recorded create,
which a client wrote, is judged here, too: a live check writes its requests itself and does not need that.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

from msgspec.structs import replace

from harness.contract.contract import Contract
from harness.contract.data import json_parse
from harness.contract.data.json_parse import as_list, as_object, read_instant
from harness.contract.data.transcript import count_given
from harness.contract.judge.finding_log import FindingLog, judge_ambiguous, place_finding
from harness.contract.judge.members import judge_counted, judge_status_word, judge_usage, list_miscounted
from harness.contract.schema.validator import Review, null_finding
from harness.contract.tables.operations import INTERACTION, Operation
from harness.outcome import Finding, Severity

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_PLACEHOLDER = re.compile(r"REDACTED")  # a recorder put this in place of the target's value
_OUTPUTS = "outputs"  # the name of `steps` before May 2026


def is_legacy(value: Any) -> bool:
    """Whether a body is of the generation before `steps`, which the service removed in June 2026."""
    return isinstance(value, Mapping) and value.get(_OUTPUTS) is not None and "steps" not in value


def judge_answer(review: Review, operation: Operation, contract: Contract) -> list[Finding]:
    """Findings about the JSON response of an operation, reviewed by the schema of that operation."""
    if operation.rule == "cancel.schema" and as_object(review.value).keys().isdisjoint({"id", "status"}):
        return _judge_shape(review, operation.rule)  # no interaction at all, which `cancel.ok` reports
    if operation.schema == INTERACTION:
        return judge_reviewed(review, contract, rule=operation.rule)
    return _judge_shape(review, operation.rule)


def judge_interaction(value: Any, contract: Contract) -> list[Finding]:
    """Findings about an interaction body, as `judge_reviewed` has them."""
    return judge_reviewed(contract.schemas.validator(INTERACTION).review(value), contract)


def judge_reviewed(review: Review, contract: Contract, *, rule: str = "create.schema") -> list[Finding]:
    """Findings about an interaction body, in the order of the rules; a violation of the schema breaks `rule`.

    A wrong status or token count breaks a rule of its own, and not also the one of the schema.
    """
    value = review.value
    status, apart = as_object(value).get("status"), set[str]()
    if review.problems and isinstance(value, Mapping):
        apart |= set() if isinstance(status, str) else {"$.status"}
        apart.update(list_miscounted(value["usage"]) if "usage" in value else ())
    findings = _judge_shape(review, rule, apart)
    if not isinstance(value, Mapping) or (not value and rule == "get.schema"):
        pass  # no interaction at all; whether a GET should have found one, other rules say
    elif not isinstance(status, str) or not status:
        actual = "none" if status is None else repr(status)[:40]
        message = "the status is not a string" if status not in (None, "") else "the status is missing"
        if inner := next((name for name, one in value.items() if "status" in as_object(one)), ""):
            message += f": the interaction is inside the member `{inner}`, not at the top level"
        findings.append(place_finding("create.status", message, "a string", actual, "$.status"))
    else:
        findings += judge_status_word(status, contract.statuses)
    if not isinstance(value, Mapping):
        return findings
    if is_legacy(value):
        message, expected = "the output is in `outputs`, as before May 2026", "steps"
        findings.append(place_finding("create.generation", message, expected, _OUTPUTS, f"$.{_OUTPUTS}"))
    findings += _judge_times(value)
    if "usage" in value:
        findings += judge_usage(value["usage"])
        findings += judge_counted(value)
    return findings + judge_steps(as_list(value.get("steps")))


def judge_steps(steps: list[Any]) -> list[Finding]:
    """Findings about a list of steps, of each rule the first few.

    Leading steps may be the caller's own input, returned unchanged. Their values are not the target's fault.
    """
    log = FindingLog()
    given = count_given(steps)
    for index, step in enumerate(steps):
        for finding in _judge_step(step, f"$.steps[{index}]", is_own=index >= given):
            log.add(finding)
    for finding in _judge_pairs(steps, given):
        log.add(finding)
    return log.findings


def _judge_shape(review: Review, rule: str, apart: Container[str] = ()) -> list[Finding]:
    """The places where a value does not fit its schema, as findings against `rule`; others judge those `apart`.

    A null for an optional member is one lenient finding, and the rest is judged as if the member were absent.
    """
    findings = [problem.finding(rule) for problem in review.problems if problem.place not in apart]
    return [*findings, null_finding(rule, review.nulls)] if review.nulls else findings


def _judge_times(value: Mapping[str, Any]) -> list[Finding]:
    moments = {}
    findings = []
    for name in ("created", "updated"):
        if isinstance(value.get(name), str):  # any other type breaks the schema
            moments[name] = read_instant(value[name])
            if moments[name] is None:
                actual = repr(value[name])[:40]
                message = f"{name} is not an ISO 8601 time with a zone"
                form = place_finding("create.times/form", message, "YYYY-MM-DDThh:mm:ssZ", actual, f"$.{name}")
                findings.append(replace(form, severity=Severity.NON_STRICT))
    created, updated = moments.get("created"), moments.get("updated")
    if created is not None and updated is not None and updated < created:
        message = "updated is earlier than created"
        early = place_finding("create.times/order", message, f">= {created}", str(updated), "$.updated")
        # The clocks of two machines differ by less than a minute, and two time zones by more.
        skewed = created - updated < timedelta(minutes=1)
        findings.append(replace(early, severity=Severity.NON_STRICT) if skewed else early)
    return findings


def _judge_step(step: Any, place: str, *, is_own: bool) -> Iterator[Finding]:
    """Findings about one step and its contents; of one that is not the target's own, values are not judged."""
    yield from _judge_type(step, place, "step")
    is_own = is_own and isinstance(step, Mapping)
    if is_own:
        yield from _judge_base64(step, place)
    for inside, content in _list_contents(step, place):
        yield from _judge_type(content, inside, "content")
        if is_own:
            yield from _judge_base64(content, inside)
        text = as_object(content).get("text")
        size = len(text.encode("utf-8", "surrogatepass")) if is_own and isinstance(text, str) else None
        for index, annotation in enumerate(as_list(as_object(content).get("annotations"))):
            where = f"{inside}.annotations[{index}]"
            found = _judge_type(annotation, where, "annotation")
            if isinstance(annotation, Mapping) and "type" not in annotation:
                # even the file search guide shows citations without a type
                found = (replace(finding, severity=Severity.NON_STRICT) for finding in found)
            yield from found
            start, end = as_object(annotation).get("start_index", 0), as_object(annotation).get("end_index")
            if (
                size is not None
                and isinstance(start, int)
                and isinstance(end, int)
                and not 0 <= start < end <= size
            ):
                message, expected = "an annotation lies outside its text", f"0 <= start < end <= {size}"
                yield place_finding("steps.annotation-range", message, expected, f"{start}..{end}", where)


def _judge_type(value: Any, pointer: str, what: str) -> Iterator[Finding]:
    kind = as_object(value).get("type")
    if not isinstance(kind, str) or not kind:
        message = f"a {what} has no string type" if kind != "" else f"the type of a {what} is empty"
        yield place_finding("steps.discriminator", message, "a string", repr(kind)[:40], f"{pointer}.type")


def _list_contents(step: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    for index, item in enumerate(as_list(as_object(step).get("content"))):
        yield f"{pointer}.content[{index}]", item


def _judge_base64(holder: Any, place: str) -> Iterator[Finding]:
    """The bytes in a step or a content are base64 in either alphabet, padded or not."""
    for name in ("data", "signature"):
        value = as_object(holder).get(name)
        if not isinstance(value, str) or _PLACEHOLDER.search(value, 0, 200):
            continue
        if _BASE64.fullmatch(value) is None or len(value.rstrip("=")) % 4 == 1:
            message, where = f"{name} is not base64", f"{place}.{name}"
            yield place_finding("steps.base64", message, "base64", value[:40], where)


def _judge_pairs(steps: list[Any], given: int) -> Iterator[Finding]:
    """Check that each result has its call. Only a function_result may answer a call of an earlier interaction."""
    calls: dict[str, None] = {}
    for index, step in enumerate(steps):
        match step:
            case {"type": str(kind), "id": str(identity)} if kind.endswith("_call"):
                calls[identity] = None
            case {"type": "function_result"}:
                pass
            case {"type": str(kind), "call_id": str(call)} if kind.endswith("_result") and index >= given:
                if call not in calls and not _PLACEHOLDER.search(call):
                    message = f"a {kind} names no earlier call"
                    expected = ", ".join(islice(calls, 4)) or "a call step before it"
                    yield place_finding("steps.result-match", message, expected, call, f"$.steps[{index}].call_id")


def judge_create_request(body: bytes, contract: Contract, *, refused: bool) -> list[Finding]:
    """Findings about a create; a defect of a rejected one explains the rejection, and is no fault."""
    parsed = json_parse.loads(body)
    if parsed.fault in ("", "surrogate"):
        problems = contract.schemas.validator("requests/create-interaction", closed=True).problems(parsed.value)
        found = [problem.finding("request.schema") for problem in problems]
        for pointer, step in _list_results(parsed.value):
            if not isinstance(step.get("name"), str) or not step["name"]:
                message = "a function_result does not name its function"
                found.append(place_finding("tool.result-name", message, "a name", "none", f"{pointer}.name"))
        found += judge_ambiguous("request.schema/twice", "request", body, parsed.value)
    else:
        message, actual = "the body of the request is not JSON", show_start(body)
        found = [Finding.from_code("request.schema/json", message, "a JSON object", actual)]
    if not refused:
        return found
    return [
        replace(one, message=f"the create was rejected: {one.message}", severity=Severity.INFORMATION)
        for one in found
    ]


def show_start(body: bytes) -> str:
    """The first bytes of a body that is not JSON."""
    return body[:80].decode("utf-8", "replace") or "an empty body"


def list_judged_in_request(body: bytes) -> frozenset[str]:
    """The rules that this create could have broken."""
    value = json_parse.loads(body).value
    return frozenset({"request.schema", *("tool.result-name" for _ in _list_results(value))})


def _list_results(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The function results among the input of a create, each with its place."""
    for number, item in enumerate(as_list(as_object(value).get("input"))):
        pointer = f"$.input[{number}]"
        for place, part in ((pointer, item), *_list_contents(item, pointer)):
            if as_object(part).get("type") == "function_result":
                yield place, part
