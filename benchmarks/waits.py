"""What people wait for: whole commands and test sessions, each beside the time that is wanted.

`python -m benchmarks.waits [--only NAME …] [--against COMMIT] [--rounds 1]` prints one table. Each row is a
command in its own process, as a user starts it: elapsed seconds, then those of the processor. Compare the latter,
and counts: elapsed seconds depend on other programs, too. `floor` is measured in the same run: the least that a
program needs that does this. `aimock` is measured where it is installed. With `--against`, the same commands of
the other commit run in turns with these; a dash stands for what it cannot do.

All rows take about four minutes of an idle machine. So those in `WAITING`, which hardly use the processor, run at
the same time at the end, and the other commit runs those in `LONG` only if `--only` names them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen
from xml.etree import ElementTree

from benchmarks import emulator as serving
from benchmarks._against import KEYS, ROOT, Checkout, build_package, prepare, started
from benchmarks._own_server import Walled, walled_server
from benchmarks._starting import free_port
from benchmarks.floors import ONE_CHECK
from benchmarks.server import EVENT
from harness.engine.run import JOBS
from harness.interactions.servers import SERVERS

MILLION = 1_000_000
NONE = "–"


class Took(NamedTuple):
    """Elapsed seconds, processor seconds of all processes, peak memory of the largest in MB, and the output.

    `told` has the moment of each line, in seconds since the epoch.
    """

    seconds: float
    cpu: float
    memory: float
    output: str
    told: tuple[float, ...] = ()

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.cpu:.2f} s CPU"


class Row(NamedTuple):
    """One line of the table."""

    wait: str
    now: str
    wanted: str
    floor: str = NONE
    peer: str = NONE
    then: str = NONE
    note: str = ""

    def __str__(self) -> str:
        return f"| {' | '.join(self)} |"


_CHILD = """
import os, sys
there, program = int(sys.argv[1]), sys.argv[2:]
os.set_inheritable(there, False)
_, status, spent = os.wait4(os.posix_spawn(program[0], program, os.environ), 0)
code, cpu = os.waitstatus_to_exitcode(status), spent.ru_utime + spent.ru_stime
os.write(there, f"{code} {cpu} {spent.ru_maxrss / 1024}".encode())
"""
"""Starts a program and reports its end. A child begins with the peak memory of its parent, here a small one."""


class Bench:
    """Runs each command on both checkouts in turns."""

    def __init__(self, checkouts: list[Checkout], rounds: int) -> None:
        self.checkouts = checkouts
        self.rounds = rounds
        self.folder = Path()

    def measure(self, words: list[str], *, codes: tuple[int, ...] = (0,)) -> list[Took | None]:
        """The medians of a `harness` command, or of another module, for each checkout; see `run` for None."""
        taken: list[list[Took | None]] = [[] for _ in self.checkouts]
        for _ in range(self.rounds):
            for turns, checkout in zip(taken, self.checkouts, strict=True):
                turns.append(self.run(checkout, words, codes))
        return [_take_medians(turns) for turns in taken]

    def row(
        self,
        wait: str,
        words: list[str],
        wanted: str,
        *,
        floor: Took | None = None,
        codes: tuple[int, ...] = (0,),
        note: str = "",
    ) -> Iterator[Row]:
        """The row of one command. With two checkouts, its note has the ratio of their processor seconds."""
        took = self.measure(words, codes=codes)
        now, then = took[0], took[1] if len(took) > 1 else None
        assert now is not None
        if then is not None:
            each = _count_checks(now), _count_checks(then)
            ratio = (now.cpu / each[0]) / (then.cpu / each[1])
            note = f"{ratio:.2f} × the CPU then{' for each check' if max(each) > 1 else ''}{note and '; '}{note}"
        yield Row(wait, str(now), wanted, str(floor or NONE), NONE, str(then or NONE), note)

    def run(self, checkout: Checkout, words: list[str], codes: tuple[int, ...] = (0,)) -> Took | None:
        """Run one command to its end. Exit the program if it fails; None if that of the other commit does."""
        took, code = self.spawn(checkout, words if words[0] in ("pytest", "-c") else ["harness", *words])
        if code in codes:
            return took
        told = f"{checkout.name}: {' '.join(words)} ended with {code}:\n{took.output[-3000:]}"
        if checkout is self.checkouts[0]:
            sys.exit(told)
        print(told[-600:], file=sys.stderr)
        return None

    def spawn(self, checkout: Checkout, words: list[str]) -> tuple[Took, int]:
        """Run a module of a checkout, or a program after `-c`; return its exit code, too."""
        here, there = os.pipe()
        command = [checkout.python, *(words if words[0] == "-c" else ["-m", *words])]
        began, output, told = time.perf_counter(), list[bytes](), list[float]()
        with subprocess.Popen(
            [sys.executable, "-IS", "-c", _CHILD, str(there), *command],
            cwd=self.folder,
            env=checkout.environment,
            pass_fds=[there],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            os.close(there)
            assert process.stdout is not None
            for line in process.stdout:
                output.append(line)
                told.append(time.time())
        seconds = time.perf_counter() - began
        with os.fdopen(here) as end:
            code, cpu, memory = end.read().split()
        text = b"".join(output).decode(errors="replace")
        return Took(seconds, float(cpu), float(memory), text, tuple(told)), int(code)

    def tell(self, figures: Callable[[Checkout], str]) -> tuple[str, str]:
        """What a function writes for this checkout, and for the other one."""
        now, *then = map(figures, self.checkouts)
        return now, then[0] if then else NONE


def _take_medians(turns: list[Took | None]) -> Took | None:
    done = [turn for turn in turns if turn is not None]
    if not done:
        return None
    seconds, cpu, memory = map(
        statistics.median, zip(*((one.seconds, one.cpu, one.memory) for one in done), strict=True)
    )
    return done[-1]._replace(seconds=seconds, cpu=cpu, memory=memory)


def _count_checks(took: Took) -> int:
    """How many checks a run counts in its output; 1 for anything else."""
    checks = re.search(r"^(\d+) checks(?: in |: )", took.output, re.MULTILINE)
    return int(checks[1]) if checks else 1


def creates(bench: Bench) -> Iterator[Row]:
    """Send creates over a socket, beside aimock, a server that always sends the same bytes, and a bare one."""
    with ExitStack() as stack:
        servers = stack.enter_context(serving.contenders())
        for checkout in bench.checkouts[1:]:
            command, port = serving.harness(bench.folder)
            servers.append(stack.enter_context(started(checkout, command[3:], port))._replace(name="then"))
        found = {row["server"]: row for row in serving.measure(servers, 3 * bench.rounds, 0.5, [serving.CREATES])}
    own, floor, peer, then = (found.get(name) for name in ("harness", serving.FLOOR, "aimock", "then"))
    bare = found[serving.BARE]
    assert own is not None
    assert floor is not None
    rates = (f"{row['rate']:,.0f} /s" if row else NONE for row in (own, floor, peer, then))
    now, least, other, before = rates
    note = f"{peer['ratio']:.2f} × aimock" if peer else ""
    yield Row("creates over a socket", now, "2 × aimock", least, other, before, note)
    costs = (f"{row['cpu_us']:.1f} µs CPU" if row else NONE for row in (own, floor, peer, then))
    now, least, other, before = costs
    note = f"{1 / floor['cpu_ratio']:.1f} × the floor, {1 / bare['cpu_ratio']:.1f} × one that checks and keeps"
    yield Row("one create", now, "5 × the floor", least, other, before, note)


_UNJUDGED = """
import sys
from harness.cli import main
from harness.engine import audit, execute
from harness.outcome import Observation, Outcome

