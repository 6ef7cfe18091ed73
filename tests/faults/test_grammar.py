"""Fault plans survive a round trip through text, and errors point to the mistake and suggest a fix."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.faults import (
    BareError,
    Chunks,
    Comment,
    Compress,
    Connection,
    Crlf,
    Cut,
    Drop,
    ErrorEvent,
    ErrorShape,
    Fault,
    Garble,
    Glue,
    Ids,
    Inclusive,
    Late,
    Members,
    Omit,
    Ping,
    Place,
    Plan,
    Raw,
    Replay,
    Reshape,
    Scope,
    Silence,
    Spot,
    Status,
    Trickle,
    Unknown,
    parse,
    random_plan,
)
from harness.faults.answer_faults import OF_STATUS, Coding, Edit
from harness.faults.event_faults import Part
from harness.faults.grammar import FAULTS as WORDS
from harness.outcome import UsageFault
from tests.in_one_test import in_one_test

NUMBER = st.integers(1, 10**12 - 1)
FROM_ZERO = st.integers(0, 10**12 - 1)
BODY_DROPS = st.sampled_from([drop for drop in Drop if drop is not Drop.BAD_HEAD])
HEAD_DROPS = st.sampled_from([Drop.FIN, Drop.RST, Drop.STALL, Drop.BAD_HEAD])
BODY_PLACES = st.one_of(
    st.builds(Place, st.sampled_from([Spot.BYTE, Spot.DATA, Spot.BLANK, Spot.UTF8]), FROM_ZERO),
    st.builds(Place, st.just(Spot.EVENT), FROM_ZERO, FROM_ZERO),
    st.sampled_from([Place(Spot.COMPLETION), Place(Spot.AFTER_COMPLETION)]),
    st.builds(Place, st.just(Spot.TIME), NUMBER),
)
HEAD_PLACES = st.one_of(
    st.just(Place(Spot.BEFORE_HEADERS)), st.builds(Place, st.just(Spot.HEADERS), st.none() | NUMBER)
)
CUTS = st.builds(Cut, BODY_PLACES, BODY_DROPS) | st.builds(Cut, HEAD_PLACES, HEAD_DROPS)
ENDS = CUTS | st.builds(BareError, FROM_ZERO, st.booleans()) | st.builds(Raw, FROM_ZERO, st.text(min_size=1))
STATUSES = st.one_of(
    st.builds(
        Status, st.integers(400, 599), st.none() | FROM_ZERO, st.none() | FROM_ZERO, st.sampled_from(ErrorShape)
    ),
    st.builds(Status, st.integers(400, 599), body=st.text()),
    st.builds(
        Status,
        st.integers(400, 599),
        shape=st.sampled_from([ErrorShape.FRONT_END, ErrorShape.LIST]),
        retry_info=st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,9})?", fullmatch=True),
    ),
)
EDITS: st.SearchStrategy[Fault] = st.one_of(
    st.builds(Replay, NUMBER),
    st.builds(Replay, st.integers(64, 10**12 - 1), st.integers(1, 64)),
    st.builds(Ping, st.none() | FROM_ZERO),
    st.builds(Unknown, st.none() | FROM_ZERO),
    st.builds(ErrorEvent, FROM_ZERO, st.booleans()),
    st.builds(Ids, st.none() | st.integers(2, 10**12 - 1)),
    st.builds(Late, st.integers(1, 10**9 - 1)),
    st.builds(Chunks, NUMBER),
    st.builds(Garble, FROM_ZERO),
    st.builds(Trickle, NUMBER),
    st.builds(Comment, st.none() | FROM_ZERO),
    st.builds(Silence, FROM_ZERO, st.integers(1, 10**9 - 1)),
    st.builds(Reshape, st.sampled_from(Edit), st.from_regex(r"[a-z_]{1,12}", fullmatch=True)),
    st.builds(Compress, st.sampled_from(Coding)),
    st.sampled_from([Omit(part) for part in Part]),
    st.sampled_from([Glue(), Members()]),
    st.just(Inclusive()),
    st.just(Crlf()),
)
FAULTS = st.one_of(
    st.builds(lambda edits, last: (*edits, *last), st.lists(EDITS, max_size=3), st.lists(ENDS, max_size=1)),
    st.tuples(STATUSES),
)
CONNECTIONS = st.builds(Connection, FAULTS, st.integers(1, 99))
PLANS = st.builds(
    lambda first, last, scope: Plan((*first, last), scope),
    st.lists(CONNECTIONS, max_size=3),
    st.builds(Connection, FAULTS, st.none() | st.integers(1, 99)),
    st.sampled_from(Scope),
)


PARTED = st.builds(
    lambda first, more: replace(first, scope=Scope.STARTS, also=(replace(more, scope=Scope.GETS),)), PLANS, PLANS
)


@given(PLANS | PARTED)
@pytest.mark.slow
def test_every_plan_survives_its_spelling(plan: Plan) -> None:
    """`parse(str(plan))` returns an equal plan with the same text."""
    again = parse(str(plan))
    assert again == plan
    assert str(again) == str(plan)


@given(FROM_ZERO, st.integers(1, 500), st.sampled_from(Scope))
def test_a_drawn_plan_survives_its_seed(seed: int, events: int, scope: Scope) -> None:
    """A random plan can be reproduced from the seed it prints, and can also be spelled out."""
    plan = random_plan(seed, events=events)
    assert parse(str(plan)) == plan
    assert parse(plan.spelled).connections == plan.connections
    scoped = parse(f"{scope}={plan}")
    assert (scoped.connections, scoped.scope) == (plan.connections, scope)
    assert parse(str(scoped)) == scoped


SPELLINGS = {
    "event:5+60,rst": Plan((Connection((Cut(Place(Spot.EVENT, 5, 60), Drop.RST),)),)),
    "bare-error:5+refusal/bare-error:0": Plan((Connection((BareError(5, True),)), Connection((BareError(0),)))),
    " event:5+0 , fin / pass ": Plan((Connection((Cut(Place(Spot.EVENT, 5), Drop.FIN),)), Connection())),
    "resumes = status:429,retry-after:2,times:all": Plan((Connection((Status(429, 2),), None),), Scope.RESUMES),
    "status:503,retry-after-ms:20,retry-after:1": Plan((Connection((Status(503, 1, 20),)),)),
    "headers,fin": Plan((Connection((Cut(Place(Spot.HEADERS), Drop.FIN),)),)),
    "replay:3+1": Plan((Connection((Replay(3, 1),)),)),
    "late:2.5": Plan((Connection((Late(2500),)),)),
    "late:0.050": Plan((Connection((Late(50),)),)),
    "event:6,rst / resumes = event:2,stall,times:all": Plan(
        (Connection((Cut(Place(Spot.EVENT, 6), Drop.RST),)),),
        also=(Plan((Connection((Cut(Place(Spot.EVENT, 2), Drop.STALL),), None),), Scope.RESUMES),),
    ),
    "gets=status:429,retry-info:34.4": Plan(
        (Connection((Status(429, shape=ErrorShape.FRONT_END, retry_info="34.4"),)),), Scope.GETS
    ),
    "raw:2+Bad%20gateway": Plan((Connection((Raw(2, "Bad gateway"),)),)),
    "pass,times:2/ping:all": Plan((Connection((), 2), Connection((Ping(None),)))),
}


@pytest.mark.parametrize("text", SPELLINGS)
def test_spellings(text: str) -> None:
    """Spaces and equivalent notations, as people write them, parse to the expected plan."""
    assert parse(text) == SPELLINGS[text]


WRONG = {
    "": (1, "a fault is missing"),
    "event:5": (1, "write for example event:5,rst"),
    "event:5,rts": (9, "did you mean 'rst'"),
    "pass/evnt:5,rst": (6, "did you mean 'event'"),
    "xyzzy": (1, "known are before-headers, headers, byte"),
    "event:5,rst/rst": (13, "write for example event:5,rst"),
    "event:x,rst": (1, "'x' is not a whole number"),
    "event:-1,rst": (1, "'-1' is not a whole number"),
    "event:٣,rst": (1, "is not a whole number"),
    "event:9999999999999,rst": (1, "at most 12 digits"),
    "byte,fin": (1, "write for example byte:5"),
    "byte:5+3,fin": (1, "only event:K+N"),
    "completion:3,end": (1, "write completion alone"),
    "headers:0,fin": (1, "must be from 1"),
    "event:5,rst,ping:3": (1, "nothing can follow a cut"),
    "event:5,bad-head": (1, "there it can be fin, rst, stall"),
    "before-headers,end": (1, "there it can be fin, rst, stall"),
    "status:200": (1, "from 400 to 599"),
    "status": (1, "write for example status:429"),
    "ping:1,status:429": (1, "it stands alone"),
    "retry-after:3": (1, "write for example status:429,retry-after:3"),
    "status:429,retry-after:1,retry-after:2": (26, "appears twice"),
    "resume=pass": (1, "did you mean 'resumes'"),
    "times:3": (1, "times of what"),
    "pass,times:0": (6, "leave it out"),
    "times:2,event:5,rst": (1, "times comes last"),
    "pass,ping:1": (1, "pass stands alone"),
    "event:5,rst/": (13, "a fault is missing"),
    "event:5,rst,,ping:1": (13, "a fault is missing"),
    "event:5,rst,times:all/pass": (1, "would never come"),
    "dup:0": (1, "must be from 1"),
    "replay:3": (1, "write for example replay:5+3"),
    "replay:3+5": (1, "must be from 1 to 3"),
    "replay:999+65": (1, "must be from 1 to 64"),
    "ids:1": (1, "must be from 2"),
    "late:x": (1, "late:0.25"),
    "late:0": (1, "must be from 1"),
    "crlf:3": (1, "write crlf alone"),
    "error:3+foo": (1, "error:3+id"),
    "bare-error:3+id": (1, "bare-error:3+refusal"),
    "bare-error": (1, "write for example bare-error:5"),
    "bare-error:3,event:1,rst": (1, "nothing can follow a bare error"),
    "pass/gets=pass,ping:1": (11, "pass stands alone"),
    "pass/get=pass": (6, "did you mean 'gets'"),
    "starts=pass/resumes=pass/starts=ping:1": (26, "starts has a part already"),
    "status:429,shape:htm": (12, "did you mean 'html'"),
    "status:429,retry-info:x": (1, "write for example 34.430985"),
    "status:429,shape:html,retry-info:3": (1, "shape:front-end or shape:list"),
    "status:429,body:a b": (12, "percent-encoded"),
    "status:429,body:%ff": (12, "are not UTF-8"),
    "status:429,body:a,shape:html": (1, "leave out shape"),
    "shape:html": (1, "belongs to a status"),
    "raw:3": (1, "has no text"),
    "raw:3+x,event:1,rst": (1, "nothing can follow a raw end"),
    "silence:3": (1, "silence:5+120"),
    "time:0,fin": (1, "must be from 1"),
    "after-completion:3,end": (1, "write after-completion alone"),
    "strip:": (1, "write for example strip:usage"),
    "gzip:9": (1, "write gzip alone"),
    "random:x": (1, "write for example random:42"),
}  # fmt: skip


@in_one_test(text=WRONG)
def test_an_error_points_and_suggests(text: str) -> None:
    """Each error names the column, draws an arrow to it and says what to write instead."""
    column, hint = WRONG[text]
    with pytest.raises(UsageFault) as caught:
        parse(text)
    said, shown, arrow = str(caught.value).split("\n")
    assert said.startswith(f"fault plan, column {column}: ")
    assert hint in said
    assert shown == f"  {text}"
    assert arrow.index("^") == column + 1


DOCS = Path(__file__).parents[2] / "docs" / "faults.md"


def test_the_documentation_can_be_typed() -> None:
    """Every example in docs/faults.md is a valid plan, and every keyword of the grammar is documented."""
    text = DOCS.read_text(encoding="utf-8")
    examples = [line.partition("  ")[0] for line in text.split("```plan\n")[1].split("```")[0].splitlines()]
    assert len(examples) > 5
    for example in examples:
        assert str(parse(example)) == example
    spans = re.findall(r"`([^`\n]+)`", text)
    written = {word for span in spans for word in re.split(r"[:,=+/ ]", span)}
    words = {*WORDS, *Drop, *Scope, *ErrorShape, "pass", "times", "random", *OF_STATUS}
    assert words <= written, f"write in docs/faults.md what these do: {sorted(words - written)}"


@given(st.text(alphabet="event:rstfinpab,/=+0123456789.é \n", max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any text either parses as a plan or raises a UsageFault."""
    with contextlib.suppress(UsageFault):
        assert parse(str(parse(text))) == parse(text)
