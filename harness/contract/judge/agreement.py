"""Judges what several answers say about one interaction, or about two that belong together: it must agree.

Pure. One function per rule. Takes bodies that were already read, and never raises, whatever they hold. Must not
know in which order answers came, nor who else uses the target; the caller knows whether both count.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from harness.contract import transcript
from harness.contract.judge.body import place_finding
from harness.contract.judge.reading import format_value
from harness.contract.tables.protocol import (
    COMPLETED_EVENT,
    ERROR_EVENT,
    RUNNING,
    SETTLED,
    STATUSES,
    WAITING,
    is_settled,
    may_follow,
)
from harness.contract.transcript import (
    USER_INPUT,
    common_length,
    compare_steps,
    output_of,
    output_steps,
    steps_of,
    steps_text,
    text_of,
    without_text,
)
from harness.outcome import Finding, Severity
from harness.outcome.words import format_count, shorten
from harness.wire.bodies import as_object, loads, objects_in, read_instant, write_sorted

Body = Mapping[str, Any]
Events = Sequence[Mapping[str, Any]]

CUT_SHORT = frozenset({"failed", "cancelled", "incomplete", "budget_exceeded"})
"""Statuses of a run that did not end in order, so that nobody waits for the result of its calls."""


def judge_identity(rule: str, asked: object, shown: object) -> Iterator[Finding]:
    """The response must show the requested interaction."""
    if shown != asked:
        word, actual = ("other", format_value(shown)) if shown else ("missing", "no id")
        message = f"the response {'shows another' if shown else 'names no'} interaction"
        yield place_finding(f"{rule}/{word}", message, format_value(asked), actual, "$.id")


def judge_own_id(rule: str, own: str, other: str) -> Iterator[Finding]:
    """An interaction that continues another must have an id that is not the other's."""
    if own in ("", other):
        actual = f"that of the other, {own}" if own else "none"
        yield Finding(rule, "the turn has no id of its own", "a new id", actual)


def judge_new_id(given: Container[object], identity: object) -> Iterator[Finding]:
    """An id must not have been given before."""
    if identity in given:
        message = "the id belongs to an earlier create"
        yield place_finding("create.id-unique", message, "a new id", format_value(identity), "$.id")


def judge_id(rule: str, identity: object) -> Iterator[Finding]:
    """A stored interaction must have an id."""
    if not isinstance(identity, str) or not identity:
        yield place_finding(rule, "the response has no id", "a non-empty string", format_value(identity), "$.id")


def rule_of_change(before: str) -> str:
    """The rule that a status breaks which cannot follow `before`."""
    return "bg.no-regress" if before in SETTLED else "bg.transition"


def judge_end_stays(end: str, status: str, rule: str = "bg.no-regress") -> Iterator[Finding]:
    """The status at which a run has settled must stay."""
    if status not in STATUSES and is_settled(status):
        message = f"a run that has settled as {end} is shown as {status!r}, which the reference does not list"
        yield Finding.from_code(f"{rule}/unlisted", message, f"no status except {end}", status)
    elif status != end:
        message = f"the status of a settled run {_name_change(end, status)}"
        lenient = end in WAITING and status in SETTLED  # a client goes on with another interaction, not with this
        severity = Severity.NON_STRICT if lenient else Severity.BROKEN
        yield Finding.from_code(
            f"{rule}/left-end", message, f"no status except {end}", status or "none", severity=severity
        )


def _name_change(end: str, status: str) -> str:
    """How a status left the end; one in progress again is what a cache or another worker still has."""
    if status in RUNNING:
        return f"went back from {end} to {status}, as if the response were an old one"
    return f"was {end}, and then {status or 'absent'}"


def judge_changes(statuses: Iterable[str], rule: str = "") -> Iterator[Finding]:
    """Each status must be able to follow the one before; nothing is claimed of one that is not listed.

    Without `rule`, a finding is of `rule_of_change`.
    """
    for before, after in pairwise(statuses):
        kept = rule or rule_of_change(before)
        if before in SETTLED:
            yield from judge_end_stays(before, after, kept)
        elif may_follow(before, after) is False:
            yield Finding.from_code(
                f"{kept}/order", f"{after} follows {before}", f"no {after} after {before}", after
            )


def judge_settled(rule: str, body: Body) -> Iterator[Finding]:
    """A foreground create returns when its run has settled."""
    status = body.get("status")
    if isinstance(status, str) and not is_settled(status):
        yield place_finding(rule, "the run has not settled", "a settled status", status, "$.status")


def judge_end_status(rule: str, status: str) -> Iterator[Finding]:
    """The last status that polling shows must be a settled one; nothing is claimed of one that is not listed."""
    if not is_settled(status):
        message = "the run did not settle in time"
        yield Finding(rule, message, "a settled status", status or "no status")


