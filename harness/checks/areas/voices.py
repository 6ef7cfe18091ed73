"""Checks of voices: the life of a prompted voice, and lists by type. Nothing is spoken.

Creates two voices and deletes them.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.vocabulary import resources
from harness.checks.vocabulary.expect import finding, lenient_finding
from harness.checks.vocabulary.runs import id_of
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.check import Exchanges, Part, Send, Steps, exercise, stop_exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange
from harness.wire.message import segment

PREBUILT = "prebuilt"
VOICE = {"type": "prompted", "prompted": {"input": "A calm voice, slightly rough."}}


@exercise(requests=13)
def a_prompted_voice(t: RequestBuilder) -> Steps:
    """Ask for a voice that is not stored, then for one that is; read and list it, beside others, and delete it."""
    seen: Exchanges = {"unstored": (yield Send(t.request("POST", "voices", {"voice": VOICE, "store": False})))}
    body = {"voice": VOICE, "store": True}
    seen["made"] = yield Send(t.request("POST", "voices", body))
    stray = id_of(seen["unstored"])
    if stray:
        yield Send(t.request("DELETE", f"voices/{segment(stray)}"))
    found = id_of(seen["made"])
    if not found:
        return stop_exercise(seen, f"the target created no voice: {format_answer(seen['made'])}")
    path = f"voices/{segment(found)}"
    seen |= yield from resources.read_and_list(t, path)
    seen |= yield from resources.page_beside(t, "voices", found, body, type="prompted")
    seen |= yield from _list_by_type(t)
    return {**seen, **(yield from resources.delete_and_read(t, path, *seen["beside"], listed=seen["listed"]))}


def _list_by_type(t: RequestBuilder) -> Part[Exchanges]:
    """List voices of another type, two a page, and go on with the token in a list of the own type."""
    typed: Exchange = yield Send(t.request("GET", "voices", query={"type": PREBUILT, "page_size": 2}))
    token = resources.next_token(typed) if typed.succeeded else ""
    if not token:
        return stop_exercise({"typed": typed}, "the list of voices has a single page")
    other = {"type": "prompted", "page_token": token}
    return {"typed": typed, "crossed": (yield Send(t.request("GET", "voices", query=other)))}


def are_of_the_type(typed: Exchange) -> Iterator[Finding]:
    kinds = [voice.get("type") for voice in resources.entries(typed, "voices")]
    if not kinds:
        raise Unmet("the list has no voice")
    for kind in kinds:
        if kind != PREBUILT:
            yield finding("the list has a voice of another type", PREBUILT, format_value(kind))


can_be_managed = resources.judge_lives("voices", {"type": "prompted"})


def begin_with_the_newest(paged: list[Exchange], expected: list[str], listed: Exchange) -> Iterator[Finding]:
    yield from resources.each_once(paged, "voices", expected, whole=listed)
    shown = [one for one in resources.ids(paged, "voices") if one in expected]
    if shown == expected:
        yield lenient_finding("the list begins with the oldest voice", ", ".join(expected[::-1]), ", ".join(shown))
