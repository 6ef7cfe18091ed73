"""What our hot paths cost, counted instead of timed: the same on every machine, and compared by a test.

`python -m benchmarks.budget [--write [--why TEXT]]`. `budget.toml` holds for each row the calls of our own
functions, the calls that send or receive on a socket, the modules that are imported, and the blocks of memory that
stay. Each row is counted in a process of its own, without uvloop, because what uvloop does cannot be counted.
`--write` brings the table up to date; a count that rises needs `--why`, and the row keeps that line. The counts
belong to one version of Python, for others inline other calls.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("budget.toml")
ROOT = TABLE.parents[1]
_SOCKET_CALLS = frozenset({"send", "sendall", "sendmsg", "sendto", "recv", "recv_into", "recvfrom", "accept"})
_SLACK = {"blocks": 2}
"""By how much a count may differ: where a dictionary grows, it takes a block more now and then."""

_TEXT = "twenty characters — "
_DELTAS = 494

Counts = dict[str, int]


class Counter:
    """Counts the calls that the threads under it make: of our own functions, and on sockets."""

    def __init__(self) -> None:
        import harness

        self._own = str(Path(harness.__file__).parent) + os.sep
        self.calls = self.on_sockets = 0

    def see(self, frame: Any, event: str, argument: Any) -> None:
        """The profile function."""
        if event == "call":
            if frame.f_code.co_filename.startswith(self._own):
                self.calls += 1
        elif event == "c_call" and argument.__name__ in _SOCKET_CALLS:
            self.on_sockets += isinstance(getattr(argument, "__self__", None), socket.socket)

    @contextmanager
    def here(self) -> Iterator[None]:
        """Count what this thread does in the block."""
        sys.setprofile(self.see)
        try:
            yield
        finally:
            sys.setprofile(None)

    def settle(self) -> None:
        """Wait until nothing is called any more, also where other processes keep the counted one from running."""
        quiet = 0
        while quiet < 3:
            calls = self.calls
            time.sleep(0.002)
            quiet = quiet + 1 if self.calls == calls and not _is_any_ready() else 0

    def of(self, work: Callable[[], object], times: int = 30) -> Counts:
        """The counts of what happens elsewhere meanwhile: those that most of several runs have.

        Not the least: a thread may look around during one run, and on a busy machine what follows an answer may be
        counted with the next one, so that one run has less than it costs.
        """
        seen = []
        for _ in range(times):
            calls, on_sockets = self.calls, self.on_sockets
            work()
            self.settle()  # what follows an answer belongs to it
            seen.append((self.calls - calls, self.on_sockets - on_sockets))
        kept = sorted(seen[times // 3 :])
        usual = statistics.mode([kept[(len(kept) - 1) // 2], *kept])  # if all differ, the one in the middle
        return {"calls": usual[0], "on_sockets": usual[1]}


def _count_blocks(counter: Counter, work: Callable[[], object], times: int) -> int:
    """The blocks of memory that stay after doing some work several times."""
    before = sys.getallocatedblocks()
    for _ in range(times):
        work()
    counter.settle()
    return sys.getallocatedblocks() - before


def _is_any_ready() -> bool:
    """Whether another thread of this process works, or would if it had a processor; only Linux tells it."""
    for task in Path("/proc/self/task").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            state = (task / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[0]
            if state in "RD" and int(task.name) != threading.get_native_id():
                return True
    return False


def _serve(words: list[str], drive: Callable[[Counter, int], Counts]) -> Counts:
    """Run a command under the counter while `drive(counter, port)` calls it from a thread that is not counted."""
    from benchmarks._starting import free_port  # late: other rows count the modules that are imported

    counter, told = Counter(), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    port = free_port()

    def client() -> None:
        sys.setprofile(None)
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        try:
            os.write(told, json.dumps(drive(counter, port)).encode())
        finally:
            os._exit(0)

    threading.Thread(target=client, daemon=True).start()  # a server that does not start ends the process
    from harness.cli import main
    from harness.transport.client import courier

    # The courier's look for due deliveries is no part of an answer: on a busy machine it came into most of them.
    courier.Courier._run = lambda self: None  # type: ignore[method-assign]
    threading.setprofile(counter.see)
    sys.setprofile(counter.see)
    main([*words, "--port", str(port)])
    raise SystemExit("the server ended")


def _wire(method: str, target: str, body: bytes = b"") -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nhost: localhost\r\nx-goog-api-key: any\r\n"
    return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def _create(**fields: Any) -> bytes:
    body = {"model": "gemini-3.8-flash", "input": "What is 3 times 21?", **fields}
    return _wire("POST", "/v1beta/interactions", json.dumps(body).encode())


def _ask(sock: socket.socket, wire: bytes) -> bytes:
    """Send a request and read the whole answer; exit unless it is a 200."""
    sock.sendall(wire)
    received = b""
    while True:
        received += sock.recv(1 << 20)
        head, blank, body = received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if blank and (body.endswith(b"0\r\n\r\n") if not length else len(body) == int(length)):
            break
    if not received.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"answered with {received[:300]!r}")
    return body


def count_create() -> Counts:
    """One create under `harness serve`, from socket to socket."""

    def drive(counter: Counter, port: int) -> Counts:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            counts = counter.of(lambda: _ask(sock, _create()))
            gc.collect()
            gc.disable()
            few, many = (_count_blocks(counter, lambda: _ask(sock, _create()), times) for times in (64, 192))
            return {**counts, "blocks": round((many - few) / 128)}

    return _serve(["serve"], drive)


def _long_script() -> str:
    path = Path(os.environ["BUDGET_FOLDER"]) / "long.json"
    script = {"text": _TEXT * _DELTAS, "deltas": _DELTAS, "thought": False, "times": 0}
    path.write_text(json.dumps({"replies": [script]}))
    return str(path)


def count_stream() -> Counts:
    """One created stream of 499 events."""

    def drive(counter: Counter, port: int) -> Counts:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            return counter.of(lambda: _ask(sock, _create(stream=True)), 12)

    return _serve(["serve", "--scenario", _long_script()], drive)


def count_replay() -> Counts:
    """One replay of a stored stream of 499 events."""

    def drive(counter: Counter, port: int) -> Counts:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            identity = json.loads(_ask(sock, _create()))["id"]
            wire = _wire("GET", f"/v1beta/interactions/{identity}?stream=true")
            return counter.of(lambda: _ask(sock, wire), 12)

    return _serve(["serve", "--scenario", _long_script()], drive)


def count_recorded() -> Counts:
    """One replay of a recorded stream of 498 events under `harness replay`."""
    from benchmarks.replay import cassette

    path = Path(os.environ["BUDGET_FOLDER"]) / "recorded.yaml"
    wire = _wire("GET", cassette(path))

    def drive(counter: Counter, port: int) -> Counts:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            return counter.of(lambda: _ask(sock, wire), 12)

    return _serve(["replay", str(path), "--mode", "resume"], drive)


def count_watched() -> Counts:
    """One replay of a stored stream of 499 events beside an open page, and the look of the page at it."""
    from benchmarks.inspector import FEED, inspect
    from harness.emulator import Emulator
    from harness.inspector import feed
    from harness.transport.http1.writer import ResponseWriter
    from harness.wire import Headers, Pause, Request

    feed._WORK_SECONDS = 3600.0  # a look may last as long as it takes under the counter
    service = inspect(Emulator())

    def ask(wire: bytes) -> bytes:
        head, _, body = wire.partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        method, target, _ = line.split(" ")
        headers = Headers(tuple(field.split(": ", 1)) for field in fields)  # type: ignore[misc]
        response, out = service(Request(method, target, headers, body)), b""
        writer = ResponseWriter(response, method)
        while writer.after is None:
            out += writer.batch()
        response.body.close()
        return out.partition(b"\r\n\r\n")[2]

    script = {"text": _TEXT * _DELTAS, "deltas": _DELTAS, "thought": False, "times": 0}
    ask(_wire("POST", "/__harness__/scripts", json.dumps(script).encode()))
    wire = _wire("GET", f"/v1beta/interactions/{json.loads(ask(_create()))['id']}?stream=true")
    page = service(Request("GET", FEED, Headers((("host", "127.0.0.1:8000"),)))).body

    def look() -> None:
        vars(page)["_rest"] = 0.0  # as if the page had rested
        while not isinstance(next(page), Pause):
            pass

    def replay(times: int) -> tuple[int, int]:
        serving, looking = Counter(), Counter()
        with serving.here():
            for _ in range(times):
                ask(wire)
        with looking.here():
            look()
        return serving.calls, looking.calls

    replay(2)
    (few, few_looked), (many, many_looked) = replay(2), replay(12)
    return {"calls": round((many - few) / 10), "looked": round((many_looked - few_looked) / 10)}


def count_proxied() -> Counts:
    """One chunk through `harness record`, when the one before has arrived."""
    upstream, arrived = socket.create_server(("127.0.0.1", 0)), threading.Semaphore(0)
    chunks = 0

    def serve(sock: socket.socket) -> None:
        while sock.recv(65536):
            sock.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            for _ in range(chunks):
                sock.sendall(b"b\r\ndata: {}\n\n\n\r\n")
                arrived.acquire()
            sock.sendall(b"0\r\n\r\n")

    def accept() -> None:
        while True:
            threading.Thread(target=serve, args=(upstream.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()

    def read(counter: Counter, sock: socket.socket, many: int) -> None:
        nonlocal chunks
        chunks = many
        sock.sendall(b"GET /v1beta/interactions/x?stream=true HTTP/1.1\r\nhost: localhost\r\n\r\n")
        received, seen = b"", 0
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += sock.recv(65536)
            while seen < received.count(b"data: {}"):
                seen += 1
                counter.settle()  # what follows a chunk inside the proxy belongs to it
                arrived.release()

    def drive(counter: Counter, port: int) -> Counts:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            read(counter, sock, 1)
            few, many = (counter.of(lambda count=count: read(counter, sock, count), 6) for count in (10, 60))  # type: ignore[misc]
            return {name: round((many[name] - few[name]) / 50) for name in few}

    target = f"http://127.0.0.1:{upstream.getsockname()[1]}"
    cassette = str(Path(os.environ["BUDGET_FOLDER"]) / "proxied.yaml")
    return _serve(["record", "--target", target, "--cassette", cassette], drive)


def count_judged() -> Counts:
    """A thousand judged events."""
    from harness.contract import StreamJudge, load

    created = (
        b'{"interaction":{"id":"v1_x","status":"in_progress","object":"interaction"},'
        b'"event_type":"interaction.created"}'
    )
    started = b'{"index":0,"step":{"type":"model_output"},"event_type":"step.start"}'
    first = [(b"interaction.created", created), (b"step.start", started)]
    delta = b'{"index":0,"delta":{"text":"a fox","type":"text"},"event_id":"e%07d","event_type":"step.delta"}'

    def judge(deltas: int) -> int:
        events = first + [(b"step.delta", delta % number) for number in range(deltas)]
        body = b"".join(b"event: %b\ndata: %b\n\n" % event for event in events)
        counter, judging = Counter(), StreamJudge(load())
        with counter.here():
            for at in range(0, len(body), 65536):
                judging.feed(body[at : at + 65536])
        return counter.calls

    judge(10)
    return {"calls": judge(2000) - judge(1000)}


def count_fixture() -> Counts:
    """An emulator for one test, its first create included, after the first test of a session."""
    from harness.interactions import INTERACTIONS
    from harness.plugin.environment_variables import EnvironmentVariables
    from harness.plugin.interactions.emulator import InteractionsEmulator
    from harness.plugin.session_server import SessionServer
    from harness.wire import Headers, Request

    environment = EnvironmentVariables(())
    environment.install()
    session, headers = SessionServer(environment, INTERACTIONS), Headers([("x-goog-api-key", "k")])
    body = _create().partition(b"\r\n\r\n")[2]

    def test() -> None:
        emulator = InteractionsEmulator()
        with emulator.open(session):
            if emulator(Request("POST", "/v1beta/interactions", headers, body)).status != 200:
                raise SystemExit("the create failed")

    for _ in range(3):
        test()
    counter = Counter()
    gc.disable()  # a collection calls us, too, and comes in one of many tests
    with counter.here():
        test()
    gc.enable()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(20):
        test()
    gc.collect()
    blocks = max(0, round((sys.getallocatedblocks() - before) / 20))
    session.close()
    return {"calls": counter.calls, "blocks": blocks}


def count_plugin() -> Counts:
    """The import of the plugin in a process that has imported pytest: it is in every session of every project."""
    import pytest  # noqa: F401

    before = set(sys.modules)
    counter = Counter()
    with counter.here():
        import harness.pytest_plugin  # noqa: F401
    return {"calls": counter.calls, "modules": len(set(sys.modules) - before)}


def count_first_fixture() -> Counts:
    """The modules that the first test with an emulator brings to a session, after pytest and the plugin."""
    import pytest  # noqa: F401

    import harness.pytest_plugin  # noqa: F401

    before = set(sys.modules)
    from harness.interactions import INTERACTIONS
    from harness.plugin.environment_variables import EnvironmentVariables
    from harness.plugin.interactions.emulator import InteractionsEmulator
    from harness.plugin.session_server import SessionServer

    environment = EnvironmentVariables(())
    environment.install()
    session = SessionServer(environment, INTERACTIONS)
    emulator = InteractionsEmulator()
    with emulator.open(session):
        assert not list(emulator.find_complaints())  # the end of a test, which judges it
        found = set(sys.modules) - before
    session.close()
    return {"modules": len(found), "own_modules": sum(name.startswith("harness") for name in found)}


ROWS: dict[str, Callable[[], Counts]] = {
    "create": count_create,
    "stream": count_stream,
    "replay": count_replay,
    "recorded": count_recorded,
    "watched": count_watched,
    "proxied": count_proxied,
    "judged": count_judged,
    "fixture": count_fixture,
    "plugin": count_plugin,
    "first_fixture": count_first_fixture,
}


def count(row: str, folder: Path) -> Counts:
    """Count one row in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "BUDGET_FOLDER": str(folder)}
    command = [sys.executable, "-m", "benchmarks.budget", "--count", row]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout:
        raise SystemExit(f"the row {row} was not counted: {done.stderr[-800:]}")
    found: Counts = json.loads(done.stdout)
    return found


