"""The table of clients: each cell is what happened, twice, and the same behaviour gives the same pages."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import httpx
import pytest

from harness.benches.client.client_commands import ClientResult, LoopClient
from harness.benches.client.ready import find_ready
from harness.interactions.clients import CLIENTS
from harness.outcome import UsageFault
from harness.resume import follow
from lab.clients.page import render_page, write_pages
from lab.clients.survey import TABLES, ClientColumn, rows_of, scrub, survey
from lab.clients.table import column_lines, make_record
from tests.benches.client import clients
from tests.benches.client.clients import LOOP, InProcess, Reads, program

CURL = find_ready("curl")

MODEL = CLIENTS.load_client_model()


INCIDENTS = ("clean-end-mistaken-for-end", "heartbeat-comment-eats-event")


ROWS = [*(kind.name for kind in MODEL.sets["table"]), *INCIDENTS]


def columns_of(reads: Reads, name: str = "curl", version: str = "") -> list[ClientColumn]:
    """The column of a function that reads one stream."""
    client = replace(CURL, name=name, version=version, modes=("follow",))
    return list(
        survey(CLIENTS, [client], lambda _: lambda: InProcess(reads), modes=["follow"], only=ROWS, seconds=1)
    )


def correct(client: httpx.Client, interaction: str) -> ClientResult:
    """Follows the interaction with the resume helper, and reports text and status."""
    stream = follow(client, interaction, sleep=lambda _: None)
    for _ in stream:
        pass
    return ClientResult(collected=stream.text, status=stream.status or "")


@pytest.fixture(scope="module")
def naive() -> list[ClientColumn]:
    """The column of a client that takes any end for the end."""
    return columns_of(clients.never_back)


@pytest.fixture(scope="module")
def pages(naive: list[ClientColumn]) -> dict[str, str]:
    """The pages of that client and of a correct one."""
    return dict(write_pages([*naive, *columns_of(correct, "good")]))


@pytest.mark.slow
def test_a_cell_says_what_happened_twice(naive: list[ClientColumn]) -> None:
    """A finding has two outcomes that agree, a rule, a drawing and a command; a good cell has none of them."""
    cells = {cell.row.name: cell for cell in naive[0].cells}
    assert list(cells) == ROWS
    assert (cells["no-fault"].outcome, cells["no-fault"].sentence) == ("exact", "")
    lost = cells["clean-end"]
    assert (lost.outcome, lost.again, lost.rule, lost.level) == (
        "silent-loss",
        "silent-loss",
        "client.whole",
        "MUST",
    )
    assert any(line.strip().startswith("!! event:") for line in lost.timeline)
    assert lost.timeline[-1].startswith("=> the client reports")
    assert lost.command.startswith("harness torture --cuts event:9,end")
    assert lost.command.endswith("--client curl")


@pytest.mark.slow
def test_the_same_behaviour_gives_the_same_pages(naive: list[ClientColumn]) -> None:
    """A second run of everything gives the same text: no times, no ports."""
    again = columns_of(clients.never_back)
    assert write_pages(again) == write_pages(naive)
    assert make_record(again) == make_record(naive)
    assert render_page(again) == render_page(naive)


def read_map(page: str) -> tuple[list[str], list[str]]:
    """The cells of the map of clients, and the lines that its drawers name by number."""
    found = re.search(r'<section class="matrix-part" id="map">(.*?)</section>', page, re.DOTALL)
    assert found is not None
    said = re.search(r'<script type="application/json" id="said">(.*?)</script>', page, re.DOTALL)
    assert said is not None
    return re.findall(r'data-drawer="map-[^"]+">.*?</svg> ([^<]+)<', found[1], re.DOTALL), json.loads(said[1])


@pytest.mark.slow
def test_a_cell_of_the_map_counts_and_its_drawer_has_the_wire(
    naive: list[ClientColumn], pages: dict[str, str]
) -> None:
    """n of m as the cells of the table have it; each finding is in the drawer with its lines and its command."""
    cells, said = read_map(pages["clients/map.html"])
    right = sum(not cell.sentence for cell in naive[0].cells)
    assert cells == [f"{right}/{len(ROWS)}", f"{len(ROWS)}/{len(ROWS)}"]
    drawer = pages["clients/map.html"].split('<template id="map-0-0">')[1].split("</template>")[0]
    places = re.findall(r'data-said="([\d ]*)"', drawer)
    drawn = [tuple(said[int(n)] for n in place.split()) for place in places]
    findings = [cell for cell in naive[0].cells if cell.sentence]
    told = [(cell.sentence,) for cell in findings]
    assert sorted(drawn) == sorted([*told, *(cell.timeline for cell in findings)])
    assert [cell.command in html.unescape(drawer) for cell in findings] == [True] * len(findings)


@pytest.mark.slow
def test_silent_findings_are_counted_apart(naive: list[ClientColumn], pages: dict[str, str]) -> None:
    """The glance has a line for each client, whose numbers are its cells: right, reported, hung, silent."""
    words = [cell.word for cell in naive[0].cells]
    silent = sum(
        word in ("wrong-status", "hole", "duplicated", "silent-loss", "lost-context", "double-create")
        for word in words
    )
    reported, right = words.count("reported") + words.count("crashed"), sum(not c.sentence for c in naive[0].cells)
    line = f"| curl | {right} of {len(ROWS)} | {reported} | {words.count('hung')} | {silent} |"
    assert line in pages["clients.md"]
    assert silent > 3
    assert right + reported + words.count("hung") + silent == len(ROWS)
    assert f"| good | {len(ROWS)} of {len(ROWS)} | 0 | 0 | 0 |" in pages["clients.md"]


@pytest.mark.slow
def test_versions_that_came_out_alike_share_a_row(naive: list[ClientColumn]) -> None:
    old = replace(naive[0], client=replace(naive[0].client, package="curl", version="1.0"))
    new = replace(naive[0], client=replace(naive[0].client, package="curl", version="2.0"))
    assert len(read_map(write_pages([new, old])["clients/map.html"])[0]) == 1
    better = replace(new, cells=tuple(replace(cell, outcome="exact", again="", sentence="") for cell in new.cells))
    cells, _ = read_map(write_pages([better, old])["clients/map.html"])
    assert cells[0] == f"{len(ROWS)}/{len(ROWS)}" != cells[1]


@pytest.mark.slow
def test_faults_and_incidents_have_maps_of_their_own(pages: dict[str, str]) -> None:
    """A cell counts the clients that pass a fault; incidents are apart from faults."""
    faults, incidents = (
        pages["clients/map.html"].split(f'<section class="matrix-part" id="{key}">')[1].split("</section>")[0]
        for key in ("faults", "incidents")
    )
    for name in INCIDENTS:
        assert f"<small>{name}</small>" in incidents
        assert f"<small>{name}</small>" not in faults
    assert "silent-loss: curl" in faults


@pytest.mark.parametrize("mode", TABLES)
def test_a_mode_has_the_incidents_that_its_calls_meet(mode: str) -> None:
    """Clients that stream meet what happens to streams, clients that poll what happens to polls; nobody all."""
    names = {row.name for row, _ in rows_of(CLIENTS, mode) if row.is_incident}
    assert ("stream-cut-at-600s" in names) == (mode in ("create", "background", "follow"))
    assert ("poll-hangs-without-timeout" in names) == (mode == "poll")
    assert ("answer-lost-before-headers" in names) == (mode in ("create", "background", "poll"))
    assert ("cancel-method-not-found" in names) == (mode == "cancel")
    assert ("function-result-without-name" in names) == (mode == "tools")
    assert len({row.name for row, _ in rows_of(CLIENTS, mode)}) == len(rows_of(CLIENTS, mode))


def test_an_incident_is_repeated_in_its_mode() -> None:
    played = {row.name: case for row, case in rows_of(CLIENTS, "poll")}
    words = played["failed-polled-forever"].list_words()
    assert words == ["--incidents", "failed-polled-forever", "--mode", "poll"]


@pytest.mark.slow
def test_runs_that_differ_are_told(naive: list[ClientColumn]) -> None:
    """A finding that the second run does not repeat is no fact: both outcomes are shown."""
    shaky = replace(naive[0].cells[2], again="recovered")
    assert shaky.word == "silent-loss or recovered"
    lines = "\n".join(column_lines(replace(naive[0], cells=(shaky,))))
    assert "silent-loss or recovered" in lines


def test_a_client_is_started_once_for_all_that_it_is_played() -> None:
    """The runs that confirm, and further modes, go to the clients that run already; at the end all are closed."""
    made: list[InProcess] = []
    closed: list[InProcess] = []

    class Counted(InProcess):
        def __init__(self) -> None:
            super().__init__(clients.never_back)
            made.append(self)

        def close(self) -> None:
            closed.append(self)

    client = replace(CURL, modes=("follow", "background"))
    played = list(survey(CLIENTS, [client], lambda _: Counted, only=["no-fault", "clean-end"], jobs=2))
    assert [column.cells[1].again for column in played] == ["silent-loss", "silent-loss"]
    assert 1 <= len(made) <= 2
    assert sorted(map(id, closed)) == sorted(map(id, made))


def test_a_kept_client_survives_the_end_of_a_run() -> None:
    """A process that reads one task after another confirms its own finding: the first run does not kill it."""
    client = replace(CURL, modes=("follow",))
    (column,) = survey(
        CLIENTS, [client], lambda _: lambda: LoopClient(program(LOOP), {}), only=["no-fault", "twice"]
    )
    assert column.problem == ""
    assert [(cell.outcome, cell.again) for cell in column.cells] == [("exact", ""), ("duplicated", "duplicated")]


def test_a_client_that_cannot_be_tried_is_named() -> None:
    """One that cannot be installed, and one that fails without any fault, have a line that says so."""

    def refuse(_: object) -> object:
        raise UsageFault("curl: curl==9 cannot be installed:\n  no such version")

    def gives_up(*_: object) -> str:
        raise EOFError

    client = replace(CURL, modes=("follow",))
    (absent,) = survey(CLIENTS, [client], refuse)  # type: ignore[arg-type]
    (broken,) = columns_of(gives_up)
    assert "cannot be installed" in absent.problem
    assert "without any fault" in broken.problem
    page = write_pages([absent, broken])["clients.md"]
    assert "## Not tested" in page
    assert page.count("- curl, follow: ") == 2


def test_what_differs_from_run_to_run_is_left_out() -> None:
    """Ports, numbers of cases and addresses of objects are no facts about a client."""
    assert scrub("http://127.0.0.1:4711/case12/v1 at <0xdeadbeef01>") == "http://127.0.0.1:PORT/v1 at <0x…>"