execute.PlayedExercise.observe = lambda played, check: Observation(Outcome.MET)
audit.Audit.note = audit.Audit.note_denials = lambda *_: None
sys.exit(main(["check", "emulator"]))
"""
"""Sends the requests of the catalog, and judges no response."""


def catalogue(bench: Bench) -> Iterator[Row]:
    """Run the whole catalog in process, beside its requests alone; and over loopback, beside one check."""
    (one, *_) = bench.measure(["check", "emulator", "-c", ONE_CHECK])
    sent = bench.run(bench.checkouts[0], ["-c", _UNJUDGED])
    note = f"the start and one check: {one}"
    yield from bench.row("catalog in process", ["check", "emulator"], "0.6 s CPU", floor=sent, note=note)
    with serving_emulator(bench) as url:
        yield from bench.row("catalog over loopback", ["check", url], "6 s", floor=one)


@contextmanager
def serving_emulator(bench: Bench) -> Iterator[str]:
    """A session of `harness serve` in which each of the two keys has a project of its own."""
    port = free_port()
    keys = [word for number, key in enumerate(KEYS.values()) for word in ("--key", f"{key}=project-{number}")]
    with started(bench.checkouts[0], ["serve", "--port", str(port), *keys], port):
        yield f"http://127.0.0.1:{port}"


def own_server(bench: Bench) -> Iterator[Row]:
    """Run it on an own server whose responses take 5 ms."""
    return check_own_server(bench, "responses of 5 ms", 0.0, "3 s, 500 requests")


def slow_runs(bench: Bench) -> Iterator[Row]:
    """Run it on an own server whose background runs last for 1.5 s."""
    return check_own_server(bench, "runs of 1.5 s", 1.5, "20 s")


_SEND = """
import http.client, sys, threading
address, number = sys.argv[1], int(sys.argv[2])
names, lock = iter(range(number)), threading.Lock()

