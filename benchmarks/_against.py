"""Compare this checkout with another commit of the repository: one table of ratios.

`python -m benchmarks --against COMMIT [GROUP …]`. The other commit gets a worktree and an environment of its own,
kept in the user's cache folder, with the versions of dependencies that are installed here, so that only our code
differs. Today's programs measure both (`_programs`), and servers are started by their command line. Turns
alternate and swap their order, and each ratio is the median of the ratios of the turns, so that other load on the
machine affects both alike. Figures are processor time where no row says otherwise. The exit code is 1 if a row
lost more than 15 %: then the command prints the rows again.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from benchmarks import emulator as serving
from benchmarks import tap
from benchmarks._starting import free_port, wait_for
from benchmarks.emulator import Contender, Load
from harness.transport.server.server import loop_factory

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(__file__).with_name("_programs.py")
LOST = 1.15
"""A row whose cost grew by more than this has lost."""

FEED = "/__harness__/inspector/feed"
KEYS = {"GEMINI_API_KEY": "first", "OTHER_GEMINI_API_KEY": "second"}
_PEER_ROWS = {
    serving.CREATES: serving.CREATES,
    serving.STREAMS: serving.STREAMS,
    serving.REPLAYS: serving.STREAMS,
    "harness replay": serving.STREAMS,
}


class Checkout(NamedTuple):
    """A copy of the repository, and the interpreter that runs it."""

    name: str
    root: Path
    python: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of its processes."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, **KEYS, "PYTHONPATH": str(self.root)}


Turns = Mapping[str, Callable[[], float | None]]
"""What to measure, by row: a call takes one turn. None: the checkout cannot do it."""


class Group(NamedTuple):
    """Rows that are measured together; `rounds` turns of each."""

    open: Callable[[Checkout], AbstractContextManager[Turns]]
    rounds: int


class Row(NamedTuple):
    """The median costs of a row, and the median of the ratios of its turns: more than 1 is a loss."""

    name: str
    now: float | None
    then: float | None
    ratio: float | None

    @property
    def lost(self) -> bool:
        """Whether this checkout is too slow."""
        return self.ratio is not None and self.ratio > LOST


# The other checkout


def prepare(commit: str) -> Checkout:
    """Check out a commit and install its dependencies, unless both are there already. Exit if it is unknown."""
    found = _git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    if not found:
        sys.exit(f"--against {commit}: there is no such commit in this repository; `git log` lists them")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "interactions-harness" / "against" / found[:12]
    root, python = home / "checkout", home / "venv" / "bin" / "python"
    ready = home / "ready"
    besides = ["pytest", *_find_installed("pytest-xdist", "hypothesis", "google-genai", "httpx")]
    if not ready.exists() or ready.read_text() != " ".join(besides):
        home.mkdir(parents=True, exist_ok=True)
        print(f"setting up {found[:12]} in {home}", file=sys.stderr)
        if not (root / "harness").exists():
            _git("worktree", "prune")
            _git("worktree", "add", "--detach", "--force", str(root), found)
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(home / "venv")], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        own = [sys.executable, "-m", "pip", "freeze", "--exclude-editable"]
        frozen = subprocess.run(own, capture_output=True, text=True, check=True).stdout.splitlines()
        constraints = home / "constraints.txt"
        constraints.write_text("\n".join(line for line in frozen if "==" in line) + "\n")
        subprocess.run([*pip, "-c", str(constraints), "-e", f"{root}[fast,record]", *besides], check=True)
        ready.write_text(" ".join(besides))
    return Checkout(found[:7], root, str(python))


def _find_installed(*names: str) -> list[str]:
    """Those of the distributions that are installed here: an older commit is measured with the same ones."""
    return [name for name in names if any(metadata.distributions(name=name))]


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode and words[0] != "rev-parse":
        sys.exit(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def build_package(checkout: Checkout) -> None:
    """Write the generated files, which a wheel has, and the bytecode, so that no turn pays for them."""
    commands = [["compileall", "-q", str(checkout.root / "harness")]]
    if (checkout.root / "harness" / "generated_files.py").exists():
        commands.insert(0, ["harness.generated_files"])
    for command in commands:
        subprocess.run([checkout.python, "-m", *command], cwd=checkout.root, env=checkout.environment, check=True)


# Groups


@contextmanager
def started(checkout: Checkout, words: list[str], port: int) -> Iterator[Contender]:
    """A command of the checkout, once it listens."""
    command = [checkout.python, "-m", "harness", *words]
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=told, cwd=checkout.root, env=checkout.environment
        ) as process,
    ):
        try:
            try:
                wait_for(port, f"{checkout.name}: {' '.join(words)}", alive=lambda: process.poll() is None)
            except SystemExit as failure:
                told.seek(0)
                raise SystemExit(f"{failure}\n{told.read().decode(errors='replace')[-400:]}") from None
            yield Contender("harness", port, process.pid)
        finally:
            process.terminate()


@contextmanager
def served(checkout: Checkout) -> Iterator[Turns]:
    """Creates, streams and replays of `harness serve`, and replays while a page of the inspector is open."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        command, port = serving.harness(folder)
        server = stack.enter_context(started(checkout, command[3:], port))
        rows = {name: _turn(server, lambda name=name: serving.loads(server)[name]) for name in serving.WANTED}  # type: ignore[misc]
        yield {**rows, "GET replays beside an open page": lambda: _looked_at(server)}