def judge_cancelled(status: str) -> Iterator[Finding]:
    """A run that was cancelled must show it."""
    if status != "cancelled":
        message = f"after the cancel, GET returns {f'the status `{status}`' if status else 'no status'}"
        yield Finding("cancel.state", message, "cancelled", status or "no status")


def judge_cancel_shows(answer: Body, shown: Body) -> Iterator[Finding]:
    """A cancel that returns a cancelled interaction must not leave out output; its cost may be counted later."""
    if output_steps(shown) and not output_steps(answer):
        message, actual = "the response to the cancel lacks the output that GET returns", "none"
        expected = format_count(len(output_steps(shown)), "step")
        yield place_finding("cancel.shows-output/steps", message, expected, actual, "$.steps")


def judge_stays(statuses: Sequence[str]) -> Iterator[Finding]:
    """Once it was seen, the status cancelled must stay."""
    first = statuses.index("cancelled") if "cancelled" in statuses else len(statuses)
    for status in statuses[first:]:
        if status and status != "cancelled":
            message = f"the status of a canceled run {_name_change('cancelled', status)}"
            yield Finding("cancel.stays", message, "cancelled", status)


def judge_result_stays(before: Body, after: Body) -> Iterator[Finding]:
    """The output and the cost of a cancelled run must stay as they are."""
    for name in ("steps", "usage"):
        one, other = before.get(name), after.get(name)
        if one != other:
            message = f"`{name}` of a canceled run changed"
            expected, actual = format_value(one), format_value(other)
            yield place_finding(f"cancel.result-stays/{name}", message, expected, actual, f"$.{name}")


def judge_own_output(told: Body, shown: Body) -> Iterator[Finding]:
    """The text in the response to a cancel must be that of the run, as far as either shows it."""
    one, other = (steps_text(output_steps(body)) for body in (told, shown))
    if not one.startswith(other) and not other.startswith(one):
        at = common_length(one, other)
        message = f"the response to a cancel shows another text than GET, from character {at}"
        yield place_finding("bg.grows/text", message, _quote(other, at), _quote(one, at), "$.steps")


def judge_updated(bodies: Iterable[Body]) -> Iterator[Finding]:
    """The time of the last change must not go back from one view of an interaction to the next."""
    times = [(str(body.get("updated")), read_instant(body.get("updated"))) for body in bodies]
    known = [(text, moment) for text, moment in times if moment is not None]
    for (before, earlier), (after, later) in pairwise(known):
        if later < earlier:
            yield place_finding("bg.updated", "`updated` decreased", f"{before} or later", after, "$.updated")


CONSTANT = ("object", "model", "agent", "previous_interaction_id", "created")
"""What an interaction is, whatever happens to it: each view that shows one of these shows the same."""


def judge_constant(known: Body, shown: Body, moments: int = 2) -> Iterator[Finding]:
    """The identity of an interaction must be the same in every view that shows it.

    A server that stamps `created` when the run ends shows another one until then: a lenient reading, unless it
    has shown more `moments`. So is another name of the model, since no source states when a server resolves the
    name of a retired model or of an alias.
    """
    running = not is_settled(str(known.get("status", "completed"))) or not is_settled(str(shown.get("status", "")))
    for name in CONSTANT:
        one, other = known.get(name), shown.get(name)
        if not (isinstance(one, str) and isinstance(other, str) and one):
            continue
        if not _is_same_value(one, other):
            message, severity = f"`{name}` of an interaction changed", Severity.BROKEN
            moves = name == "created" and running and moments > 2
            if name == "model" or (running and name == "created" and not moves):
                severity = Severity.NON_STRICT
            message += " more than once" if moves else ""
            values = format_value(one), format_value(other)
            code = "get.constant/moves" if moves else f"get.constant/{name}"
            yield place_finding(code, message, *values, f"$.{name}", severity)


_FRACTION = re.compile(r"[.,](\d+)")


def _is_same_value(one: str, other: str) -> bool:
    """Whether two texts name one model, or one moment with the precision of the coarser one, or are equal."""
    earlier, later = read_instant(one), read_instant(other)
    if one == other or earlier is None or later is None:
        return one.removeprefix("models/") == other.removeprefix("models/")
    digits = min(len(found[1]) if (found := _FRACTION.search(text)) else 0 for text in (one, other))
    return abs((later - earlier).total_seconds()) < 10.0 ** -min(digits, 6)


