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


@pytest.mark.slow
def test_a_mark_that_a_module_hides_is_refused(pytester: pytest.Pytester) -> None:
    """A slow test that no run would take, as its module does not name the mark, is an error of every run."""
    shutil.copy(ROOT / "conftest.py", pytester.path)
    shutil.copy(ROOT / "pyproject.toml", pytester.path)
    (pytester.path / "marks.py").write_text("import pytest\nMARK = pytest.mark.slow\n", encoding="utf-8")
    (pytester.path / "tests").mkdir()
    source = "from marks import MARK\n@MARK\ndef test_it(): ...\n"
    (pytester.path / "tests" / "test_a.py").write_text(source, encoding="utf-8")
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    done.stderr.fnmatch_lines(["*test_a.py::test_it: no run would take it: *"])


@pytest.mark.slow
def test_the_name_of_a_folder_is_no_mark(pytester: pytest.Pytester) -> None:
    """Tests in a folder or a checkout named like a mark are run like all others."""
    shutil.copy(ROOT / "conftest.py", pytester.path)
    shutil.copy(ROOT / "pyproject.toml", pytester.path)
    for name in ("peers", "slow"):
        folder = pytester.path / "tests" / name
        folder.mkdir(parents=True)
        (folder / f"test_{name}.py").write_text("def test_quick(): ...\n", encoding="utf-8")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