def send():
    connection = http.client.HTTPConnection(address)
    while True:
        with lock:
            name = next(names, None)
        if name is None:
            return
        connection.request("GET", f"/v1beta/interactions/{name}", headers={"x-goog-api-key": "first"})
        connection.getresponse().read()

workers = [threading.Thread(target=send) for _ in range(int(sys.argv[3]))]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
"""
"""Sends so many requests by so many threads, each on one connection, and judges nothing."""


def check_own_server(bench: Bench, name: str, lasts: float, wanted: str) -> Iterator[Row]:
    """The row of a server whose runs last so many seconds.

    Its floor is the longest exercise, or as many requests by as many workers, which wait for nothing else.
    """
    notes = []

    def check(checkout: Checkout) -> str:
        report = bench.folder / f"{checkout.name}.json"
        with walled_server(Walled(0.005, lasts)) as (url, walled):
            took = bench.run(checkout, ["check", url, "--report", f"json={report}"], (0, 1))
            sent, counted = walled.counts.total(), walled.describe()
            address = url.removeprefix("http://")
            bare = bench.run(bench.checkouts[0], ["-c", _SEND, address, str(sent), str(JOBS)])
        if took is None or bare is None:
            return NONE
        times = json.loads(report.read_text(encoding="utf-8")).get("timings") or [{}]
        longest = max(times, key=lambda exercise: float(exercise.get("seconds", 0)))
        least = f"{longest.get('seconds', 0):.1f} s: {longest.get('exercise')}"
        notes.append((f"{least}; {bare}: as many GETs by {JOBS} threads", counted))
        return f"{took}, {sent} requests"

    now, then = bench.tell(check)
    yield Row(f"own server, {name}", now, wanted, notes[0][0], NONE, then, notes[0][1])


def suite(bench: Bench) -> Iterator[Row]:
    """Run the catalog as test items, alone and with four workers, beside as many empty tests."""
    words = ["pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "harness.suite", "--interactions-url"]
    mark = f"pytest.mark.parametrize('number', range({len(SERVERS.load_catalogue())}))"
    empty_tests = f"import pytest\n\n@{mark}\ndef test_empty(number): pass\n"
    (bench.folder / "test_empty.py").write_text(empty_tests, encoding="utf-8")
    for number, wanted in (("0", "10 s"), ("4", "less than alone")):
        (empty, *_) = bench.measure([*words[:4], "test_empty.py", "-n", number])
        with serving_emulator(bench) as url:
            yield from bench.row(f"suite -n {number}", [*words, url, "-n", number], wanted, floor=empty)


def fuzz(bench: Bench) -> Iterator[Row]:
    """Search a server whose background runs last for 1.5 s."""
    with walled_server(Walled(0.0, 1.5)) as (url, _):
        yield from bench.row("fuzz, runs of 1.5 s", ["fuzz", url], "120 s", codes=(0, 1, 4))


def fuzz_for_a_minute(bench: Bench) -> Iterator[Row]:
    """The same with a limit of a minute."""
    with walled_server(Walled(0.0, 1.5)) as (url, _):
        words = ["fuzz", url, "--deadline", "60"]
        yield from bench.row("fuzz --deadline 60, runs of 1.5 s", words, "a verdict in 60 s", codes=(0, 1, 4))


def fixtures(bench: Bench) -> Iterator[Row]:
    """Open the first emulator of a pytest session, and each next one, beside the import of the libraries alone."""
    (now, *then) = ([seconds * 1000 for seconds in open_fixtures(checkout)] for checkout in bench.checkouts)
    before = then[0] if then else None
    for at, wait, wanted, digits in ((0, "first fixture of a session", "60 ms", 0), (1, "each next", "0.3 ms", 2)):
        told = [f"{found[at]:.{digits}f} ms CPU" if found else NONE for found in (now, before)]
        floor = f"{now[2]:.0f} ms: the imports of its libraries" if at == 0 else NONE
        yield Row(wait, told[0], wanted, floor, NONE, told[1])


def open_fixtures(checkout: Checkout) -> tuple[float, float, float]:
    """Processor seconds until an emulator is ready: the first of a session, later ones, and of its libraries."""
    program = [checkout.python, str(Path(__file__).with_name("_first_fixture.py"))]
    done = subprocess.run(program, env=checkout.environment, capture_output=True, text=True, check=True)
    first, again, libraries = map(float, done.stdout.split())
    return first, again, libraries


_TORTURE = '''
from importlib import import_module
from time import process_time

import httpx
import pytest
from harness.emulator import service
from harness.plugin import client, no_sleep
from harness.resume import follow


def read_with_sdk(client, interaction_id, _):
    stream = follow(client, interaction_id)
    for _ in stream:
        pass
    return {"text": stream.text, "status": stream.status}


def read_with_httpx(_, interaction_id, emulator):
    options = {"transport": emulator.transport, "base_url": emulator.base_url, "headers": {"x-goog-api-key": "k"}}
    with httpx.Client(**options) as client:
        return read_with_sdk(client, interaction_id, emulator)


@pytest.fixture(params=[read_with_sdk, read_with_httpx], ids=["google-genai", "httpx"])
def read(request, interactions_emulator):
    return lambda client, interaction_id: request.param(client, interaction_id, interactions_emulator)


class Noted:
    """What a client gets for one request: a head, the bytes as they arrive, and an error at last."""

    def __init__(self):
        self.head, self.parts, self.error = None, [], None

    def stream(self, request, source=None):
        """A stream that notes what the source has, or gives what was noted."""

        class Stream(import_module(type(request).__module__.partition(".")[0]).SyncByteStream):
            def __iter__(_):
                try:
                    for part in self.parts if source is None else source:
                        if source is not None:
                            self.parts.append(part)
                        yield part
                except Exception as error:
                    self.error = error
                    raise
                if self.error is not None:
                    raise self.error.with_traceback(None)

            def close(_):
                if source is not None:
                    source.close()

        return Stream()


def read_constants(read, emulator, monkeypatch, allow, torture):
    """Processor seconds of the client alone: it gets once more what it got in each case, and no server works."""
    transport, tape, ids = type(emulator.transport), [], []
    handle = transport.handle_request

    def note(self, request):
        tape.append(noted := Noted())
        try:
            response = handle(self, request)
        except Exception as error:
            noted.error = error
            raise
        noted.head = response.status_code, response.headers.raw
        response.stream = noted.stream(request, response.stream)
        return response

    def read_a_case(client, interaction_id):
        ids.append(interaction_id)
        return read(client, interaction_id)

    with monkeypatch.context() as patch:
        patch.setattr(transport, "handle_request", note)
        torture(read_a_case, allow=allow)
    played = iter(tape)

    def play(self, request):
        noted = next(played)
        if noted.head is None:
            raise noted.error.with_traceback(None)
        status, headers = noted.head
        library = import_module(type(request).__module__.partition(".")[0])
        return library.Response(status, headers=headers, stream=noted.stream(request), request=request)

    with monkeypatch.context() as patch, no_sleep(), client(emulator) as sdk:
        patch.setattr(transport, "handle_request", play)
        began = process_time()
        for interaction_id in ids:
            try:
                read(sdk, interaction_id)
            except Exception:
                pass
        spent = process_time() - began
    assert next(played, None) is None
    return spent


def timed(function, spent):
    """The function, which adds its processor seconds to a list."""

    def call(*given, **named):
        began = process_time()
        try:
            return function(*given, **named)
        finally:
            spent.append(process_time() - began)

    return call


def test_one_item(interactions_torture, read, request, monkeypatch, interactions_emulator):
    """What all cases cost, and what of it the function of the client does; the SDK is imported before."""
    allowed, within, begun = ["client.ends/time"], [], []
    interactions_torture(read, set="quick", allow=allowed)
    monkeypatch.setattr(service, "_begin_run", timed(service._begin_run, begun))
    timed_read = timed(read, within)
    began = process_time()
    interactions_torture(lambda client, interaction_id: timed_read(client, interaction_id), allow=allowed)
    cost = process_time() - began, sum(within), len(within), sum(begun)
    alone = read_constants(read, interactions_emulator, monkeypatch, allowed, interactions_torture)
    print(f"COST {request.node.callspec.id}", *cost, alone)


@pytest.mark.interactions_torture(allow=["client.ends/time"])
def test_items(interactions_torture, read):
    """The same cases, each in an item of its own."""
    interactions_torture(read)


@pytest.mark.parametrize("number", range(550))
def test_empty(number):
    pass
'''


def torture(bench: Bench) -> Iterator[Row]:
    """Run two clients against all cases: in one item beside what they cost themselves, and spread over workers."""
    (bench.folder / "test_torture.py").write_text(_TORTURE, encoding="utf-8")
    words, items = ["pytest", "-q", "-p", "no:cacheprovider", "test_torture.py"], "test_items and httpx"
    now, *before = bench.measure([*words, "-rA", "-k", "one_item"])
    costs = [_read_costs(took) if took else {} for took in (now, *before)]
    for name, (spent, within, cases, begun, alone) in costs[0].items():
        then = costs[1].get(name) if before else None
        own, least, run, bare = (f"{seconds / cases * 1000:.2f} ms" for seconds in (spent, within, begun, alone))
        yield Row(
            f"torture, {name}, CPU of a case",
            f"{own}, {spent / within:.2f} × its function",
            "1.2 ×",
            f"{least}: its function, with the responses to it; {run}: the create of the run that it reads",
            NONE,
            f"{then[0] / then[2] * 1000:.2f} ms, {then[0] / then[1]:.2f} ×" if then else NONE,
            f"{spent / (within + begun):.2f} × the floor; {cases:.0f} cases; {bare}: its function given constants",
        )
    (empty, *_) = bench.measure([*words, "-k", "test_empty"])
    yield from bench.row("torture, an item for each case", [*words, "-k", items], NONE, floor=empty)
    (empty, *_) = bench.measure([*words, "-k", "test_empty", "-n", "2"])
    words += ["-k", items, "-n", "2"]
    yield from bench.row("torture, spread with -n 2", words, "less than alone", floor=empty)


def _read_costs(took: Took) -> dict[str, list[float]]:
    """Of each client: seconds, those of its function, the number of cases, those of creates, and of it alone."""
    found = re.findall(r"^COST (\S+) (.+)$", took.output, re.MULTILINE)
    return {name: [float(word) for word in words.split()] for name, words in found}


def first_check(bench: Bench) -> Iterator[Row]:
    """Run `make check` in a fresh clone, which installs the package first; needs the network."""

    def check(checkout: Checkout) -> str:
        clone = bench.folder / checkout.name
        subprocess.run(["git", "clone", "--quiet", str(checkout.root), str(clone)], check=True)
        instants = [time.perf_counter()]
        make = ["make", "--no-print-directory", "check"]
        with subprocess.Popen(make, cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            instants += [time.perf_counter() for _ in process.stdout]
        if process.returncode:
            return NONE
        silences = [after - before for before, after in pairwise(instants)]
        now = f"{instants[-1] - instants[0]:.0f} s; first line after {silences[0]:.1f} s"
        return f"{now}, longest silence {max(silences):.1f} s"

    now, then = bench.tell(check)
    yield Row("make check in a fresh clone", now, "a line every 5 s", NONE, NONE, then)


_LOOP = '''
import httpx

TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
AGAIN = {"type": "user_input", "content": [{"type": "text", "text": "Look again."}]}
FORCED = {"model": "gemini-3.8-flash", "tools": [TOOL], "generation_config": {"tool_choice": "any"}}


def test_an_endless_tool_loop(interactions_emulator):
    """It answers each call, and is forced to make the next one."""
    with httpx.Client(base_url=interactions_emulator.base_url, headers={"x-goog-api-key": "k"}) as client:
        turn, rounds = {"input": "Look."}, 0
        while True:
            made = client.post("/v1beta/interactions", json={**FORCED, **turn}).json()
            calls = [step for step in made["steps"] if step["type"] == "function_call"]
            if calls:
                rounds += 1
                print(f"ROUND {rounds}.")
            result = {"type": "function_result", "name": "look", "result": "Nothing."}
            results = [{**result, "call_id": call["id"]} for call in calls]
            turn = {"input": [*results, AGAIN], "previous_interaction_id": made["id"]}
'''


def tool_loop(bench: Bench) -> Iterator[Row]:
    """Count the rounds after which a fixture ends an endless tool loop."""
    (bench.folder / "test_loop.py").write_text(_LOOP, encoding="utf-8")

    def loop(checkout: Checkout) -> str:
        took = bench.run(checkout, ["pytest", "-q", "-rA", "-p", "no:cacheprovider", "test_loop.py"], (0, 1))
        if took is None:
            return NONE
        rounds = max(map(int, re.findall(r"^ROUND ([0-9]+)\.", took.output, re.MULTILINE)), default=0)
        return f"{rounds} rounds, {took}"

    now, then = bench.tell(loop)
    yield Row("endless tool loop", now, "50 rounds", NONE, NONE, then)


_READ = """
import sys
import msgspec
from harness.cassette import load
for recording in load(sys.argv[1]).recordings:
    for line in recording.body.split(b"\\n"):
        if line.startswith(b"data: {"):
            msgspec.json.decode(line[6:])