def judge_growth(before: Body, after: Body) -> Iterator[Finding]:
    """A run in progress must not take back output that it has shown."""
    shown, later = output_steps(before), output_steps(after)
    text, grown = steps_text(shown), steps_text(later)
    if len(grown) < len(text):
        message = "the text of a run in progress got shorter"
        expected, actual = f"{len(text)} characters or more", format_count(len(grown), "character")
        yield place_finding("bg.grows/text", message, expected, actual, "$.steps")
        return
    if not grown.startswith(text):
        at, place = common_length(text, grown), "$.steps"
        message = f"the text of a run in progress changed, from character {at}"
        yield place_finding("bg.grows/text", message, _quote(text, at), _quote(grown, at), place)
        return
    last = len(shown) - 1
    if shown and last < len(later) and shown[last].get("type") != later[last].get("type"):
        message = "a step changed its type"
        expected, actual = (format_value(step.get("type")) for step in (shown[last], later[last]))
        yield place_finding("bg.grows/step", message, expected, actual, f"$.steps[{last}].type")
        return
    for number, step in enumerate(shown[:-1]):  # the last one may still grow
        if later[number : number + 1] != [step]:
            message = "a step changed that another one follows"
            actual = format_value(later[number]) if number < len(later) else "nothing"
            yield place_finding("bg.grows/step", message, format_value(step), actual, f"$.steps[{number}]")
            return


def judge_same(before: Body, after: Body, fields: Iterable[str]) -> Iterator[Finding]:
    """These fields of two views of a settled interaction must be equal."""
    for name in fields:
        one, other = before.get(name), after.get(name)
        if one != other:
            yield place_finding(
                "get.same", f"`{name}` of a settled interaction changed", format_value(one), format_value(other),
                f"$.{name}",
            )  # fmt: skip


def judge_same_output(code: str, before: Body, after: Body) -> Iterator[Finding]:
    """Two views of an interaction must show the same output, whatever input stands before it."""
    one, other = output_steps(before), output_steps(after)
    if one != other:
        differences = compare_steps(one, other)
        at = f" at {differences[0].pointer}" if differences else ""
        all_steps = [[step for step in objects_in(body.get("steps")) if step.get("type") != "user_input"]
                     for body in (before, after)]  # fmt: skip
        # The output begins after the last input, so of mixed steps any part may be missing.
        is_mixed = bool(differences) and (_are_reordered(one, other) or _are_reordered(*all_steps))
        at = ": the order of its steps" if is_mixed else at
        expected, actual = (
            (differences[0].assembled, differences[0].got)
            if differences
            else (format_value(one), format_value(other))
        )
        (needed, media), (shown, again) = _list_content(one), _list_content(other)
        is_cut = any(whole != cut and whole.startswith(cut) for whole, cut in zip(media, again, strict=False))
        is_kept = code == "get.matches-post" and needed == shown and not is_cut
        message = f"the output differs from that of an earlier response{at}"
        if is_kept and (lost := list(_judge_kept_signatures(f"{code}/signature", one, other))):
            yield from lost
            return
        severity = Severity.NON_STRICT if is_kept else Severity.BROKEN
        if code == "get.matches-post" and not is_kept and is_mixed:
            code = "get.matches-post/order"
        yield place_finding(code, message, expected, actual, "$.steps", severity)


def _judge_kept_signatures(code: str, before: Sequence[Body], after: Sequence[Body]) -> Iterator[Finding]:
    """A signature that a thought was shown with is stored: a client sends it back in a turn that is not stored.

    Another signature may be the same one, newly encrypted. Nothing is claimed where only some thoughts are shown.
    """
    signed, kept = ([step.get("signature") for step in steps if step.get("type") == "thought"]
                    for steps in (before, after))  # fmt: skip
    lost = [number for number, one in enumerate(signed) if one and not any(kept[number : number + 1])]
    if lost and len(kept) in (0, len(signed)):
        message = f"GET lacks the signature with which thought {lost[0]} was shown before"
        yield place_finding(code, message, format_value(signed[lost[0]]), "none", "$.steps")


def _list_content(steps: Sequence[Body]) -> tuple[list[object], list[str]]:
    """The output that a client needs: its text, its calls and the number of media; and the data or URI of each."""
    steps = objects_in([*steps])
    shown = [step.get("content") for step in steps if step.get("type") == "model_output"]
    media = [str(part.get("data") or part.get("uri") or "") for content in shown for part in objects_in(content)]
    media = [*filter(None, media)]
    calls = [(call.get("id"), call.get("name"), call.get("arguments")) for call in pending_calls(steps)]
    return [steps_text(steps), calls, len(media)], media


def judge_unchanged(rule: str, before: Body, after: Body) -> Iterator[Finding]:
    """Status and output must be as they were."""
    one, other = format_value(before.get("status")), format_value(after.get("status"))
    if one != other:
        yield place_finding(f"{rule}/status", "the status changed", one, other, "$.status")
    yield from judge_same_output(f"{rule}/output", before, after)