def read_table() -> dict[str, Any]:
    """The table: `python`, the version that the counts belong to, and a table for each row."""
    return tomllib.loads(TABLE.read_text("utf-8"))


def compare(row: str, counted: Counts, allowed: dict[str, Any]) -> list[str]:
    """What is wrong with a row: a sentence for each count that is not the one in the table."""
    wrong = []
    for name, number in counted.items():
        most, slack = allowed.get(name), _SLACK.get(name, 0)
        if most is None or number > most + slack:
            wrong.append(
                f"{row}.{name} is {number}, and budget.toml allows {most}: make it cheaper, or run "
                "`python -m benchmarks.budget --write --why 'what it buys'`"
            )
        elif number < most - slack:
            wrong.append(f"{row}.{name} fell from {most} to {number}: run `python -m benchmarks.budget --write`")
    return wrong


def update(table: dict[str, Any], row: str, counted: Counts, why: str) -> None:
    """Write the counts of a row into the table. Exit if one rises and nobody says why."""
    kept = table.setdefault(row, {})
    counted = {
        name: kept[name] if abs(number - kept.get(name, math.inf)) <= _SLACK.get(name, 0) else number
        for name, number in counted.items()
    }
    risen = [name for name, number in counted.items() if name in kept and number > kept[name]]
    if risen and not why:
        raise SystemExit(f"{row}: {', '.join(risen)} would rise: say with --why what that buys")
    reasons = kept.get("why", [])
    if risen:
        told = ", ".join(f"{name} {kept[name]} to {counted[name]}" for name in risen)
        reasons = [*reasons, f"{told}: {why}"]
    table[row] = {**counted, "why": reasons}


