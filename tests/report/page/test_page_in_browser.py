"""The page in a real Chromium: no fault of accessibility, no message, no request, no sideways scroll, quick.

Skipped without Chromium or its driver.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from harness.engine.decide import Policy, decide
from harness.engine.events import ClientRun, Result, RunFinished, RunStarted, TargetInfo, WireMoment
from harness.interactions import INTERACTIONS
from harness.kit.relay import RelayedExchange
from harness.outcome import Exit, Finding, Level, Observation, Verdict
from harness.report.html_report import render
from harness.report.presented_run import PresentedRun
from tests.chromium import NEEDS_CHROMIUM, find_violations
from tests.report.page.test_story import FIRST, LOST, REST, result
from tests.report.story import told
from tests.report.test_torture import run_of_cases

WIDTHS = (360, 400, 640, 641, 820, 1060, 1061, 1280, 1600)

pytestmark = NEEDS_CHROMIUM


def run_of_many(passed: int) -> PresentedRun:
    """A finished run with the failures of the story, one that lost an event, and so many that passed."""
    state = told()
    _, finished = state.whole()
    one = next(item for item in finished.results if item.verdict is Verdict.PASS)
    many = (replace(one, id=f"area{n % 20}.rule-{n}", title=f"promise number {n} holds") for n in range(passed))
    lost = replace(result((FIRST, REST), LOST, ("", "rest")), id="resume.live", title="the rest comes")
    relayed = RelayedExchange(name="stream.create", client=REST, upstream=(FIRST,))
    passage = replace(lost, id="gw.events", evidence=(relayed,), named=())
    results = (*finished.results, lost, passage, *many)
    state.finished = RunFinished(results, 1.0, Exit.FAILED)
    return state


@pytest.mark.parametrize("number", [1, 9, 10, 21])
def test_headings_hold_with_any_number_of_causes(browser: Any, tmp_path: Path, number: int) -> None:
    """The number of a cause is on one row, left of its title, in the contents and above its failures."""
    state = PresentedRun(INTERACTIONS)
    state.handle(RunStarted(TargetInfo(name="x", url="http://127.0.0.1:8000")))
    rules = [rule for rule in INTERACTIONS.load_rules().values() if rule.level is Level.MUST][:number]
    found = [decide(rule, Observation.of([Finding(rule.id, "it is wrong")]), Policy()) for rule in rules]
    state.handle(RunFinished(tuple(found), 1.0, Exit.FAILED))
    path = tmp_path / "run.html"
    path.write_text(render(state), "utf-8")
    page = open_page(browser, path).page
    assert (
        page.inner_text("h1")
        == f"{number} of {number} MUST check{'s' * (number > 1)} failed ({number} cause{'s' * (number > 1)})."
    )
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        boxes = page.evaluate(
            "[...document.querySelectorAll('.ordinal, .contents a > .bad:first-child')]"
            ".filter(one => one.offsetParent).map(one => {"
            "const range = document.createRange(); range.selectNodeContents(one);"
            "const title = one.nextElementSibling.getBoundingClientRect();"
            "return [range.getClientRects().length, range.getBoundingClientRect().right < title.left]})"
        )
        assert boxes == [[1, True]] * (number + min(number, 20) * (width > 400)), width


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with failures of every kind."""
    path = tmp_path_factory.mktemp("page") / "run.html"
    path.write_text(render(run_of_many(40)), "utf-8")
    return path


@dataclass
class OpenPage:
    """An open page, and what it should not have done."""

    page: Any
    complaints: list[str] = field(default_factory=list)


