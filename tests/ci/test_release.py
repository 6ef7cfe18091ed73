"""What a release is judged by, on files that are wrong on purpose, and the workflow of this repository."""

from __future__ import annotations

import importlib.util
import io
import re
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
METADATA = f"Name: {PROJECT['name']}\nVersion: {PROJECT['version']}\nSummary: {PROJECT['description']}\n"
COMMANDS = "".join(f"{name} = x\n" for name in PROJECT["scripts"]) + "[pytest11]\n"
INFO = f"interactions_harness-{PROJECT['version']}.dist-info"


@pytest.fixture(scope="module")
def distributions() -> Any:
    """The module `.ci/distributions.py`, with two tracked files instead of all."""
    spec = importlib.util.spec_from_file_location("distributions", ROOT / ".ci" / "distributions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.list_tracked = lambda: {"harness/a.py", "schemas/b.json", "tests/test_a.py"}
    return module


def make(folder: Path, wheel: dict[str, str], sdist: tuple[str, ...]) -> Path:
    """A folder with a wheel and an sdist of these files."""
    with zipfile.ZipFile(folder / "a-1-py3-none-any.whl", "w") as archive:
        for name, text in wheel.items():
            archive.writestr(name, text)
    with tarfile.open(folder / "a-1.tar.gz", "w:gz") as archive:
        for name in sdist:
            archive.addfile(tarfile.TarInfo(f"a-1/{name}"), io.BytesIO())
    return folder


GENERATED = {f"harness/_data/schemas/1/strict/{number}.json": "{}" for number in range(20)}
RIGHT = {
    "harness/a.py": "", "harness/_data/schemas/b.json": "{}", **GENERATED,
    f"{INFO}/METADATA": METADATA, f"{INFO}/entry_points.txt": COMMANDS,
}  # fmt: skip
SOURCES = (
    "harness/a.py", "schemas/b.json", "pyproject.toml", "hatch_build.py", "README.md", "CHANGELOG.md", "LICENSE",
    "Makefile",
)  # fmt: skip


TOP_LEVEL = {
    ".ci", ".github", ".gitignore", ".pre-commit-hooks.yaml", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE",
    "Makefile", "README.md", "SECURITY.md", "action.yml", "benchmarks", "cassettes", "conftest.py", "docs",
    "harness", "hatch_build.py", "javascript", "lab", "mkdocs.yml", "pyproject.toml", "schemas", "tests",
}  # fmt: skip


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout with its history")
def test_the_top_level_holds_what_it_is_known_for() -> None:
    """A note or a report that lies beside the sources gets into no commit unseen."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split("/")[0] for line in listed.splitlines()} == TOP_LEVEL


def test_a_right_release_passes(distributions: Any, tmp_path: Path) -> None:
    """Files that have everything are not objected to."""
    assert list(distributions.judge(make(tmp_path, RIGHT, SOURCES))) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"harness/a.py": None}, "lacks harness/a.py"),
        ({"harness/_data/schemas/b.json": None}, "lacks harness/_data/schemas/b.json"),
        (dict.fromkeys(GENERATED), "has 0 of the files that `make generated` writes"),
        ({"tests/test_a.py": ""}, "tests/test_a.py, which is no part of the package"),
        ({"harness/a.py": f"FOLDER = {str(ROOT)!r}"}, "harness/a.py in a-1-py3-none-any.whl names a folder"),
        ({f"{INFO}/METADATA": METADATA.replace("Version: ", "Version: 9")}, "the metadata have Version: '9"),
        ({f"{INFO}/entry_points.txt": "[pytest11]\n"}, "lack the command harness"),
        ({f"{INFO}/entry_points.txt": COMMANDS.replace("pytest11", "x")}, "lack the pytest plugin"),
    ],
)
def test_what_is_wrong_is_named(
    distributions: Any, tmp_path: Path, change: dict[str, str | None], problem: str
) -> None:
    """What lacks, what is too much, a folder of the machine and other metadata than the project has are named."""
    wheel = {name: text for name, text in {**RIGHT, **change}.items() if text is not None}
    problems = list(distributions.judge(make(tmp_path, wheel, SOURCES)))
    assert problem in problems[0]


def test_an_sdist_holds_what_a_build_needs(distributions: Any, tmp_path: Path) -> None:
    """A source that the sdist lacks is named, and so is the hook of the build."""
    problems = list(distributions.judge(make(tmp_path, RIGHT, SOURCES[3:4])))
    assert "a-1.tar.gz lacks harness/a.py" in problems
    assert [line for line in problems if "hatch_build" in line] == []
    problems = list(distributions.judge(make(tmp_path, RIGHT, SOURCES[:3])))
    assert "a-1.tar.gz lacks hatch_build.py" in problems


def test_the_workflow_runs_the_pipeline_with_least_rights() -> None:
    """Actions are pinned to a commit, the token can only read, and each supported Python runs `.ci/run`."""
    assert WORKFLOW["permissions"] == {"contents": "read"}
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", name) for name in used)
    for step in steps:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"persist-credentials": False}
    assert {step["run"] for step in steps if "run" in step} == {
        ".ci/run", "make release", "make test-all", "make lab", "make drift",
    }  # fmt: skip
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]
    assert WORKFLOW["jobs"]["pipeline"]["strategy"]["matrix"]["python"] == named


def test_the_pipeline_names_files_that_are_there() -> None:
    """Each path of tests in `.ci/run` exists, and each `make` target that it or the workflow calls."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {' '.join(re.findall(r'tests/[A-Za-z0-9_/{},.]+', script))}"],
        capture_output=True,
        text=True,
        check=True,
    )
    paths = done.stdout.split()
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
    makefile = (ROOT / "Makefile").read_text("utf-8")
    pattern = r"^ *(?:begin \S+ |nice -n 19 )?make ([a-z-]+)(?: [A-Z]+=\S+)?(?: \|\|.*)?$"
    calls = re.findall(pattern, script, re.MULTILINE)
    called = {*calls, "release", "bench-peers", "test-all", "lab", "drift"}
    assert called >= {"check", "lint", "docs", "test-slow"}
    assert [name for name in called if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []
