"""Take the picture of the inspector that the README shows, from a real run.

`python -m tests.inspector.picture docs/inspector.png`. Needs Chromium and playwright. A client starts a run in the
background, is dropped by the button and resumes; another one continues a conversation; the server is a mutant, so
that there is a finding to see.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any

import httpx
from playwright.sync_api import Page

from tests.chromium import open_chromium
from tests.cli.test_recordings import standing

SIZE = {"width": 1280, "height": 680}
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
    """Do what the picture shows."""
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


def main() -> None:
    """Take the picture."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m tests.inspector.picture FILE.png")
    with standing("serve", "--mutant", "delta-before-start") as (line, _), open_chromium() as browser:
        page = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        page.goto(line["base_url"])
        page.locator("#live:not(.waiting)").wait_for()
        use(page, line["base_url"])
        page.wait_for_timeout(2500)  # the toast goes
        page.screenshot(path=sys.argv[1])


if __name__ == "__main__":
    main()
