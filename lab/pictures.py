"""Take the pictures of the documentation, `report.png` and `inspector.png`, from real runs.

Needs Chromium and playwright. The servers are mutants, so that there is a finding to see. For the inspector, a
client starts a run in the background, is dropped by the button and resumes; another one continues a conversation.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, ViewportSize

from harness.cli import main
from harness.errors import UsageFault
from harness.outcome import Exit
from tests.chromium import open_chromium
from tests.cli.test_recordings import standing

KEYED = {"x-goog-api-key": "any"}
TOOL = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}


def create(url: str, **fields: Any) -> dict[str, Any]:
    """Create an interaction."""
    body = {"model": "gemini-3.8-flash", **fields}
    answer = httpx.post(f"{url}/v1beta/interactions", headers=KEYED, json=body)
    return json.loads(answer.text) if not fields.get("stream") else {}


def read(url: str, name: str, cursor: str = "") -> str:
    """Read the stream of a run as far as it comes; the last cursor."""
    asked = {"stream": "true", **({"last_event_id": cursor} if cursor else {})}
    target = f"{url}/v1beta/interactions/{name}"
    with suppress(httpx.HTTPError), httpx.stream("GET", target, params=asked, headers=KEYED) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                cursor = json.loads(line[6:]).get("event_id") or cursor
    return cursor


def use(page: Page, url: str) -> None:
    """Do what the picture of the inspector shows."""
    weather = create(url, input="How is the weather in Paris?", tools=[TOOL])
    call = next(step for step in weather["steps"] if step["type"] == "function_call")
    result = {"type": "function_result", "name": call["name"], "call_id": call["id"], "result": "21 °C"}
    create(url, input=[result], previous_interaction_id=weather["id"])
    story = create(url, input="Write a story about a lighthouse.", background=True)["id"]
    page.fill("#drop-at", "8")
    page.click("#drop")
    page.locator(".armed").wait_for()
    cursor = read(url, story)
    page.locator(".request .cell.cut").wait_for(state="attached")
    read(url, story, cursor)
    create(url, input="Count the ships.", stream=True)
    page.locator(".cell.bad").first.wait_for(state="attached")


def draw_report(browser: Browser, picture: Path) -> None:
    """Judge a server whose resumes skip an event, and take the picture of the report."""
    page = browser.new_page(viewport=ViewportSize(width=1280, height=900), color_scheme="light")
    with tempfile.TemporaryDirectory() as folder, standing("serve", "--mutant", "resume-skips-one") as (line, _):
        report = Path(folder, "report.html")
        main(["check", line["base_url"], "--api-key", "any", "-j", "4", "--report", f"html={report}"])
        page.goto(report.as_uri())
        page.screenshot(path=picture)


def draw_inspector(browser: Browser, picture: Path) -> None:
    """Use a server that the inspector watches, and take the picture of its page."""
    size = ViewportSize(width=1280, height=680)
    with standing("serve", "--mutant", "delta-before-start") as (line, _):
        page = browser.new_page(viewport=size, color_scheme="light", reduced_motion="reduce")
        page.goto(line["base_url"])
        page.locator("#live:not(.waiting)").wait_for()
        use(page, line["base_url"])
        page.wait_for_timeout(2500)  # the toast goes
        page.screenshot(path=picture)


def run(words: Sequence[str]) -> int:
    """Take both pictures, into a folder."""
    parser = argparse.ArgumentParser(prog="python -m lab pictures", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder that exists, such as docs")
    folder: Path = parser.parse_args(words).folder
    if not folder.is_dir():
        raise UsageFault(f"no folder has the name {str(folder)!r}: give one that exists, such as docs")
    with open_chromium() as browser:
        draw_report(browser, folder / "report.png")
        draw_inspector(browser, folder / "inspector.png")
    return Exit.OK
