"""The modes of a create: one body, sent in each of them, and the interaction with which each ends.

A rule about the response to a create is asked in every mode with one judge. The requests of the modes are sent in
order, background runs first, so that these go on meanwhile. A mode that the target refuses, or whose run does not
end, has no interaction, and nothing is claimed of it. A server that keeps the rule is asked in the few modes in
which all others meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from harness.checks.vocabulary.expect import at, expect_reply, object_in
from harness.checks.vocabulary.runs import id_of, poll_for, read_whole_stream, status_of, watch_run
from harness.checks.vocabulary.streams import completion, events_in, is_empty_stream
from harness.contract import read
from harness.contract.judge.answer import SUCCESS, has_error
from harness.contract.requests import RequestBuilder
from harness.kit.check import Exchanges, Part, Send, play_each, send, send_each
from harness.outcome import Finding
from harness.wire import Exchange

PLAIN = "plain"
STREAMED = "in a stream"
IN_BACKGROUND = "in the background"
STREAMED_IN_BACKGROUND = "in the stream of a background run"
UNSTORED = "with `store=false`"
IN_A_CHAIN = "in a chain"
IN_A_STREAMED_CHAIN = "in a streamed turn of a chain"
IN_ALL_AT_ONCE = "in the stream of a background turn of a chain"

_FIELDS: Mapping[str, tuple[str, ...]] = {
    STREAMED: ("stream",),
    IN_BACKGROUND: ("background",),
    STREAMED_IN_BACKGROUND: ("background", "stream"),
    UNSTORED: ("store",),
    IN_A_CHAIN: ("chain",),
    IN_A_STREAMED_CHAIN: ("chain", "stream"),
    IN_ALL_AT_ONCE: ("chain", "background", "stream"),
}
"""What each mode adds to a plain create: its fields by the capabilities that they need."""

MODES = ("background", "chain", "stream")
"""The capabilities on which the modes depend: what an exercise `uses` that sends them."""

ALONE = frozenset({STREAMED, IN_BACKGROUND})
"""Two modes that have nothing in common, for a body that is sent in several forms."""

OF_A_TURN = ALONE | {STREAMED_IN_BACKGROUND}
"""The modes of a create that has its parent in its body, or needs none."""

CHAINED = frozenset(mode for mode, names in _FIELDS.items() if "chain" in names)
"""The modes whose turn has a parent, and so reads the turns before it."""

STREAMS = frozenset(mode for mode, names in _FIELDS.items() if "stream" in names)
_POLLED = frozenset(mode for mode, names in _FIELDS.items() if "background" in names) - STREAMS


def create_in(
    t: RequestBuilder, body: Mapping[str, Any], modes: Iterable[str], *, parent: str = ""
) -> Part[Exchanges]:
    """The last response to a create in each of these modes that the target offers, by mode.

    Those of a chain continue the `parent`; without one they are left out.
    """
    sent = {mode: t.create({**body, **fields}) for mode, fields in _list_offered(t, modes, parent).items()}
    begun = yield from send_each(**{mode: create for mode, create in sent.items() if mode in _POLLED})
    streamed = {mode: create for mode, create in sent.items() if mode in STREAMS}
    parts = {mode: send(create) for mode, create in sent.items() if mode not in begun | streamed}
    for mode, create in streamed.items():
        parts[mode] = watch_run(t, create) if "background" in _FIELDS[mode] else read_whole_stream(create)
    answers = dict(zip(parts, (yield from play_each(parts.values())), strict=True))
    polled = {mode: poll_for(t, found, t.wait) for mode, answer in begun.items() if (found := id_of(answer))}
    polls = yield from play_each(polled.values())
    answers |= begun | {mode: seen[-1] for mode, seen in zip(polled, polls, strict=True)}
    return {mode: answers[mode] for mode in sent}


def _list_offered(t: RequestBuilder, modes: Iterable[str], parent: str) -> dict[str, dict[str, Any]]:
    """Those of the modes that the target offers, each with the fields that it adds to a create."""
    fields: dict[str, tuple[str, Any]] = {
        name: (name, True) for name in ("stream", "background") if name in t.capabilities
    }
    fields |= {"store": ("store", False)} if t.keeps else {}
    fields |= {"chain": ("previous_interaction_id", parent)} if parent and "chain" in t.capabilities else {}
    asked = frozenset(modes)
    return {
        mode: dict(fields[name] for name in names)
        for mode, names in _FIELDS.items()
        if mode in asked and fields.keys() >= {*names}
    }


def repeat_in_each_mode(
    t: RequestBuilder,
    body: Mapping[str, Any],
    plain: Exchange,
    modes: Iterable[str] = _FIELDS,
    *,
    parent: str = "",
    fits: Callable[[Mapping[str, Any]], bool] = lambda end: True,
) -> Part[Exchanges]:
    """Send a body in the modes in which most others meet, if its `plain` create was accepted.

    What is lost in a mode is lost wherever it meets others. Only if one of these is refused, does not end, or ends
    in what does not fit, its parts are asked, too, so that a finding names the mode alone. A server may refuse
    what meets others: that is left out then. Without a `parent`, a chain continues a plain create that completed.
    """
    if plain.status not in SUCCESS:
        return {}
    parent = parent or (id_of(plain) if status_of(plain) == "completed" else "")
    offered = _list_offered(t, modes, parent)
    widest = [mode for mode in offered if not any(_is_part(mode, other) for other in offered)]
    met = yield from create_in(t, body, widest, parent=parent)
    ends = dict(read_ends(met))
    doubtful = [mode for mode in met if mode not in ends or not fits(ends[mode])]
    parts = [mode for mode in offered if any(_is_part(mode, other) for other in doubtful)]
    others = yield from create_in(t, body, parts, parent=parent)
    return {mode: one for mode, one in met.items() if one.status in SUCCESS or len(_FIELDS[mode]) == 1} | others


def _is_part(mode: str, other: str) -> bool:
    """Whether another mode has all that this one has, and more; a run in the background has code of its own."""
    names, more = frozenset(_FIELDS[mode]), frozenset(_FIELDS[other])
    return names < more and ("background" in names) == ("background" in more)


def send_refused(t: RequestBuilder, body: Mapping[str, Any]) -> Part[Exchanges]:
    """The responses to a create that has to be refused, by mode: in the others, too, once the plain one is."""
    plain: Exchange = yield Send(t.create(body))
    offered = [mode for mode in ALONE if _FIELDS[mode][0] in t.capabilities and plain.status not in SUCCESS]
    others = {mode: t.create({**body, _FIELDS[mode][0]: True}) for mode in sorted(offered, reverse=True)}
    return {PLAIN: plain, **(yield from send_each(**others))}


def expect_refused(rule: str, name: str, answers: Mapping[str, Exchange], sent: str = "") -> Iterator[Finding]:
    """Judge what `send_refused` returned; in another mode, an error in the stream refuses the create, too.

    A stream without an event has accepted nothing either; `err.stream-prestream` judges that it has no error.
    """
    for mode, answer in answers.items():
        if mode == PLAIN or (answer.status is not None and not has_error(answer) and not is_empty_stream(answer)):
            yield from at(f"{name}[{mode}]", expect_reply(rule, answer, sent))


def find_lacking(shown: Mapping[str, bool]) -> str:
    """The kind of modes of which none shows what each of the others shows, in words; `""` if there is none.

    `shown` has the modes that came to their end; `""` is the plain create. One mode alone proves nothing, as a
    model may decide otherwise for once.
    """
    for name, words in _KINDS.items():
        kind = {mode for mode in shown if name in _FIELDS.get(mode, ())}
        others = shown.keys() - kind
        if min(len(kind), len(others)) > 1 and all(shown[mode] is (mode in others) for mode in shown):
            return words
    return ""


_KINDS = {"stream": "in streams", "background": "in background runs", "chain": "in turns of a chain"}


def read_end(answer: Exchange) -> Mapping[str, Any]:
    """The interaction of a response: that of the last event with the steps of its stream, or the body."""
    if not read(answer).is_stream:
        return object_in(answer)
    end = completion(events_in(answer))
    return {**end, "steps": read(answer).streamed_steps} if end is not None else {}


def read_ends(modes: Mapping[str, Exchange]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The modes whose create was accepted and came to an end, each with its interaction."""
    for mode, answer in modes.items():
        if answer.status in SUCCESS and (body := read_end(answer)):
            yield mode, body


def list_ends(answer: Exchange, modes: Mapping[str, Exchange]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The interactions of a plain `answer` and of `read_ends`: their exchange, the mode in words, and they."""
    yield "answer", "", object_in(answer)
    for mode, body in read_ends(modes):
        yield f"modes[{mode}]", f" {mode}", body
