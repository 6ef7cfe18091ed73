"""The page in a real Chromium: a client runs, the page shows it, its buttons act, and nothing goes anywhere else.

Every test fails if the page writes to the console, raises, or asks another host. Skipped without Chromium.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from msgspec.structs import replace

from harness.transport import ServerThread
from tests.chromium import NEEDS_CHROMIUM, find_violations
from tests.inspector.conftest import Bench

KEYED = {"x-goog-api-key": "any"}
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 400, "height": 860}
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\u202e\x9b31m\x1b]8;;http://evil.example\x07\x00"

pytestmark = NEEDS_CHROMIUM


@dataclass
class Window:
    """An open page, the server behind it, and what the page should not have done."""

    page: Any
    url: str
    bench: Bench
    server: ExitStack
    complaints: list[str] = field(default_factory=list)

    def create(self, **fields: Any) -> dict[str, Any]:
        """Create an interaction as a client of the server."""
        body = {"model": "gemini-3.8-flash", "input": "Say hi.", **fields}
        answer = httpx.post(f"{self.url}/v1beta/interactions", headers=KEYED, json=body)
        return json.loads(answer.text) if not fields.get("stream") else {}

    def read(self, target: str) -> tuple[list[dict[str, Any]], bool]:
        """Read a stream; the events that came, and whether the connection held."""
        events: list[dict[str, Any]] = []
        try:
            with httpx.stream("GET", f"{self.url}/v1beta/interactions/{target}", headers=KEYED) as answer:
                for line in answer.iter_lines():
                    if line.startswith("data: {"):
                        events.append(json.loads(line[6:]))
        except httpx.HTTPError:
            return events, False
        return events, True

    def text(self, selector: str) -> str:
        """The text of an element."""
        return str(self.page.inner_text(selector))

    def wait(self, selector: str, **options: Any) -> Any:
        """Wait for an element."""
        return self.page.wait_for_selector(selector, timeout=60_000, **options)

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until an element shows a text."""
        self.page.locator(selector, has_text=text).first.wait_for(timeout=60_000)

    def wait_for_count(self, selector: str, count: int) -> None:
        """Wait until so many elements match: the page draws some time after the client was answered."""
        from playwright.sync_api import expect  # an extra: modules of tests skip without it

        expect(self.page.locator(selector)).to_have_count(count, timeout=60_000)


@pytest.fixture
def open_window(browser: Any, new_bench: Callable[..., Bench]) -> Iterator[Callable[..., Window]]:
    """Open windows; at the end, none of them may have complained or asked anybody else."""
    with ExitStack() as stack:
        windows: list[Window] = []

        def make(mutant: str = "", *, path: str = "/", size: dict[str, int] = WIDE,
                 before: Callable[[Bench], object] = lambda bench: None, **options: Any) -> Window:  # fmt: skip
            bench = new_bench(mutant, **options)
            before(bench)
            serving = stack.enter_context(ExitStack())
            server = serving.enter_context(ServerThread(bench.service, clock=bench.emulator.clock))
            context = browser.new_context(viewport=size, permissions=["clipboard-read", "clipboard-write"])
            stack.callback(context.close)
            page = context.new_page()
            window = Window(page, server.url, bench, serving)
            page.on("console", lambda message: window.complaints.append(f"console: {message.text}"))
            page.on("pageerror", lambda error: window.complaints.append(f"error: {error}"))
            page.on("request", lambda asked: _note_outside(window, asked.url))
            page.goto(server.url + path)
            windows.append(window)
            return window

        yield make
        assert [complaint for window in windows for complaint in window.complaints] == []


def _note_outside(window: Window, url: str) -> None:
    if not url.startswith((window.url, "data:", f"blob:{window.url}")):
        window.complaints.append(f"asked {url}")


@pytest.fixture
def window(open_window: Callable[..., Window]) -> Window:
    """A page of an emulator, connected."""
    opened = open_window()
    opened.wait("#live:not(.waiting)")
    return opened


