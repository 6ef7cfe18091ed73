"""Clients as processes: their output is understood, and none is left running."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.benches.client.bench import torture
from harness.benches.client.client_commands import Client, ClientResult, CommandClient, LoopClient, Task
from harness.benches.client.judgement.outcome import DropOutcome, outcome_of
from harness.engine.events import CheckFinished
from harness.interactions.clients import CLIENTS
from harness.outcome import UsageFault
from harness.plugin import cases_of
from tests.benches.client.clients import LOOP, ONE_SHOT, program
from tests.transport.peers import until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="process groups are a matter of POSIX")
TASK = Task("http://127.0.0.1:9", "v1_x", "event:3,rst", "follow")


def environment(task: Task) -> dict[str, str]:
    """The environment variables of a one-shot client."""
    return {"INTERACTIONS_BASE_URL": task.base_url, "INTERACTION_ID": task.interaction}


def one_shot(source: str) -> CommandClient:
    """A client that is started for each case."""
    return CommandClient(program(source), environment)


def talking(source: str) -> LoopClient:
    """A client that is started once for all cases."""
    return LoopClient(program(source), {})


def ends(client: Client, seconds: float = 20) -> ClientResult:
    """Give a client one task, close it, and return the result."""
    try:
        return client.read(TASK, seconds)
    finally:
        client.close()


@pytest.mark.parametrize("new", [lambda: one_shot(ONE_SHOT), lambda: talking(LOOP)], ids=["one-shot", "loop"])
@pytest.mark.slow
def test_programs_survive(new: Callable[[], Client]) -> None:
    """A program that resumes correctly is exact, whichever way it is run."""
    events = torture(CLIENTS, cases_of(cuts=["event:3,rst", "event:9+20,end", "event:5,fin/event:1,rst"]), new)
    outcomes = [outcome_of(event.result) for event in events if isinstance(event, CheckFinished)]
    assert outcomes == [DropOutcome.RECOVERED] * 3


PANIC = "thread 'main' (7) panicked at src/main.rs:95:56:"
RUST = f"\n{PANIC}\nno text\nnote: run with `RUST_BACKTRACE=1`\n"
RUBY = "a.rb:1:in `f': undefined method `[]' for nil (NoMethodError)\n\nf(nil)\n  ^\n\tfrom a.rb:2:in `<main>'\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("print('a text')", ClientResult(collected="a text")),
        ("print('a text', end='')", ClientResult(collected="a text")),
        ("print('a text\\n')", ClientResult(collected="a text\n")),
        ("import sys; print('half'); print('why', file=sys.stderr); sys.exit(3)",
         ClientResult(collected="half", error="exit code 3: why", words="why")),
        ("import sys; print('panic: no\\n\\nmain.read()\\n\\t+0x1d', file=sys.stderr); sys.exit(2)",
         ClientResult(collected="", error="exit code 2: panic: no", words="panic: no\n\nmain.read()\n\t+0x1d")),
        (f"import sys; sys.stderr.write({RUST!r}); sys.exit(101)",
         ClientResult(collected="", error=f"exit code 101: {PANIC} no text", words=RUST.strip())),
        (f"import sys; sys.stderr.write({RUBY!r}); sys.exit(1)",
         ClientResult(collected="", error=f"exit code 1: {RUBY.splitlines()[0]}", words=RUBY.strip())),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", ClientResult(collected="", error="signal 15")),
        ("import os; print(os.environ['INTERACTION_ID'])", ClientResult(collected="v1_x")),
    ],
)  # fmt: skip
def test_what_a_one_shot_says(source: str, expected: ClientResult) -> None:
    """The output of a one-shot client is its text, and its exit code says whether it gave up."""
    got = ends(one_shot(source))
    assert (got.collected, got.error, got.words) == (expected.collected, expected.error, expected.words)
    assert not got.stopped


@pytest.mark.parametrize(
    ("source", "collected", "error"),
    [
        ("""input(); print('{"text": "all"}')""", "all", ""),
        ("""input(); print('{"events": [{"event_type": "x"}]}')""", [{"event_type": "x"}], ""),
        ("""input(); print('{"error": "no way"}')""", None, "no way"),
        ("""import sys; print('x', file=sys.stderr); sys.exit(7)""", None, "the command ended (exit code 7: x)"),
    ],
)
def test_what_a_talking_one_says(source: str, collected: object, error: str) -> None:
    """A long-running client answers each task with one line of JSON; if it ends before that, it gave up."""
    got = ends(talking(source))
    assert got.collected == collected
    assert error in got.error
    assert bool(got.error) is bool(error)


@pytest.mark.slow
def test_what_dies_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine needs more than a second to end what was killed."""
    kill, killed = os.killpg, list[int]()
    late = lambda group, sent: killed.append(group) or threading.Timer(1.5, kill, (group, sent)).start()  # noqa: E731
    monkeypatch.setattr(os, "killpg", late)
    assert ends(one_shot("import time; time.sleep(60)"), 0).stopped
    with pytest.raises(ProcessLookupError):
        os.kill(killed[0], 0)


