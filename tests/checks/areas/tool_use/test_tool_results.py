"""The judges of the checks on function results, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import answer, case, interaction, refusal
from tests.checks._streams import CALL

ASKED = answer(body=interaction(status="requires_action", steps=[CALL]))
NEXT = answer(body=interaction(id="v1_two"))
SAME = answer(body=interaction())
AGAIN = answer(body=interaction(id="v1_two", status="requires_action", steps=[CALL]))
TWO = answer(body=interaction(status="requires_action", steps=[CALL, {**CALL, "id": "call_2"}]))
TWINS = answer(body=interaction(status="requires_action", steps=[CALL, CALL]))
RUNNING = answer(body=interaction(id="v1_two", status="in_progress"))
REFUSED = refusal(400)
CRASH = refusal(500)


def forms(**changed):
    """The answers to a function result in each form: accepted, except those that are replaced."""
    return {"string": NEXT, "object": NEXT, "list": NEXT, **changed}


CASES = [
    case("tool.result-ok", "met", "accepted", asked=ASKED, forms=forms()),
    case("tool.result-ok", "met", "and called again", asked=ASKED, forms=forms(string=AGAIN)),
    case("tool.result-ok", "met", "another form refused", asked=ASKED, forms=forms(object=REFUSED)),
    case("tool.result-ok", "not_met", "refused", asked=ASKED, forms=forms(string=REFUSED)),
    case("tool.result-ok", "not_met", "the same id", asked=ASKED, forms=forms(string=SAME)),
    case("tool.result-ok", "met", "whatever its status", asked=ASKED, forms=forms(string=RUNNING)),
    case("tool.result-ok", "not_met", "something else", asked=ASKED, forms=forms(string=answer(body={}))),
    case("tool.result-final", "met", "settled", forms=forms()),
    case("tool.result-final", "met", "another call", forms=forms(string=AGAIN)),
    case("tool.result-final", "untestable", "refused", forms=forms(string=REFUSED)),
    case("tool.result-final", "not_met", "still running", forms=forms(string=RUNNING)),
    case("tool.result-error", "met", "accepted", asked=ASKED, failure=NEXT),
    case("tool.result-error", "not_met", "refused", asked=ASKED, failure=REFUSED),
    case("tool.result-forms", "met", "all", asked=ASKED, forms=forms()),
    case("tool.result-forms", "not_met", "no object", asked=ASKED, forms=forms(object=REFUSED)),
    case("tool.result-forms", "not_met", "no list", asked=ASKED, forms=forms(list=CRASH)),
    case("tool.result-no-tools", "met", "accepted", bare=NEXT),
    case("tool.result-no-tools", "not_met", "refused", bare=REFUSED),
    case("tool.result-bad-id", "met", "400", wrong_id=REFUSED),
    case("tool.result-bad-id", "not_met", "accepted", wrong_id=NEXT),
    case("tool.result-bad-id", "non_strict", "404", wrong_id=refusal(404)),
    case("tool.result-bad-id", "not_met", "crash", wrong_id=CRASH),
    case("tool.result-orphan", "met", "400", orphan=REFUSED),
    case("tool.result-orphan", "not_met", "accepted", orphan=NEXT),
    case("tool.result-orphan", "not_met", "crash", orphan=CRASH),
    case("tool.parallel", "met", "accepted", asked=TWO, answered=NEXT),
    case("tool.parallel", "not_met", "refused", asked=TWO, answered=REFUSED),
    case("tool.ids-unique", "met", "two", asked=TWO),
    case("tool.ids-unique", "not_met", "one for both", asked=TWINS),
    case("tool.stateless", "met", "accepted", answered=NEXT),
    case("tool.stateless", "not_met", "refused", answered=REFUSED),
    case("tool.signature-missing", "met", "400", unsigned=REFUSED),
    case("tool.signature-missing", "not_met", "accepted", unsigned=NEXT),
    case("tool.signature-missing", "not_met", "crash", unsigned=CRASH),
]  # fmt: skip