def test_a_dropped_stream_and_its_resume(window: Window) -> None:
    """The button drops the next stream; the client resumes; the page shows cut and resume, one under the other."""
    name = window.create(input="Write a story.", background=True)["id"]
    window.wait_for_text(".request", "background in progress")
    window.page.fill("#drop-at", "8")
    window.page.click("#drop")
    window.wait_for_text(".armed", "event:8,rst")
    events, held = window.read(f"{name}?stream=true")
    assert (len(events), held) == (8, False)
    window.wait(".request .cell.cut", state="attached")
    window.wait_for_text(".mark.cut", "rst after 8 events")
    window.wait_for_text("#toast", "applies to this stream")
    window.wait_for_count(".armed", 0)
    rest, held = window.read(f"{name}?stream=true&last_event_id={events[-1]['event_id']}")
    assert held
    window.wait_for_text(".request.resumed", "events")
    window.wait_for_count(".resumed .cell:not(.had):not(.next)", len(rest) + 1)  # and [DONE]
    columns = "rows => rows.map(row => row.querySelectorAll('.cell.had').length)"
    assert window.page.eval_on_selector_all(".request.streams", columns) == [0, 8]
    cells = window.page.locator(".resumed .cell:not(.had):not(.next)")
    assert str(cells.first.get_attribute("title")).startswith("8 "), "numbered as in the whole stream"
    cells.first.click()
    window.wait_for_text(".detail .title", "8 step.delta(text)")
    cut, first = (
        window.page.locator(selector).first.bounding_box()
        for selector in (".request .cell.cut", ".resumed .cell.delta")
    )
    assert abs(cut["x"] - first["x"]) < 12
    window.wait_for_text(".life", "completed")
    window.wait_for_count(".armed", 0)
    assert "1" in window.text("#run-count")


def test_events_are_reached_by_keyboard_and_mouse(window: Window) -> None:
    """A click on a cell and the arrow keys on the row show the event in full; Drop is armed from there."""
    window.create(stream=True)
    window.wait_for_text(".end", "14 events")
    window.page.click(".request .cell.edge")
    window.wait_for_text(".detail .title", "0 interaction.created")
    window.wait_for_text(".detail pre", "interaction.created")
    window.page.focus(".flow")
    for key in ("ArrowRight", "ArrowRight"):
        window.page.keyboard.press(key)
    window.wait_for_text(".detail .title", "2 step.start(thought)")
    assert window.page.get_attribute(".flow", "aria-valuetext") == "2 step.start(thought)"
    window.page.get_by_role("button", name="Drop the next stream after 2").click()
    window.wait_for_text(".armed", "event:3,rst")
    window.page.get_by_role("button", name="Disarm").click()
    window.wait(".armed", state="detached")


def test_answers_are_queued_failed_and_reset(window: Window) -> None:
    """A queued answer and a failure reach the next creates, the failure first; a reset forgets all."""
    window.page.click("#queue")
    window.page.fill("#queue-text", "From the window.")
    window.page.get_by_role("button", name="Queue", exact=True).click()
    window.wait_for_text(".armed", "1 response queued")
    window.page.select_option("#fail-with", "503")
    window.page.click("#fail")
    window.wait_for_text(".armed", "The next create fails")
    assert "error" in window.create()
    assert "From the window." in json.dumps(window.create())
    window.wait_for_text(".request", "Refused from the inspector.")
    window.wait(".armed", state="detached")
    window.page.click("#reset")
    window.page.get_by_role("dialog").get_by_role("button", name="Reset").click()
    window.wait("#hello")
    window.wait_for_count(".request", 0)
    window.create()
    window.wait(".request")


def test_what_nobody_watched_is_not_called_nothing(window: Window) -> None:
    """A page that was opened after the requests says that they came, not that nothing ever called."""
    window.wait_for_text("#hello-title", "No request has arrived yet.")
    window.page.goto("about:blank")
    end = time.monotonic() + 60
    while window.bench.inspector.traffic.is_open:  # the server notices later that the page has gone
        assert time.monotonic() < end
        window.page.wait_for_timeout(10)
    window.create()
    window.page.goto(window.url)
    window.wait_for_text("#gap", "1 request that arrived while no page was open")
    window.wait_for_text("#hello-title", "No request has arrived since this page was opened.")


def test_one_run_is_held_while_others_go_on(window: Window) -> None:
    """The details of a run hold it alone, advance it by one event, and release it; another run ends meanwhile."""
    held = window.create(background=True)["id"]
    window.page.get_by_role("button", name="Hold run").click()
    window.wait_for_text("#toast", "This run is held")
    other = window.create(background=True)["id"]
    assert window.read(f"{other}?stream=true")[1]
    window.wait_for_text(".node", "completed")
    window.wait_for_text(".node", "held")
    window.page.locator(".node", has_text="held").click()
    run = window.bench.emulator.sessions.default.store.get(held)
    assert run is not None
    before = run.shown
    window.page.get_by_role("button", name="Advance run").click()
    window.wait_for_text("#toast", "1 run advanced by one event")
    assert run.shown == before + 1
    assert find_violations(window.page) == []
    window.page.get_by_role("button", name="Release run").click()
    window.wait_for_text("#toast", "1 run released")
    assert window.read(f"{held}?stream=true")[1]
    window.page.locator(".node", has_text="held").wait_for(state="detached", timeout=60_000)


