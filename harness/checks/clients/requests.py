"""What the requests of a client say of the interactions that it makes, and of the calls that it answers.

Layer 2, pure; never raises on odd input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from harness.contract import Contract
from harness.contract.data.assembly import assemble_steps
from harness.contract.data.json_parse import as_object, objects_in
from harness.contract.data.transcript import count_transcript
from harness.contract.runs import status_of
from harness.kit.client_model import SERVER_CALL, STOPPED, SWAPPED, Defect, Event
from harness.outcome.words import format_count
from harness.wire import Request
from harness.wire.json_value import object_or_none

_RECOGNIZED = 6


def find_previous(create: Request) -> str | None:
    """What a create goes on from; None if it begins a conversation.

    That is the interaction it names as its previous turn or, where it sends the earlier turns along, their number
    of steps in words: a client may keep the conversation itself.
    """
    body = object_or_none(create.body) or {}
    named, given = body.get("previous_interaction_id"), body.get("input")
    if isinstance(named, str):
        return named
    steps = count_transcript(given)
    return f"a transcript of {format_count(steps, 'step')}" if steps else None


def find_input(create: Request) -> str:
    """The input of a create, as JSON."""
    return json.dumps(_read_input(create), sort_keys=True)


def goes_on(create: Request) -> bool:
    """Whether a create continues an interaction that stopped with a continuation token."""
    return b"continuation_token" in create.body


def find_id(answer: Mapping[str, Any]) -> str | None:
    """The id of the interaction in the answer to a create."""
    found = answer.get("id")
    return found if isinstance(found, str) else None


def find_error(answer: Mapping[str, Any]) -> str:
    """The message of a refusal; "" if it has none."""
    error = answer.get("error")
    return str(as_object(error).get("message") or "")


def judge_calls(
    exchanges: Sequence[tuple[Request, Sequence[Event], Mapping[str, Any]]], contract: Contract
) -> Defect | None:
    """What is wrong with the results that a client returned for the calls of the model; None if nothing.

    A result that holds the arguments of another call, and not those of its own, is a swapped one.
    """
    places: dict[str, set[str]] = {}
    made: list[Mapping[str, Any]] = []
    last = ""
    for request, events, answer in exchanges:
        if request.method == "POST":
            if taken := find_server_call(given := _read_input(request), made, contract):
                return Defect(SERVER_CALL, taken)
            if wrong := _find_swapped(_read_results(given), places):
                return Defect(SWAPPED, wrong)
        steps = assemble_steps(events, contract) if events else answer.get("steps")
        for step in objects_in(steps):
            made.append(step)
            if step.get("type") == "function_call":
                places[str(step.get("id"))] = _list_texts(step.get("arguments"))
        reported = [found[1] for told in (*events, answer) if (found := status_of(told)) is not None]
        last = reported[-1] if reported else last
    if last != "requires_action":
        return None
    return Defect(
        STOPPED,
        "reports success, although the last interaction requires action: return results until the model stops "
        "calling",
    )


def find_server_call(given: Any, steps: Sequence[Mapping[str, Any]], contract: Contract) -> str:
    """How an input has a result for a call in `steps` that the service executes itself; "" if it has none.

    A client that sends the whole conversation again sends such calls with the results that the service made.
    """
    own = {f"{tool}_call" for tool in contract.steps_table.server_tools}
    kinds = {str(step.get("id")): str(step.get("type")) for step in steps if step.get("type") in own}
    if not kinds:
        return ""
    sent = objects_in(given)
    resent = {str(step.get("id")) for step in sent if step.get("type") in own}
    for step in sent:
        call, kind = str(step.get("call_id")), str(step.get("type"))
        if call in kinds and kind.endswith("_result") and (kind == "function_result" or call not in resent):
            return (
                f"sent a {kind} for the call {call!r}, which the service executes itself ({kinds[call]}): return "
                "results for function_call steps only"
            )
    return ""


def find_exchanged(given: Any, calls: Sequence[Mapping[str, Any]]) -> str:
    """How an input returns the results of two calls of one function for each other; "" if it does not.

    Both have to be out of place, and say so in words: a train that leaves Rome may well arrive in Paris. Whether
    results are meant so, as those of a trip there and back, only the author of the functions knows.
    """
    results = {call: _list_words(result) for call, result in _read_results(given).items()}
    made = [call for call in calls if str(call.get("id")) in results]
    for one, other in combinations(made, 2):
        if one.get("name") != other.get("name"):
            continue
        first, second = str(one.get("id")), str(other.get("id"))
        of_first, of_second = _list_asked(one) - _list_asked(other), _list_asked(other) - _list_asked(one)
        in_place = of_first & results[first] or of_second & results[second]
        if of_second & results[first] and of_first & results[second] and not in_place:
            return _describe_exchange(first, second)
    return ""


def _list_asked(call: Mapping[str, Any]) -> set[str]:
    return _list_words(json.dumps(call.get("arguments"), ensure_ascii=False))


def _list_words(text: str) -> set[str]:
    """The words in a text that are no numbers, and long enough to be the name of something."""
    return set(re.findall(r"[^\W\d_]{3,}", text.casefold()))


def _describe_exchange(call: str, other: str) -> str:
    return (
        f"returned the result of the call {other!r} as that of {call!r}: match results with calls by `call_id`, "
        "not by their order"
    )


def _read_input(create: Request) -> Any:
    return (object_or_none(create.body) or {}).get("input")


def _read_results(given: Any) -> dict[str, str]:
    """The results in the input of a create as JSON, by the ids of their calls."""
    return {
        str(step.get("call_id")): json.dumps(step.get("result"), ensure_ascii=False)
        for step in objects_in(given)
        if step.get("type") == "function_result"
    }


def _list_texts(arguments: object) -> set[str]:
    """The texts in the arguments of a call that are long enough to be recognized in a result."""
    values = as_object(arguments).values()
    return {value for value in values if isinstance(value, str) and len(value) >= _RECOGNIZED}


def _find_swapped(results: Mapping[str, str], places: Mapping[str, set[str]]) -> str:
    """How one of the results belongs to another call; "" if none does."""
    for call, result in results.items():
        own = places.get(call, set())
        if not own or any(text in result for text in own):
            continue
        for other in results:
            if (theirs := places.get(other, set())) and theirs != own and all(text in result for text in theirs):
                return _describe_exchange(call, other)
    return ""
