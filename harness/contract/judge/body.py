"""Judges the JSON body of a success or an error, and the members that bodies and streams share.

An interaction of any origin, an agent, an environment, a webhook: any JSON value is taken, even one that is
nothing like the expected one. Judges only what holds for every such body; what depends on the request (a new id,
no leading user_input) is left to checks. The body of a recorded create, which a client wrote, is judged here, too:
a live check writes its requests itself and does not need that.

Members (a status as a word, a usage by its counts) are judged by the same functions wherever they are shown. The
set of statuses is open, so a new word breaks no MUST. A listed word in another spelling does: it has no new
meaning, and no client knows it.

If a target breaks a rule in each of a million events, `FindingLog` keeps some examples. A defect that makes
another one in the same stream unavoidable is its cause (`CAUSES`); a cause never changes a verdict. A part that no
published schema names (a step, an event, a field of a newer API, or a mistake) is no defect: clients have to
accept it, so it is reported once for each kind.

The API's own shape of an error is `{"error": {"message", "code"}}` with a code of words. The gateway in front of
the API responds in another shape (a numeric code, a `status` in capitals, sometimes in a list of one): that is
tolerated, but non-strict. The live service reports some failures in a stream as bare JSON: after the last event
comes an error body, in a list over several lines or in one line, without `data:`. Decoders drop such lines. A
server may reject a wrong request or be busy; but no request may crash it (`judge_crash`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.contract.contract import Contract
from harness.contract.schema.explain import json_type
from harness.contract.schema.schemas import Review, UnknownPart, null_finding
from harness.contract.tables.protocol import CREATE, INTERACTION, RENAMED_STATUSES, STATUS_OF, Operation
from harness.contract.transcript import count_given, output_text
from harness.outcome import Finding, Severity, Where
from harness.outcome.words import describe_body, list_some, nearest, quote_body, shorten
from harness.wire import By, Exchange, How
from harness.wire.bodies import as_list, as_object, find_ambiguous, loads, read_instant
from harness.wire.sse import StrayBlock


def place_finding(
    code: str, message: str, expected: str, actual: str, pointer: str, severity: Severity = Severity.BROKEN
) -> Finding:
    """A finding against `rule` or `rule/word`, at one place of a JSON value."""
    return Finding.from_code(code, message, expected, actual, where=Where(pointer=pointer), severity=severity)


def judge_ambiguous(code: str, where: str, data: bytes, value: Any) -> list[Finding]:
    """The finding that readers of JSON `data`, which has this value, see two values of one name."""
    name = find_ambiguous(data, value)
    message = f"an object in the {where} has a name twice, with two values"
    return [Finding.from_code(code, message, "each name once", name[:80])] if name else []


PER_RULE = 20
"""The most findings of one rule that are kept from one answer."""


class FindingLog:
    """The findings of a judge so far: at most `PER_RULE` of each rule."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._kept: Counter[str] = Counter()

    def is_full(self, rule: str) -> bool:
        """Whether this rule has all the findings it may keep, so that no more need be created."""
        return self._kept[rule] >= PER_RULE

    def add(self, finding: Finding) -> None:
        """Keep the finding, unless its rule has enough."""
        if not self.is_full(finding.rule):
            self._kept[finding.rule] += 1
            self.findings.append(finding)


UNLISTED = frozenset({"http.unlisted"})
"""The rule about parts that no schema names, unknown events included: a MAY, so it fails no run."""


def judge_unlisted_in(review: Review, revision: str) -> Iterator[Finding]:
    """The members of a JSON value that its schema in this revision does not name."""
    return judge_unlisted([(None, part) for part in review.unknowns], revision)


def judge_unlisted(parts: Iterable[tuple[int | None, UnknownPart]], revision: str) -> Iterator[Finding]:
    """One finding for each of the first kinds of unknown parts of an answer, each with the number of its event."""
    seen: set[str] = set()
    for event, part in parts:
        name = part.name[:60]
        subject = f"{part.kind} {name}"
        if not part.name or subject in seen:  # what has no name is an odd form of something known
            continue
        if len(seen) == 64:
            return
        seen.add(subject)
        message = f"the {part.kind} `{name}` is in no published schema"
        place = Where(event=event, pointer=part.pointer)
        yield Finding("http.unlisted", message, f"a name of revision {revision}", name, place, subject=subject)


_LOST = ("stream.json/", "stream.framing/utf8", "stream.event-type", "stream.schema/")
"""An event that could not be read: a client has to go on as if it had not come."""