def test_a_session_is_steered_alone(window: Window) -> None:
    """What is armed for a session meets its streams only; when it ends, the page steers the server again."""
    assert window.page.is_hidden("#act-session")
    answer = httpx.post(f"{window.url}/__harness__/sessions", json={})
    session = str(answer.json()["id"])
    window.page.wait_for_selector("#act-session:not([hidden])", timeout=60_000)
    window.page.select_option("#session", session)
    window.page.click("#drop")
    window.wait_for_text(".armed", "event:8,rst")
    window.page.click("#hold")
    window.wait_for_text("#toast", "Background runs are held")
    assert find_violations(window.page) == []
    made = window.create(background=True)["id"]
    assert window.read(f"{made}?stream=true")[1], "the server's own stream is not dropped, its run not held"
    window.page.select_option("#session", "")
    window.page.locator(".armed").wait_for(state="detached", timeout=60_000)
    window.page.select_option("#session", session)
    window.wait_for_text(".armed", "event:8,rst")
    inside = httpx.post(
        f"{window.url}/__harness__/sessions/{session}/v1beta/interactions",
        headers=KEYED, json={"model": "gemini-3.8-flash", "input": "Inside.", "background": True},
    )  # fmt: skip
    window.page.locator(".node", has_text="Inside.").locator(".is-held").first.wait_for(timeout=60_000)
    assert inside.status_code == 200
    httpx.delete(f"{window.url}/__harness__/sessions/{session}")
    window.page.wait_for_selector("#act-session[hidden]", state="attached", timeout=60_000)
    window.page.locator(".armed").wait_for(state="detached", timeout=60_000)


def test_a_chain_is_a_tree_and_polls_are_one_row(window: Window) -> None:
    """A child stands under its parent, and equal polls fold into one row with their number."""
    first = window.create(input="One.")["id"]
    window.create(input="Two.", previous_interaction_id=first)
    window.wait_for_text(".tree ul ul .node", "Two.")
    with httpx.Client(headers=KEYED) as client:  # one connection: the page has no time to look between two of them
        for _ in range(60):
            client.get(f"{window.url}/v1beta/interactions/{first}")
    window.wait_for_text(".request", "× 60")
    window.wait_for_count(".request", 3)


def test_a_finding_is_shown_at_its_event(open_window: Callable[..., Window]) -> None:
    """A stream that breaks the contract is marked at its event, selected, counted, explained, with its source."""
    window = open_window("delta-before-start")
    window.wait("#live:not(.waiting)")
    window.create(stream=True)
    window.wait(".cell.bad.on", state="attached")
    window.wait_for_text("#found", "2 findings")
    window.wait_for_text(".finding", "stream.start-before/never (MUST)")
    assert str(window.page.get_attribute(".finding a", "href")).startswith("https://")
    assert find_violations(window.page) == []


def test_a_missing_event_is_drawn_and_opens_what_should_have_come(open_window: Callable[..., Window]) -> None:
    """The event that a resume skipped is a dashed cell; its details are of the response that has it."""
    window = open_window("resume-skips-one")
    window.wait("#live:not(.waiting)")
    name = window.create(background=True)["id"]
    httpx.post(f"{window.url}/__harness__/faults", headers=KEYED, json={"plan": "event:8,rst"})
    events, _ = window.read(f"{name}?stream=true")
    cursor = next(event["event_id"] for event in reversed(events) if event.get("event_id"))
    window.read(f"{name}?stream=true&last_event_id={cursor}")
    assert window.page.locator(".cell.missing:not(.legend .cell)").count() == 0
    window.read(f"{name}?stream=true")
    cell = window.page.locator(".resumed .cell.missing.bad")
    cell.wait_for(timeout=60_000)
    assert cell.get_attribute("title") == "8 never came"
    window.wait_for_count(".request .wrong", 1)
    window.wait_for_count(".resumed .wrong", 1)
    cell.click()
    window.wait_for_text(".detail .title", "8 step.delta")
    window.wait_for_text(".detail h3", "Expected event")
    assert find_violations(window.page) == []
    httpx.get(f"{window.url}/v1beta/interactions/{name}", headers=KEYED)
    window.wait_for_text(".resumed .mark", "stream.text")
    assert window.page.locator(".resumed .mark").first.inner_text() == "8 never came: resume.no-gap"


