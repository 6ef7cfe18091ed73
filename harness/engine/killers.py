"""Which checks fail on a mutant of the reference service."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from harness.engine.events import RunFinished
from harness.engine.run import RunOptions, check_target
from harness.engine.targets import TargetOptions, embed_emulator
from harness.kit.api import EmbeddedService, ServerApi
from harness.outcome import Exit, Outcome, Reason, TargetFault

HANDSHAKE = "handshake"
"""The killer of a mutant with which no check can begin."""


class Killers(Struct, frozen=True):
    """The checks that a mutant does not meet, at whatever level, and those that raised there with the reason."""

    names: tuple[str, ...]
    errors: Mapping[str, str]


def find_killers(api: ServerApi, new_mutant: Callable[[], EmbeddedService]) -> Killers:
    """Run every check against a mutant in this process, as `harness check` does against a server.

    Raises KeyboardInterrupt if it was interrupted.
    """
    target = embed_emulator(api, TargetOptions(), new_mutant)
    try:
        *_, finished = check_target(target, api.load_catalogue(), RunOptions(jobs=1))
    except TargetFault:
        return Killers((HANDSHAKE,), {})
    assert isinstance(finished, RunFinished)
    if finished.exit is Exit.INTERRUPTED:  # the run of this mutant has ended, and the user wants no other
        raise KeyboardInterrupt
    broken = (Outcome.NOT_MET, Outcome.NON_STRICT)
    return Killers(
        tuple(result.id for result in finished.results if result.observation.outcome in broken),
        {one.id: one.observation.reason for one in finished.results if one.reason is Reason.HARNESS_ERROR},
    )
