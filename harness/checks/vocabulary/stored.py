"""Stored interactions from create to after delete: the exercises that most core checks share.

Layer 2. Each create costs one short answer of the model; everything else here uses no tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.checks.vocabulary.polling import id_of, look_later, poll_until_found, poll_until_gone
from harness.contract.judge.wording import format_answer, format_request
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise
from harness.wire import Exchange
from harness.wire.message import segment

HELLO = "Say hi."
UNKNOWN_ID = "v1_aGFybmVzcy11bmtub3duLWludGVyYWN0aW9u"
"""Has the form of the ids in the public recordings, but names no interaction."""

WRONG_KEY = "harness-wrong-key"


_RESTORED_AFTER = 0.8
"""Seconds after which a deleted interaction is looked at again: a copy or a cache may bring it back."""


@exercise(requests=13, interactions=1)
def a_stored_interaction(t: RequestBuilder) -> Steps:
    """Create, read in every way, delete, and request it again; `answers` holds all exchanges in order.

    `reads` are the first reads, repeated while they are answered 404; `got` is the last of them.
    """
    seen: Exchanges = {"created": (yield Send(t.create(input=HELLO)))}
    found = id_of(seen["created"])
    if not found:
        reason = f"{format_request(seen['created'])} returned no id: {format_answer(seen['created'])}"
        return stop_exercise({**seen, "answers": all_of(seen)}, reason)
    seen["reads"] = yield from poll_until_found(t, found)
    seen["again"] = yield Send(t.get(found))
    seen["with_input"] = yield Send(t.get(found, include_input=True))
    # as the SDK reads
    asked = t.request(
        "GET",
        f"interactions/{segment(found)}",
        query={"stream": False},
        headers=[("accept", "application/json")],
    )
    seen["unstreamed"] = yield Send(asked)
    seen["with_cursor"] = yield Send(t.get(found, last_event_id="harness-cursor"))
    seen["odd_query"] = yield Send(t.get(found, harness_unknown="1"))
    seen["deleted"] = yield Send(t.delete(found))
    seen["gone"] = yield from poll_until_gone(t, found)
    seen["gone_stream"] = yield Send(t.get(found, stream=True))
    seen["deleted_again"] = yield Send(t.delete(found))
    seen["chained"] = yield Send(t.create(input=HELLO, previous_interaction_id=found))
    seen["later"] = yield from look_later(t, found, _RESTORED_AFTER)
    return {**seen, "got": seen["reads"][-1], "answers": all_of(seen)}


@exercise(requests=5, interactions=3)
def several_interactions(t: RequestBuilder) -> Steps:
    """Create two, delete the first, create a third, read the second; `creates` holds all answers to creates."""
    seen: Exchanges = {"first": (yield Send(t.create(input=HELLO))), "second": (yield Send(t.create(input=HELLO)))}
    seen["creates"] = [seen["first"], seen["second"]]
    one, other = id_of(seen["first"]), id_of(seen["second"])
    if not one or not other:
        return stop_exercise(seen, "a create returned no id to delete or read")
    seen["deleted"] = yield Send(t.delete(one))
    seen["third"] = yield Send(t.create(input=HELLO))
    seen["creates"].append(seen["third"])
    seen["other"] = (yield from poll_until_found(t, other))[-1]
    return seen


def all_of(seen: Mapping[str, Any]) -> list[Exchange]:
    """Return every exchange among an exercise's results, in the order in which they were made."""
    found: list[Exchange] = []
    for value in seen.values():
        several: Iterable[Any] = value if isinstance(value, list) else (value,)
        found += [one for one in several if isinstance(one, Exchange)]
    return found
