"""Every example of the guides and the reference of the pytest plugin runs unchanged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis.configuration import storage_directory

from harness.cassette import Recording, save
from harness.emulator import Emulator
from harness.transport import ServiceDriver
from harness.wire import Headers, Request
from tests.packages import NEEDS_GENAI, needs
from tests.plugin.toys import run

pytestmark = [
    NEEDS_GENAI,
    needs("standardwebhooks", "dev"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]

DOCS = Path(__file__).resolve().parents[2] / "docs"
_EXAMPLE = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: str) -> dict[str, str]:
    """The named examples of a page, by file name."""
    return dict(_EXAMPLE.findall((DOCS / page).read_text("utf-8")))


PAGES = ["pytest.md", "pytest-reference.md", "resume.md", "incidents.md"]


@pytest.mark.parametrize("page", PAGES)
def test_every_example_has_a_file_name(page: str) -> None:
    """Every example has a unique file name; without one it would not be run."""
    text = (DOCS / page).read_text("utf-8")
    assert text.count("```python\n") == len(_EXAMPLE.findall(text)) > 0


FEW = """
from harness.benches.client import cases
from harness.faults import every_byte
from hypothesis import settings

cases.ENUMERATIONS["every-byte"] = lambda body: list(every_byte(body))[::40]
settings.register_profile("few", max_examples=3, database=None)
settings.load_profile("few")
"""
"""That an example runs, three texts show as well as a hundred, and a cut at each fortieth byte as all do."""


def test_all_pages(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application and the tests of all pages run in one repository."""
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(storage_directory()))  # has the table of all characters
    for page in PAGES:
        for name, source in examples(page).items():
            (pytester.path / name).write_text(source, "utf-8")
    pytester.makeconftest(FEW)
    record(pytester.path / "cassettes" / "test_recorded" / "test_recorded.yaml")
    outcomes = run(pytester, process=True).parseoutcomes()
    assert set(outcomes) == {"passed", "xfailed"}
    assert outcomes["xfailed"] == 2
    assert outcomes["passed"] > 40


def record(path: Path) -> None:
    """A recording of what `app.ask` sends."""
    emulator = Emulator()
    body = b'{"input": "Hello?", "model": "gemini-3.8-flash"}'
    fields = Headers([("x-goog-api-key", "k"), ("content-type", "application/json")])
    exchange = ServiceDriver(emulator, emulator.clock).send(Request("POST", "/v1/interactions", fields, body))
    path.parent.mkdir(parents=True)
    save(path, [Recording.of(exchange)])