def _format(table: dict[str, Any]) -> str:
    lines = [f"# {(__doc__ or '').splitlines()[0]}", f'python = "{table["python"]}"']
    for row, work in ROWS.items():
        counts = table[row]
        lines += ["", f"# {(work.__doc__ or '').strip()}", f"[{row}]"]
        lines += [f"{name} = {number}" for name, number in counts.items() if name != "why"]
        reasons = ["  " + json.dumps(reason, ensure_ascii=False) + "," for reason in counts["why"]]
        lines += ["why = [", *reasons, "]"] if reasons else ["why = []"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the table; return 1 if a count differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="bring budget.toml up to date")
    parser.add_argument("--why", default="", metavar="TEXT", help="what the counts that rise buy")
    parser.add_argument("--count", choices=ROWS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.count:
        sys.modules["uvloop"] = None  # type: ignore[assignment]
        print(json.dumps(ROWS[options.count]()))
        return 0
    import tempfile

    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    table: dict[str, Any] = read_table() if TABLE.exists() else {"python": version}
    if table["python"] != version:
        print(f"budget.toml is for Python {table['python']}, this is {version}", file=sys.stderr)
        return 0
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for row in ROWS:
            counted = count(row, Path(folder))
            wrong += compare(row, counted, table.get(row, {}))
            print(f"{row:<16}" + "  ".join(f"{name} {number}" for name, number in counted.items()), flush=True)
            if options.write:
                update(table, row, counted, options.why)
    if options.write:
        TABLE.write_text(_format(table), "utf-8")
        return 0
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