"""
"""Reads a recording and the JSON of its events, and judges nothing."""


def long_recording(bench: Bench) -> Iterator[Row]:
    """Verify, search, compare and show a recording of a million events, beside reading it."""
    from benchmarks.cassette import recording
    from harness.cassette import save

    path = bench.folder / "long.yaml"
    save(path, [recording(MILLION)])
    floor = bench.run(bench.checkouts[0], ["-c", _READ, str(path)])
    for words, wanted in ((["verify"], "10 s"), (["verify", "--secrets"], "20 s"), (["diff", str(path)], "20 s")):
        name = f"a million events: {' '.join(words[:1] if 'diff' in words else words)}"
        yield from bench.row(name, [*words, str(path)], wanted, floor=floor, codes=(0, 1))
    now, then = bench.tell(lambda checkout: show_page(checkout, path))
    yield Row("a million events: first page", now, "3 s", NONE, NONE, then)


def show_page(checkout: Checkout, path: Path) -> str:
    """The seconds from the command to the page's first notes of the recording."""
    browser = path.with_name("browser")
    browser.write_text(f'#!/bin/sh\necho "$1" > "{path.with_name("address")}"\n', encoding="utf-8")
    browser.chmod(0o755)
    environment = {**checkout.environment, "BROWSER": f"{browser} %s"}
    began = time.perf_counter()
    name = "inspect" if (checkout.root / "harness/cli/commands/inspect.py").exists() else "verify"
    command = [checkout.python, "-m", "harness", name, "--open", str(path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(rb"http://[^\s]+", line):
                    base = found[0].decode().split("#")[0].rstrip("/")
                    with urlopen(f"{base}/__harness__/inspector/feed") as feed:
                        feed.read(1)
                    return f"{time.perf_counter() - began:.1f} s"
            return NONE
        finally:
            process.terminate()


_CLIENT = """
import os, time, urllib.request
with urllib.request.urlopen(os.environ["GEMINI_BASE_URL"] + "/v1beta/interactions/x") as found:
    while found.read(2**20):
        pass
print("END", time.time(), flush=True)
"""

_KEEP = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1] + "/v1beta/interactions/x") as found:
    with open(sys.argv[2], "wb") as file:
        while part := found.read(2**16):
            file.write(part)
