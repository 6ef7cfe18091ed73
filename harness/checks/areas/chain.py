"""Checks of chains: turns that continue an earlier interaction, and what they know of it.

A turn names the earlier one by previous_interaction_id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from harness.checks.vocabulary import runs
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_reply,
    finding,
    interaction_in,
    lenient_finding,
    object_in,
    require_answer,
)
from harness.checks.vocabulary.modes import PLAIN, expect_refused, send_refused
from harness.checks.vocabulary.shared import HELLO, UNKNOWN_ID
from harness.checks.vocabulary.streams import completion, events_in, expect_stream, is_stream
from harness.contract import read
from harness.contract.judge.agreement import (
    judge_echo,
    judge_identity,
    judge_own_id,
    judge_own_steps,
    judge_unchanged,
)
from harness.contract.judge.answer import CLIENT_ERROR, SUCCESS
from harness.contract.judge.body import count_tokens
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.contract.tables.protocol import RUNNING, is_settled
from harness.contract.transcript import output_steps, output_text, steps_text
from harness.kit.check import (
    Exchanges,
    Part,
    Send,
    Steps,
    Wait,
    exercise,
    play_each,
    send,
    send_each,
    stop_exercise,
    take,
)
from harness.outcome import Finding, Observation, Outcome, Severity, Unmet
from harness.wire import Exchange


@exercise(requests=27, interactions=12, uses=("background", "resume", "stream"))
def a_chain(t: RequestBuilder) -> Steps:
    """A parent and two children with inputs of one form, so that the history differs, and a number in each.

    A model that follows the input shows by these numbers which turns it read. The first child is read before and
    after the second one is made; it gets a child of its own. The turn of the first child is sent again without a
    parent: a target that has forgotten the parent sees the same; so is the turn of the parent, to compare the cost
    of sent turns and of remembered ones. One child of the parent is streamed, continued and sent again, one runs
    in the background and is continued, one is not stored. The turns after these are the same as the third, whose
    answer must not come for them. Before the third, a result of no call is sent, which is refused. The last
    creates name one that does not exist, in each mode: a target that accepts it, too, ignores all parents.
    """
    parent: Exchange = yield Send(t.create(input=_ask("parent")))
    found = runs.need_id(parent)
    before = (yield from runs.poll_until_found(t, found))[-1]
    seen: Exchanges = {"parent": parent, "before": before}
    branches = (
        _make_children(t, parent, patient=before.status != 404),
        send(t.create(input=_tell_again(parent, "parent", "child"), store=False)),
        _continue_in_a_stream(t, found),
        _continue_out_of_sight(t, found),
    )
    children, seen["parent_retold"], *others = yield from play_each(branches)
    for part in (children, *others):
        seen |= part
    # What these show of the turns, one of them as a stream, must agree, which every run judges.
    yield from runs.read_all(t, seen["sibling"], seen["streamed"])
    if "resume" in t.capabilities and (sibling := runs.id_of(seen["sibling"])):
        yield from runs.read_whole_stream(t.get(sibling, stream=True))
    if seen["grandchild"] is not None and (third := runs.id_of(seen["grandchild"])):
        yield Send(t.get(third, include_input=True))
    seen["stray"] = yield from send_refused(t, {"input": HELLO, "previous_interaction_id": UNKNOWN_ID})
    # Last, since an exercise that ends with a refusal looks like one that was not offered.
    return {**seen, "after": (yield Send(t.get(found)))}


def _make_children(t: RequestBuilder, parent: Exchange, *, patient: bool) -> Part[Exchanges]:
    """Two children of a parent, of which the first one is read before and after the second one is made."""
    found = runs.id_of(parent)
    child: Exchange = yield Send(t.create(input=_ask("child"), previous_interaction_id=found))
    sibling, child_id = t.create(input=_ask("sibling"), previous_interaction_id=found), runs.id_of(child)
    if not child_id:
        absent = dict.fromkeys(("child_read", "child_again", "refused", "grandchild", "retold"))
        return {"child": child, **absent, "sibling": (yield Send(sibling))}
    # If not even the parent was found, do not wait for the child.
    child_read = (yield from runs.poll_until_found(t, child_id, patient=patient))[-1]
    seen: Exchanges = {"child": child, "child_read": child_read, "sibling": (yield Send(sibling))}
    seen |= yield from send_each(
        child_again=t.get(child_id), refused=t.create(input=[_STRAY_RESULT], previous_interaction_id=child_id)
    )
    return seen | (
        yield from send_each(
            grandchild=t.create(input=_ask("grandchild"), previous_interaction_id=child_id),
            retold=t.create(input=_tell_again(child, "child", "grandchild"), store=False),
        )
    )


def _continue_in_a_stream(t: RequestBuilder, parent: str) -> Part[Exchanges]:
    """A streamed child, which is continued, and whose turn is sent again without a parent."""
    turn = t.create(input=_ask("streamed"), previous_interaction_id=parent, stream=True)
    streamed: Exchange = yield Send(turn)
    streamed_id = read(streamed).id if streamed.succeeded and is_stream(streamed) else None
    if not streamed_id:
        return {"streamed": streamed, "after_streamed": None, "streamed_retold": None}
    after = t.create(input=_ask("grandchild"), previous_interaction_id=streamed_id)
    retold = t.create(input=_tell_again(streamed, "streamed", "grandchild"), store=False)
    return {"streamed": streamed, **(yield from send_each(after_streamed=after, streamed_retold=retold))}


def _continue_out_of_sight(t: RequestBuilder, parent: str) -> Part[Exchanges]:
    """A child that is not stored, and a GET of it; then one in the background, which is continued.

    A judge of the whole run reads that GET. The second must not know the first.
    """
    unstored: Exchange = yield Send(t.create(input=_ask("unstored"), previous_interaction_id=parent, store=False))
    if unstored.status in SUCCESS and runs.id_of(unstored):
        yield Send(t.get(runs.id_of(unstored)))
    last: Exchange | None = None
    if "background" in t.capabilities:
        body = {"input": _ask("backgrounded"), "previous_interaction_id": parent, "background": True}
        last = yield Send(t.create(body))
        if found := runs.id_of(last):
            last = (yield from runs.poll_for(t, found, t.wait))[-1]
    if last is None or runs.status_of(last) != "completed":
        return {"backgrounded": last, "after_backgrounded": None}
    after = t.create(input=_ask("grandchild"), previous_interaction_id=runs.id_of(last))
    return {"backgrounded": last, "after_backgrounded": (yield Send(after))}


@exercise(requests=10, interactions=3, uses=("stream",))
def a_chain_to_a_running_run(t: RequestBuilder) -> Steps:
    """A child of a run in progress, and two once the run is finished; the last runs in the background.

    If the first ends with its run, another run gets a child `beside` it, in the background. If
    the last seems to wait for its run, it is sent again and again, of which `twice` is the last. A run of the
    same input `apart` from the chain shows each time whether such a run takes as long as that.
    """
    run = yield from runs.start_held_run(t, "chain")
    early = yield from send_refused(t, {"input": HELLO, "previous_interaction_id": run.id})
    look = (yield from runs.poll_until_found(t, run.id))[-1]
    yield Send(t.get(run.id, include_input=True))  # every run judges that a run in progress shows its input, too
    yield from runs.release_run(t, run)
    seen: Exchanges = {"begun": run.created, "early": early, "look": look}
    seen |= dict.fromkeys(("control", "again", "beside"))
    end = (yield from runs.poll_until_settled(t, run.id))[-1]
    if runs.status_of(end) != "completed":
        return stop_exercise(
            seen, f"the run to continue {runs.describe_end(runs.status_of(end))}, and did not complete"
        )
    seen["late"] = seen["control"] = yield Send(t.create(input=HELLO, previous_interaction_id=run.id))
    one, control = early[PLAIN], seen["control"]
    for _ in range(runs.ROUNDS if is_settled(runs.status_of(look)) else 0):
        if not _is_late(one, control):
            break
        second = runs.id_of((yield Send(t.create(input=runs.LONG, background=True))))
        one = seen["again"] = yield Send(t.create(input=HELLO, previous_interaction_id=second or run.id))
        later: Exchange = yield Send(t.create(input=HELLO, previous_interaction_id=run.id))
        control = seen["control"] = max(control, later, key=lambda sent: sent.seconds)
    begun: list[Exchange] = []
    if early[PLAIN].status in SUCCESS and is_settled(runs.status_of(look)) and seen["again"] is None:
        # The child took as long as the run, so that no look shows it in progress; one in the background does not.
        second = runs.id_of((yield Send(t.create(input=runs.LONG, background=True)))) or run.id
        seen["beside"] = yield Send(t.create(input=HELLO, previous_interaction_id=second, background=True))
        seen["look"] = yield Send(t.get(second))
        begun += [seen["beside"], seen["look"]]
    body = {"input": runs.LONGER, "previous_interaction_id": run.id, "background": True}
    seen["continued"] = yield Send(t.create(body))
    seen["apart"] = seen["twice"] = None
    begun.append(seen["continued"])
    for _ in range(runs.ROUNDS if _waited_longer(seen["continued"], run.created) else 0):
        seen["twice"] = yield Send(t.create(body))
        apart: Exchange = yield Send(t.create(input=runs.LONGER, background=True))
        yield Wait(min(seen["continued"].seconds, seen["twice"].seconds) / 2)
        seen["apart"] = (yield Send(t.get(found))) if (found := runs.id_of(apart)) else None
        begun += [seen["twice"], seen["apart"] or apart]
        if not _waited_longer(seen["twice"], apart) or runs.status_of(begun[-1]) not in RUNNING:
            seen["apart"] = None
            break
    for one in begun:  # they would cost tokens until their end
        if runs.status_of(one) in RUNNING:
            yield Send(t.cancel(runs.id_of(one)))
    return seen


@exercise(requests=5, interactions=5, uses=("stream",))
def a_stateless_turn(t: RequestBuilder) -> Steps:
    """A turn that is not stored, and a second one that sends all of it back with a new question, streamed, too.

    Also that question alone, and the whole conversation as one text, to see whether the target counts its input.
    """
    first: Exchange = yield Send(t.create(input=_ask("parent"), store=False))
    seen: Exchanges = {"first": first}
    steps = output_steps(interaction_in(first))
    if not steps:
        return stop_exercise(seen, "the first turn had no steps to send back")
    turn = [_build_input(_ask("parent")), *steps, _build_input(_ask("child"))]
    given = {
        "second": turn,
        "alone": [_build_input(_ask("child"))],
        "told": f"{_ask('parent')} {steps_text(steps)} {_ask('child')}",
    }
    turns = {name: t.create(input=sent, store=False) for name, sent in given.items()}
    if "stream" in t.capabilities:
        turns["streamed"] = t.create(input=turn, store=False, stream=True)
    return {**seen, "streamed": None, **(yield from send_each(**turns))}


_NUMBERS = {
    "parent": "40817", "child": "51926", "sibling": "62035", "grandchild": "73148", "streamed": "84259",
    "unstored": "95361", "backgrounded": "27583", "refused": "38472",
}  # fmt: skip
"""A number for each turn; all cost the same, and none is in a text by chance."""


def _ask(turn: str) -> str:
    return f"Repeat every number of this conversation: {_NUMBERS[turn]}."


_STRAY_RESULT = {"type": "function_result", "call_id": "no-such-call", "name": "none", "result": _ask("refused")}


def _find_turns(answer: Exchange | None) -> set[str]:
    """The turns whose numbers a completed answer contains, streamed or not."""
    text = "" if answer is None or answer.status not in SUCCESS else _text_of(answer)
    return {turn for turn, number in _NUMBERS.items() if number in text}


def _text_of(answer: Exchange) -> str:
    return steps_text(read(answer).streamed_steps) if is_stream(answer) else output_text(object_in(answer))


def _tell_again(answer: Exchange, turn: str, following: str) -> list[dict[str, Any]]:
    """The input of a turn, the text of its answer, and the input of the turn after it."""
    steps = read(answer).streamed_steps if is_stream(answer) else output_steps(object_in(answer))
    told = {"type": "model_output", "content": [{"type": "text", "text": steps_text(steps)}]}
    return [_build_input(_ask(turn)), told, _build_input(_ask(following))]


def _build_input(text: str) -> dict[str, Any]:
    return {"type": "user_input", "content": [{"type": "text", "text": text}]}


def can_be_continued(
    parent: Exchange, child: Exchange, refused: Exchange | None, grandchild: Exchange | None
) -> Iterator[Finding]:
    if runs.status_of(parent) != "completed":
        raise Unmet(f"the run to continue {runs.describe_end(runs.status_of(parent))}, and did not complete")
    yield from expect_reply("chain.ok", child)
    if child.status in SUCCESS:
        yield from judge_own_id("chain.ok", runs.id_of(child), runs.id_of(parent))
    if refused is None or grandchild is None or runs.status_of(child) != "completed":
        return
    if refused.status in CLIENT_ERROR and grandchild.status in CLIENT_ERROR:
        message = "after a create that the server refused, a completed interaction cannot be continued"
        lost = finding(message, expected="2xx, as for the turn before it", actual=format_answer(grandchild))
        yield replace(lost, code="chain.ok/after-refusal").at(exchange="grandchild")


def is_stored(child: Exchange, child_read: Exchange | None) -> Iterator[Finding]:
    body = interaction_in(child)
    if child_read is None:
        raise Unmet("the chained interaction has no id")
    yield from at("child_read", expect_interaction(child_read))
    if child_read.status not in SUCCESS:
        return
    yield from at("child_read", judge_identity("chain.stored", runs.id_of(child), runs.id_of(child_read)))
    if output_steps(body) and not output_steps(interaction_in(child_read)):
        lost = finding(
            "the chained interaction was stored without its output", expected="its output steps", actual="none"
        )
        yield lost.at(exchange="child_read", pointer="$.steps")


def names_its_parent(parent: Exchange, child: Exchange, child_read: Exchange | None) -> Iterator[Finding]:
    bodies = [interaction_in(child)]
    if child_read is not None and child_read.status in SUCCESS:
        bodies.append(interaction_in(child_read))
    yield from judge_echo(runs.id_of(parent), bodies)


def answers_its_own_steps(parent: Exchange, child: Exchange) -> Iterator[Finding]:
    yield from judge_own_steps(interaction_in(parent), interaction_in(child))


def parent_stays(before: Exchange, after: Exchange, child: Exchange) -> Iterator[Finding]:
    interaction_in(child)
    old = interaction_in(before)
    yield from at("after", expect_interaction(after))
    new = interaction_in(after)
    for name in ("status", "steps", "usage", "previous_interaction_id"):
        if old.get(name) != new.get(name):
            # Steps in another order are no new ones: a GET may mix them without a child.
            first, later = (sorted(map(str, shown.get("steps") or ())) for shown in (old, new))
            expected, actual = format_value(old.get(name)), format_value(new.get(name))
            code = "/steps" if name == "steps" and first != later else ""
            yield finding(f"`{name}` of the parent changed", expected, actual, code=code, exchange="after")


def not_while_running(
    begun: Exchange,
    early: Mapping[str, Exchange],
    look: Exchange,
    control: Exchange | None,
    again: Exchange | None,
    beside: Exchange | None,
) -> Iterator[Finding]:
    accepted = any(answer.status in SUCCESS for answer in early.values())
    ended = runs.status_of(begun) in RUNNING and is_settled(runs.status_of(look))
    tries = (early[PLAIN], again)
    if ended and control and all(one is not None and _is_late(one, control) for one in tries):
        message = "a create that continues a run in progress waits for the run, and is accepted then"
        actual = f"{early[PLAIN].seconds:.1f} s; {control.seconds:.1f} s when the run had settled"
        waits = Finding.from_code("chain.running/waits", message, "400 at once", actual)
        yield waits.at(exchange=f"early[{PLAIN}]")
        return
    if accepted and runs.status_of(look) != "in_progress":
        raise Unmet("no response showed the run in progress after the chained create", race_lost=True)
    what = "the previous_interaction_id of a run in progress"
    if beside is not None:
        yield from at("beside", expect_reply("chain.running", beside, what))
    else:
        yield from expect_refused("chain.running", "early", early, what)


def _is_late(chained: Exchange, control: Exchange) -> bool:
    """Whether an accepted create took much longer than the same one did when its parent had settled."""
    return chained.status in SUCCESS and chained.seconds >= 2 * control.seconds + 0.5


def continues_at_once(
    begun: Exchange, continued: Exchange, twice: Exchange | None, apart: Exchange | None
) -> Iterator[Finding]:
    interaction_in(continued)
    # Both have waited for a run only if one of the same input was in progress after half that time.
    if twice is None or apart is None or runs.status_of(apart) not in RUNNING:
        return
    if _waited_longer(continued, begun) and _waited_longer(twice, begun):
        waited = continued.seconds - begun.seconds
        message = f"the create waits for the run: it returned {waited:.1f} s later than one without a parent"
        yield finding(message, "in_progress, as without a parent", runs.status_of(continued))


def _waited_longer(continued: Exchange, begun: Exchange) -> bool:
    """Whether a background create returned a settled run, and later than the create of a run in progress did."""
    return is_settled(runs.status_of(continued)) and continued.seconds - begun.seconds >= 1.0


def takes_all_steps(
    second: Exchange, streamed: Exchange | None, alone: Exchange, told: Exchange
) -> Iterator[Finding]:
    yield from at("second", expect_interaction(second))
    if second.status in SUCCESS and streamed is not None:
        yield from at("streamed", expect_stream(streamed))
    unread = list(_reads_all_steps(second, alone, told))
    if unread or streamed is None:
        yield from unread
    else:
        yield from at("streamed", _reads_all_steps(streamed, alone, told))


def _reads_all_steps(second: Exchange, alone: Exchange, told: Exchange) -> Iterator[Finding]:
    turns = [turn for turn in (second, alone, told) if turn.status in SUCCESS]
    counts = [count(turn) for count, turn in zip((_tokens_seen, _tokens_told, _tokens_told), turns, strict=False)]
    read_again, question, whole = counts if len(counts) == 3 and all(counts) else (1, 0, 0)
    if "parent" not in _find_turns(second) and read_again <= question < whole:
        expected = (
            f"more than the {question} input tokens of the question alone; as one text, all turns have {whole}"
        )
        # A server may count the new turn alone: the text shows whether the model read the others.
        say = finding if "parent" in _find_turns(told) else lenient_finding
        dropped = say("earlier steps of the input have no effect", expected=expected, actual=str(read_again))
        yield replace(dropped, code="chain.stateless/dropped").at(pointer="$.usage.total_input_tokens")


# --- what a continued turn knows of the turns before it


def takes_effect(
    parent: Exchange, child: Exchange, stray: Mapping[str, Exchange], parent_retold: Exchange
) -> Observation | list[Finding]:
    interaction_in(child)
    if stray[PLAIN].status not in SUCCESS:
        require_answer(stray[PLAIN])
        counted = all(map(_tokens_told, (parent, child)))
        # The counts, which grow where the parent's turn is sent again, do not grow with a parent.
        if not counted or not _tokens_seen(child) <= _count_input(parent) < _tokens_told(parent_retold):
            return []
        reason = "an unknown parent is rejected, but a known parent has no effect"
        return Observation(Outcome.UNTESTABLE, reason=reason, cause="chain.history")
    alone, chained = _count_input(parent), _count_input(child)
    if _tokens_seen(child) > alone or _recites(child):
        return []
    message = "a parent has no effect, and an unknown parent is accepted"
    return [finding(message, expected=f"more than {alone} input tokens", actual=f"{chained} input tokens")]


def carries_history(
    parent: Exchange, child: Exchange, stray: Mapping[str, Exchange], parent_retold: Exchange
) -> Observation | list[Finding]:
    alone, chained = _count_input(parent), _count_input(child)
    if _tokens_seen(child) > alone or _recites(child):
        return []
    if stray[PLAIN].status in SUCCESS:
        reason = "every parent is accepted, and none has an effect"
        return Observation(Outcome.UNTESTABLE, reason=reason, cause="chain.takes-effect")
    resent = _tokens_told(parent_retold)
    if resent <= alone:
        raise Unmet(
            "a longer input costs no more input tokens, so the counts do not show the history",
            remedy="with input tokens in `usage` that grow with the input",
        )
    message = "a chained turn costs no more input tokens than the same input alone"
    expected = f"more than {alone} input tokens; the turn of the parent as input costs {resent}"
    return [finding(message, expected=expected, actual=str(chained))]


def carries_whole_history(
    parent: Exchange,
    child: Exchange,
    sibling: Exchange,
    grandchild: Exchange | None,
    retold: Exchange | None,
    parent_retold: Exchange,
    streamed: Exchange,
    after_streamed: Exchange | None,
    streamed_retold: Exchange | None,
    backgrounded: Exchange | None,
    after_backgrounded: Exchange | None,
) -> Iterator[Finding]:
    branches = {"streamed": (streamed, after_streamed), "background": (backgrounded, after_backgrounded)}
    lost = [one for mode, branch in branches.items() for one in _judge_end_of_history(mode, *branch)]
    recited = {"parent", "child"} <= _find_turns(grandchild)
    without_first = 0 if retold is None else _tokens_told(retold)
    turns = _tokens_told(parent), _tokens_told(child)
    least = _find_least_of_three(*turns, without_first, _tokens_told(parent_retold))
    third = 0 if grandchild is None else _tokens_seen(grandchild)
    first = []
    if 0 < third <= least:  # it costs no more than the second and third turn alone
        linked = ": the chain is followed for one link" if third > turns[0] else ""
        expected = f"more than {least:.0f} input tokens: the second and third turn alone have {without_first}"
        first = [finding(f"a third turn does not include the first{linked}", expected, str(third))]
    if recited and (lost or {"parent", "streamed"} <= _find_turns(after_streamed)):
        # A third turn that repeats the text of the second one has the number of the first without knowing it.
        lost = lost or (first if _recites(child) and _costs_the_same(child, sibling) else [])
        yield from lost or _judge_all_outputs(parent, child, sibling, grandchild, parent_retold, branches)
        return
    alone, chained = _count_input(parent), _need_history(parent, child)
    if grandchild is None or retold is None:
        raise Unmet("the child has no id to continue")
    reliable = _recites(child) or _costs_the_same(child, sibling)
    report = finding if reliable else lenient_finding
    untold = _count_input(grandchild) - without_first
    whole = _count_after_stream(child, streamed, streamed_retold, untold) if least else 0
    if first:
        yield from (one if reliable else replace(one, severity=Severity.NON_STRICT) for one in first)
    elif (longer := _tokens_seen(grandchild)) <= chained:
        thought_less = _count_thoughts(child) < _count_thoughts(parent)  # which may be why it costs less
        say = lenient_finding if thought_less else report
        expected = f"more than {chained} input tokens; the first turn has {alone}"
        yield say("a third turn has no more input tokens than a second", expected, str(longer))
    elif after_streamed is not None and 0 < _tokens_seen(after_streamed) <= whole - alone / 2:
        message = "a turn that continues a streamed one does not include all of it"
        actual = str(_tokens_told(after_streamed))
        yield _place_lost("streamed", report(message, expected=f"{whole} input tokens", actual=actual))
    else:
        yield from _judge_all_outputs(parent, child, sibling, grandchild, parent_retold, branches)


def _costs_the_same(child: Exchange, sibling: Exchange) -> bool:
    """Whether two equal turns have the same cost: else the counts show nothing."""
    return sibling.status in SUCCESS and any(
        count(sibling) == count(child) for count in (_tokens_told, _tokens_seen)
    )


def _find_least_of_three(alone: int, second: int, without_first: int, resent: int) -> float:
    """The input tokens that three turns must exceed; 0 if the counts do not show it, as some count a turn's JSON.

    `alone` and `second` are those of the first turn and of both, `without_first` of the second and third, and
    `resent` of the first turn sent again as input.
    """
    if not 0 < resent <= second or without_first <= 0:
        return 0
    # What a chain carries beside the text is thoughts, which later turns may drop: the text has to outweigh them.
    beside, first = second - resent, resent - alone
    return without_first + (beside + first / 2 if 2 * beside <= first else 0)


def _count_after_stream(child: Exchange, streamed: Exchange, retold: Exchange | None, untold: int) -> int:
    """The input tokens of a turn that includes the streamed one and its parent; 0 if the counts do not show it.

    `retold` sends both turns of the stream again, `untold` are the tokens of the parent.
    """
    if retold is None or _count_thoughts(child) != _count_thoughts(streamed):
        return 0
    resent = _tokens_told(retold)
    return resent + untold if resent else 0


def _judge_end_of_history(mode: str, last: Exchange | None, after: Exchange | None) -> Iterator[Finding]:
    """A turn that continues one of another mode, of a server whose texts show what a turn knows."""
    turn = {"background": "backgrounded"}.get(mode, mode)
    before, now = 0 if last is None else _tokens_told(last), 0 if after is None else _tokens_seen(after)
    if turn in _find_turns(last) and turn not in _find_turns(after) and 0 < now <= before:
        message = f"a turn that continues a {mode} one does not include it"
        expected = f"more than {before} input tokens, and the number of that turn in the text"
        yield _place_lost(mode, finding(message, expected=expected, actual=f"{now} input tokens, no such number"))


def _place_lost(mode: str, found: Finding) -> Finding:
    turn = {"background": "after_backgrounded"}.get(mode, f"after_{mode}")
    return replace(found, code=f"chain.whole-history/{mode}").at(
        exchange=turn, pointer="" if mode == "streamed" else "$.usage.total_input_tokens"
    )


def _judge_all_outputs(
    parent: Exchange,
    child: Exchange,
    sibling: Exchange,
    grandchild: Exchange | None,
    parent_retold: Exchange,
    branches: Mapping[str, tuple[Exchange | None, Exchange | None]],
) -> Iterator[Finding]:
    """Whether the turns that are continued count with their outputs: the plain one, then one of each mode."""
    if not _costs_the_same(child, sibling):
        return
    forgotten = list(_judge_outputs(parent, child, grandchild, parent_retold))
    if _recites(child) and "child" in _find_turns(grandchild) and "parent" not in _find_turns(grandchild):
        message = "a third turn includes the second, as its text shows, but not the first"
        forgotten = [replace(one, message=message, code="") for one in forgotten]
    yield from forgotten
    for mode, (turn, after) in branches.items() if not forgotten else ():
        if turn is not None and turn.status in SUCCESS:
            found = _judge_outputs(parent, turn, after, parent_retold)
            yield from (_place_lost(mode, replace(one, code="")) for one in found)


def _judge_outputs(
    parent: Exchange, turn: Exchange, after: Exchange | None, parent_retold: Exchange
) -> Iterator[Finding]:
    """A turn costs its own input more than the one before it, and the output of that."""
    if after is None or after.status not in SUCCESS or _count_thoughts(turn) != _count_thoughts(parent):
        return  # later turns may drop thoughts
    alone, before, now = _tokens_told(parent), _tokens_told(turn), _tokens_seen(after)
    more = now - before if before > alone > 0 else 0  # else the turn does not even count the first one
    words = len(_text_of(turn).split())
    sent_again = _tokens_told(parent_retold) - 2 * alone
    if sent_again < -alone / 4:
        return  # each create costs a constant, such as a hidden prompt: two turns in one cost it once
    # Words of an output, from which on a count of input tokens shows whether it was among them.
    if words < 5 or not 0 < more <= alone + words / 4:
        return
    # A server that counts the JSON of sent steps, or counts no outputs at all, may still give them to its model.
    say = finding if words / 2 <= sent_again <= 2 * max(words, _read_count(parent, "output")) else lenient_finding
    yield say(
        "a turn includes the inputs of the turns before it, but not their outputs",
        f"over {alone + words / 4:.0f} more tokens than the turn before, whose output has {words} words",
        f"{more} more, as many as its own input has",
        code="chain.whole-history/outputs",
    )


def streams_with_history(
    parent: Exchange, child: Exchange, sibling: Exchange, streamed: Exchange
) -> Iterator[Finding]:
    _need_branches(parent, child, sibling, streamed)
    if streamed.status in SUCCESS and not is_stream(streamed):
        raise Unmet("the streamed turn returned no stream")
    yield from expect_stream(streamed)
    yield from _judge_remembered("streamed", parent, child, streamed)


def remembers_in_background(
    parent: Exchange, child: Exchange, sibling: Exchange, backgrounded: Exchange | None
) -> Iterator[Finding]:
    if backgrounded is None:
        raise Unmet("the target has no background runs")
    _need_branches(parent, child, sibling, backgrounded)
    yield from expect_interaction(backgrounded)
    if backgrounded.status not in SUCCESS:
        return
    if runs.status_of(backgrounded) != "completed":
        raise Unmet(f"the background turn {runs.describe_end(runs.status_of(backgrounded))}, and did not complete")
    yield from _judge_remembered("background", parent, child, backgrounded)


def _judge_remembered(mode: str, parent: Exchange, child: Exchange, turn: Exchange) -> Iterator[Finding]:
    """A turn of another mode than the plain one knows the turn before it, as its text or its count shows."""
    if "parent" in _find_turns(turn):
        return
    alone, tokens = _count_input(parent), _tokens_seen(turn)
    if not tokens:
        raise Unmet(f"the {mode} turn ends without a count of input tokens")
    if tokens <= alone:
        expected = f"more than {alone} input tokens; the plain turn has {_need_history(parent, child)}"
        say = finding if _recites(child) else lenient_finding  # some count the new turn alone
        yield say(f"a {mode} turn does not include the history", expected=expected, actual=str(tokens))


_HISTORIES = {
    "sibling": {"parent", "sibling"},
    "grandchild": {"parent", "child", "grandchild"},
    "streamed": {"parent", "streamed"},
    "backgrounded": {"parent", "backgrounded"},
    "after_streamed": {"parent", "streamed", "grandchild"},
    "after_backgrounded": {"parent", "backgrounded", "grandchild"},
}
"""The turns that each turn may know of."""


def keeps_siblings_apart(
    *,
    parent: Exchange,
    child: Exchange,
    child_read: Exchange | None,
    child_again: Exchange | None,
    **turns: Exchange,
) -> Iterator[Finding]:
    sibling = turns["sibling"]
    strays = {name: _find_turns(turn) - _HISTORIES[name] - _find_turns(parent) for name, turn in turns.items()}
    leaks = [(name, stray) for name, found in strays.items() for stray in sorted(found)]
    for name, stray in leaks[:1]:
        rule = "chain.siblings-apart/text"
        words = ("no number of another conversation", f"{_NUMBERS[stray]}, of {stray!r}")
        message = _LEAKS.get(stray, "a continuation repeats the input of another continuation")
        if name.startswith("after_") and stray == "child":
            message = "a turn returns the answer to the same input in another conversation"
        yield Finding.from_code(rule, message, *words).at(exchange=name, pointer="$.steps")
        if stray not in _LEAKS:
            yield finding("the other continuation", code=rule, severity=Severity.INFORMATION, exchange=stray)
    if not leaks and _find_turns(sibling) != {"parent", "sibling"}:
        yield from _compare_counts(parent, child, sibling)
    if child_read is None or child_again is None:
        return
    before = interaction_in(child_read)
    yield from at("child_again", expect_interaction(child_again))
    # What a look shows otherwise than the one before it may be no text of the other child.
    for changed in at("child_again", judge_unchanged("chain.siblings-apart", before, interaction_in(child_again))):
        yield replace(changed, severity=Severity.NON_STRICT)


take(keeps_siblings_apart, "parent", "child", "child_read", "child_again", *_HISTORIES)


_LEAKS = {
    "unstored": "a continuation repeats the input of a turn with `store=false`, which its parent must not keep",
    "refused": "a continuation repeats the input of a create that the server refused",
}
"""What a leak is called, by the turn whose input comes where it does not belong."""


def _compare_counts(parent: Exchange, child: Exchange, sibling: Exchange) -> Iterator[Finding]:
    """The cost of a second child must not include the first; a warning, since counts may come late."""
    counts = [(_count_input(turn), _tokens_seen(turn)) for turn in (child, sibling)]
    more = min(other - own for own, other in zip(*counts, strict=True))  # some count cached tokens apart
    if more >= max(1, _count_input(parent)):
        (own, _), (other, _) = counts
        words = "the second continuation costs as much as if it included the first", str(own), str(other)
        place, code = "$.usage.total_input_tokens", "chain.siblings-apart/history"
        yield lenient_finding(*words, code=code, exchange="sibling", pointer=place)


def _recites(child: Exchange) -> bool:
    """Whether the text of a second turn shows that its model read the first."""
    return "parent" in _find_turns(child)


def _need_branches(parent: Exchange, child: Exchange, sibling: Exchange, turn: Exchange) -> None:
    """Raise `Unmet` if a turn was rejected like the second plain one: not its mode was, but one more turn.

    Also if this target does not count the history.
    """
    _need_history(parent, child)
    if sibling.status in CLIENT_ERROR and turn.status == sibling.status:
        raise Unmet("the target lets an interaction be continued only once (`chain.branch`)")


def _count_input(exchange: Exchange) -> int:
    body: Mapping[str, Any] = interaction_in(exchange)
    tokens = count_tokens(body, "input")
    if not tokens:
        remedy = "with input tokens in `usage`"
        raise Unmet(f"no count of input tokens: {format_answer(exchange)}", remedy=remedy)
    if not output_steps(body):
        raise Unmet("the turn has no output to continue")
    return tokens


def _tokens_seen(answer: Exchange) -> int:
    """The input tokens of a turn that must cost more, and those from a cache, which some servers count apart."""
    return _read_count(answer, "input", "cached") if _tokens_told(answer) else 0


def _count_thoughts(exchange: Exchange) -> int:
    return _read_count(exchange, "thought")


def _read_count(exchange: Exchange, *kinds: str) -> int:
    told = (completion(events_in(exchange)) or {}) if is_stream(exchange) else interaction_in(exchange)
    return count_tokens(told, *kinds)


def _tokens_told(answer: Exchange) -> int:
    """The input tokens of a turn, streamed or not; 0 if it was rejected or not counted."""
    return _read_count(answer, "input") if answer.status in SUCCESS else 0


def _need_history(parent: Exchange, child: Exchange) -> int:
    """The input tokens of a second turn. Raises `Unmet` if this target does not count the history."""
    chained = _count_input(child)
    if chained <= _count_input(parent):
        raise Unmet("a second turn costs no more input than the first, so the counts do not show the history")
    return chained