def _turn(server: Contender, load: Callable[[], Load], seconds: float = 1.0) -> Callable[[], float | None]:
    def run() -> float | None:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(serving.turn(server, load(), seconds)).cpu

    return run


def _looked_at(server: Contender) -> float | None:
    """The time of an event while somebody looks; None if there is nothing to look at.

    A page looks a few times a second, so one look more or less changes a short turn by a sixth. A ratio to a turn
    without a page would have the noise of both.
    """
    replays = _turn(server, lambda: serving.loads(server)[serving.REPLAYS], 4.0)
    with socket.create_connection(("127.0.0.1", server.port)) as page:
        page.sendall(f"GET {FEED} HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        if not page.recv(65536).startswith(b"HTTP/1.1 200"):
            return None
        with subprocess.Popen(
            [sys.executable, "-c", _DRAIN, str(page.fileno())], pass_fds=[page.fileno()]
        ) as reader:
            looked = replays()
            reader.terminate()
    return looked


_DRAIN = "import os, sys\nwhile os.read(int(sys.argv[1]), 1 << 20):\n    pass"


@contextmanager
def replayed(checkout: Checkout) -> Iterator[Turns]:
    """`harness replay` of a stream that the checkout's own `harness record` recorded from its own emulator."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        command, port = serving.harness(folder)
        cassette = folder / "long.yaml"
        with started(checkout, command[3:], port):
            between = free_port()
            target = ["--target", f"http://127.0.0.1:{port}", "--port", str(between)]
            with started(checkout, ["record", *target, "--cassette", str(cassette)], between) as recorder:
                made = serving.ask_once(recorder, serving._create(recorder, serving.COUNT, stream=True)).body
        identity = json.loads(made.split(b"data: ", 1)[1].split(b"\n", 1)[0])["interaction"]["id"]
        port = free_port()
        words = ["replay", str(cassette), "--mode", "resume", "--port", str(port)]
        server = stack.enter_context(started(checkout, words, port))
        wire = serving._wire(server, "GET", f"/v1beta/interactions/{identity}?stream=true", b"")
        units = serving.count_events(server, wire)
        yield {"harness replay": _turn(server, lambda: Load("harness replay", [wire], units, b"data: {", units))}


@contextmanager
def proxied(checkout: Checkout) -> Iterator[Turns]:
    """Milliseconds that `harness record` adds to the first byte (elapsed), and its processor time."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream, port = stack.enter_context(tap.upstream()), free_port()
        words = ["record", "--target", f"http://127.0.0.1:{upstream}", "--port", str(port)]
        server = stack.enter_context(started(checkout, [*words, "--cassette", str(folder / "tap.yaml")], port))
        seen: list[list[float]] = []

        def measure() -> float:
            spent = serving.cpu_seconds(server.pid)
            pairs = [(tap.first_bytes(upstream), tap.first_bytes(port)) for _ in range(40)]
            now = serving.cpu_seconds(server.pid)
            added = [[there - here for here, there in zip(*pair, strict=True)] for pair in pairs]
            seen[:] = [[statistics.median(values) * 1e3] for values in zip(*added, strict=True)]
            return 0.0 if spent is None or now is None else (now - spent) / 120 * 1e6

        # a difference near 0 has no ratio: what is added to 1 ms is compared
        yield {
            "a proxied stream of 11 events, µs": measure,
            "proxy, first byte, new connection, 1 + ms": lambda: 1 + seen[0][0],
            "proxy, first byte, same connection, 1 + ms": lambda: 1 + seen[1][0],
            "proxy, first byte, 20 ms later, 1 + ms": lambda: 1 + seen[2][0],
        }


def program(name: str, rows: Iterable[str]) -> Callable[[Checkout], AbstractContextManager[Turns]]:
    """A group whose rows are the figures of one program; they share a process in each turn."""

    @contextmanager
    def opened(checkout: Checkout) -> Iterator[Turns]:
        figures: dict[str, float] = {}

        def run(row: str, first: bool) -> float | None:
            if first:
                command = [checkout.python, "-P", str(PROGRAMS), name]
                done = subprocess.run(
                    command, env=checkout.environment, cwd="/", capture_output=True, text=True, check=False
                )
                figures.clear()
                with suppress(ValueError):
                    figures.update(json.loads(done.stdout))
                if not figures:
                    print(f"{checkout.name}: {name} failed: {done.stderr[-400:]}", file=sys.stderr)
            return figures.get(row)

        yield {row: lambda row=row, first=not at: run(row, first) for at, row in enumerate(rows)}  # type: ignore[misc]

    return opened


def command(
    words: list[str], row: str, *, remote: bool = False
) -> Callable[[Checkout], AbstractContextManager[Turns]]:
    """A group for one command of the command line: its processor seconds, and its elapsed ones."""

    @contextmanager
    def opened(checkout: Checkout) -> Iterator[Turns]:
        with ExitStack() as stack:
            target = []
            if remote:
                port = free_port()
                keys = [
                    word
                    for number, key in enumerate(KEYS.values())
                    for word in ("--key", f"{key}=project-{number}")
                ]
                stack.enter_context(started(checkout, ["serve", "--port", str(port), *keys], port))
                target = [f"http://127.0.0.1:{port}"]
            elapsed = 0.0

            def run() -> float:
                nonlocal elapsed
                argv = [checkout.python, "-m", "harness", *words, *target]
                began = time.perf_counter()
                with subprocess.Popen(
                    argv,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=checkout.root,
                    env=checkout.environment,
                ) as process:
                    _, status, usage = os.wait4(process.pid, 0)
                    process.returncode = os.waitstatus_to_exitcode(status)
                elapsed = time.perf_counter() - began
                if process.returncode:
                    sys.exit(f"{checkout.name}: {' '.join(argv)} ended with {process.returncode}")
                return usage.ru_utime + usage.ru_stime

            yield {f"{row}, s": run, f"{row}, elapsed s": lambda: elapsed}

    return opened


GROUPS = {
    "serve": Group(served, 5),
    "replay": Group(replayed, 5),
    "calls": Group(program("calls", ["calls of own functions"]), 1),
    "proxy": Group(proxied, 5),
    "startup": Group(program("startup", ["imports before it", "first create of a process"]), 7),
    "plugin": Group(
        program(
            "plugin", ["pytest, only our plugin, 1 + ms", "first emulator of a session", "an emulator for a test"]
        ),
        5,
    ),
    "dropped": Group(program("dropped", ["1,000 dropped streams", "1,000 dropped streams, httpx alone"]), 5),
    "judge": Group(program("judge", ["judge one event, × json.loads"]), 3),
    "check": Group(command(["check", "emulator"], "catalog in process"), 3),
    "loopback": Group(command(["check"], "catalog over loopback", remote=True), 2),
}


# The comparison


def compare(now: Checkout, then: Checkout, names: list[str]) -> list[Row]:
    """Measure the groups on both, and aimock beside what it can do, too."""
    rows: list[Row] = []
    for name in names:
        group = GROUPS[name]
        taken: dict[str, list[tuple[float | None, float | None]]] = {}
        with group.open(now) as ours, group.open(then) as theirs:
            for number in range(group.rounds):
                values: dict[str, list[float | None]] = {}
                turns = [(0, ours), (1, theirs)]
                for side, rows_of in turns if number % 2 == 0 else reversed(turns):
                    for row, run in rows_of.items():
                        values.setdefault(row, [None, None])[side] = run()
                for row, (left, right) in values.items():
                    taken.setdefault(row, []).append((left, right))
        made = [_row(row, pairs) for row, pairs in taken.items()]
        for one in made:
            print(describe(one), flush=True)
        rows += made
    return rows


def _row(name: str, pairs: list[tuple[float | None, float | None]]) -> Row:
    sides = [[value for value in side if value is not None] for side in zip(*pairs, strict=True)]
    ratios = [left / right for left, right in pairs if left is not None and right]
    now, then = (statistics.median(side) if side else None for side in sides)
    return Row(name, now, then, statistics.median(ratios) if ratios else None)


def measure_peer(rounds: int = 5) -> dict[str, float]:
    """aimock's processor time for one unit of each load; {} if it is not installed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peer = serving.aimock(folder)
        if peer is None:
            print("aimock is left out: it needs node, and `make bench-peers` to install it", file=sys.stderr)
            return {}
        server = stack.enter_context(serving.started("aimock", *peer))
        found = {}
        for name in (serving.CREATES, serving.STREAMS):
            turn = _turn(server, lambda name=name: serving.loads(server)[name])  # type: ignore[misc]
            spent = [value for _ in range(rounds) if (value := turn()) is not None]
            if spent:
                found[name] = statistics.median(spent)
        return found


def describe(row: Row) -> str:
    """One line of the table."""
    now, then = (f"{value:12,.2f}" if value is not None else f"{'–':>12}" for value in (row.now, row.then))
    ratio = f"{row.ratio:8.2f}" if row.ratio is not None else f"{'–':>8}"
    return f"{row.name:<44}{now}{then}{ratio}{'  lost' if row.lost else ''}"


def main(commit: str, names: list[str]) -> int:
    """Print the table; return 1 if a row lost more than 15 %."""
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        sys.exit(f"--against: there is no group {unknown[0]!r}: choose from {', '.join(GROUPS)}")
    then = prepare(commit)
    now = Checkout("now", ROOT, sys.executable)
    for checkout in (now, then):
        build_package(checkout)
    print(f"{'cost (less is better)':<44}{'now':>12}{then.name:>12}{'ratio':>8}")
    rows = compare(now, then, names or list(GROUPS))
    peers = measure_peer() if {row.name for row in rows} & set(_PEER_ROWS) else {}
    for row in rows:
        if (cost := peers.get(_PEER_ROWS.get(row.name, ""))) and row.now and row.then:
            print(f"{row.name + ', × aimock (more is better)':<44}{cost / row.now:12.2f}{cost / row.then:12.2f}")
    lost = [row for row in rows if row.lost]
    if lost:
        print(f"\nlost more than {LOST - 1:.0%}:", *map(describe, lost), sep="\n", file=sys.stderr)
    return 1 if lost else 0