def judge_streamed_text(streamed: Sequence[Body], body: Body) -> Iterator[Finding]:
    """The text of the steps that a whole stream adds up to must be the text that is stored."""
    shown, stored = steps_text(output_of(streamed)), steps_text(output_steps(body))
    if shown != stored:
        at = common_length(shown, stored)
        message = f"the text of the stream differs from the stored text, from character {at}"
        if shown.startswith(stored):
            message = f"the stored text ends at character {at} of the {len(shown)} that the stream contains"
        elif shown.endswith(stored):
            message = f"the stored text is only the end of the {len(shown)} characters that the stream contains"
        elif stored.startswith(shown):
            message = f"the text of the stream ends at character {at} of the {len(stored)} that are stored"
            if not streamed:
                message = f"the stream has no step of the run, and GET has a text of {len(stored)} characters"
        elif sorted(shown) == sorted(stored):
            message = f"the stream has the stored text in another order, from character {at}"
        if doubled := _find_doubled(shown, stored):
            begin, end = doubled[0]
            message = f"the stream sends text twice: characters {begin} to {end} of the stored text"
            message += f", and {format_count(len(doubled) - 1, 'more part')}" if doubled[1:] else ""
            yield place_finding(
                "stream.text/twice", message, _quote(stored, begin), _quote(shown, begin), "$.steps"
            )
        elif lost_characters(shown, stored):
            message = f"GET shows a replacement in place of a character of the stream, from character {at}"
            yield place_finding("stream.text/stored", message, _quote(shown, at), _quote(stored, at), "$.steps")
        elif lost_characters(stored, shown):
            message = f"the stream cuts characters: it shows a replacement in place of one, from character {at}"
            yield place_finding("stream.text/cut", message, _quote(stored, at), _quote(shown, at), "$.steps")
        else:
            rest, words = iter(stored), iter(stored.split())
            is_part = all(word in words for word in shown.split())  # without some of the stored ones
            is_part |= len(stored) <= 2 * len(shown) and all(character in rest for character in shown)
            lacks = at < len(shown) < len(stored) and is_part
            message = f"the stream lacks a part of the stored text, from character {at}" if lacks else message
            code = "stream.text/lost" if lacks or stored.startswith(shown) else "stream.text"
            yield place_finding(code, message, _quote(stored, at), _quote(shown, at), "$.steps")


_REPLACED = re.compile("[?\ufffd]+")


def lost_characters(shown: str, stored: str) -> bool:
    """Whether `stored` is `shown` with some characters beyond ASCII written as `?` or as U+FFFD."""
    at, kept = 0, _REPLACED.split(stored)
    for number, part in enumerate(kept):
        found = shown.find(part, at) if part else (len(shown) if number == len(kept) - 1 else at + 1)
        lost = shown[at:found]
        if found < 0 or (number == 0 and lost) or any(one < "\x80" and one != "?" for one in lost):
            return False
        at = found + len(part)
    return at == len(shown)


def _find_doubled(shown: str, stored: str) -> list[tuple[int, int]]:
    """The parts of `stored`, from which character to which, that `shown` has twice; none if more differs."""
    found: list[tuple[int, int]] = []
    at = 0
    # Parts after which the search is given up.
    while (surplus := len(shown) - len(stored)) > 0 and len(found) < 500:
        at += common_length(shown[at:], stored[at:])
        # Characters up to which a part is looked for that came twice beside others; one alone may have any length.
        lengths = (surplus, *range(min(at, surplus, 2_000), 0, -1))
        length = next((n for n in lengths if n <= at and shown.startswith(shown[at - n : at], at)), 0)
        if not length:
            return []
        found.append((at - length, at))
        shown = shown[:at] + shown[at + length :]
    return found if shown == stored else []


def judge_streamed_steps(streamed: Sequence[Body], body: Body) -> Iterator[Finding]:
    """The steps that a whole stream adds up to must be the output that is stored; of text, only its places.

    A call or a result that only one of them has is no other form of the same output, nor is a stream without all
    thoughts, nor a step whose content or citations only one of them has or whose id differs; agents may hide some.
    Nor is another value in what a tool was given or has returned.
    """
    stored, may_hide = output_steps(body), bool(body.get("agent"))
    lacking = None if may_hide else _find_lacking_steps(streamed, stored)
    if lacking is not None:
        yield lacking
        return
    if steps_text(output_of(streamed)) != steps_text(stored):
        streamed, stored = without_text(streamed), without_text(stored)
    came, kept = (
        "".join(text_of(step.get("summary")) for step in steps if step.get("type") == "thought")
        for steps in (streamed, stored)
    )
    if not may_hide and came != kept and (doubled := _find_doubled(came, kept)):
        words = (_quote(kept, doubled[0][0]), _quote(came, doubled[0][0]))
        yield Finding.from_code(
            "stream.equals-get/twice", "the stream sends the summary of a thought twice", *words
        )
        return
    differences = compare_steps(streamed, stored)
    if differences and not may_hide and _are_reordered(streamed, stored):
        kinds = (format_value([step.get("type") for step in steps]) for steps in (streamed, stored))
        message = "GET shows the steps of the stream in another order"
        yield Finding.from_code("stream.equals-get/order", message, *kinds)
        return
    for difference in differences:
        words = (difference.got, difference.assembled)
        if {"absent", "''"}.intersection(words) and _CONTENT.fullmatch(difference.pointer) and not may_hide:
            fewer, more = _PLACES if difference.assembled == "absent" else _PLACES[::-1]
            message = f"{fewer} lacks {difference.pointer}, which {more} shows"
            yield Finding.from_code("stream.equals-get/lost", message, *words)
        elif _IDENTITY.fullmatch(difference.pointer) and not may_hide:
            message = f"a step has another id in the stream than in GET, at {difference.pointer}"
            yield Finding.from_code("stream.equals-get/id", message, *words)
        elif (_TOOL_DATA.match(difference.pointer) or "True" in words) and not may_hide:
            message = f"a tool step has other data in the stream than in GET, at {difference.pointer}"
            yield Finding.from_code("stream.equals-get/data", message, *words)
        else:
            message = f"stream and GET differ at {difference.pointer}"
            yield Finding("stream.equals-get", message, *words, severity=Severity.NON_STRICT)


