"""The judges of the checks on chained interactions, on hand-made exchanges."""

from __future__ import annotations

from msgspec.structs import replace

from harness.outcome import Because
from tests.checks._play import CRASH, DONE, REFUSED, answer, case, interaction, judge, judged, refusal
from tests.checks._streams import streamed, text_events


def turn(found="v1_two", tokens=9, hit=0, **fields):
    """A turn that continues the first one; `hit` of its tokens came from a cache."""
    usage = {"total_input_tokens": tokens, "total_cached_tokens": hit, "total_output_tokens": 3}
    return answer(body=interaction(id=found, usage=usage, **fields))


def ended(tokens):
    """The stream of a turn, with a count of input tokens at its end."""
    usage = {} if tokens is None else {"usage": {"total_input_tokens": tokens}}
    *events, end = text_events("Hi.")
    return streamed([*events, {**end, "interaction": {"id": "v1_two", "status": "completed", **usage}}])


CHILD = turn()
OTHER = turn("v1_three")
NAMED = turn(previous_interaction_id="v1_one")
PENDING = answer(body=interaction(status="requires_action"))
RUNNING = answer(body=interaction(status="in_progress"))
STEPS = interaction()["steps"]
THOUGHT, EMPTY = {"type": "thought", "signature": "c2ln"}, {"type": "model_output", "content": []}
INPUT = {"type": "user_input", "content": [{"type": "text", "text": "Say hi."}]}
UNCOUNTED = answer(body=interaction(usage=None))
CACHED = turn(tokens=1, hit=9)
GROWN = answer(body=interaction(steps=[*STEPS, *STEPS]))

CHEAP = turn(tokens=2)


def recites(*numbers, found="v1_two", tokens=9, hit=0):
    """A turn whose text has the numbers of some turns."""
    text = {"type": "text", "text": " ".join(numbers)}
    return turn(found, tokens, hit, steps=[{"type": "model_output", "content": [text]}])


def speaks(tokens, hit=0):
    """A turn whose text has eight words."""
    return recites(*["one", "two", "three", "four", "five", "six", "seven", "eight"], tokens=tokens, hit=hit)


FIRST, SECOND, THIRD, FOURTH, FIFTH, UNSTORED = "40817", "51926", "62035", "84259", "27583", "95361"
RECITES = recites(FIRST, SECOND)

TURNS = {"parent": DONE, "child": CHILD}
TOLD = {
    **TURNS, "sibling": OTHER, "parent_retold": CHILD, "streamed": ended(9), "after_streamed": None,
    "streamed_retold": None, "backgrounded": None, "after_backgrounded": None,
}  # fmt: skip
NEXT = {"refused": REFUSED, "grandchild": OTHER}
STREAMED = {**TOLD, "grandchild": turn(tokens=22), "retold": turn(tokens=15), "streamed_retold": turn(tokens=15)}

SPOKEN = {
    **TOLD, "parent": speaks(5), "child": speaks(10), "sibling": speaks(10), "retold": speaks(11),
    "parent_retold": speaks(17),
}  # fmt: skip


def chained(child, stray, parent_retold=CHILD):
    """A turn after the first one, one after a parent that does not exist, and the first one told again."""
    return {"parent": DONE, "child": child, "stray": {"plain": stray}, "parent_retold": parent_retold}


def stray(plain, other=None):
    """The responses to a create that has to be refused: a plain one, and one in another mode."""
    return {"plain": plain, **({"later": other} if other is not None else {})}


def late(exchange):
    """The same answer, five seconds later."""
    return judged(replace(exchange, seconds=5.0, notes={}))


FAULT = {"event_type": "error", "error": {"code": "not_found", "message": "No."}}

EARLY = {"begun": RUNNING, "control": CHILD, "again": None, "beside": None}
RESENT = {"second": CHEAP, "streamed": None, "alone": CHEAP}
BRANCHES = {"parent": DONE, "child": CHILD, "sibling": OTHER}
APART = {
    **TURNS,
    "child_read": CHILD,
    "child_again": CHILD,
    "streamed": None,
    "backgrounded": None,
    "grandchild": None,
    "after_streamed": None,
    "after_backgrounded": None,
}
RECITED = {
    **TOLD,
    "grandchild": recites(FIRST, SECOND),
    "retold": turn(tokens=15),
    "after_streamed": recites(FIRST, FOURTH),
    "backgrounded": recites(FIRST, FIFTH, tokens=9),
}
WAITED = {"continued": late(CHILD), "twice": late(CHILD)}