"""
"""Receives a response and writes its bytes as they come."""


def large_recording(bench: Bench) -> Iterator[Row]:
    """Record a response of 200 MB, beside a program that writes its bytes as they come."""
    size = 200 * 2**20
    program = bench.folder / "client.py"
    program.write_text(_CLIENT, encoding="utf-8")
    with serving_bytes(size) as url:
        found = []
        for checkout in bench.checkouts:
            cassette = str(bench.folder / f"{checkout.name}.yaml")
            words = ["record", "--target", url, "--cassette", cassette, "--", sys.executable, str(program)]
            found.append(bench.run(checkout, words))
        least = bench.run(bench.checkouts[0], ["-c", _KEEP, url, str(bench.folder / "kept")])
    now, then = found[0], found[1] if len(found) > 1 else None
    assert now is not None
    assert least is not None
    told = [f"{took.memory:.0f} MB" if took else NONE for took in (now, least, then)]
    yield Row("recording 200 MB: peak memory", told[0], "200 MB", told[1], NONE, told[2], str(now))
    silences = [_find_silence(took) if took else NONE for took in (now, then)]
    yield Row("recording 200 MB: silence at the end", silences[0], "2 s a message", NONE, NONE, silences[1])


def _find_silence(took: Took) -> str:
    """The longest time without a line after the client's end, and how long it took from there."""
    ended = float(re.findall(r"END ([0-9.]+)", took.output)[-1])
    instants = [ended, *(moment for moment in took.told if moment > ended)]
    longest = max((after - before for before, after in pairwise(instants)), default=0.0)
    return f"{longest:.1f} s of {instants[-1] - ended:.1f} s"


