"""The judges of the checks on API keys, on hand-made exchanges."""

from __future__ import annotations

import pytest

from harness.checks import RequestBuilder
from harness.checks.areas.service import auth
from harness.outcome import NotApplicable, Unmet
from tests.checks._play import answer, case, interaction, refusal

STORED = answer(body=interaction())
DEAD = answer(None)
NO_KEY = refusal(401, "authentication")


def without(**changed):
    """The answers to calls without a key: correct ones, except those that are replaced."""
    plain = {"read_without": NO_KEY, "created_without": NO_KEY, "deleted_without": NO_KEY}
    return {"readable": STORED, **plain, "read_again": STORED, **changed}


GONE = refusal(404, "not_found")

CASES = [
    case("auth.missing", "met", "401", **without()),
    case("auth.missing", "non_strict", "403", **without(read_without=refusal(403, "permission_denied"))),
    case("auth.missing", "non_strict", "the front end's 401", **without(created_without=refusal(401, 401))),
    case("auth.missing", "non_strict", "no DELETE at all", **without(deleted_without=refusal(405))),
    case("auth.missing", "not_met", "readable", **without(read_without=STORED)),
    case("auth.missing", "not_met", "creatable", **without(created_without=STORED)),
    case("auth.missing", "not_met", "deletable", **without(deleted_without=answer(body={}))),
    case("auth.missing", "not_met", "refused and done", **without(read_again=refusal(404, "not_found"))),
    case("auth.missing", "met", "never readable", **without(readable=GONE, read_again=GONE)),
    case("auth.missing", "not_met", "a server error", **without(read_without=refusal(500, "api_error"))),
    case("auth.missing", "not_met", "dead", **without(read_without=DEAD)),
    case("auth.wrong", "met", "401 and 400", read_wrong=NO_KEY, created_wrong=refusal(400)),
    case("auth.wrong", "non_strict", "404", read_wrong=refusal(404, "not_found"), created_wrong=NO_KEY),
    case("auth.wrong", "not_met", "any text is a key", read_wrong=STORED, created_wrong=NO_KEY),
    case("auth.wrong", "not_met", "any text creates", read_wrong=NO_KEY, created_wrong=STORED),
    case("auth.header", "met", "accepted", created=STORED),
    case("auth.header", "not_met", "refused", created=NO_KEY),
    case("auth.bearer", "met", "accepted", read_bearer=STORED),
    case("auth.bearer", "not_met", "refused", read_bearer=NO_KEY),
    case("auth.query", "met", "accepted", read_query=STORED),
    case("auth.query", "not_met", "refused", read_query=NO_KEY),
]


@pytest.mark.parametrize(
    "target",
    [
        RequestBuilder(key="k", headers=(("Authorization", "Bearer x"),)),
        RequestBuilder(key="k", headers=(("X-Goog-Api-Key", "k"),)),
    ],
    ids=["a bearer header", "a key header"],
)
def test_needs_a_key_that_can_be_left_out(target):
    """If every call carries a key, leaving the key out proves nothing: the checks are untestable."""
    with pytest.raises(Unmet):
        next(auth.one_interaction_many_keys.run(target))


@pytest.mark.parametrize(
    ("wrong", "without", "declared", "raised"),
    [
        (STORED, STORED, (), NotApplicable),
        (NO_KEY, STORED, (), Unmet),
        (STORED, NO_KEY, (), Unmet),
        (STORED, STORED, ("auth",), Unmet),
    ],
    ids=["no keys", "keys if given", "needs some", "declared"],
)
def test_without_a_key_it_is_asked_whether_there_are_any(wrong, without, declared, raised):
    """A target that answers with a wrong key and with none has no keys, unless it is said to check them."""
    steps = auth.one_interaction_many_keys.run(RequestBuilder(capabilities=frozenset(declared)))
    next(steps)
    steps.send(wrong)
    with pytest.raises(raised):
        steps.send(without)