CASES = [
    case("chain.ok", "met", "a new id", **NEXT, parent=DONE, child=CHILD),
    case("chain.ok", "untestable", "a parent that waits", **NEXT, parent=PENDING, child=CHILD),
    case("chain.ok", "not_met", "refused", **NEXT, parent=DONE, child=REFUSED),
    case("chain.ok", "not_met", "the parent's id", **NEXT, parent=DONE, child=turn("v1_one")),
    case("chain.ok", "not_met", "dead", **NEXT, parent=DONE, child=answer(None)),
    case("chain.ok", "not_met", "after a refusal", parent=DONE, child=CHILD, refused=REFUSED,
         grandchild=REFUSED),
    case("chain.ok", "met", "continued once, by a stray result", parent=DONE, child=CHILD, refused=OTHER,
         grandchild=REFUSED),
    case("chain.echo", "met", "at once", parent=DONE, child=NAMED, child_read=None),
    case("chain.echo", "untestable", "no child", parent=DONE, child=REFUSED, child_read=None),
    case("chain.echo", "not_met", "never", parent=DONE, child=CHILD, child_read=CHILD),
    case("chain.history", "untestable", "not counted", **chained(UNCOUNTED, REFUSED)),
    case("chain.history", "not_met", "as much", **chained(CHEAP, REFUSED)),
    case("chain.history", "untestable", "constant", **chained(CHEAP, REFUSED, DONE)),
    case("chain.takes-effect", "met", "of a cache", **{**chained(CACHED, OTHER), "parent": turn(tokens=5, hit=5)}),
    case("chain.takes-effect", "met", "refuses a stray", **chained(UNCOUNTED, REFUSED)),
    case("chain.takes-effect", "met", "constant", **chained(CHEAP, REFUSED, DONE)),
    case("chain.takes-effect", "untestable", "forgets", **chained(CHEAP, REFUSED)),
    case("chain.takes-effect", "not_met", "ignored", **chained(CHEAP, OTHER)),
    case("chain.takes-effect", "untestable", "not counted", **chained(UNCOUNTED, OTHER)),
    case("chain.takes-effect", "untestable", "no child", **chained(REFUSED, OTHER)),
    case("chain.whole-history", "met", "more", **TOLD, grandchild=turn(tokens=22), retold=turn(tokens=15)),
    case("chain.whole-history", "not_met", "hardly more", **TOLD, grandchild=turn(tokens=16),
         retold=turn(tokens=15)),
    case("chain.whole-history", "non_strict", "of equal turns that cost otherwise",
         **{**TOLD, "sibling": turn("v1_three", 5)}, grandchild=turn(tokens=16), retold=turn(tokens=15)),
    case("chain.whole-history", "met", "recited", **{**TOLD, "after_streamed": recites(FIRST, FOURTH)},
         grandchild=recites(FIRST, SECOND, tokens=2), retold=turn(tokens=15)),
    case("chain.whole-history", "met", "after a background run",
         **{**RECITED, "after_backgrounded": recites(FIRST, FIFTH, tokens=9)}),
    case("chain.whole-history", "met", "after a background run, by its cost",
         **{**RECITED, "after_backgrounded": recites(FIRST, tokens=15)}),
    case("chain.whole-history", "met", "refused after a background run",
         **{**RECITED, "after_backgrounded": REFUSED}),
    case("chain.whole-history", "not_met", "without the background run",
         **{**RECITED, "after_backgrounded": recites(FIRST, tokens=9)}),
    case("chain.history", "met", "recited", **chained(recites(FIRST, tokens=2), REFUSED)),
    case("chain.takes-effect", "met", "recited", **chained(recites(FIRST, tokens=2), OTHER)),
    case("chain.whole-history", "met", "not told again", **TOLD, grandchild=turn(tokens=16), retold=REFUSED),
    case("chain.whole-history", "untestable", "uncounted", **{**TOLD, "child": turn(tokens=2)}, grandchild=OTHER,
         retold=OTHER),
    case("chain.whole-history", "untestable", "no id", **TOLD, grandchild=None, retold=None),
    case("chain.whole-history", "not_met", "as much as the second", **TOLD, grandchild=OTHER, retold=OTHER),
    case("chain.whole-history", "not_met", "without the first", **TOLD, grandchild=turn(tokens=16),
         retold=turn(tokens=16)),
    case("chain.whole-history", "met", "not told at all", **{**TOLD, "parent_retold": REFUSED},
         grandchild=turn(tokens=16), retold=turn(tokens=16)),
    case("chain.whole-history", "not_met", "recited without the stream",
         **{**RECITED, "streamed": recites(FIRST, FOURTH), "after_streamed": recites(FIRST)}),
    case("chain.whole-history", "met", "with the outputs, and others from a cache",
         **{**SPOKEN, "child": speaks(10, 7), "sibling": speaks(10, 7), "grandchild": speaks(23)}),
    case("chain.whole-history", "not_met", "without the outputs", **{**SPOKEN, "grandchild": speaks(15)}),
    case("chain.whole-history", "non_strict", "without the outputs, which cost nothing",
         **{**SPOKEN, "grandchild": speaks(15), "parent_retold": speaks(9)}),
    case("chain.whole-history", "non_strict", "without the outputs, which were sent as JSON",
         **{**SPOKEN, "grandchild": speaks(15), "parent_retold": speaks(60)}),
    case("chain.whole-history", "met", "refused after a stream", **{**STREAMED, "after_streamed": REFUSED}),
    case("chain.streamed", "met", "more", **BRANCHES, streamed=ended(9)),
    case("chain.streamed", "untestable", "not counted", parent=DONE, child=turn(tokens=2), sibling=OTHER,
         streamed=ended(2)),
    case("chain.streamed", "untestable", "no count at its end", **BRANCHES, streamed=ended(None)),
    case("chain.streamed", "non_strict", "as much as alone", **BRANCHES, streamed=ended(2)),
    case("chain.streamed", "not_met", "not recited", **{**BRANCHES, "child": RECITES}, streamed=ended(2)),
    case("chain.streamed", "untestable", "no stream", **BRANCHES, streamed=CHILD),
    case("chain.streamed", "not_met", "refused", **BRANCHES, streamed=REFUSED),
    case("chain.background", "met", "of a cache", **{**BRANCHES, "child": RECITES}, backgrounded=CACHED),
    case("chain.background", "untestable", "not counted", parent=DONE, child=turn(tokens=2), sibling=OTHER,
         backgrounded=OTHER),
    case("chain.background", "untestable", "not offered", **BRANCHES, backgrounded=None),
    case("chain.background", "untestable", "still running", **BRANCHES, backgrounded=RUNNING),
    case("chain.background", "non_strict", "as much as alone", **BRANCHES,
         backgrounded=turn(tokens=2)),
    case("chain.background", "not_met", "not recited", **{**BRANCHES, "child": RECITES},
         backgrounded=turn(tokens=2)),
    case("chain.background", "met", "recited", **BRANCHES, backgrounded=recites(FIRST, tokens=2)),
    case("chain.background", "not_met", "refused", **BRANCHES, backgrounded=REFUSED),
    case("chain.own-steps", "not_met", "the parent's first", parent=DONE, child=turn(steps=[*STEPS, *STEPS])),
    case("chain.own-steps", "met", "a thought like the parent's", parent=turn(steps=[THOUGHT]),
         child=turn(steps=[THOUGHT, *STEPS])),
    case("chain.own-steps", "met", "empty like the parent's", parent=turn(steps=[EMPTY]),
         child=turn(steps=[EMPTY, *STEPS])),
    case("chain.own-steps", "not_met", "a thought and more", parent=turn(steps=[THOUGHT, *STEPS]),
         child=turn(steps=[THOUGHT, *STEPS, *STEPS])),
    case("chain.parent-unchanged", "untestable", "no child", before=DONE, after=DONE, child=REFUSED),
    case("chain.parent-unchanged", "not_met", "gone", before=DONE, after=refusal(404), child=CHILD),
    case("chain.branch", "untestable", "not even one", child=REFUSED, sibling=REFUSED),
    case("chain.branch", "not_met", "one only", child=CHILD, sibling=REFUSED),
    case("chain.branch", "not_met", "no id", child=CHILD, sibling=turn("")),
    case("chain.siblings-apart", "met", "a token more", **APART, sibling=turn(tokens=10)),
    case("chain.siblings-apart", "untestable", "not counted", **APART, sibling=UNCOUNTED),
    case("chain.siblings-apart", "non_strict", "a longer history", **APART, sibling=turn(tokens=14)),
    case("chain.siblings-apart", "met", "recited at a higher cost", **APART,
         sibling=recites(FIRST, THIRD, tokens=14)),
    case("chain.siblings-apart", "not_met", "recited", **APART, sibling=recites(FIRST, SECOND, THIRD)),
    case("chain.siblings-apart", "not_met", "of an unstored turn",
         **{**APART, "backgrounded": recites(FIRST, UNSTORED)}, sibling=OTHER),
    case("chain.siblings-apart", "not_met", "the answer to another conversation",
         **{**APART, "after_streamed": recites(FIRST, SECOND)}, sibling=OTHER),
    case("chain.siblings-apart", "met", "said by chance", **{**APART, "parent": RECITES}, sibling=RECITES),
    case("chain.siblings-apart", "met", "counted apart from a cache", **{**APART, "child": CACHED},
         sibling=turn(tokens=10)),
    case("chain.siblings-apart", "non_strict", "appended to", **{**APART, "child_again": GROWN},
         sibling=OTHER),
    case("chain.siblings-apart", "not_met", "gone", **{**APART, "child_again": refusal(404)}, sibling=OTHER),
    case("chain.stored", "untestable", "no id", child=CHILD, child_read=None),
    case("chain.stored", "untestable", "no child", child=REFUSED, child_read=None),
    case("chain.stored", "not_met", "another", child=CHILD, child_read=OTHER),
    case("chain.stored", "not_met", "emptied", child=CHILD, child_read=turn(steps=[INPUT])),
    case("chain.stateless", "met", "accepted", second=answer(body=interaction(id="")), alone=REFUSED,
         streamed=None, told=REFUSED),
    case("chain.stateless", "non_strict", "the question alone", **RESENT, told=turn(tokens=9)),
    case("chain.stateless", "not_met", "recited as one text alone", **RESENT, told=RECITES),
    case("chain.stateless", "met", "read from a cache", **{**RESENT, "second": CACHED}, told=CHILD),
    case("chain.stateless", "met", "nothing is counted", **RESENT, told=turn(tokens=2)),
    case("chain.stateless", "not_met", "refused", **{**RESENT, "second": REFUSED}, told=CHILD),
    case("chain.stateless", "met", "accepted in a stream", **{**RESENT, "second": CHILD, "streamed": ended(9)},
         told=CHILD),
    case("chain.stateless", "not_met", "refused in a stream", **{**RESENT, "second": CHILD, "streamed": REFUSED},
         told=CHILD),
    case("chain.stateless", "not_met", "the question alone in a stream",
         **{**RESENT, "second": RECITES, "streamed": ended(2)}, told=RECITES),
    case("chain.at-once", "not_met", "settled late twice", begun=RUNNING, **WAITED, apart=RUNNING),
    case("chain.at-once", "met", "such a run is short", begun=RUNNING, **WAITED, apart=DONE),
    case("chain.at-once", "met", "as slow as any", begun=late(RUNNING), **WAITED, apart=RUNNING),
    case("chain.running", "met", "400", **EARLY, early=stray(REFUSED), look=RUNNING),
    case("chain.running", "non_strict", "409", **EARLY, early=stray(refusal(409)), look=RUNNING),
    case("chain.running", "untestable", "over already", **EARLY, early=stray(CHILD), look=DONE),
    case("chain.running", "not_met", "accepted", **EARLY, early=stray(CHILD), look=RUNNING),
    case("chain.running", "not_met", "beside", **{**EARLY, "beside": RUNNING}, early=stray(CHILD), look=RUNNING),
    case("chain.running", "met", "it was over", **{**EARLY, "beside": REFUSED}, early=stray(CHILD), look=RUNNING),
    case("chain.running", "not_met", "crash", **EARLY, early=stray(CRASH), look=RUNNING),
    case("chain.running", "not_met", "in a stream", **EARLY, early=stray(REFUSED, ended(9)), look=RUNNING),
    case("chain.after-settled", "not_met", "refused", late=REFUSED),
    case("chain.after-settled", "not_met", "no id", late=turn("")),
    case("chain.running", "not_met", "it waits", **{**EARLY, "again": late(CHILD)}, early=stray(late(CHILD)),
         look=DONE),
    case("chain.running", "untestable", "late once", **{**EARLY, "again": REFUSED}, early=stray(late(CHILD)),
         look=DONE),
    case("chain.running", "untestable", "all creates are slow", **{**EARLY, "control": late(CHILD)},
         early=stray(late(CHILD)), look=DONE),
    case("chain.unknown", "met", "404", stray=stray(refusal(404))),
    case("chain.unknown", "non_strict", "422", stray=stray(refusal(422))),
    case("chain.unknown", "not_met", "accepted", stray=stray(CHILD)),
    case("chain.unknown", "met", "refused as a stream, too", stray=stray(REFUSED, refusal(404))),
    case("chain.unknown", "met", "an error event", stray=stray(REFUSED, streamed([FAULT]))),
    case("chain.unknown", "not_met", "accepted as a stream", stray=stray(REFUSED, ended(3))),
    case("chain.unknown", "not_met", "a crash of the stream", stray=stray(REFUSED, CRASH)),
    case("chain.unknown", "met", "refused in the background, too", stray=stray(REFUSED, REFUSED)),
    case("chain.unknown", "not_met", "accepted in the background", stray=stray(REFUSED, RUNNING)),
]  # fmt: skip


def test_a_run_that_was_over_is_a_race_lost():
    """If a child was accepted because its parent had already finished, that is a lost race, not a failure."""
    assert judge("chain.running", **EARLY, early=stray(CHILD), look=DONE).because is Because.RACE_LOST
