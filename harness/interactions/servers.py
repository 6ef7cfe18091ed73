"""`SERVERS`: this API with all that judging a server takes: checks, whole runs, and a service that speaks it.

Importing it costs nothing: each function imports what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.interactions.targets import TARGETS
from harness.kit.api import OTHER_KEY, PRIMARY_KEY, LateCall, ServerApi, load_named_extensions
from harness.wire import Exchange

if TYPE_CHECKING:
    from harness.contract import Contract
    from harness.emulator import Emulator, Settings
    from harness.kit.check import Check
    from harness.outcome import Finding


def _judge_death(exchange: Exchange, lives: bool) -> Iterator[Finding]:
    from harness.contract import read
    from harness.contract.judge.body import judge_death, judge_silence

    return (judge_silence if lives else judge_death)(exchange, read(exchange).call)


def _load_catalogue() -> tuple[Check, ...]:
    from harness.checks.catalogue import CATALOGUE

    return (*CATALOGUE, *(check for one in load_named_extensions() for check in one.checks))


def embedded_settings() -> Settings:
    """The settings of every emulator in this process; it accepts only the two keys that checks use."""
    from harness.emulator import Settings

    return Settings(platform="any", keys={PRIMARY_KEY: "primary", OTHER_KEY: "other"})


def _new_service(contract: Contract) -> Emulator:
    from harness.emulator import Emulator

    return Emulator(embedded_settings(), contract=contract)


SERVERS = ServerApi(
    **TARGETS.fields(),
    judge_death=_judge_death,
    judge_trail=LateCall("harness.contract.judge.history.history_judge", "judge_trail"),
    new_end_counter=LateCall("harness.contract.judge.history.run_judge", "RunEnds"),
    new_run_judge=LateCall("harness.contract.judge.history.run_judge", "RunJudge"),
    load_capabilities=LateCall("harness.checks.capabilities", "CAPABILITIES"),
    load_profiles=LateCall("harness.checks.capabilities", "PROFILE_GATES"),
    load_probes=LateCall("harness.checks.probes", "PROBES"),
    load_catalogue=_load_catalogue,
    new_service=_new_service,
)