def open_page(browser: Any, file: Path, *, fragment: str = "") -> OpenPage:
    """Open the file as a user does."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    opened = OpenPage(page)
    page.on("console", lambda message: opened.complaints.append(message.text))
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.on(
        "request",
        lambda asked: opened.complaints.extend([asked.url] * (not asked.url.startswith(("file:", "data:")))),
    )
    page.goto(f"file://{file}{fragment}")
    return opened


UNFOLD = "document.querySelectorAll('details').forEach((item) => { item.open = true; })"


def test_axe_finds_nothing(browser: Any, file: Path) -> None:
    """With everything open, in both schemes, on a phone and on a desk, axe reports no violation."""
    opened = open_page(browser, file)
    opened.page.evaluate(UNFOLD)
    for width, scheme in product((400, 1280), ("light", "dark")):
        opened.page.set_viewport_size({"width": width, "height": 900})
        opened.page.emulate_media(color_scheme=scheme)
        assert find_violations(opened.page) == [], (width, scheme)
    assert opened.complaints == []


def test_nothing_scrolls_sideways(browser: Any, file: Path) -> None:
    """At every width from a small phone to a wide screen the page is as wide as the window, all folds open."""
    opened = open_page(browser, file)
    opened.page.evaluate(UNFOLD)
    for width in WIDTHS:
        opened.page.set_viewport_size({"width": width, "height": 900})
        assert opened.page.evaluate("document.documentElement.scrollWidth") == width


def test_a_fragment_opens_what_it_names(browser: Any, file: Path) -> None:
    """A link to a result unfolds everything around it and brings it into view."""
    opened = open_page(browser, file, fragment="#area3.rule-3")
    row = opened.page.locator("[id='area3.rule-3']")
    assert row.evaluate("node => node.open && node.closest('.area').open")
    assert row.is_visible()


def test_the_filter_shows_what_matches(browser: Any, file: Path) -> None:
    """Words and verdicts narrow the catalogue, the count says so, and clearing brings all back."""
    page = open_page(browser, file).page
    page.keyboard.press("/")
    page.keyboard.type("rule-17 promise")
    assert page.locator("#shown").inner_text().startswith("Showing 1 of ")
    assert page.locator(".row:visible").count() == 1
    page.locator("#query").fill("no such thing")
    page.locator("#clear").click()
    page.get_by_label("Failed", exact=True).check()
    kinds = page.locator(".row:visible").evaluate_all("rows => rows.map((row) => row.dataset.kind)")
    assert set(kinds) == {"failed"}


def test_keys_walk_the_failures(browser: Any, file: Path) -> None:
    """j opens and focuses the next failure, k the one before."""
    page = open_page(browser, file).page
    focused = "document.activeElement.closest('.failure').id"
    page.keyboard.press("j")
    first = page.evaluate(focused)
    page.keyboard.press("j")
    assert page.evaluate(focused) != first
    page.keyboard.press("k")
    assert page.evaluate(focused) == first


def test_a_cell_opens_its_cases(browser: Any, tmp_path: Path) -> None:
    """The cell of a table opens one drawer below its row; another cell closes it; axe finds nothing in it."""
    path = tmp_path / "torture.html"
    path.write_text(render(tortured()), "utf-8")
    opened = open_page(browser, path)
    assert opened.page.locator(".failure .code pre").first.inner_text() == "harness torture -- x"
    cells = opened.page.locator("#drops button[data-drawer]")
    cells.first.click()
    assert opened.page.locator("tr.drawer .picture .cell.missing").count() == 1
    assert opened.page.locator("tr.drawer").count() == 1
    assert find_violations(opened.page) == []
    cells.last.click()
    assert opened.page.locator("tr.drawer").count() == 1
    cells.last.click()
    assert opened.page.locator("tr.drawer").count() == 0
    opened.page.set_viewport_size({"width": 400, "height": 900})
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 400
    assert opened.complaints == []


def tortured() -> PresentedRun:
    """A finished torture run of two cases: one is exact, one lost its end."""
    from harness.engine.decide import Policy, decide
    from harness.engine.events import Planned, Reproduction
    from harness.outcome import Finding, Observation
    from harness.rules import ROWS

    def case(number: int, outcome: str, *findings: Finding) -> Result:
        run = ClientRun(
            number=number, name=f"event:{number}", settings={"plan": "x"}, row="reset", kind="reset",
            outcome=outcome, event=number, end="ended",
            moments=(WireMoment(at=0.1, request="GET /x", answer="200", columns=(0, 1), broke="was reset"),),
        )  # fmt: skip
        made = decide(
            ROWS["client.whole"].rule,
            Observation.of(findings),
            Policy(),
            result_id=f"client[{number}]",
            show=lambda _: (run,),
        )
        return replace(made, reproduction=Reproduction(command="harness torture -- x"))

    lost = Finding.from_code("client.whole/silent-loss", "lost its end")
    state = run_of_cases(case(0, "exact"), case(1, "silent-loss", lost), events=3)
    state.target = TargetInfo(name="node x.mjs")
    state.planned = Planned(3, 0)
    return state
