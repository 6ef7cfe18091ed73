"""`docs/scale.md`: what it shows runs, on the processes that it names."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from harness.cli.main import main
from harness.emulator import Settings
from harness.emulator.mutants import MUTANTS
from harness.transport import ServerThread
from tests.packages import needs

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scale.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
PLUGINS = ["-p", "xdist.plugin", "-p", "harness.pytest_plugin", "-p", "no:cacheprovider"]


@pytest.mark.parametrize("file", ["test_cuts.py", "test_mutants.py"])
def test_the_items_spread_over_workers(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cut and each mutant is an item of its own, and two workers run some of them each."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # others import trio and Hypothesis, in each process
    [source] = [text for kind, text in BLOCKS if kind == "python" and f"# {file}" in text]
    source = source.replace('["harness",', f'[{sys.executable!r}, "-m", "harness",')
    source = source.replace('"resume-*"', '"resume-*-[ch]*"')  # some of its mutants show it, a process each
    (tmp_path / file).write_text(source, "utf-8")
    junit = tmp_path / "junit.xml"
    words = ["-W", "ignore", "-n", "2", "--dist", "load", "-v", f"--junit-xml={junit}", file]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGINS, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert len([*ElementTree.parse(junit).iter("testcase")]) > 1
    assert "[gw0]" in done.stdout
    assert "[gw1]" in done.stdout


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A Redis server of the system's packages."""
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server is installed (Debian: apt-get install redis-server)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert any("Ready to accept connections" in line for line in server.stdout)
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()


@needs("redis", "dev")
@needs("schemathesis", "fuzz")
@pytest.mark.parametrize("kind", ["redis", "folder"])
def test_searches_share_their_failures(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A second search finds at once, in the shared database, what the first one had to search for."""
    where = request.getfixturevalue("redis_url") if kind == "redis" else str(tmp_path / "examples")
    service = MUTANTS["delete-twice-crashes"].build(Settings(require_key=False))
    found = []
    with ServerThread(service, clock=service.clock) as server:
        for seed, examples in (("1", "20"), ("2", "1")):
            report = tmp_path / f"{seed}.json"
            search = ["--engine", "history", "--seed", seed, "--max-examples", examples, "--no-store"]
            main(["fuzz", server.url, *search, "--database", where, "--report", f"json={report}"])
            found.append(report.read_text("utf-8"))
    assert "fuzz.no-5xx" in found[0]
    assert "fuzz.no-5xx" in found[1]


def test_the_junit_files_of_a_matrix_are_joined(tmp_path: Path) -> None:
    """The command of each job exists; the files name their target, and joined they have all cases."""
    [workflow] = [yaml.safe_load(text) for kind, text in BLOCKS if kind == "yaml" and "jobs:" in text]
    job = workflow["jobs"]["conformance"]
    command = job["steps"][1]["run"]
    counted = []
    for index, _ in enumerate(job["strategy"]["matrix"]["target"]):
        words = command.replace("${{ matrix.target }}", "emulator").replace(
            "${{ strategy.job-index }}", str(index)
        )
        [*_, report] = words.replace('"', "").split()
        main(["check", "emulator", "-c", "get.*", "--report", report.replace("junit-", f"{tmp_path}/junit-")])
        suites = ElementTree.parse(tmp_path / f"junit-{index}.xml").getroot()
        assert any("emulator" in one.attrib["value"] for one in suites.iter("property"))
        counted.append(len([*suites.iter("testcase")]))
    joined = ElementTree.Element("testsuites")
    for path in sorted(tmp_path.glob("junit-*.xml")):
        joined.extend(ElementTree.parse(path).getroot())
    assert len([*joined.iter("testcase")]) == sum(counted) > 20
