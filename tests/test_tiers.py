"""The three sizes of a run: the quick tests, the slow ones, and more cases of each kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "ran"),
    [
        ((), ["test_quick"]),
        (("-m", "slow"), ["test_slow"]),
        (("tests/test_a.py",), ["test_quick", "test_slow", "test_thorough", "test_both"]),
    ],
    ids=" ".join,
)
def test_what_each_run_takes(pytester: pytest.Pytester, options: tuple[str, ...], ran: list[str]) -> None:
    """A run of everything leaves out what it was not asked for; whoever names a file gets all of it."""
    shutil.copy(ROOT / "conftest.py", pytester.path)
    shutil.copy(ROOT / "pyproject.toml", pytester.path)
    (pytester.path / "tests").mkdir()
    (pytester.path / "lab" / "tests" / "machines").mkdir(parents=True)
    (pytester.path / "tests" / "test_a.py").write_text(
        "import pytest\n"
        "def test_quick(): ...\n"
        "@pytest.mark.slow\ndef test_slow(): ...\n"
        "@pytest.mark.thorough\ndef test_thorough(): ...\n"
        "@pytest.mark.slow\n@pytest.mark.thorough\ndef test_both(): ...\n",
        encoding="utf-8",
    )
    for name, half, marks in (("b", "-m slow", ""), ("c", "", "import pytest\npytestmark = pytest.mark.slow\n")):
        if " ".join(options) == half:  # each module that a run imports costs each of its workers
            module = f"{marks}raise AssertionError\ndef test_{name}(): ...\n"
            (pytester.path / "tests" / f"test_{name}.py").write_text(module, encoding="utf-8")
    done = pytester.runpytest_subprocess("-v", "-p", "no:cacheprovider", *options)
    assert [line.partition("::")[2].split()[0] for line in done.outlines if " PASSED" in line] == ran
    done.assert_outcomes(passed=len(ran), deselected=4 - len(ran))