@contextmanager
def serving_bytes(size: int) -> Iterator[str]:
    """A server whose responses are event streams of so many bytes."""
    from harness.transport import ServerThread
    from harness.wire import COMPLETE, Chunk, Chunked, Headers, PieceBody, Request, Response

    chunk = Chunk(EVENT * (2**16 // len(EVENT)))
    types = Headers((("content-type", "text/event-stream"),))

    def service(request: Request) -> Response:
        return Response(200, types, Chunked(), PieceBody((*[chunk] * (size // len(chunk.data)), COMPLETE)))

    with ServerThread(service) as server:
        yield server.url


def pipeline(bench: Bench) -> Iterator[Row]:
    """The seconds of the tests from the files that the pipeline leaves in the folder `CI_REPORTS`."""
    reports = sorted(Path(os.environ.get("CI_REPORTS") or "reports").glob("*.xml"))
    for report in reports:
        suites = ElementTree.parse(report).getroot().iter("testsuite")
        seconds = sum(float(one.get("time", 0)) for one in suites)
        yield Row(f"pipeline: {report.stem}", f"{seconds:.0f} s", "90 s")
    whole = reports[0].with_name("seconds") if reports else None
    told = f"{whole.read_text('utf-8').strip()} s" if whole and whole.is_file() else NONE
    yield Row(
        "pipeline: .ci/run", told, "480 s", note="" if reports else "CI_REPORTS names no folder with its files"
    )


ROWS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    row.__name__: row
    for row in (
        creates, catalogue, own_server, suite, fixtures, torture, tool_loop, long_recording, large_recording,
        pipeline, first_check, slow_runs, fuzz, fuzz_for_a_minute,
    )
}  # fmt: skip
WAITING = ("first_check", "slow_runs", "fuzz", "fuzz_for_a_minute")
LONG = ("first_check", "fuzz", "fuzz_for_a_minute", "long_recording")


def measure(name: str, checkouts: list[Checkout], rounds: int) -> list[Row]:
    """Measure a row in a folder of its own."""
    bench = Bench(checkouts, rounds)
    with tempfile.TemporaryDirectory() as folder:
        bench.folder = Path(folder)
        return list(ROWS[name](bench))


def main() -> None:
    """Measure the rows that were named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=ROWS, help="only this row (repeatable)")
    parser.add_argument("--rounds", type=int, default=1, help="how often each command runs (1)")
    parser.add_argument("--against", metavar="COMMIT", help="measure this commit beside the checkout")
    options = parser.parse_args()
    then = [prepare(options.against)] if options.against else []
    checkouts = [Checkout("now", ROOT, sys.executable), *then]
    for checkout in checkouts:
        build_package(checkout)
    before = then[0].name if then else "before"
    print(Row("what people wait for", "now", "wanted", "floor", "aimock", before, "note"))
    print("|---" * len(Row._fields) + "|", flush=True)

    def take(name: str) -> list[Row]:
        return measure(name, checkouts[: 1 if name in LONG and not options.only else 2], options.rounds)

    began, names = time.perf_counter(), options.only or list(ROWS)
    with ThreadPoolExecutor() as pool:
        for step, together in ((map, False), (pool.map, True)):
            for rows in step(take, [name for name in names if (name in WAITING) is together]):
                print(*rows, sep="\n", flush=True)
    print(f"measured in {time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