def _are_reordered(these: Sequence[Body], those: Sequence[Body]) -> bool:
    """Whether two lists that differ have the same steps in another order."""
    left = [*those]
    for step in these:
        same = [number for number, one in enumerate(left) if not compare_steps([step], [one])]
        if not same:
            return False
        del left[same[0]]
    return not left


def _find_lacking_steps(streamed: Sequence[Body], stored: Sequence[Body]) -> Finding | None:
    """That only one of the two has a call, a result, or any thought."""
    came, kept = (Counter(str(step.get("type")) for step in steps) for steps in (streamed, stored))
    lost, surplus = ({kind for kind in more - fewer if kind.endswith(_ENDS_OF_TOOLS)}
                     for more, fewer in ((kept, came), (came, kept)))  # fmt: skip
    if "thought" not in came and any(step.get("type") == "thought" and step.get("signature") for step in stored):
        lost.add("thought")
    if not lost and not surplus:
        return None
    fewer, more = _PLACES if lost else _PLACES[::-1]
    missing = ", ".join(sorted(lost or surplus))
    return Finding.from_code("stream.equals-get/steps", f"{fewer} lacks a step that {more} shows", missing, "none")


_PLACES = ("the stream", "GET")

_IDENTITY = re.compile(r"\$\.steps\[\d+\]\.(id|call_id)( from character \d+)?")
"""The ids by which a call and its result find each other."""

_CONTENT = re.compile(
    r"\$\.steps\[\d+\]\."
    r"((summary|content\[\d+\]\.annotations)(\[\d+\](\.url( from character 0)?)?)?|(arguments|result)\b.*)"
)
"""The members of a step, or the parts of one, that a reader of the stream has no other source of."""

_TOOL_DATA = re.compile(r"\$\.steps\[\d+\]\.(arguments|result)\b")
"""The values that a tool was given, or has returned."""


_ENDS_OF_TOOLS = ("_call", "_result")
"""How the types of steps end that a tool brings."""


def judge_call_ids(calls: Sequence[Body], earlier: Iterable[Body] = (), mode: str = "") -> Iterator[Finding]:
    """The calls of one answer have different ids, and `earlier` steps of the conversation have others.

    The SDK documents `FunctionCallStep.id` as unique for a call, and clients drop a result whose id they know.
    """
    ids = [str(call.get("id")) for call in calls]
    if len(set(ids)) < len(ids):
        yield Finding(
            "tool.ids-unique", f"two calls share an id{mode}", format_count(len(ids), "id"), ", ".join(ids)
        )
    known = {str(call["id"]) for call in earlier if call.get("type") == "function_call" and call.get("id")}
    if again := next((one for one in ids if one in known), ""):
        message = "a call has the id of a call of an earlier turn"
        yield Finding.from_code("tool.ids-unique/turns", message, "an id of its own", format_value(again))


def judge_streamed_calls(streamed: Iterable[Body], body: Body) -> Iterator[Finding]:
    """The name and the arguments of a call in a whole stream must be those that are stored, under the same id."""
    kept = {str(call["id"]): call for call in pending_calls(output_steps(body)) if call.get("id")}
    for call in streamed:
        stored = kept.get(str(call.get("id")), {}) if call.get("type") == "function_call" else {}
        for name, kind in (("name", str), ("arguments", dict)):
            came, wanted = call.get(name), stored.get(name)
            if isinstance(wanted, kind) and wanted != came:  # else `tool.call-fields` reports the stored call
                less = [pair for pair in came.items() if pair[0] not in wanted] if isinstance(came, dict) else []
                more = f": GET lacks `{less[0][0]}`, which is {format_value(less[0][1])}" if less else ""
                message = f"a streamed call has other {name} than the stored one{more}"
                code = f"tool.stream-call/{name}"
                yield Finding.from_code(code, message, format_value(wanted), format_value(came))


