"""Take the picture of the report that the README shows, from a real run.

`python -m tests.report.picture docs/report.png`. Needs Chromium and playwright. The server is a mutant: resumes
skip an event.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from harness.cli import main
from tests.chromium import open_chromium
from tests.cli.test_recordings import standing

SIZE = {"width": 1280, "height": 900}


def take(path: str) -> None:
    """Run, draw the page, and save its picture."""
    with tempfile.TemporaryDirectory() as folder:
        page_file = Path(folder, "report.html")
        with standing("serve", "--mutant", "resume-skips-one") as (line, _):
            main(["check", line["base_url"], "--api-key", "any", "-j", "4", "--report", f"html={page_file}"])
        with open_chromium() as browser:
            page = browser.new_page(viewport=SIZE, color_scheme="light")
            page.goto(page_file.as_uri())
            page.screenshot(path=path)


if __name__ == "__main__":
    take(sys.argv[1])
