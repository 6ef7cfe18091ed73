"""Options and fixtures every test module shares: where the corpus is, and what is opt-in."""

from __future__ import annotations

import functools
import gc
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.mark.structures import MARK_GEN
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.transport.certificates import Certificate

ROOT = Path(__file__).parent

pytest_plugins = ["pytester"]

for variable in ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
    os.environ.pop(variable, None)  # what tests start prints what it prints on a developer's machine

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in what it starts with `&`

os.fsync = lambda fd: None  # no test outlives a power cut, and drawn cassettes took minutes on a slow disk

MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and MEMORY.is_dir():  # tests write many small files, and on a disk they wait for it
    room = os.statvfs(MEMORY)
    if room.f_bavail * room.f_frsize > 4 << 30 and os.access(MEMORY, os.W_OK) and not room.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

gc.disable()  # nothing that is collected is garbage

without_bytecode = sys.dont_write_bytecode
sys.dont_write_bytecode = False  # what is collected is rewritten once, not by each worker of each run

TIMES = [HealthCheck.too_slow]  # how long an example takes to draw and to run is the machine's affair
settings.register_profile("anew", settings(), deadline=None, suppress_health_check=TIMES)
settings.register_profile("the same", settings.get_profile("anew"), derandomize=True)


def pytest_configure(config: pytest.Config) -> None:
    """Draw the same examples in each run, so that a change is judged by itself; `--thorough` draws new ones."""
    settings.load_profile("anew" if config.getoption("--thorough") else "the same")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--slow` adds slow tests to a run of everything, `--thorough` all of ours, `--peers` third-party servers."""
    parser.addoption(
        "--peers", action="store_true", help="also run tests that install and judge third-party servers"
    )
    parser.addoption("--slow", action="store_true", help="also run tests that take seconds each")
    parser.addoption("--thorough", action="store_true", help="also run slow tests, and more cases of each kind")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Heavy tests are opt-in; slow and thorough ones are left out of a run of everything, and only there."""
    skip = pytest.mark.skip(reason="installs third-party servers; run `make peers`")
    skipped = set() if config.getoption("--peers") else {"peers"}
    unwanted = _unwanted(config)
    kept, left_out = [], []
    for item in items:  # each worker of each run reads the marks of ten thousand
        marks = _marks_of(item)
        if not skipped.isdisjoint(marks):
            item.add_marker(skip)
        if unwanted and ("slow" if "slow" in marks else "quick") not in _kinds_of(item.path):
            raise pytest.UsageError(f"{item.nodeid}: no run would take it: the text of its module hides its mark")
        (kept if unwanted.isdisjoint(marks) else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    worker = getattr(config, "workerinput", None)
    items[:] = kept if worker is None else _deal(kept, worker["workercount"])


_LONGEST = (
    "[says-nothing-twice]", "[silent-always]", "[VariedPlain0]", "[forgets-the-ninth]",
    "[ends-no-background-turn]", "[buffers]", "test_all_pages", "[migrate]",
)  # fmt: skip
"""The ends of the names of tests that take half a minute or more: one that began last would be waited for."""


def _deal(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Give each worker something of everything, so that some compute while others wait.

    `--dist worksteal` gives each worker equally many neighbors, and half of the longest share to whoever is idle.
    In order of folders, tests that wait for servers in real time were neighbors, and the last ones ran alone.
    So modules are shuffled, in all runs and workers alike; those tests, which share no fixture, one by one.
    """
    longest = [item for item in items if item.name.endswith(_LONGEST)]
    rest = [item for item in items if not item.name.endswith(_LONGEST)]
    neighbors = itertools.groupby(
        rest, lambda item: (item.path, item.path.parent.name == "foreign" and item.nodeid)
    )
    groups = [[*of_one] for _, of_one in neighbors]
    random.Random(0).shuffle(groups)
    shuffled = itertools.chain.from_iterable(groups)
    dealt: list[pytest.Item] = []
    for left in range(workers, 0, -1):
        size, head = (len(items) - len(dealt)) // left, longest[workers - left :: workers]
        dealt += [*head, *itertools.islice(shuffled, size - len(head))]
    return dealt


@functools.cache
def _unwanted(config: pytest.Config) -> set[str]:
    """The marks of what a run of everything leaves out; whoever names a file gets all of it."""
    everything = [ROOT / path for path in config.getini("testpaths")]
    chosen = config.getoption("markexpr")
    if [ROOT / path for path in config.args] != everything:
        return set()
    if config.getoption("--thorough") or "thorough" in chosen:
        return set()
    return {"thorough"} if config.getoption("--slow") or "slow" in chosen else {"slow", "thorough"}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no module that has only tests of the other half: each worker of each run imports what it collects."""
    unwanted = _unwanted(config)
    if not unwanted or not collection_path.name.startswith("test_"):
        return None
    wanted = {"quick"} if "slow" in unwanted else {"slow"} if config.getoption("markexpr") == "slow" else KINDS
    return wanted.isdisjoint(_kinds_of(collection_path)) or None


KINDS = {"quick", "slow"}


@functools.cache
def _kinds_of(path: Path) -> set[str]:
    """The kinds of tests that a module may have, by its text."""
    text = path.read_text("utf-8")
    if re.search(r"^pytestmark = (\[[^\]]*?)?(pytest\.mark\.slow|NEEDS_CHROMIUM)", text, re.MULTILINE):
        return {"slow"}
    return KINDS if re.search("slow|thorough|NEEDS_CHROMIUM", text) else {"quick"}


def _marks_of(item: pytest.Item) -> set[str]:
    """The names of its marks; `item.keywords` has the folders, too, also that of the checkout."""
    return {mark.name for mark in item.iter_markers()}


registered_markers: set[str] = set()
recursion_limit = sys.getrecursionlimit()


def pytest_collection_finish() -> None:
    """From here on bytecode is kept or not as the user wants it, and garbage is what tests leave."""
    registered_markers.update(MARK_GEN._markers)
    sys.dont_write_bytecode = without_bytecode
    gc.freeze()
    gc.set_threshold(20_000, 10, 100)  # else it looks through all that tests keep, again and again
    gc.enable()
    for library in ("httpx", "httpx2"):  # each client reads 140 certificates, though it calls loopback
        if (module := sys.modules.get(f"{library}._transports.default")) is not None:
            module.create_ssl_context = functools.cache(module.create_ssl_context)


def pytest_runtest_teardown() -> None:
    """Forget the proxies of this test: `urlopen` keeps those of its first call for all later ones.

    Forget the markers of its toys, too: pytest knows a registered name for as long as its process lives. Set the
    limit of recursion that other tests know: a library, such as mypy, raises it for itself.
    """
    sys.setrecursionlimit(recursion_limit)
    urllib.request.install_opener(None)  # type: ignore[arg-type]
    MARK_GEN._markers.intersection_update(registered_markers)


PATIENCE = 20
"""Seconds in which a thread ends that was told to: so long only if it was not."""


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """End what a test starts: a thread that stays holds up the clock of a later test, or answers its requests."""
    before = set(threading.enumerate())
    yield
    started = [one for one in threading.enumerate() if one not in before]
    for thread in started:
        if not isinstance(thread, threading._DummyThread):  # Python did not start it, and cannot wait for it
            thread._started.wait(PATIENCE)  # type: ignore[attr-defined]  # listed before it starts
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{thread} stays: let the test or its fixture end it"


def pytest_sessionfinish() -> None:
    """A worker that takes longer than ten seconds to end is killed: what it measured is written before that."""
    for _ in range(2):  # pytest looks for garbage five times, here for that which this leaves
        gc.collect()
    gc.freeze()
    coverage = sys.modules.get("coverage")
    if coverage is not None and (measured := coverage.Coverage.current()) is not None:
        measured.save()


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of recordings named by HARNESS_CORPUS; tests that need it skip where it is missing."""
    folder = ROOT / os.environ.get("HARNESS_CORPUS", "../shared/corpus")
    if not (folder / "MANIFEST.jsonl").is_file():
        pytest.skip(f"no corpus at {folder}: set HARNESS_CORPUS to a folder with MANIFEST.jsonl")
    return folder.resolve()


@pytest.fixture(scope="session")
def lean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with which a process of a client that calls this machine starts in half the time.

    Each client reads all certificates, 140 of them but here. httpx imports click, rich and trio where it finds
    them, google-genai aiohttp; in the environment of a user they find none of these.
    """
    import certifi

    folder = tmp_path_factory.mktemp("lean")
    first, end, _ = Path(certifi.where()).read_text("utf-8").partition("-----END CERTIFICATE-----\n")
    (folder / "one.pem").write_text(first + end, "utf-8")
    for name in ("aiohttp", "click", "rich", "trio"):
        (folder / f"{name}.py").write_text("raise ImportError('not installed')\n", "utf-8")
    return {"SSL_CERT_FILE": str(folder / "one.pem"), "PYTHONPATH": str(folder)}


@pytest.fixture
def lean_clients(lean: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes of a test start so; pytest and Hypothesis do not, because their plugins import trio."""
    for name, value in lean.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run a test in an empty folder and without keys in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("GEMINI_API_KEY", "OTHER_GEMINI_API_KEY", "GOOGLE_API_KEY", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore any proxy settings of the environment."""
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One certificate for all tests of a module."""
    from tests.transport.certificates import certificate_in

    return certificate_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a module."""
    from tests.chromium import open_chromium

    with open_chromium() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as it is published; of several workers that want it, one builds it.

    HARNESS_WHEEL names one that was just built.
    """
    from tests.built_once import build_once

    if "HARNESS_WHEEL" in os.environ:
        return Path(os.environ["HARNESS_WHEEL"])

    def build(folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(ROOT)]
        subprocess.run(command, cwd=tmp_path_factory.getbasetemp(), env=kept, check=True)

    return next(build_once(tmp_path_factory, "wheel", build).glob("interactions_harness-*.whl"))