def test_the_requests_of_a_file_begin_at_the_first_finding(open_window: Callable[..., Window]) -> None:
    """They are numbered, without the times of the reading, and without actions; the first finding is open."""

    def show(bench: Bench) -> None:
        name = json.loads(bench.create(background=True).body)["id"]
        whole = bench.send("GET", f"/v1beta/interactions/{name}?stream=true")
        cursor = quote(re.findall(rb'"event_id":"([^"]+)"', whole.body)[0].decode())
        resumed = bench.send("GET", f"/v1beta/interactions/{name}?stream=true&last_event_id={cursor}")
        bench.inspector.show([replace(whole, seconds=0.0, notes={}), replace(resumed, notes={})])

    window = open_window("resume-skips-one", before=show, facts={"past": True, "target": "session.yaml"})
    window.wait_for_text(".detail .title", "4 ")
    window.wait_for_text(".finding", "resume.no-gap")
    window.wait_for_count(".request .wrong", 1)
    window.wait_for_text(".mark.bad", "4 never came: resume.no-gap")
    window.wait_for_text("#target", "file: session.yaml")
    assert window.page.locator(".request > time").all_inner_texts() == ["1", "2"]
    assert " ms" not in window.text(".request:first-child .end"), "its duration is not known"
    assert not window.page.is_visible("#act")
    assert not window.page.is_visible("#follow")
    assert find_violations(window.page) == []


def test_a_note_is_no_finding(window: Window) -> None:
    """A MAY rule that is not met stands in the details of its request, and is counted nowhere."""
    first = window.create(input="One.")["id"]
    child = window.create(input="Two.", previous_interaction_id=first)["id"]
    httpx.get(f"{window.url}/v1beta/interactions/{child}", headers=KEYED)
    window.wait_for_text(".finding.note", "chain.echo (MAY)")
    window.wait_for_count(".request .wrong", 0)
    assert window.page.is_hidden("#found")
    assert find_violations(window.page) == []


def test_requests_are_searched_and_filtered(window: Window) -> None:
    """Words and kinds narrow the list, the slash key leads there, and clearing brings all back."""
    window.create(input="One.")
    window.create(stream=True)
    window.wait_for_text(".end", "14 events")
    window.wait_for_count(".request:visible", 2)
    window.page.keyboard.press("/")
    window.page.keyboard.type("one.")
    window.wait_for_text("#matches", "1 shown")
    window.wait_for_count(".request:visible", 1)
    window.page.fill("#query", "")
    window.wait_for_count(".request:visible", 2)
    window.page.fill("#query", "POST previous_interaction")
    window.wait_for_text("#matches", "0 shown")
    window.wait_for_text("#no-match", "No request matches.")
    assert find_violations(window.page) == []
    window.page.get_by_role("button", name="Show all").click()
    window.wait_for_count(".request:visible", 2)
    assert not window.page.is_visible("#no-match")
    window.page.fill("#query", "POST previous_interaction")
    window.wait_for_text("#matches", "0 shown")
    first = window.create(input="Two.", previous_interaction_id="v1_that-is-nowhere")
    assert "error" in first
    window.wait_for_text("#matches", "1 shown")
    window.page.fill("#query", "constructor that-is-nowhere")
    window.wait_for_text("#matches", "0 shown")
    window.page.fill("#query", "THAT-IS-NOWHERE")
    window.wait_for_text("#matches", "1 shown")
    window.page.fill("#query", "")
    window.wait_for_count(".request:visible", 3)
    window.page.select_option("#kind", "stream")
    window.wait_for_text("#matches", "1 shown")
    window.page.select_option("#kind", "")
    window.wait_for_count(".request:visible", 3)


def test_what_came_over_the_wire_is_text(window: Window) -> None:
    """Markup in an input, an answer, a path or an event's type stays text wherever it is shown."""
    window.bench.emulator.reply(HOSTILE)
    window.create(input=HOSTILE, stream=True)
    path = quote(HOSTILE, safe="<>=()")
    httpx.get(f"{window.url}/v1beta/interactions/{path}?stream=true&last_event_id={path}", headers=KEYED)
    window.bench.emulator.script({"refuse": {"status": 400, "message": HOSTILE}})
    window.create()
    window.wait_for_text(".request", "onerror")
    window.page.click(".request:first-child .cell:nth-child(8)")
    window.wait(".detail pre")
    window.page.click(".request:first-child .select")
    window.wait_for_text(".detail pre", "onerror")
    window.wait_for_text(".node", "onerror")
    assert window.page.evaluate("document.querySelectorAll('img, body script').length") == 0
    shown = window.page.inner_text("body") + "".join(
        window.page.eval_on_selector_all("[title]", "all => all.map((one) => one.title)")
    )
    assert [char for char in shown if not char.isprintable() and char not in "\n\t"] == []
    assert r"\u202e\u009b31m" in shown, "what nobody would see is written out"


