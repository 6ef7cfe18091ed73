"""Cases of this API for the tests."""

from __future__ import annotations

from typing import Any

from harness.benches.client.cases import Case, StreamSource
from harness.benches.client.cases import cases_of_set as cases_of_any_set
from harness.checks.clients.sets import MODES
from harness.emulator import Emulator
from harness.interactions.clients import CLIENTS


def new_case(plan: str = "pass", mode: str = "follow", **more: Any) -> Case:
    """A case of a mode."""
    return Case(plan=plan, mode=MODES[mode], **more)


def cases_of_set(name: str, base: Case, **options: Any) -> list[Case]:
    """The cases of one of the sets of this API."""
    return cases_of_any_set(CLIENTS, name, base, **options)


def new_source(case: Case, emulator: Emulator | None = None) -> StreamSource:
    """The source of a case's stream."""
    return StreamSource(CLIENTS, emulator or Emulator(), case)
