"""What people wait for: whole commands and test sessions, each beside the time that is wanted.

`python -m benchmarks.waits [--only NAME …] [--against COMMIT] [--rounds 1]`. Each row is a command in its own
process, as a user starts it. Compare processor seconds and counts: elapsed seconds depend on other programs, too.
With `--against`, the same commands of the other commit run in turns with these.
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
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen
from xml.etree import ElementTree

from benchmarks import emulator as serving
from benchmarks._against import KEYS, ROOT, Checkout, build_package, prepare, started
from benchmarks._own_server import Walled, walled_server
from benchmarks._starting import free_port
from benchmarks.floors import ONE_CHECK
from benchmarks.server import EVENT

MILLION = 1_000_000


class Took(NamedTuple):
    """Elapsed seconds, processor seconds of all processes, peak memory of the largest in MB, and the output."""

    seconds: float
    cpu: float
    memory: float
    output: str


class Bench:
    """Runs each command on both checkouts in turns, and prints medians."""

    def __init__(self, checkouts: list[Checkout], rounds: int) -> None:
        self.checkouts = checkouts
        self.rounds = rounds
        self.folder = Path()

    def measure(self, name: str, words: list[str], wanted: str, *, codes: tuple[int, ...] = (0,)) -> str:
        """Print the row of a `harness` command, or of another module; exit the program if it fails.

        With two checkouts, print how the first one compares. Return the last output of the first one.
        """
        taken: dict[str, list[Took]] = {}
        for _ in range(self.rounds):
            for checkout in self.checkouts:
                taken.setdefault(checkout.name, []).append(self.run(checkout, words, codes))
        costs = []
        for of, turns in taken.items():
            seconds, cpu, memory = (statistics.median(turn[at] for turn in turns) for at in range(3))
            checks = re.search(r"^(\d+) checks in ", turns[-1].output, re.MULTILINE)
            costs.append(cpu / int(checks[1] if checks else 1))
            last = (turns[-1].output.splitlines() or [""])[-1][:60]
            say(f"{name} ({of})", f"{seconds:.2f} s, {cpu:.2f} s of processor, {memory:.0f} MB", wanted, last)
        if len(costs) > 1:
            unit = " for each check" if checks else ""
            say(f"{name} (ratio)", f"{costs[0] / costs[1]:.2f} × the processor time{unit}", "1 × or less")
        return taken[self.checkouts[0].name][-1].output

    def run(self, checkout: Checkout, words: list[str], codes: tuple[int, ...] = (0,)) -> Took:
        """Run one command to its end."""
        module = words if words[0] == "pytest" else ["harness", *words]
        with tempfile.TemporaryFile() as told:
            began = time.perf_counter()
            process = subprocess.Popen(
                [checkout.python, "-m", *module],
                cwd=self.folder,
                env=checkout.environment,
                stdout=told,
                stderr=told,
            )
            _, status, spent = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            told.seek(0)
            output = told.read().decode(errors="replace")
        if process.returncode not in codes:
            sys.exit(f"{' '.join(words)} ended with {process.returncode}:\n{output[-3000:]}")
        return Took(seconds, spent.ru_utime + spent.ru_stime, spent.ru_maxrss / 1024, output)


def say(name: str, now: str, wanted: str, note: str = "") -> None:
    """Print one row."""
    print(f"{name:<34} {now}; wanted: {wanted}{f'; {note}' if note else ''}", flush=True)


def creates(bench: Bench) -> None:
    """Send creates over a socket, beside aimock and a server that always sends the same bytes."""
    with serving.contenders() as servers:
        for row in serving.measure(servers, 3 * bench.rounds, 1.0, [serving.CREATES]):
            if row["server"] != "harness":
                now = f"{row['ratio']:.2f} × its rate, {1 / row['cpu_ratio']:.1f} × its processor time for each"
                wanted = "at most 5 × the processor time" if row["server"] == serving.FLOOR else "2 × the rate"
                say(f"creates beside {row['server']}", now, wanted, f"{row['cpu_us']:.1f} µs there")


def catalogue(bench: Bench) -> None:
    """Run the whole catalog in process and over loopback."""
    bench.measure("one check: the floor of a catalog", ["check", "emulator", "--check", ONE_CHECK], "-")
    bench.measure("catalog in process", ["check", "emulator"], "0.6 s")
    with serving_emulator(bench) as url:
        bench.measure("catalog over loopback", ["check", url], "6 s")


@contextmanager
def serving_emulator(bench: Bench) -> Iterator[str]:
    """A session of `harness serve` in which each of the two keys has a project of its own."""
    port = free_port()
    keys = [word for number, key in enumerate(KEYS.values()) for word in ("--key", f"{key}=project-{number}")]
    with started(bench.checkouts[0], ["serve", "--port", str(port), *keys], port):
        yield f"http://127.0.0.1:{port}"


def own_server(bench: Bench) -> None:
    """Run it on an own server whose responses take 5 ms, and on one whose background runs last for 1.5 s."""
    for name, lasts, wanted in (("responses of 5 ms", 0.0, "3 s, 500 requests"), ("runs of 1.5 s", 1.5, "20 s")):
        for checkout in bench.checkouts:
            with walled_server(Walled(0.005, lasts)) as (url, walled):
                report = bench.folder / "report.json"
                took = bench.run(checkout, ["check", url, "--report", f"json={report}"])
            times = json.loads(report.read_text(encoding="utf-8"))["timings"]
            longest = max(times, key=lambda exercise: float(exercise["seconds"]))
            now = f"{took.seconds:.1f} s, {walled.counts.total()} requests"
            note = f"{walled.describe()}; longest exercise: {longest['seconds']:.1f} s of {longest['exercise']}"
            say(f"own server, {name} ({checkout.name})", now, wanted, note)


def suite(bench: Bench) -> None:
    """Run the catalog as test items, alone and with four workers."""
    words = ["pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "harness.suite", "--interactions-url"]
    with serving_emulator(bench) as url:
        bench.measure("suite", [*words, url], "10 s")
        bench.measure("suite -n 4", [*words, url, "-n", "4"], "less than alone")
    (bench.folder / "test_empty.py").write_text("def test_empty(): pass\n", encoding="utf-8")
    for number in ("0", "4"):  # the least that four workers cost
        bench.measure(f"an empty test -n {number}", [*words[:4], "test_empty.py", "-n", number], "-")


def fuzz(bench: Bench) -> None:
    """Search a server whose background runs last for 1.5 s, by default and for a minute."""
    for name, words, wanted in (("fuzz", [], "120 s"), ("fuzz --time 60", ["--time", "60"], "a verdict in 60 s")):
        with walled_server(Walled(0.0, 1.5)) as (url, _):
            bench.measure(f"{name}, runs of 1.5 s", ["fuzz", url, *words], wanted, codes=(0, 1, 4))


def fixtures(bench: Bench) -> None:
    """Open the first emulator of a pytest session, and each next one."""
    for checkout in bench.checkouts:
        first, again = (seconds * 1000 for seconds in open_fixtures(checkout))
        say(f"fixture ({checkout.name})", f"{first:.0f} ms, each next {again:.2f} ms", "60 ms, 0.3 ms")


def open_fixtures(checkout: Checkout) -> tuple[float, float]:
    """Return processor seconds until an emulator is ready: the first of a session, and later ones."""
    program = [checkout.python, str(Path(__file__).with_name("_first_fixture.py"))]
    done = subprocess.run(program, env=checkout.environment, capture_output=True, text=True, check=True)
    first, again = map(float, done.stdout.split())
    return first, again


_TORTURE = '''
from time import process_time

import httpx
import pytest
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


def test_one_item(interactions_torture, read, request):
    """What all cases cost, and what of it the function of the client does; the SDK is imported before."""
    allowed, within = ["client.ends/time"], []
    interactions_torture(read, cases="quick", allow=allowed)

    def read_a_case(client, interaction_id):
        began = process_time()
        try:
            return read(client, interaction_id)
        finally:
            within.append(process_time() - began)

    began = process_time()
    interactions_torture(read_a_case, allow=allowed)
    print(f"COST {request.node.callspec.id} {len(within)} {process_time() - began} {sum(within)}")


@pytest.mark.interactions_torture(allow=["client.ends/time"])
def test_items(interactions_torture, read):
    """The same cases, each in an item of its own."""
    interactions_torture(read)
'''


def torture(bench: Bench) -> None:
    """Run two clients against all cases: in one item beside what they cost themselves, and spread over workers."""
    (bench.folder / "test_torture.py").write_text(_TORTURE, encoding="utf-8")
    words = ["pytest", "-q", "-p", "no:cacheprovider", "test_torture.py"]
    output = bench.measure("torture, one item for each client", [*words, "-rA", "-k", "one_item"], "see below")
    for name, cases, spent, within in re.findall(r"^COST (\S+) (\d+) (\S+) (\S+)$", output, re.MULTILINE):
        now = (
            f"{cases} cases, {float(spent):.2f} s of processor, {float(spent) / float(within):.2f} × its function"
        )
        say(f"torture {name}", now, "1.2 ×")
    bench.measure("torture, an item for each case", [*words, "-k", "test_items"], "-")
    bench.measure("torture, spread with -n 2", [*words, "-k", "test_items", "-n", "2"], "less than alone")


def first_check(bench: Bench) -> None:
    """Run `make check` in a fresh clone, which installs the package first; needs the network."""
    for checkout in bench.checkouts:
        clone = bench.folder / checkout.name
        subprocess.run(["git", "clone", "--quiet", str(checkout.root), str(clone)], check=True)
        instants = [time.perf_counter()]
        make = ["make", "--no-print-directory", "check"]
        with subprocess.Popen(make, cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            instants += [time.perf_counter() for _ in process.stdout]
        if process.returncode:
            sys.exit(f"`make check` ended with {process.returncode} in {clone}")
        silences = [after - before for before, after in pairwise(instants)]
        now = f"{instants[-1] - instants[0]:.0f} s; first line after {silences[0]:.1f} s"
        say(f"make check ({checkout.name})", f"{now}, longest silence {max(silences):.1f} s", "a line every 5 s")


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


def tool_loop(bench: Bench) -> None:
    """Count the rounds after which a fixture ends an endless tool loop."""
    (bench.folder / "test_loop.py").write_text(_LOOP, encoding="utf-8")
    for checkout in bench.checkouts:
        took = bench.run(checkout, ["pytest", "-q", "-rA", "-p", "no:cacheprovider", "test_loop.py"], (0, 1))
        rounds = max(map(int, re.findall(r"^ROUND ([0-9]+)\.", took.output, re.MULTILINE)), default=0)
        say(f"endless tool loop ({checkout.name})", f"{rounds} rounds, {took.seconds:.1f} s", "50 rounds")


def long_recording(bench: Bench) -> None:
    """Verify, search, compare and show a recording of a million events."""
    from benchmarks.cassette import recording
    from harness.cassette import save

    path = bench.folder / "long.yaml"
    save(path, [recording(MILLION)])
    for words, wanted in ((["verify"], "10 s"), (["verify", "--secrets"], "20 s"), (["diff", str(path)], "20 s")):
        name = f"a million events: {' '.join(words[:1] if 'diff' in words else words)}"
        bench.measure(name, [*words, str(path)], wanted, codes=(0, 1))
    for checkout in bench.checkouts:
        say(f"a million events: page ({checkout.name})", f"{show_page(checkout, path):.1f} s", "3 s")


def show_page(checkout: Checkout, path: Path) -> float:
    """Return the seconds from `verify --open` until the page has its first notes of the recording."""
    browser = path.with_name("browser")
    browser.write_text(f'#!/bin/sh\necho "$1" > "{path.with_name("address")}"\n', encoding="utf-8")
    browser.chmod(0o755)
    environment = {**checkout.environment, "BROWSER": f"{browser} %s"}
    began = time.perf_counter()
    command = [checkout.python, "-m", "harness", "verify", "--open", str(path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(rb"http://[^\s]+", line):
                    base = found[0].decode().split("#")[0].rstrip("/")
                    with urlopen(f"{base}/__harness__/inspector/feed") as feed:
                        feed.read(1)
                    return time.perf_counter() - began
            sys.exit("`harness verify --open` printed no address")
        finally:
            process.terminate()


def large_recording(bench: Bench) -> None:
    """Record a response of 200 MB; the seconds after its end, and the memory, are those of `harness record`."""
    size = 200 * 2**20
    with serving_bytes(size) as url:
        for checkout in bench.checkouts:
            cassette = bench.folder / f"{checkout.name}.yaml"
            program = bench.folder / "client.py"
            program.write_text("import os, time, urllib.request\n"
                "with urllib.request.urlopen(os.environ['GEMINI_BASE_URL'] + '/v1beta/interactions/x') as found:\n"
                "    while found.read(2**20):\n        pass\n"
                "print('END', time.time(), flush=True)\n", encoding="utf-8")  # fmt: skip
            words = ["record", "--target", url, "--cassette", str(cassette), "--", sys.executable, str(program)]
            took = bench.run(checkout, words)
            ended = float(re.findall(r"END ([0-9.]+)", took.output)[-1])
            now = f"{time.time() - ended:.1f} s after the end, {took.memory:.0f} MB"
            say(f"recording 200 MB ({checkout.name})", now, "2 s a message, 200 MB")


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


def pipeline(bench: Bench) -> None:
    """Print the seconds of the tests from the files that the pipeline leaves in the folder `CI_REPORTS`."""
    reports = sorted(Path(os.environ.get("CI_REPORTS") or "reports").glob("*.xml"))
    for report in reports:
        suites = ElementTree.parse(report).getroot().iter("testsuite")
        say(f"pipeline: {report.stem}", f"{sum(float(one.get('time', 0)) for one in suites):.0f} s", "90 s")
    if not reports:
        say("pipeline", "not measured: CI_REPORTS names no folder with its files", "90 s; all 480 s")
    elif (whole := reports[0].with_name("seconds")).is_file():
        say("pipeline: .ci/run", f"{whole.read_text('utf-8').strip()} s", "480 s")


ROWS: dict[str, Callable[[Bench], Any]] = {
    row.__name__: row
    for row in (
        creates, first_check, catalogue, own_server, suite, fuzz, fixtures, torture, tool_loop, long_recording,
        large_recording, pipeline,
    )
}  # fmt: skip


def main() -> None:
    """Measure the rows that were named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=ROWS, help="only this row (repeatable)")
    parser.add_argument("--rounds", type=int, default=1, help="how often each command runs (1)")
    parser.add_argument("--against", metavar="COMMIT", help="measure this commit beside the checkout")
    options = parser.parse_args()
    then = [prepare(options.against)] if options.against else []
    bench = Bench([Checkout("now", ROOT, sys.executable), *then], options.rounds)
    for checkout in bench.checkouts:
        build_package(checkout)
    for name in options.only or ROWS:
        with tempfile.TemporaryDirectory() as folder:
            bench.folder = Path(folder)
            ROWS[name](bench)


if __name__ == "__main__":
    main()