def test_a_talking_one_starts_again() -> None:
    """A long-running client that dies during one case is started again for the next."""
    client = talking("""
import json, sys
task = json.loads(input())
if task["case"] == "event:3,rst":
    sys.exit("died of it")
print('{"text": "fine"}')
""")
    died = client.read(TASK, 20)
    assert (died.error, died.words) == (
        "the command ended (exit code 1: died of it) before it returned a result",
        "died of it",
    )
    assert client.read(Task("", "", "other", ""), 20).collected == "fine"
    client.close()


def test_one_that_does_not_read_its_task() -> None:
    """If a client ended before it could read its next task, that is its failure, not an error of ours."""
    client = talking("""import os; input(); os.close(0); print('{"text": "one"}', flush=True)""")
    assert client.read(TASK, 20).collected == "one"
    begins = "the command ended (exit code 0) before it returned a result: with --loop it reads a task"
    assert client.read(TASK, 20).error.startswith(begins)
    client.close()


@pytest.mark.parametrize(
    "line", ["hello", "[1]", '{"level": "info"}', '{"case": "another", "text": "late"}', '{"status": "ok"}', ""]
)
def test_a_stray_line_is_survived(line: str) -> None:
    """A log line, an answer to another case or an empty line harms nobody, and is named."""
    answer = json.dumps({"case": TASK.case, "text": "all", "status": "completed"})
    got = ends(talking(f"input(); print({line!r}); print({answer!r})"))
    assert (got.collected, got.status, got.stray) == ("all", "completed", (line,) if line else ())


TWICE = """
import json, pathlib, sys
for line in sys.stdin:
    case = json.loads(line)["case"]
    print(json.dumps({answer}), flush=True)
    print(json.dumps({answer}), flush=True)
    pathlib.Path({done!r}).write_text(case)
"""


def test_a_second_answer_without_a_case_is_not_that_of_the_next(tmp_path: Path) -> None:
    """Nobody can know whose it is, so the client's driver is told, and no case gets it."""
    done = tmp_path / "done"
    client = talking(TWICE.format(answer='{"text": "of " + case}', done=str(done)))

    def read_two() -> None:
        client.read(TASK, 20)
        until(done.exists)
        client.read(Task("", "", "next", ""), 20)

    with (
        contextlib.closing(client),
        pytest.raises(UsageFault, match=r"the result of the case 'event:3,rst': repeat"),
    ):
        read_two()


def test_a_second_answer_with_its_case_is_named(tmp_path: Path) -> None:
    """An answer says whose it is, so the next case gets its own."""
    done = tmp_path / "done"
    client = talking(TWICE.format(answer='{"case": case, "text": "of " + case}', done=str(done)))
    first = client.read(TASK, 20)
    until(done.exists)
    second = client.read(Task("", "", "next", ""), 20)
    client.close()
    assert (first.collected, second.collected) == ("of event:3,rst", "of next")
    late = '{"case": "event:3,rst", "text": "of event:3,rst"}'
    assert late in (*first.stray, *second.stray)


