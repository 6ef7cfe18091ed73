"""The three sizes of a run: the quick tests, the slow ones, and more cases of each kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("options", "ran"),
    [
        ((), ["test_quick"]),
        (("-m", "slow"), ["test_slow"]),
        (("--slow",), ["test_quick", "test_slow"]),
        (("-m", "thorough"), ["test_thorough", "test_both"]),
        (("--thorough",), ["test_quick", "test_slow", "test_thorough", "test_both"]),
        (("tests/test_a.py",), ["test_quick", "test_slow", "test_thorough", "test_both"]),
    ],
    ids=" ".join,
)
def test_what_each_run_takes(pytester: pytest.Pytester, options: tuple[str, ...], ran: list[str]) -> None:
    """A run of everything leaves out what it was not asked for; whoever names a file gets all of it."""
    shutil.copy(ROOT / "conftest.py", pytester.path)
    shutil.copy(ROOT / "pyproject.toml", pytester.path)
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "test_a.py").write_text(
        "import pytest\n"
        "def test_quick(): ...\n"
        "@pytest.mark.slow\ndef test_slow(): ...\n"
        "@pytest.mark.thorough\ndef test_thorough(): ...\n"
        "@pytest.mark.slow\n@pytest.mark.thorough\ndef test_both(): ...\n",
        encoding="utf-8",
    )
    done = pytester.runpytest_subprocess("-v", "-p", "no:cacheprovider", *options)
    assert [line.partition("::")[2].split()[0] for line in done.outlines if " PASSED" in line] == ran
    done.assert_outcomes(passed=len(ran), deselected=4 - len(ran))


def test_the_name_of_a_folder_is_no_mark(pytester: pytest.Pytester) -> None:
    """Tests in a folder or a checkout named like a mark are run like all others."""
    shutil.copy(ROOT / "conftest.py", pytester.path)
    shutil.copy(ROOT / "pyproject.toml", pytester.path)
    for name in ("peers", "slow"):
        folder = pytester.path / "tests" / name
        folder.mkdir(parents=True)
        (folder / f"test_{name}.py").write_text("def test_quick(): ...\n", encoding="utf-8")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
