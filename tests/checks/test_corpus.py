"""The checks accept what the live service really answered."""

from __future__ import annotations

import json

import pytest

from harness.checks.catalogue import CATALOGUE
from harness.outcome import Outcome
from tests.checks._play import answer
from tests.contract.corpus import files, needs_corpus

ANSWER_CHECKS = [c for c in CATALOGUE if c.exercise.name == "a_stored_interaction" and c.wants == ("created",)]


@needs_corpus
@pytest.mark.parametrize("path", files("response"), ids=lambda path: path.name)
def test_recorded_answers_are_accepted(path):
    """No check of a create's answer reports a finding for a recording of the live service."""
    body = json.loads(path.read_text("utf-8"))
    exchange = answer(body=body, method="POST", target="/v1beta/interactions")
    # A body without an id was created with store=false, and create.id applies to stored ones only.
    judged = [check for check in ANSWER_CHECKS if "id" in body or check.id != "create.id"]
    outcomes = {check.id: check.observe({"created": exchange}).outcome for check in judged}
    assert {i: o for i, o in outcomes.items() if o not in (Outcome.MET, Outcome.UNTESTABLE)} == {}
    assert outcomes["create.schema"] is Outcome.MET
