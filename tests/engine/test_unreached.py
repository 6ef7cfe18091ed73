"""A run that ends early reports what its exchanges showed under rules whose exercise was not played."""

from __future__ import annotations

from contextlib import suppress

from harness.defects.generation import MODEL
from harness.defects.scenes import BODY, Scene, WireDefect
from harness.engine.events import CheckFinished, ExerciseStarted, RunFinished
from harness.engine.run import RunOptions, check_target
from harness.engine.targets import TargetOptions, embed_emulator
from harness.interactions import INTERACTIONS
from harness.kit.api import OTHER_KEY, PRIMARY_KEY
from harness.outcome import Exit, Verdict


def test_an_interrupted_run_reports_what_it_saw_under_rules_it_did_not_reach() -> None:
    """The run ends after one exercise, whose exchanges break a rule that another exercise would prove."""
    defect = WireDefect(BODY, "retyped", Scene("POST interactions", "plain", "at once"), "model")
    contract = INTERACTIONS.load_contract("")
    run = MODEL.new_run(defect, INTERACTIONS.key_header, (PRIMARY_KEY, OTHER_KEY))
    target = embed_emulator(
        INTERACTIONS, TargetOptions(), lambda: run.wrap(INTERACTIONS.new_service(contract, ""))
    )
    catalog = INTERACTIONS.load_catalogue()
    events = check_target(
        target,
        catalog,
        RunOptions(choose=lambda names: "every_input_form" if "every_input_form" in names else names[0]),
    )
    started = 0
    seen = []
    for event in events:
        seen.append(event)
        started += isinstance(event, ExerciseStarted)
        if started == 2:
            with suppress(StopIteration):
                seen.append(events.throw(KeyboardInterrupt))
            seen += events
            break
    *_, finished = seen
    assert isinstance(finished, RunFinished)
    assert finished.exit is Exit.INTERRUPTED
    verdicts = {event.result.id: event.result.verdict for event in seen if isinstance(event, CheckFinished)}
    assert verdicts["create.schema"] is Verdict.FAIL
    assert verdicts["get.schema"] is Verdict.NOT_RUN
