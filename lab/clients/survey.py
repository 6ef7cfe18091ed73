"""Runs the rows of the table with each client that has a driver, in each version and mode.

A case with a finding runs a second time, so that no cell rests on one run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from harness.benches.client.bench import TortureOptions, torture
from harness.benches.client.cases import Case, cases_of_set, incident_case
from harness.benches.client.client_commands import Client
from harness.benches.client.judgement.outcome import DropOutcome, outcome_of, run_of
from harness.benches.client.ready import ReadyClient
from harness.engine.events import CheckFinished, ClientRun, Result, WireMoment
from harness.kit.api import ClientApi
from harness.kit.client_model import ClientIncident
from harness.outcome import Level, Severity, UsageFault

NewClient = Callable[[], Client]


# The rows of the table of clients: faults, one case of each, and what already happened to others.


GIVEN, POLLS = "follow", "poll"
TABLES = {
    "create": "table",
    "background": "table",
    GIVEN: "table",
    POLLS: "polling-table",
    "chain": "turns-table",
    "tools": "turns-table",
    "cancel": "cancelling-table",
}
"""The set that is the table of each mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A row: a fault, or an incident."""

    name: str
    about: str
    is_incident: bool = False


PlayedRow: TypeAlias = tuple[TableRow, Case]


def base_of(api: ClientApi, mode: str) -> Case:
    """The case that all cases of a mode build on: a stream without a fault."""
    return Case(plan="pass", mode=api.load_client_model().modes[mode])


def rows_of(api: ClientApi, mode: str, only: Collection[str] = ()) -> list[PlayedRow]:
    """The rows that a client meets in a mode, the faults first, each with its case; `only` names some of them."""
    found = [*_list_fault_rows(api, mode), *_list_incident_rows(api, mode)]
    return [(row, case) for row, case in found if not only or row.name in only]


def list_row_names(api: ClientApi) -> list[str]:
    """The names of all rows, each once."""
    return list(dict.fromkeys(row.name for mode in TABLES for row, _ in rows_of(api, mode)))


def _list_fault_rows(api: ClientApi, mode: str) -> list[PlayedRow]:
    about = {kind.name: kind.about for kind in api.load_client_model().sets[TABLES[mode]]}
    cases = cases_of_set(api, TABLES[mode], base_of(api, mode))
    return [(TableRow(name=case.kind, about=about[case.kind]), case) for case in cases]


def _list_incident_rows(api: ClientApi, mode: str) -> list[PlayedRow]:
    return [
        (TableRow(name=one.name, about=one.title, is_incident=True), incident_case(one, base_of(api, mode)))
        for one in api.load_client_model().load_incidents().values()
        if _is_met(one, mode)
    ]


def _is_met(incident: ClientIncident, mode: str) -> bool:
    """Whether a client in this mode meets it. What happens to polls is a row of those that poll alone."""
    return mode in incident.modes and not (mode == GIVEN and POLLS in incident.modes)


# The survey: each client plays each case of its columns.


class _KeptClients:
    """Lends clients and keeps those that are given back: to start one takes longer than many cases."""

    def __init__(self, make: NewClient) -> None:
        self._make = make
        self._idle: list[Client] = []

    def lend(self) -> Client:
        try:
            return _Lent(self._idle.pop(), self._idle)
        except IndexError:
            return _Lent(self._make(), self._idle)

    def close(self) -> None:
        for client in self._idle:
            client.close()


class _Lent:
    """A client that is given back where others close theirs."""

    def __init__(self, client: Client, idle: list[Client]) -> None:
        self.read = client.read
        self._given_back = False
        self._client = client
        self._idle = idle

    def stop(self) -> None:
        if not self._given_back:  # the end of a run stops whom it had, and this one is to be lent again
            self._client.stop()

    def close(self) -> None:
        if not self._given_back:
            self._given_back = True
            self._idle.append(self._client)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The result of a client in one row. `again` is the outcome of a run that confirms it, "" if there was none.

    If two runs differ, a third one decides; if that differs, too, `again` is the outcome of the second one.
    `sentence` is the finding, "" if there is none. `timeline` holds the lines of a drawing, without times;
    `command` repeats the case.
    """

    row: TableRow
    outcome: str
    again: str = ""
    rule: str = ""
    level: str = ""
    sentence: str = ""
    timeline: tuple[str, ...] = ()
    command: str = ""

    @property
    def word(self) -> str:
        """The outcome, or both if the runs differ."""
        return self.outcome if self.again in ("", self.outcome) else f"{self.outcome} or {self.again}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientColumn:
    """The results of one client in one version and mode, row by row.

    `about` describes the task of the mode; `problem` is why it could not be tried.
    """

    client: ReadyClient
    mode: str
    about: str = ""
    cells: tuple[Cell, ...] = ()
    problem: str = ""


def list_modes(
    api: ClientApi, client: ReadyClient, modes: Collection[str] = tuple(TABLES), only: Collection[str] = ()
) -> list[str]:
    """The modes of a client that have a column, in its order."""
    return [mode for mode in client.modes if mode in modes and rows_of(api, mode, only)]


