"""Which cases `harness torture` plays: what its options say, as values.

Layer 7.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import contract_of
from harness.interactions import INTERACTIONS
from harness.outcome import UsageFault

if TYPE_CHECKING:
    from harness.benches.client.cases.case import Case

DEFAULT_ENDINGS = "rst,end"


def read_base(arguments: argparse.Namespace) -> tuple[list[str], Case]:
    """The settings of event ids to play, and what all cases share."""
    from harness.benches.client.cases.case import EVENT_IDS, Case

    event_ids = _parse_list("--event-ids", arguments.event_ids, EVENT_IDS)
    sources = ("text", "script", "scenario", "cassette")
    given = [name for name in sources if getattr(arguments, name) is not None]
    if len(given) > 1:
        raise UsageFault(f"--{given[0]} and --{given[1]} both say what the stream is: give one of them")
    if arguments.cassette is not None and event_ids != ["all"]:
        raise UsageFault("--cassette brings its own event ids: leave --event-ids out")
    script = _parse_script("--script", arguments.script)
    if arguments.text is not None:
        script = {"text": arguments.text}
    further = _parse_script("--further", arguments.further)
    base = Case(
        plan="pass",
        mode=INTERACTIONS.load_client_model().modes[arguments.mode],
        script=script,
        further=further,
        event_ids=event_ids[0],
        resume=arguments.resume,
        scenario=arguments.scenario,
        cassette=arguments.cassette,
        contract=contract_of(arguments),
    )
    return event_ids, base


def cases_of_options(arguments: argparse.Namespace, base: Case, event_ids: Sequence[str]) -> list[Case]:
    """The cases of `--incidents`, of `--cuts`, or else of a set; `base` is what all of them share."""
    from harness.benches.client.cases.case_sets import cases_of_set
    from harness.benches.client.cases.incident_cases import cases_of_incidents

    if arguments.incidents is not None:
        named = arguments.incidents.split(",")
        return cases_of_incidents(INTERACTIONS, base, [] if named == ["all"] else [word.strip() for word in named])
    if arguments.cuts or arguments.endings:
        return _asked_for(arguments, base, event_ids)
    kinds = [word.strip() for word in (arguments.kinds or "").split(",") if word.strip()]
    return cases_of_set(INTERACTIONS, arguments.set, base, event_ids=event_ids, only=kinds)


def _parse_script(flag: str, text: str | None) -> dict[str, Any] | None:
    """The script that an argument gives; None if it is not given. Raises UsageFault."""
    from harness.emulator.script.scripts import parse
    from harness.wire.json_value import object_or_none

    if text is None:
        return None
    value = object_or_none(text.encode())
    if value is None:
        raise UsageFault(
            f"{flag} {text!r} is no JSON object: write for example "
            f"""{flag} '{{"text": "Hello.", "status": "failed"}}' (docs/emulator.md)"""
        )
    parse(value)
    return value


def _asked_for(arguments: argparse.Namespace, base: Case, event_ids: Sequence[str]) -> list[Case]:
    """The cases of --cuts."""
    from harness.benches.client.cases.drop_cases import ENUMERATIONS, cases_of
    from harness.faults import Drop

    endings = _parse_list("--endings", arguments.endings or DEFAULT_ENDINGS, [str(drop) for drop in Drop])
    cases: list[Case] = []
    for where in arguments.cuts or ["every-event"]:
        cuts = where if where in ENUMERATIONS else [where]
        try:
            cases += cases_of(INTERACTIONS, base, cuts=cuts, endings=endings, event_ids=event_ids)
        except UsageFault as wrong:
            known = ", ".join(ENUMERATIONS)
            raise UsageFault(f"--cuts {where!r} is neither one of {known} nor a plan\n{wrong}") from None
    return list(dict.fromkeys(cases))


def _parse_list(flag: str, text: str, known: Sequence[str]) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise UsageFault(f"{flag}: {word!r} is none of {', '.join(known)}")
    if not words:
        raise UsageFault(f"{flag} names none of {', '.join(known)}")
    return words