_READ_ALL_THE_SAME = frozenset({"stream.schema/null"})
"""Defects of the same kinds that keep nobody from reading the event."""

CAUSES: dict[str, tuple[str, ...]] = {
    "stream.first/other-event": _LOST,
    "stream.first/midway": _LOST,
    "stream.first/no-event": (*_LOST, "stream.framing/unended"),
    "stream.start-before/never": _LOST,
    "stream.index-contiguous": _LOST,
    "stream.start-before/stopped": ("stream.completed-last",),
    "stream.completed-last": ("stream.event-type",),
    "stream.stop-once/open": _LOST,
    "stream.no-interleave": _LOST,
    "stream.terminal": (*_LOST, "stream.framing/unended", "stream.done-final"),
    "stream.terminal/resumed": (*_LOST, "stream.framing/unended"),
}
"""For each defect that may be unavoidable, the codes that make it so."""


def may_cause(cause: str, code: str) -> bool:
    """Whether a finding with the code `cause` can be why there is one with `code`."""
    if cause in _READ_ALL_THE_SAME:
        return False
    return any(cause == known or (known[-1] == "/" and cause.startswith(known)) for known in CAUSES.get(code, ()))


def with_causes(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings of one stream in their order, each with its cause; a cause weighs one more for each of them."""
    causes = [_cause_of(finding, findings) for finding in findings]
    caused = Counter(number for number in causes if number is not None)
    return tuple(
        replace(
            finding,
            cause=finding.cause if number is None else findings[number].stable_code,
            weight=finding.weight + caused[place],
        )
        for place, (finding, number) in enumerate(zip(findings, causes, strict=True))
    )


def _cause_of(finding: Finding, findings: Sequence[Finding]) -> int | None:
    """The number of the first finding that makes this one unavoidable."""
    for number, other in enumerate(findings):
        if (
            other is not finding
            and _comes_before(other, finding)
            and may_cause(other.stable_code, finding.stable_code)
        ):
            return number
    return None


def _comes_before(first: Finding, second: Finding) -> bool:
    """Whether it is known to be at an event no later; what has no event is about the end of the stream."""
    if first.where.event is None:
        return False
    return second.where.event is None or first.where.event <= second.where.event


_NO_LETTER = re.compile("[^a-z]+")
_ENUM_PREFIX = re.compile("^(interaction)?(status|state)")


def judge_status_word(status: str, listed: Collection[str]) -> Iterator[Finding]:
    """A finding if this status is none of those that the revision lists."""
    if not status or status in listed:
        return
    word, place = shorten(status, 40), "$.status"
    letters = _spell_alike(word)  # the whole may have megabytes
    meant = next((known for known in listed if _spell_alike(known) == letters), "")
    if meant:
        message = f"the status {word!r} is a misspelling of {meant!r}"
        yield place_finding("create.status/spelling", message, meant, word, place)
        return
    if status in RENAMED_STATUSES:
        message = f"the status {word!r} is a name from before May 2026"
        expected = RENAMED_STATUSES[status]
        yield place_finding("create.status-listed/renamed", message, expected, word, place)
        return
    near = nearest(status, sorted(listed), most=1)
    expected = near[0] if near else ", ".join(sorted(listed))
    yield place_finding("create.status-listed", f"the status {word!r} is not listed", expected, word, place)


def judge_ends(statuses: Sequence[str], listed: Collection[str]) -> Iterator[Finding]:
    """Of several plain runs, at least one must end in a status that the revision lists."""
    if len(statuses) > 1 and not any(status in listed for status in statuses):
        words = ", ".join(repr(shorten(status, 40)) for status in dict.fromkeys(statuses))
        message = f"none of {len(statuses)} plain runs ends with a status that clients know"
        yield place_finding("create.status/unknown-end", message, "completed", words, "$.status")


def _spell_alike(status: str) -> str:
    """The part of a status that its other spellings share: COMPLETED, InProgress, INTERACTION_STATUS_FAILED."""
    letters = _ENUM_PREFIX.sub("", _NO_LETTER.sub("", status.casefold()))
    return letters.replace("canceled", "cancelled")


_TOTALS = {
    "input_tokens_by_modality": "total_input_tokens",
    "output_tokens_by_modality": "total_output_tokens",
    "cached_tokens_by_modality": "total_cached_tokens",
    "tool_use_tokens_by_modality": "total_tool_use_tokens",
}
_SUMMED = ("total_input_tokens", "total_output_tokens", "total_thought_tokens")


def judge_usage(usage: Any, pointer: str = "$.usage") -> list[Finding]:
    """Findings about a usage value; fields that are absent or not listed are not judged."""
    if not isinstance(usage, Mapping):
        return [
            place_finding("usage.types/object", "usage is not an object", "an object", json_type(usage), pointer)
        ]
    message, expected = "a token count is negative, or not an integer", "an integer >= 0"
    wrong = [
        place_finding("usage.types/count", message, expected, repr(count)[:40], place)
        for place, count in _find_miscounts(usage, pointer)
    ]
    if wrong:
        return wrong
    fraction = "a token count is written as a fraction"  # an integer by JSON Schema, but not for each client
    found = [
        place_finding("usage.types/fraction", fraction, str(int(count)), repr(count), place, Severity.NON_STRICT)
        for place, count in _counts(usage, pointer)
        if isinstance(count, float)
    ]
    if {"total_tokens", "total_input_tokens", "total_output_tokens"} <= usage.keys():
        # both published readings are accepted: the total may include tool-use tokens or not
        base = sum(usage.get(name, 0) for name in _SUMMED)
        sums = sorted({base, base + usage.get("total_tool_use_tokens", 0)})
        if usage["total_tokens"] not in sums:
            expected, actual = " or ".join(map(str, sums)), str(usage["total_tokens"])
            message, place = "total_tokens is not the sum of its parts", f"{pointer}.total_tokens"
            found.append(place_finding("usage.sum", message, expected, actual, place))
    for name, total in _TOTALS.items():
        shares = sum(item.get("tokens", 0) for _, item in _list_items(usage, name, pointer))
        if total in usage and shares > usage[total]:
            message, place = f"{name} adds up to more than {total}", f"{pointer}.{name}"
            found.append(place_finding("usage.modality", message, f"<= {usage[total]}", str(shares), place))
    return found


def judge_counted(interaction: Mapping[str, Any]) -> list[Finding]:
    """The finding that nothing was counted for an answer that has text."""
    if not has_to_count(interaction) or any(count != 0 for _, count in _counts(interaction["usage"], "$.usage")):
        return []
    message = "a response with text counts no token"
    words = message, "at least one token", "0 in every count", "$.usage"
    return [place_finding("usage.counted", *words, Severity.NON_STRICT)]


def has_to_count(interaction: Mapping[str, Any]) -> bool:
    """Whether it is completed, has text, and reports tokens."""
    usage = interaction.get("usage")
    counted = isinstance(usage, Mapping) and any(name in usage for name in ("total_tokens", "total_output_tokens"))
    return counted and interaction.get("status") == "completed" and bool(output_text(interaction).strip())


def has_counts(usage: Any) -> bool:
    """Whether a usage value reports any cost; one of another type breaks `usage.types`."""
    return any(_counts(usage, "")) if isinstance(usage, Mapping) else bool(usage)


def count_tokens(interaction: Mapping[str, Any], *kinds: str) -> int:
    """The tokens of these kinds in the usage of an interaction, such as `input`; 0 for each that it lacks."""
    counts = [as_object(interaction.get("usage")).get(f"total_{kind}_tokens") for kind in kinds]
    return sum(int(count) for count in counts if isinstance(count, int | float) and not isinstance(count, bool))


def list_miscounted(usage: Any, pointer: str = "$.usage") -> list[str]:
    """The places in a usage value that break `usage.types`."""
    return [place for place, _ in _find_miscounts(usage, pointer)] if isinstance(usage, Mapping) else [pointer]


def _find_miscounts(usage: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, Any]]:
    for place, count in _counts(usage, pointer):
        if isinstance(count, bool) or not isinstance(count, int | float) or count < 0 or count % 1:
            yield place, count


def _counts(usage: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, Any]]:
    for name in (*_SUMMED, "total_tokens", "total_cached_tokens", "total_tool_use_tokens"):
        if name in usage:
            yield f"{pointer}.{name}", usage[name]
    for name in _TOTALS:
        for place, item in _list_items(usage, name, pointer):
            if "tokens" in item:
                yield f"{place}.tokens", item["tokens"]


def _list_items(usage: Mapping[str, Any], name: str, pointer: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    values = usage.get(name)  # not by `as_list`: each stream that a page shows comes here eight times
    for index, item in enumerate(values if isinstance(values, list) else ()):
        if isinstance(item, Mapping):
            yield f"{pointer}.{name}[{index}]", item


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
    parsed = loads(body)
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
    value = loads(body).value
    return frozenset({"request.schema", *("tool.result-name" for _ in _list_results(value))})


def _list_results(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The function results among the input of a create, each with its place."""
    for number, item in enumerate(as_list(as_object(value).get("input"))):
        pointer = f"$.input[{number}]"
        for place, part in ((pointer, item), *_list_contents(item, pointer)):
            if as_object(part).get("type") == "function_result":
                yield place, part


_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_STATUS = re.compile("[1-5][0-9]{2}")


def error_of(value: Any) -> tuple[str, str] | None:
    """(code, message) of an error body of either shape, None if it is not one; a numeric code becomes digits."""
    error = _read_error(unwrap_list(value))
    if error is None:
        return None
    code, message = error.get("code"), error.get("message")
    if isinstance(code, bool) or not isinstance(code, (str, int)):
        code = error.get("status", "")
    return str(code), message if isinstance(message, str) else ""


def rejects_key(answer: Exchange) -> bool:
    """Whether a response rejects the key, as the live service does: status 400, and a reason in the details."""
    return answer.status == 400 and b'"API_KEY_INVALID"' in answer.body


def find_refusal(value: Any) -> int | None:
    """The 4xx that is published for the code of an error body; None if it has no such code."""
    error = error_of(value)
    status = STATUS_OF.get(error[0], 0) if error is not None else 0
    return status if 400 <= status < 500 else None


def status_of_code(code: str) -> int:
    """The HTTP status that the code of an error stands for; 400 for a word that is not published."""
    return int(code) if _STATUS.fullmatch(code) else STATUS_OF.get(code, 400)


def judge_error(value: Any, status: int | None, *, rpc: bool = False) -> list[Finding]:
    """Findings about the JSON body of a 4xx or 5xx response; pass `status=None` if the status was not recorded.

    `rpc`: the operation's own errors have a numeric code.
    """
    error, place, mild = _read_error(value), "$.error", Severity.NON_STRICT
    front = _read_error(unwrap_list(value)) or {}
    if type(front.get("code")) is int and isinstance(front.get("message"), str):
        word = front.get("status", "")
        if not isinstance(word, str):
            message = "an error in the shape of Google's front end needs a string as its status"
            return [
                place_finding("err.shape/status", message, "a string", json_type(word), f"{place}.status", mild)
            ]
        if rpc:
            return []
        message = "the error has the shape of Google's front end, not of the API"
        return [place_finding("err.shape/gateway", message, "string code", "numeric code", place, mild)]
    if error is None:
        message, expected = "the body has no error object", '{"error": {"code", "message"}}'
        actual = f"the members {list_some([*value], 4)}" if isinstance(value, dict) and value else json_type(value)
        return [place_finding("err.shape/no-object", message, expected, actual, place)]
    wrong = [name for name in ("code", "message") if not isinstance(error.get(name), str)]
    if wrong:
        kinds = ", ".join(f"{name}: {json_type(error[name]) if name in error else 'absent'}" for name in wrong)
        message, expected = "code and message of an error must be strings", "string code, string message"
        return [place_finding("err.shape/types", message, expected, kinds, place)]
    code, place = error["code"], "$.error.code"
    if not code.strip():
        return [place_finding("err.code-string", "the code is empty", "a word", repr(code), place)]
    if not _CODE.fullmatch(code):
        return [
            place_finding("err.code-word", "the code is not a snake_case word", "words joined by _", code, place)
        ]
    documented = STATUS_OF.get(code)
    if status is None or documented in (None, status):
        return []
    if min(status, documented) >= 500 and status not in STATUS_OF.values():
        return []  # no code is published for a status of servers such as 502, so that another one must do
    message = f"the code {code} has another HTTP status"
    return [place_finding("err.code-status", message, str(documented), str(status), place)]


def unwrap_list(value: Any) -> Any:
    """The only item of a list, as the gateway wraps errors; anything else as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _read_error(value: Any) -> Mapping[str, Any] | None:
    error = as_object(value).get("error")
    return error if isinstance(error, Mapping) else None


RULE = "stream.bare-error"


class UnframedError(Struct, frozen=True):
    """The code and the message of an error body among the bytes of a stream, and where it is."""

    code: str
    message: str
    start: int
    end: int

    @property
    def status(self) -> int:
        """The HTTP status that this error has elsewhere; 400 for a word that no table lists, or for no status."""
        return status_of_code(self.code)

    def judge(self) -> Iterator[Finding]:
        """The finding that it came outside the framing."""
        actual = f"{self.code}: {self.message}" if self.message else self.code
        yield Finding(RULE, "bare JSON outside the framing ends the stream", "an error event", actual)


def read_bare_error(stray: StrayBlock | None) -> UnframedError | None:
    """The error body that a stray block is; None if it is none."""
    error = error_of(loads(stray.raw.strip()).value) if stray is not None else None
    if stray is None or error is None:
        return None
    return UnframedError(*error, stray.start, stray.end)


FAILED = frozenset(range(500, 600)) - {501, 502, 503, 504}
"""Statuses that say that the server failed: not that it is busy, lacks the ability, or is not reached."""


_LACKS = re.compile(
    rb"KeyError: '(\w{1,40})'|\(reading '(\w{1,40})'\)|has no attribute '(\w{1,40})'|missing field `(\w{1,40})`"
)
"""What Python, JavaScript and Rust say of a member that is not there."""


def _has_failed(exchange: Exchange) -> bool:
    return exchange.status in FAILED and find_refusal(loads(exchange.body).value) is None


def judge_crash(exchange: Exchange, operation: Operation | None, contract: Contract) -> Iterator[Finding]:
    """A finding if the server failed and the request, a call of the API, fits its schema."""
    ending, failed = exchange.ending, _has_failed(exchange)
    is_cut = exchange.status is None and ending.by is By.SERVER and ending.how in (How.FIN, How.RST)
    if operation is None or not (failed or is_cut) or not _fits(exchange, operation, contract):
        return
    expected = "2xx, or 4xx if it is rejected"
    if failed:
        body = as_object(loads(exchange.request.body).value)
        given = {*body, *dict(exchange.request.query)} - {"model", "input", "key"}
        names = ", ".join(f"`{name}`" for name in sorted(given))
        lacks = _LACKS.search(exchange.body)
        key = next(filter(None, lacks.groups()), b"").decode() if lacks else ""
        needs = f": it needs `{key}`, which the request leaves out" if key and key not in body else ""
        message = f"{operation.call}{f' with {names}' if names else ''} causes a server error{needs}"
        actual = f"{exchange.status} {quote_body(exchange.body, 120)}".rstrip()
        yield Finding("err.no-crash", message, expected, actual)
    else:
        message = f"{operation.call} makes the server disconnect"
        yield Finding.from_code("err.no-crash/cut", message, expected, ending.words)


def judge_failed_refusal(exchange: Exchange, operation: Operation | None, contract: Contract) -> Iterator[Finding]:
    """A finding if the server failed where it had to refuse a create, which does not fit its schema."""
    if operation is not None and _has_failed(exchange) and not _fits(exchange, operation, contract):
        message = f"a rejection has status {exchange.status}, as if the server had failed"
        code, expected, actual = "err.status/failed", "4xx", str(exchange.status)
        yield Finding.from_code(code, message, expected, actual, severity=Severity.INFORMATION)


def judge_death(exchange: Exchange, call: str) -> Iterator[Finding]:
    """The finding on a server that stopped after this request, and again when it was repeated alone."""
    message = f"{_describe_request(exchange, call)} stops the server each time that it is sent"
    expected = "a response, 4xx if it is rejected, and a server that continues"
    came = exchange.ending.words if exchange.status is None else f"{exchange.status}, and then connection refused"
    yield Finding.from_code("err.no-crash/died", message, expected, came)


_PLAIN_PATH = re.compile(r"[A-Za-z0-9/:._-]*")


def judge_silence(exchange: Exchange, call: str) -> Iterator[Finding]:
    """The finding on a server that gives this request no byte each time that it is sent, and then lives.

    Not every such end is one of the server: a front may drop requests whose addresses look like an attack, and a
    reset may overtake the rejection of a body that is too large to be read.
    """
    request = exchange.request
    is_overtaken = exchange.ending.how is How.RST and len(request.body) > 64 * 1024  # more than is read at once
    if call and _PLAIN_PATH.fullmatch(request.raw_path) and not is_overtaken:
        what = "gets no response" if exchange.hung else "makes the server disconnect"
        message = f"{_describe_request(exchange, call)} {what} each time that it is sent"
        expected = "a response, 4xx if it is rejected"
        yield Finding.from_code("err.no-crash/unanswered", message, expected, exchange.ending.words)


def _describe_request(exchange: Exchange, call: str) -> str:
    """A request with the shape of its body, for a message."""
    request = exchange.request
    shape = describe_body(request.body)
    return f"{call or f'{request.method} {request.raw_path}'}{f' {shape}' if shape else ''}"


def _fits(exchange: Exchange, operation: Operation, contract: Contract) -> bool:
    if operation.call != CREATE:
        return True
    body = loads(exchange.request.body).value
    return contract.schemas.validator("requests/create-interaction", closed=True).is_valid(body)