def survey(
    api: ClientApi,
    clients: Iterable[ReadyClient],
    new_client: Callable[[ReadyClient], NewClient],
    *,
    modes: Sequence[str] = tuple(TABLES),
    only: Collection[str] = (),
    jobs: int = 2,
    seconds: float = 15.0,
) -> Iterator[ClientColumn]:
    """A column for each client and each of its modes, as soon as it is known.

    `new_client` installs a client and returns its factory; `only` names some of the rows. A client that cannot be
    installed, or fails without any fault, has a column with that problem.
    """
    for client in clients:
        chosen = list_modes(api, client, modes, only)
        if not chosen:
            continue
        try:
            kept = _KeptClients(new_client(client))
        except UsageFault as wrong:
            yield from (ClientColumn(client=client, mode=mode, problem=str(wrong)) for mode in chosen)
            continue
        line = partial(_write_line, client.spec)
        options = TortureOptions(jobs=jobs, seconds=seconds, repeat=line)
        with closing(kept):
            for mode in chosen:
                yield _fill_column(
                    api, client, mode, only, kept.lend, replace(options, undisturbed=base_of(api, mode))
                )


def _write_line(spec: str, *narrowed: str) -> str:
    return shlex.join(("harness", "torture", *narrowed, "--client", spec))


def _fill_column(
    api: ClientApi,
    client: ReadyClient,
    mode: str,
    only: Collection[str],
    make: NewClient,
    options: TortureOptions,
) -> ClientColumn:
    try:
        cells = tuple(_fill(api, rows_of(api, mode, only), make, options))
    except UsageFault as wrong:
        return ClientColumn(client=client, mode=mode, problem=scrub(str(wrong)))
    about = api.load_client_model().modes[mode].about
    return ClientColumn(client=client, mode=mode, about=about, cells=cells)


def _fill(api: ClientApi, rows: Sequence[PlayedRow], make: NewClient, options: TortureOptions) -> Iterator[Cell]:
    cases = [case for _, case in rows]
    first = dict(zip(cases, _play(api, cases, make, options), strict=True))
    doubtful = [case for case, result in first.items() if result.observation.findings]
    second = dict(zip(doubtful, _play(api, doubtful, make, options), strict=True))
    differing = [case for case in doubtful if outcome_of(first[case]) is not outcome_of(second[case])]
    third = dict(zip(differing, _play(api, differing, make, options), strict=True))
    for row, case in rows:
        yield _build_cell(row, *_decide(first[case], second.get(case), third.get(case)))


def _decide(first: Result, second: Result | None, third: Result | None) -> tuple[Result, Result | None]:
    """The result, and the one that confirms it or not."""
    if second is not None and third is not None and outcome_of(third) is outcome_of(second):
        return second, third
    if third is not None and outcome_of(third) is outcome_of(first):
        return first, third
    return first, second


def _play(api: ClientApi, cases: Sequence[Case], make: NewClient, options: TortureOptions) -> list[Result]:
    """The results in the order of the cases."""
    if not cases:
        return []
    events = torture(api, cases, make, replace(options, jobs=min(options.jobs, len(cases))))
    results = [event.result for event in events if isinstance(event, CheckFinished)]
    return sorted(results, key=lambda result: run_of(result).number)


def _build_cell(row: TableRow, result: Result, again: Result | None) -> Cell:
    finding = next(iter(result.observation.findings), None)
    # A finding that only warns weighs what a broken SHOULD weighs, whatever the level of its rule.
    level = result.rule.level if finding and finding.severity is Severity.BROKEN else Level.SHOULD
    return Cell(
        row=row,
        outcome=str(outcome_of(result)),
        again="" if again is None else str(outcome_of(again)),
        rule=finding.rule if finding else "",
        level=str(level) if finding else "",
        sentence=scrub(finding.message) if finding else "",
        timeline=tuple(map(scrub, _draw(run_of(result)))) if finding else (),
        command=result.reproduction.command if finding and result.reproduction else "",
    )


def _draw(run: ClientRun) -> Iterator[str]:
    lines: list[str] = []
    for moment in run.moments:
        fault = f"\n   !! {moment.fault}" if moment.fault else ""
        lines.append(f"-> {moment.request}\n   <- {_describe_answer(moment, run)}{fault}")
    shown = 0
    while shown < len(lines):
        same = 1
        while shown + same < len(lines) and lines[shown + same] == lines[shown]:
            same += 1
        head, *rest = lines[shown].split("\n")
        yield head + (f"  ({same} times)" if same > 1 else "")
        yield from rest
        shown += same
    yield f"=> the client {run.end}"


def _describe_answer(moment: WireMoment, run: ClientRun) -> str:
    """The answer; but how much was sent to a reader that left, perhaps unnoticed, is a matter of chance."""
    gave_up = run.outcome in (DropOutcome.REPORTED, DropOutcome.COULD_NOT) and "garble" in moment.fault
    if gave_up or "the client disconnected" in moment.answer:
        return f"{moment.answer[:3]}, a stream from which the client disconnected"
    return moment.answer


_SCRUBBED = (
    (re.compile(r"127\.0\.0\.1:\d+|localhost:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"/case\d+"), ""),
    (re.compile(r"0x[0-9a-f]{6,}"), "0x…"),
)


def scrub(text: str) -> str:
    """A text without what differs from run to run: ports, numbers of cases, addresses of objects."""
    for pattern, instead in _SCRUBBED:
        text = pattern.sub(instead, text)
    return text
