"""An application passes the tests of its author; with each seeded bug one of them fails, and names the cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packages import NEEDS_GENAI
from tests.plugin.application.seeded_bugs import BUGS, SeededBug
from tests.plugin.toys import run

pytestmark = [NEEDS_GENAI, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

FOLDER = Path(__file__).parent / "application"


@pytest.fixture(scope="module", autouse=True)
def sdk() -> None:
    """Import the SDK, which takes a second: after a toy run, what it imported first would be removed."""
    from google import genai

    with genai.Client(api_key="none") as client:
        assert client.interactions is not None


def write(pytester: pytest.Pytester, bug: SeededBug | None = None) -> None:
    """Write the application, with a bug or without, and its tests."""
    source = (FOLDER / "assistant.py").read_text("utf-8")
    if bug is not None:
        assert source.count(bug.right) == 1, f"{bug.name}: what it replaces is not in the application once"
        source = source.replace(bug.right, bug.wrong)
    (pytester.path / "assistant.py").write_text(source, "utf-8")
    (pytester.path / "test_assistant.py").write_text((FOLDER / "author_tests.py").read_text("utf-8"), "utf-8")


def test_the_right_application_passes(pytester: pytest.Pytester) -> None:
    """Without a bug, every test passes."""
    write(pytester)
    outcomes = run(pytester).parseoutcomes()
    assert set(outcomes) == {"passed"}
    assert outcomes["passed"] > 50


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_bug_is_caught(pytester: pytest.Pytester, bug: SeededBug) -> None:
    """The test that is meant for a bug fails, and its message names the cause."""
    write(pytester, bug)
    result = run(pytester, "-x", f"test_assistant.py::{bug.test}")
    assert result.parseoutcomes().get("failed", 0) > 0
    assert bug.said in str(result.stdout)