def test_only_stray_lines() -> None:
    """A client that ends without an answer crashed; what it wrote instead is named."""
    got = ends(talking("input(); print('hello')"))
    assert (got.crashed, got.stray) == (True, ("hello",))
    flood = ends(talking("while True: print('y' * 100_000)"))
    assert (flood.stopped, flood.flooded) == ("wrote more than 8 MiB to standard output", True)
    assert len(flood.stray) == 5


@pytest.mark.parametrize(
    "line",
    ['{"text": 1}', '{"case": "event:3,rst", "tekst": "a"}', '{"events": {}}', '{"steps": "a"}', '{"text": null}'],
)
def test_a_malformed_answer(line: str) -> None:
    """A malformed answer is a usage fault that quotes it and says what is expected."""
    with pytest.raises(UsageFault, match="the command returned") as refused:
        ends(talking(f"input(); print({line!r})"))
    assert line in str(refused.value)


@pytest.mark.parametrize("new", [one_shot, talking])
def test_a_result_file(new: Callable[[str], Client]) -> None:
    """A client may write its answer to a file; what it prints then is no answer, or the case alone."""
    source = """
import json, os, sys
task = {"result": os.environ.get("HARNESS_RESULT")} if "HARNESS_RESULT" in os.environ else json.loads(input())
with open(task["result"], "w") as file:
    json.dump({"text": "from the file", "status": "failed"}, file)
print("some log")
print(json.dumps({"case": task.get("case")}))
"""
    got = ends(new(source))
    assert (got.collected, got.status, got.error) == ("from the file", "failed", "")


@pytest.mark.parametrize("new", [one_shot, talking])
@pytest.mark.slow
def test_out_of_time(new: Callable[[str], Client]) -> None:
    """A client that does not end in time is stopped."""
    got = ends(
        new("import os, time; print(os.getpid(), file=__import__('sys').stderr, flush=True); time.sleep(60)"), 4
    )
    assert got.stopped
    with pytest.raises(ProcessLookupError):
        os.kill(int(got.words), 0)


@pytest.mark.parametrize(
    "new",
    [lambda: one_shot("print('all')"), lambda: talking("""input(); print('{"text": "all"}')""")],
    ids=["one-shot", "loop"],
)
def test_the_start_comes_on_top(new: Callable[[], Client]) -> None:
    """A client that has no time but that of its start does its task; what is told is the limit without it."""
    assert ends(new(), 0).stopped == "had not ended after 0 s"
    client = new()
    assert (client.read(TASK, 0, 60).collected, client.close()) == ("all", None)


FLOOD = "import sys\nwhile True: sys.stdout.write('y' * 65536)"


@pytest.mark.parametrize("new", [one_shot, talking])
def test_one_that_writes_for_ever(new: Callable[[str], Client]) -> None:
    """A client that writes without end is stopped after 8 MiB, before memory is full."""
    assert ends(new(FLOOD), 60).stopped == "wrote more than 8 MiB to standard output"


def test_what_a_client_started_ends_with_it() -> None:
    """Child processes of a client are stopped even if the client itself ended normally."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        source = f"""
import socket, subprocess, sys
held = socket.create_connection({listener.getsockname()!r})
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
subprocess.Popen(sleep, pass_fds=[held.fileno()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
"""
        assert not one_shot(source).read(TASK, 60).stopped
        held, _ = listener.accept()
        with held:
            held.settimeout(20)
            assert held.recv(1) == b""


@pytest.mark.parametrize(
    "new", [lambda: CommandClient(["/no/such"], environment), lambda: LoopClient(["/no/such"], {})]
)
def test_a_command_that_is_none(new: Callable[[], Client]) -> None:
    """A command that cannot be run is a usage fault with the system's reason."""
    with pytest.raises(UsageFault, match="cannot run '/no/such': No such file"):
        ends(new())