def judge_streamed_signatures(streamed: Sequence[Body], body: Body) -> Iterator[Finding]:
    """A thought of a whole stream has all of the signature that GET returns, and GET has one if the stream has."""
    thoughts, stored = ([step for step in steps if step.get("type") == "thought"]
                        for steps in (streamed, output_steps(body)))  # fmt: skip
    for number, (came, kept) in enumerate(zip(thoughts, stored, strict=False)):
        whole, part = kept.get("signature"), came.get("signature")
        cut = more = False
        if isinstance(whole, str) and isinstance(part, str) and part != whole:
            cut, more = whole.startswith(part), part.startswith(whole)
        if whole and (cut or more or not part):
            lack = "more than that" if more else "only its beginning" if cut and part else "none"
            message = f"thought {number} has a signature in GET, and {lack} in the stream"
            words = (message, format_value(kept["signature"]), format_value(came.get("signature")))
            yield Finding("stream.signature", *words)
            return
    if not body.get("agent"):  # an agent may hide some
        yield from _judge_kept_signatures("stream.signature/stored", thoughts, stored)
    # the signature of a tool's step must not come twice; none at all is accepted (API news, MCP live)
    signed = {_name_step(step): step.get("signature") for step in output_steps(body)}
    for step in streamed:
        sent, once = step.get("signature"), signed.get(_name_step(step))
        if once and isinstance(once, str) and sent == once * 2:
            message = f"the stream sends the signature of a {step.get('type')} twice"
            yield Finding.from_code("stream.signature/twice", message, format_value(once), format_value(sent))
            return


def _name_step(step: Body) -> tuple[str, ...]:
    return tuple(str(step.get(name)) for name in ("type", "id", "call_id"))


def judge_streamed_end(end: Body, body: Body) -> Iterator[Finding]:
    """Status and cost in the completion of a whole stream must be those that are stored, if both have them."""
    if str(end.get("status")) in SETTLED and str(body.get("status")) in RUNNING:
        message = "the stream has completed, and GET shows a run that has not"
        expected, actual = format_value(end["status"]), format_value(body["status"])
        yield place_finding("stream.end-matches-get/unsettled", message, expected, actual, "$.status")
        return
    for name in ("status", "usage"):
        streamed, stored = end.get(name), body.get(name)
        unlisted = name == "status" and str(stored) not in STATUSES  # which is a finding of its own
        if streamed and stored and streamed != stored and not unlisted:
            message = f"the stream ends with another `{name}` than GET shows"
            expected, actual = format_value(stored), format_value(streamed)
            place = f"$.interaction.{name}"
            yield place_finding(f"stream.end-matches-get/{name}", message, expected, actual, place)


def judge_same_usage(created: Body, shown: Body) -> Iterator[Finding]:
    """The token counts that GET shows must be those that the create brought, where both bring some."""
    if created.get("usage") and shown.get("usage") and created["usage"] != shown["usage"]:
        expected, actual = format_value(created["usage"]), format_value(shown["usage"])
        message = "GET and POST return different token counts"
        yield place_finding("get.usage", message, expected, actual, "$.usage")


def _quote(text: str, at: int) -> str:
    return format_value(shorten(text[max(0, at - 8) : at + 60], 60)) if text[at:] else "the end of the text"


def judge_result(body: Body, rule: str = "bg.result", *, known: Body | None = None) -> Iterator[Finding]:
    """A completed run must hold output; output of other kinds than text is a lenient reading.

    `known` is what an earlier GET of the completed run returned.
    """
    kinds = [step.get("type") for step in output_steps(body)]
    if "model_output" not in kinds:
        severity = Severity.NON_STRICT if set(kinds) - {"thought"} else Severity.BROKEN
        if known is not None and not next(judge_result(known), None):
            message = "a later GET of a completed run no longer returns its output"
            expected = "the output that the GET before it returned"
            yield place_finding(f"{rule}/lost", message, expected, format_value(kinds), "$.steps")
            return
        message = "a completed run has no output"
        yield place_finding(rule, message, "a model_output step", format_value(kinds), "$.steps", severity)


_FILE = re.compile(r'"type": ?"(audio|document|image|video)"')


