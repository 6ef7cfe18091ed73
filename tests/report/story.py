"""A finished run with one result of each important verdict, for the tests of the formats."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.engine.decide import Baseline, Entry
from harness.engine.events import RunEvent
from harness.engine.run import RunOptions, check_target
from harness.interactions import INTERACTIONS
from harness.outcome import Finding
from harness.report.presented_run import PresentedRun
from harness.wire import Exchange, StreamProtocol
from harness.wire.secrets import SecretFields
from tests.engine import toys

HOSTILE = '</script><b>&"\x1b[31m\x00\ud800 ]]> ```` | \u202e'
"""Text that a target may put into a response to break a report."""


def hostile(got: Exchange) -> Iterator[Finding]:
    """A finding that quotes the target."""
    yield Finding("get.hostile", f"it says {HOSTILE}", expected="nothing", actual=f"{HOSTILE} and {toys.KEY}")


NASTY = toys.check("get.hostile", toys.create_and_get, hostile, requires={"store"})
CATALOGUE = (*toys.CATALOGUE, toys.ODD, toys.SHOULD, toys.RAISES, toys.UNMET, NASTY)


def secret_protocol() -> StreamProtocol:
    """The protocol of an API whose only secret is a field of this name."""
    return msgspec.structs.replace(INTERACTIONS.load_protocol(), secret_fields=SecretFields({"secret"}))


def told(service: toys.ToyService | None = None) -> PresentedRun:
    """What the listeners heard during a run over the toy catalogue."""
    story = PresentedRun(msgspec.structs.replace(INTERACTIONS, load_protocol=secret_protocol))
    for event in heard(service or toys.ToyService()):
        story.handle(event)
    return story


def heard(service: toys.ToyService) -> Iterator[RunEvent]:
    """The events of a run over the toy catalogue; one check that passes has an entry in the baseline."""
    options = RunOptions(baseline=Baseline([Entry("create.ok", "was broken", "2026-01-01")]))
    yield from check_target(toys.toy_target(service), CATALOGUE, options)