def test_copies_and_the_cassette(window: Window, tmp_path: Path) -> None:
    """Copy puts a command without the key on the clipboard; Save downloads a cassette of what was seen."""
    window.create()
    window.wait(".request")
    window.page.get_by_role("button", name="scenario").click()
    window.wait_for_text("#spoken", "Copied")
    assert "Say hi." in window.page.evaluate("navigator.clipboard.readText()")
    with window.page.expect_download() as download:
        window.page.click("#save")
    download.value.save_as(tmp_path / "session.yaml")
    assert "Say hi." in (tmp_path / "session.yaml").read_text("utf-8")


def test_the_token_stays_out_of_the_address(open_window: Callable[..., Window]) -> None:
    """The link's token opens the page and leaves the address; it is kept nowhere a later page could find it."""
    window = open_window(token="s3cret", path="/#token=s3cret")
    window.wait("#live:not(.waiting)")
    assert window.page.url == f"{window.url}/"
    window.page.click("#drop")
    window.wait_for_text(".armed", "event:8,rst")
    assert "s3cret" not in window.page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    )
    assert "token required" in window.text("#safe-words")


def test_without_the_token_the_page_asks_for_it(open_window: Callable[..., Window]) -> None:
    """Without a token nothing is shown but a dialog; a wrong one asks again, the right one opens the window."""
    window = open_window(token="s3cret")
    for text in ("wrong", "s3cret"):
        window.wait("#token-dialog[open]")
        assert find_violations(window.page) == []
        window.page.fill("#token-text", text)
        window.page.get_by_role("button", name="Open the page").click()
    window.wait("#live:not(.waiting)")
    refused = [complaint for complaint in window.complaints if "401" in complaint]
    assert len(refused) == 2  # the browser itself logs refused fetches
    window.complaints.clear()


def test_a_lost_connection_comes_back(window: Window) -> None:
    """When the server goes, what was seen stays and the controls are off; when it is back, so is the page."""
    window.create()
    window.wait(".request")
    port = int(window.url.rpartition(":")[2])
    window.server.close()
    window.wait_for_text("#live", "connection lost")
    assert window.page.is_disabled("#drop")
    window.wait_for_count(".request", 1)
    window.server.enter_context(ServerThread(window.bench.service, port=port, clock=window.bench.emulator.clock))
    window.create(input="Missed.")
    window.wait("#live:not(.waiting)")
    assert window.page.is_enabled("#drop")
    assert window.page.locator(".request").count() >= 1
    window.complaints[:] = [one for one in window.complaints if "ERR_CONNECTION_REFUSED" not in one]
    window.complaints[:] = [one for one in window.complaints if "ERR_INCOMPLETE_CHUNKED_ENCODING" not in one]


def test_a_long_stream_stays_small(window: Window) -> None:
    """Thousands of events share few cells, and each can still be chosen."""
    window.bench.emulator.reply("word " * 3000, deltas=3000)
    window.create(stream=True)
    window.wait_for_text(".end", "3,0")
    assert window.page.locator(".cell:not(.legend .cell)").count() < 900
    window.page.focus(".flow")
    window.page.keyboard.press("End")
    window.wait_for_text(".detail .title", "end of stream")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_page_is_accessible(open_window: Callable[..., Window], size: dict[str, int]) -> None:
    """axe-core finds nothing, empty and full, in any view, light and dark, wide and narrow; nothing is cut off."""
    window = open_window("delta-before-start", size=size)
    window.wait("#live:not(.waiting)")

    def judge(view: str) -> None:
        for theme in ("light", "dark"):
            window.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            assert find_violations(window.page) == [], (view, theme)
            assert window.page.evaluate("document.documentElement.scrollWidth") == size["width"]

    judge("empty")
    name = window.create(input="Write a story.", background=True)["id"]
    window.create(contents="x")
    window.bench.control("POST", "faults", {"plan": "event:5,rst/pass/event:9,fin"})
    window.read(f"{name}?stream=true")
    window.create(stream=True)
    window.wait("#found:not([hidden])")
    if size is WIDE:
        judge("full")
        return
    for view in ("chains", "timeline", "details", "act"):
        window.page.click(f"#tab-{view}")
        judge(view)