def judge_own_input(sent: object, given: Sequence[Body], place: str = "$.steps") -> Iterator[Finding]:
    """The input that a GET shows (`list_given`) must be that of the client: each text, each result of a function.

    A server may show more, no input at all, or the same in another form. Nothing is claimed of texts that it may
    have to write otherwise, such as control characters, nor of what is not text.
    """
    shown = "".join(_list_texts([*given], lenient=True))
    for text in _list_texts(sent) if any(step.get("content") for step in given) else ():
        if text != shown and _squeeze(text) not in _squeeze(shown):
            at = common_length(text, shown)
            message = "the input that GET shows is not that of the create"
            message += f": it ends at character {at} of {len(text)}" if 0 < at == len(shown) else ""
            yield place_finding("get.own-input/text", message, _quote(text, at), _quote(shown, at), place)
            return
    asked, shown_results = ([step for step in steps if step.get("type") == "function_result"]
                            for steps in (objects_in(sent), given))  # fmt: skip
    files, shown_files = (_FILE.findall(write_sorted(one)) for one in (sent, [*given]))
    # The output of a model, which is sent as history, may have files, too, and is not shown as input.
    is_input = all(step.get("type") != "model_output" for step in objects_in(sent))
    if len(shown_files) < len(files) and is_input and any(step.get("content") for step in given):
        message = f"GET shows the input of the create without its {', '.join(sorted({*files} - {*shown_files}))}"
        words = message, str(files), str(shown_files), place  # no source shows such a GET
        yield place_finding("get.own-input/files", *words, Severity.NON_STRICT)
    ids = [str(step.get("call_id")) for step in shown_results]
    for number, step in enumerate(asked):
        name = str(step.get("call_id"))
        # Calls that share an id (`tool.ids-unique`) are told apart by the order of their results.
        same = [place for place, found in enumerate(ids) if found == name]
        earlier = sum(str(other.get("call_id")) == name for other in asked[:number])
        own = shown_results[same[earlier]] if earlier < len(same) else None
        if not same and {str(other.get("call_id")) for other in asked}.intersection(ids):
            message = "GET shows only some of the function results of the create"
            yield place_finding("get.own-input/result", message, f"the result of {name!r}, too", "none", "$.steps")
        if own is None or own.get("result") is None:
            continue
        kept = _squeeze("".join(_list_leaves(own["result"])))  # in whatever form
        leaves = _list_leaves(step.get("result"))
        lost = any(leaf.isprintable() and _squeeze(leaf) not in kept for leaf in leaves)
        numbers = [(key, str(one)) for key, one in as_object(step.get("result")).items() if isinstance(one, float)]
        lost = lost or any(as_object(own["result"]).get(key) == number for key, number in numbers)
        # An object as its language prints it, such as `{a=1}`, can no longer be read as one.
        text = own["result"] if isinstance(own["result"], str) and isinstance(step.get("result"), dict) else ""
        lost = lost or (text.startswith("{") and bool(loads(text.encode()).fault))
        names = step.get("name"), own.get("name")
        if lost or (all(names) and names[0] != names[1]):
            message = "the function result that GET shows is not that of the create"
            expected, actual = (
                format_value({name: one.get(name) for name in ("name", "result")}) for one in (step, own)
            )
            yield place_finding("get.own-input/result", message, expected, actual, "$.steps")
        elif step.get("is_error") is True and not own.get("is_error"):
            message = "GET shows a function result of the create without its `is_error`"
            actual = format_value(own.get("is_error"))
            yield place_finding("get.own-input/error", message, "true", actual, "$.steps", Severity.NON_STRICT)


def list_given(body: Body) -> list[dict[str, Any]]:
    """The steps of an interaction that show what its client sent; an `input` beside them is one, too."""
    steps = [{"type": USER_INPUT, "content": body.get("input")}, *steps_of(body)]
    given = [step for step in steps if step.get("type") in (USER_INPUT, "function_result")]
    return [step for step in given if step.get("content") or step.get("result") is not None]


def _list_texts(value: object, *, lenient: bool = False) -> list[str]:
    """The texts of an input, in every form that an input has; the ordinary ones, or all."""
    if isinstance(value, str):
        return [value] if lenient or value.isprintable() or _squeeze(value).isprintable() else []
    if isinstance(value, list):
        return [text for part in value for text in _list_texts(part, lenient=lenient) if isinstance(part, dict)]
    kind = as_object(value).get("type")
    part = as_object(value).get("text" if kind == "text" else "content") if kind in ("text", USER_INPUT) else None
    return _list_texts(part, lenient=lenient) if isinstance(part, str | list) else []


def _list_leaves(value: object) -> list[str]:
    """The texts and numbers in a JSON value, types of its parts left out."""
    if isinstance(value, Mapping):
        return [leaf for name, part in value.items() if name != "type" for leaf in _list_leaves(part)]
    if isinstance(value, list):
        return [leaf for part in value for leaf in _list_leaves(part)]
    return [] if value is None else [str(value)]


def _squeeze(text: str) -> str:
    """A text without white space, in the one form of its letters."""
    return unicodedata.normalize("NFC", "".join(text.split()))


def judge_call_fields(steps: Iterable[Body]) -> Iterator[Finding]:
    """A function call must have what a client needs to run the function and to return its result."""
    for number, step in enumerate(steps):
        for name, kind, expected in _CALL_FIELDS if step.get("type") == "function_call" else ():
            value = step.get(name)
            if not isinstance(value, kind) or (kind is str and not value):
                message = f"a function call has no usable `{name}`"
                place = f"$.steps[{number}].{name}"
                yield place_finding("tool.call-fields", message, expected, format_value(value), place)


_CALL_FIELDS = (("id", str, "a string"), ("name", str, "a string"), ("arguments", dict, "an object"))


