"""The schema engine: not vacuous on the reference, and told when it would be."""

from __future__ import annotations

import json

import pytest

from harness import resources
from harness.contract.schemas import CURRENT
from harness.runner.fuzz.budget import Budget
from harness.runner.fuzz.document import _Run, declared_links, document
from harness.runner.fuzz.tailored import tailored
from tests.fuzz.places import mutant, reference

OPENAPI = resources.folder("schemas") / CURRENT / "openapi.json"
SMALL = Budget(histories=1, steps=1, laws=1, schema=12, coverage=False)


def test_the_reference_stands_and_everything_was_reached() -> None:
    """Each operation, each link, enough successes, no finding."""
    done = document(reference(), SMALL)
    assert done.failures == ()
    assert done.vacuous == ()
    assert done.counts["operations"] == 4


def test_a_crash_is_found_with_its_requests() -> None:
    """The trail ends with the call that failed."""
    done = document(mutant("malformed-json-crashes"), SMALL)
    found = {failure.rule: failure for failure in done.failures}
    assert found["fuzz.no-5xx"].trail[-1].status == 500


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"calls": 0}, "no call was made"),
        ({"reached": set()}, "never reached"),
        ({"roots": set()}, "does not begin with POST /interactions"),
        ({"links": {}}, "links never applied"),
        ({"successes": 0}, "succeeded"),
    ],
)
def test_each_kind_of_vacuity_is_told(change: dict[str, object], told: str) -> None:
    """A gate that is not passed says which."""
    run = _Run(reference(), "", strict=False, passed_over=frozenset())
    run.declared = declared_links(OPENAPI)
    run.calls, run.meant, run.successes = 150, 100, 50
    run.reached = set(run.declared)
    run.roots = {"POST /interactions"}
    run.links.update(link for links in run.declared.values() for link in links)
    assert list(run.vacuity()) == []
    for name, value in change.items():
        setattr(run, name, value)
    assert any(told in why for why in run.vacuity())


def test_no_link_leads_out_of_cancel() -> None:
    """One link there would make the stateful phase of the tool test nothing."""
    links = declared_links(OPENAPI)
    assert links["POST /interactions/{id}/cancel"] == set()
    assert all(links[label] for label in links if not label.endswith("cancel"))


def test_the_tailored_document_asks_for_what_the_target_has() -> None:
    """Names are the target's; what only a target can give is left out; the original is untouched."""
    before = OPENAPI.read_bytes()
    target = reference().resolved.target
    with tailored(target) as path:
        schema = json.loads((path.parent / "strict" / "create-interaction.json").read_bytes())
    fields = schema["$defs"]["requests.create-interaction"]["$defs"]["fields"]["properties"]
    assert fields["model"]["enum"] == [target.model]
    assert "previous_interaction_id" not in fields
    assert OPENAPI.read_bytes() == before
    assert not path.exists()