def judge_declared(request: Body, steps: Sequence[Body]) -> Iterator[Finding]:
    """The client must have declared each function that it is asked to run, or have returned it in a search result.

    Nothing is claimed of agents, which have functions of their own, nor of tools whose calls have names of theirs.
    """
    tools = objects_in(request.get("tools"))
    if "model" not in request or any(tool.get("type") != "function" for tool in tools):
        return
    found = [one for step in objects_in(request.get("input")) for one in objects_in(step.get("result"))]
    declared = [tool.get("name") for tool in (*tools, *found) if tool.get("type") == "function"]
    for call in pending_calls(steps):
        if call.get("name") not in [*declared, None, ""]:  # one without a name breaks `tool.call-fields`
            message, expected = "a function is called that the create did not declare", format_value(declared)
            yield Finding("tool.declared", message, expected, format_value(call.get("name")))
            return


def judge_forced(body: Body) -> Iterator[Finding]:
    """A create that demands a function call must get one. A model may fail once, and a scripted one always."""
    kinds = [step.get("type") for step in output_steps(body)]
    if "function_call" not in kinds:
        message, wanted = "no function was called, although `tool_choice` is `any`", "a function_call step"
        yield Finding("tool.choice-any", message, wanted, format_value(kinds), severity=Severity.NON_STRICT)


def judge_cut_short(body: Body) -> Iterator[Finding]:
    """A run that had a limit of tokens, and is completed without any output, was cut before its output began."""
    kinds = [step.get("type") for step in output_steps(body)]
    if not set(kinds) - {"thought"}:
        message = "a run that its limit of tokens cut is shown as `completed`"
        actual = f"completed, steps: {format_value(kinds)}"
        yield place_finding("create.cut-short", message, "incomplete", actual, "$.status")


def judge_completed_early(before: Body, after: Body) -> Iterator[Finding]:
    """A run must not be shown as completed before its output is there; both views show it so."""
    shown, later = output_steps(before), output_steps(after)
    text, whole = steps_text(shown), steps_text(later)
    if len(later) >= len(shown) and len(whole) > len(text) and whole.startswith(text):
        expected = f"{format_count(len(whole), 'character')} of output, as a later GET returns"
        actual = format_count(len(text), "character")
        message = "GET shows a run as `completed` before its output is stored"
        yield place_finding("bg.result/late", message, expected, actual, "$.steps")


def judge_cancelled_end(events: Events) -> Iterator[Finding]:
    """The stream of a cancelled run must end with a completion of that status, or with an error.

    Any end is one: a client that waits for the final event does not hang. Only a stream that stays open is worse.
    """
    if any(event.get("event_type") == ERROR_EVENT for event in events):
        return
    ends = [event.get("interaction") for event in events if event.get("event_type") == COMPLETED_EVENT]
    if not ends:
        message = "the stream ends without a final event"
        words = (message, "interaction.completed", "none")
        yield Finding.from_code("cancel.stream-ends/silent", *words, severity=Severity.NON_STRICT)
        return
    status = as_object(ends[-1]).get("status")
    if status != "cancelled":
        message = "the final event of a canceled run has another status"
        words = (message, "cancelled", format_value(status))
        yield Finding.from_code("cancel.stream-ends/otherwise", *words, severity=Severity.NON_STRICT)


def pending_calls(steps: Iterable[Any]) -> list[dict[str, Any]]:
    """The function calls among steps of any shape that no result among them answers."""
    return transcript.pending_calls(objects_in([*steps]))


def judge_waiting(rule: str, status: object, steps: Iterable[Body]) -> Iterator[Finding]:
    """A run whose call is pending reports it, unless it did not end in order; schemas judge a missing status."""
    if isinstance(status, str) and status not in {*CUT_SHORT, "requires_action"} and pending_calls(steps):
        message, shown = "a function call is pending under another status", format_value(status)
        yield place_finding(f"{rule}/pending", message, "requires_action", shown, "$.status")


def judge_echo(parent: str, children: Iterable[Body]) -> Iterator[Finding]:
    """One of the views of a child must name its parent."""
    named = [child.get("previous_interaction_id") for child in children]
    if parent not in named:
        shown = ", ".join(dict.fromkeys(map(format_value, named)))
        yield Finding("chain.echo", "the response does not name the parent", parent, shown)


def judge_own_steps(parent: Body, child: Body) -> Iterator[Finding]:
    """The answer that creates a child must neither repeat the steps of its parent nor begin with input."""
    inherited, own = output_steps(parent), steps_of(child)
    # Any run may begin with the same thought or an empty output: these alone do not show whose they are.
    outputs = [step for step in inherited if step.get("type") != "thought"]
    telling = any(value for step in outputs for name, value in step.items() if name != "type")
    if telling and len(own) > len(inherited) and own[: len(inherited)] == inherited:
        message, actual = "the response begins with the steps of the parent", format_count(len(own), "step")
        yield Finding.from_code("chain.own-steps/repeated", message, "new output only", actual)
    if own and own[0].get("type") == "user_input":
        message = "the response begins with input"
        yield Finding.from_code("chain.own-steps/input", message, "output steps", "user_input")
