"""What makes a test red is true, and what is green has proved something: each claim in a toy repository."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
from fnmatch import fnmatchcase
from pathlib import Path, PureWindowsPath

import pytest

from harness.cassette import Recording, load
from harness.cassette.journal import Journal
from harness.emulator import Emulator
from harness.transport import ServerThread
from harness.wire import Response
from tests.plugin.toys import HEAD, run

pytest.importorskip("vcr", reason="cassettes need vcrpy: pip install -e '.[record]'")
pytestmark = pytest.mark.filterwarnings("ignore")


def toy(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    """Run one module of tests, written at the left margin below the common head."""
    pytester.makepyfile(HEAD + source)
    return run(pytester, *arguments)


UNMET = {
    "drop": (
        'interactions_emulator.drop("event:500,rst")\n    client.post(PATH, json={**BODY, "stream": True})',
        "drop('event:500,rst') never took effect: no stream came as far as event:500,rst",
    ),
    "no stream": (
        'interactions_emulator.drop("event:5,rst/event:7,rst")\n    client.post(PATH, json=BODY)',
        "drop('event:5,rst/event:7,rst') never took effect: it is for stream 1, and 0 streams came",
    ),
    "refusal": (
        'interactions_emulator.fail(503, on="cancel")\n    client.post(PATH, json=BODY)',
        "fail(503, on='cancel') was never met: no cancel came after it",
    ),
    "reply": (
        'interactions_emulator.reply("One.").reply("Two.")\n    client.post(PATH, json=BODY)',
        "reply('Two.') was never used: 1 create came, and none took it",
    ),
    "count": (
        'interactions_emulator.requests.assert_count("craete", at_most=0)',
        "'craete' is not a kind of call",
    ),
    "calls": ('interactions_emulator.requests.assert_calls("creat")', "did you mean 'create'"),
    "many calls": (
        "[client.post(PATH, json=BODY) for _ in range(12)]; interactions_emulator.requests.assert_calls('create')",
        "+ create (11 times)",
    ),
    "kind": (
        'interactions_emulator.fail(on="cancle")',
        "on='cancle' is not a kind of request: did you mean 'cancel'",
    ),
}


def test_a_plan_that_nothing_met(pytester: pytest.Pytester) -> None:
    """A plan that never took effect fails its test once, with a sentence; so does an assertion on nothing."""
    tests = (
        f"\ndef test_{number}(interactions_emulator, client):\n    {source}\n"
        for number, (source, _) in enumerate(UNMET.values())
    )
    result = toy(pytester, "".join(tests))
    result.assert_outcomes(failed=len(UNMET))
    assert [said for _, said in UNMET.values() if said not in str(result.stdout)] == []


def test_a_plan_that_may_stay_unmet(pytester: pytest.Pytester) -> None:
    """`optional=True`, or the marker, allows it; and a test that failed anyway says only why it failed."""
    result = toy(
        pytester,
        """
def plan(emulator, **optional):
    emulator.drop("event:500,rst", **optional)
    emulator.fail(503, on="cancel", **optional)
    emulator.reply("Never.", **optional)

def test_optional(interactions_emulator):
    plan(interactions_emulator, optional=True)

@pytest.mark.interactions_emulator(assert_all_used=False)
def test_marked(interactions_emulator):
    plan(interactions_emulator)

def test_all_met(interactions_emulator, client):
    interactions_emulator.reply("One.", times=0)
    interactions_emulator.drop("event:3,rst,times:all")
    interactions_emulator.fail(400, on="create", times=3)
    assert client.post(PATH, json=BODY).status_code == 400
    interactions_emulator.fail(400, on="get", times=0)
    assert client.get(PATH + "/x").status_code == 400
    client.post(PATH, json=BODY), client.post(PATH, json=BODY)
    with pytest.raises(httpx.HTTPError):
        client.post(PATH, json={**BODY, "stream": True})

def test_failing(interactions_emulator):
    plan(interactions_emulator)
    assert not "right"
""",
    )
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.no_fnmatch_line("*never*")


def test_a_plan_behind_the_end(pytester: pytest.Pytester) -> None:
    """A marker whose plan lies behind the end of its stream is an error that says how long the stream is."""
    result = toy(
        pytester,
        """
@pytest.mark.interactions_dropped_stream(cuts=["event:500,rst"])
def test_it(interactions_dropped_stream, client):
    interactions_dropped_stream.assert_seen_once(list(read(client, f"{PATH}/{interactions_dropped_stream.id}")))

@pytest.mark.interactions_dropped_stream(cuts=["event:13,rst"])
def test_at_the_end(interactions_dropped_stream, client):
    events = []
    for event in read(client, f"{PATH}/{interactions_dropped_stream.id}"):
        events.append(event)
        if event["event_type"] == "interaction.completed":
            break
    interactions_dropped_stream.assert_seen_once(events)
""",
    )
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*event:500 is behind the end of the stream, which has 13 events*"])


DIAGNOSES = {
    "thoughts": (
        'script={"thought": "Let me think about it for quite a while.", "text": "Yes."}, cuts=["ping:1"]',
        """
    events = list(read(client, f"{PATH}/{stream.id}"))
    deltas = [event.get("delta", {}) for event in events]
    stream.assert_seen_once("".join(d.get("text") or d.get("content", {}).get("text", "") for d in deltas))
""",
        "took the summaries of thoughts for text",
    ),
    "nothing": (
        'cuts=["event:2,rst,times:all"]',
        """
    stream.assert_seen_once("An apology that is longer than the text that was asked for. " * 3)
""",
        "has another text",
    ),
    "printed whole": (
        'cuts=["ping:2"]',
        """
    events = read(client, f"{PATH}/{stream.id}")
    stream.assert_seen_once([text_of([event]) for event in events])
""",
        "",
    ),
    "printed": (
        'cuts=["ping:2"]',
        """
    events = read(client, f"{PATH}/{stream.id}")
    stream.assert_seen_once([text_of([event]) for event in events] + ["more"])
""",
        "has another text",
    ),
    "arguments": (
        'script={"steps": [{"type": "function_call", "id": "c", "name": "f", "arguments": {}}]}, cuts=["ping:2"]',
        """
    text_of(read(client, f"{PATH}/{stream.id}"))
    stream.assert_seen_once("")
""",
        "the stream has none, only function_call",
    ),
}


def test_the_diagnosis_is_right(pytester: pytest.Pytester) -> None:
    """A message says what happened, and does not say "twice" of something that came once or not at all.

    A list of the strings that a client printed is judged as the text it makes.
    """
    tests = (
        f"\n@pytest.mark.interactions_dropped_stream({options})\n"
        f"def test_{number}(interactions_dropped_stream, client):\n    stream = interactions_dropped_stream{body}"
        for number, (options, body, _) in enumerate(DIAGNOSES.values())
    )
    result = toy(pytester, "".join(tests))
    result.assert_outcomes(failed=len(DIAGNOSES) - 1, passed=1)
    assert [said for *_, said in DIAGNOSES.values() if said not in str(result.stdout)] == []
    result.stdout.no_fnmatch_line("*twice*")


RECORDED = """
@pytest.mark.interactions_cassette
def test_it(interactions_cassette):
    with httpx.Client(transport=interactions_cassette.transport, base_url="http://x.test", headers=KEY) as client:
        assert client.post(PATH, json=BODY).status_code == 200
        {then}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("then", "upstream", "said"),
    [
        ("assert not 'right'", None, "the test failed"),
        ("", "http://127.0.0.1:9", "the test failed"),
        ("swallow", "http://127.0.0.1:9", "some requests did not reach the service"),
        ("pass", None, ""),
    ],
    ids=["fails half way", "service is down", "service is down, swallowed", "passes"],
)
def test_rewrite_keeps_the_good_recording(
    pytester: pytest.Pytester, live: Emulator, monkeypatch: pytest.MonkeyPatch, then: str, upstream: str, said: str
) -> None:
    """`rewrite` replaces a recording only by one of a test that passed."""
    live.reply("The first.")
    pytester.makepyfile(HEAD + RECORDED.format(then="pass"))
    with_mode = ("--record-mode=once",)
    run(pytester, *with_mode).assert_outcomes(passed=1)
    [path] = pytester.path.rglob("cassettes/**/*.yaml")
    before = path.read_text()
    assert b"The first." in body_in(path)
    live.reply("The second.")
    if upstream:
        monkeypatch.setenv("INTERACTIONS_RECORD_URL", upstream)
    source = RECORDED.format(then="pass" if then == "swallow" else then or "pass")
    if then == "swallow":
        source = source.replace("assert client", "with pytest.raises(httpx.ConnectError): client")
    pytester.makepyfile(HEAD + source)
    result = run(pytester, "--record-mode=rewrite")
    assert [*pytester.path.rglob("cassettes/**/*.yaml")] == [path]
    if not said:
        result.assert_outcomes(passed=1)
        assert b"The second." in body_in(path)
        return
    result.assert_outcomes(**{"passed" if then == "swallow" else "failed": 1})
    assert path.read_text() == before
    result.stdout.fnmatch_lines([f"*not recorded again, because {said}; the older recording is kept*"])


@pytest.mark.parametrize(("status", "then"), [(503, ""), (429, ""), (200, "raise KeyboardInterrupt"), (404, "")])
def test_nothing_is_recorded_of_a_busy_service(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, status: int, then: str
) -> None:
    """`once` would replay what a test got that was interrupted, or failed on a rejection that is over by then."""
    with ServerThread(lambda request: Response.json(status, b"{}")) as server:
        monkeypatch.setenv("INTERACTIONS_RECORD_URL", server.url)
        pytester.makepyfile(HEAD + RECORDED.format(then=then))
        result = run(pytester, "--record-mode=once", process=bool(then))  # an interrupt would end these tests
    said = f"*test_it.yaml: not recorded, because the test failed after POST * was rejected with {status}"
    assert bool([*pytester.path.rglob("*.yaml")]) == (status == 404)
    assert fnmatchcase(result.stdout.str().replace("\n", " "), f"{said}*") == (status in (429, 503))


REPEATED = """
@pytest.mark.interactions_cassette
def test_it(interactions_cassette):
    with httpx.Client(base_url=interactions_cassette.base_url, headers=KEY) as client:
        for _ in range(4):
            try:
                client.post(PATH, json=BODY)
            except httpx.HTTPError:
                pass
"""


@pytest.mark.parametrize("mode", ["rewrite", "once"])
def test_a_call_that_was_not_written_fails_its_test(
    mode: str, pytester: pytest.Pytester, live: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full, and code that tries again hides the error: an older recording of all calls stays."""
    if mode != "once":
        pytester.makepyfile(HEAD + RECORDED.format(then="pass"))
        run(pytester, "--record-mode=once").assert_outcomes(passed=1)
    older = {path: path.read_text("utf-8") for path in pytester.path.rglob("cassettes/**/*.yaml")}
    pytester.makepyfile(HEAD + REPEATED)
    appended, append = list[object](), Journal.append

    def fill(journal: Journal, recording: Recording) -> None:
        appended.append(recording)
        if len(appended) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(journal, recording)

    monkeypatch.setattr(Journal, "append", fill)
    result = run(pytester, f"--record-mode={mode}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*has not all calls: POST * cannot be written to *: No space left on device*"])
    [path] = pytester.path.rglob("cassettes/**/*.yaml")
    if mode == "rewrite":
        assert {path: path.read_text("utf-8")} == older


SHARED_FILE = "'shared.yaml', allow_unused=True"
SHARED = """
@pytest.mark.parametrize("n", [PARAMETERS])
@pytest.mark.interactions_cassette(ARGUMENTS)
def test_it(n, interactions_cassette):
    with httpx.Client(base_url=interactions_cassette.base_url, headers=KEY) as client:
        assert client.post(PATH, json={**BODY, "input": PROMPT}).status_code == 200
"""


def share(pytester: pytest.Pytester, parameters: str, arguments: str, prompt: str = "f'{n}?'") -> None:
    """Make tests that record into one file."""
    source = SHARED.replace("PARAMETERS", parameters).replace("ARGUMENTS", arguments).replace("PROMPT", prompt)
    pytester.makepyfile(HEAD + source)


@pytest.mark.slow
def test_files_compared_once(pytester: pytest.Pytester, live: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test looks at the recordings that it replayed, and the end of the session at all."""
    share(pytester, "*range(8)", "path='all'")
    run(pytester, "--record-mode=once").assert_outcomes(passed=8)
    seen, fingerprint = list[Recording](), Recording.fingerprint
    monkeypatch.setattr(Recording, "fingerprint", lambda self: seen.append(self) or fingerprint(self))
    run(pytester).assert_outcomes(passed=8)
    assert len(seen) == 8 + 8


MODES = [("once", "rewrite"), ("rewrite", "all"), ("new_episodes", "once"), ("all", "new_episodes")]
"""How tests that share a file record it first, and then again."""
PROMPTS = ("f'{n}?'", "'the same'")
"""The prompt of each test, or of all of them."""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2", "--dist", "loadgroup")], ids=["one process", "workers"])
def test_tests_that_share_a_file_lose_nothing(
    pytester: pytest.Pytester, live: Emulator, workers: tuple[str, ...]
) -> None:
    """Each pair of modes has a file: the first run and each later one record every test of it.

    They leave what the others have just recorded, and replay it for the same request. Two workers have tests of
    each file.
    """
    pytest.importorskip("xdist", reason="pytest-xdist is not installed: pip install -e '.[dev]'")
    cells = {f"test_{n}": cell for n, cell in enumerate(itertools.product(PROMPTS, MODES))}
    tests = ", ".join(f"pytest.param({n}, marks=pytest.mark.xdist_group('{n % 2}'))" for n in (1, 2, 3))

    def play(turn: int | None = None) -> tuple[pytest.RunResult, dict[str, set[str]]]:
        for name, (prompt, modes) in cells.items():
            mode = "" if turn is None else f", record_mode='{modes[turn]}'"
            source = SHARED.replace("PARAMETERS", tests).replace("ARGUMENTS", SHARED_FILE + mode)
            source = source.replace("PROMPT", prompt.replace("'", f"'{name}, ", 1))
            pytester.makepyfile(**{name: HEAD + source})
        words = () if turn is None else workers  # one process plays what two have recorded
        result = run(pytester, *words, process=bool(words))
        result.assert_outcomes(passed=3 * len(cells))
        return result, {name: ids_in(pytester.path / f"cassettes/{name}/shared.yaml") for name in cells}

    result, older = play(0)
    if not workers:
        result.stdout.fnmatch_lines(["cassettes/*/shared.yaml: 3 tests share this recording: *::test_it[[]1], *"])
    asked = len(live.requests)
    _, newer = play(1)
    again = [request["body"]["input"] for request in live.requests[asked:]]
    for name, (prompt, (_, then)) in cells.items():
        count = 1 if "same" in prompt else 3
        assert len(older[name]) == count
        came = sum(text.startswith(f"{name}, ") for text in again)
        if then in ("once", "new_episodes"):  # all is there
            assert (newer[name], came) == (older[name], 0)
        else:
            assert (len(newer[name]), came) == (count, count)
            assert older[name].isdisjoint(newer[name])
    asked = len(live.requests)
    result, _ = play()
    assert len(live.requests) == asked
    for name, (prompt, _) in cells.items():
        if "same" not in prompt:
            result.stdout.no_fnmatch_line(f"*{name}/*not replayed*")


NEXT_TURNS = """
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.interactions_cassette("shared.yaml")
def test_it(n, interactions_cassette):
    with httpx.Client(base_url=interactions_cassette.base_url, headers=KEY) as client:
        first = client.post(PATH, json=BODY).json()["id"]
        body = {**BODY, "input": f"{n}?", "previous_interaction_id": first}
        assert client.post(PATH, json=body).status_code == 200
"""


@pytest.mark.parametrize("mode", ["all", "rewrite"])
def test_what_follows_a_shared_first_turn_replays(pytester: pytest.Pytester, live: Emulator, mode: str) -> None:
    """Each replay begins with the first turn in the file, so the next turns that are recorded follow that one."""
    pytester.makepyfile(HEAD + NEXT_TURNS)
    for count in (3, 6):
        run(pytester, f"--record-mode={mode}").assert_outcomes(passed=2)
        assert len(live.requests) == count
        run(pytester).assert_outcomes(passed=2)
        assert len(live.requests) == count


@pytest.mark.slow
def test_rewriting_one_of_several_leaves_the_others(pytester: pytest.Pytester, live: Emulator) -> None:
    """A run of one test cannot know who else uses a file that a marker names."""
    share(pytester, "1, 2, 3", "'shared.yaml', allow_unused=True")
    run(pytester, "--record-mode=once").assert_outcomes(passed=3)
    [path] = pytester.path.rglob("cassettes/**/*.yaml")
    older = ids_in(path)
    [module] = pytester.path.glob("test_*.py")
    run(pytester, "--record-mode=rewrite", f"{module}::test_it[2]").assert_outcomes(passed=1)
    assert len(ids_in(path) & older) == 2
    assert len(ids_in(path)) == 3
    failed = pytester.path / ".pytest_cache" / "v" / "cache" / "lastfailed"
    failed.parent.mkdir(parents=True)
    failed.write_text(json.dumps({f"{module.name}::test_it[3]": True}), "utf-8")
    run(pytester, "-Wignore", "-p", "cacheprovider", "--lf", "--record-mode=rewrite").assert_outcomes(passed=1)
    assert len(ids_in(path) & older) == 1
    assert len(ids_in(path)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["none", "new_episodes"])
def test_what_a_test_played_is_not_rewritten(pytester: pytest.Pytester, live: Emulator, mode: str) -> None:
    """The first test plays what the second one records again, in one session."""
    share(pytester, "1,", "'shared.yaml'")
    run(pytester, "--record-mode=once").assert_outcomes(passed=1)
    [path] = pytester.path.rglob("cassettes/**/*.yaml")
    older = ids_in(path)
    source = SHARED.replace("PARAMETERS", "1,").replace("PROMPT", "f'{n}?'")
    play = source.replace("ARGUMENTS", f"'shared.yaml', record_mode='{mode}'")
    again = source.replace("ARGUMENTS", "'shared.yaml', record_mode='rewrite'").replace("test_it", "test_then")
    pytester.makepyfile(HEAD + play + again)
    run(pytester).assert_outcomes(passed=2)
    assert older < ids_in(path)
    assert len(ids_in(path)) == 2


@pytest.mark.slow
def test_what_a_test_that_may_record_replayed_is_used(pytester: pytest.Pytester, live: Emulator) -> None:
    """One of two tests on a file may add to it and replays its part, the other one replays the rest."""
    share(pytester, "1, 2", SHARED_FILE)
    run(pytester, "--record-mode=once").assert_outcomes(passed=2)
    source = SHARED.replace("PROMPT", "f'{n}?'")
    adds = source.replace("PARAMETERS", "1,").replace("ARGUMENTS", "'shared.yaml', record_mode='new_episodes'")
    plays = source.replace("PARAMETERS", "2,").replace("ARGUMENTS", "'shared.yaml'")
    pytester.makepyfile(HEAD + adds + plays.replace("test_it", "test_then"))
    result = run(pytester)
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*not replayed*")


@pytest.mark.slow
def test_names_that_a_file_cannot_have_are_told_apart(pytester: pytest.Pytester, live: Emulator) -> None:
    """`a:b`, `a?b` and `a*b` have a file each, and so have a name of a device and one that ends with a dot."""
    share(pytester, "'a:b', 'a?b', 'a*b', 'CON', 'a.', 'a'", "")
    run(pytester, "--record-mode=once").assert_outcomes(passed=6)
    stems = sorted(path.stem for path in pytester.path.rglob("cassettes/**/*.yaml"))
    assert [stem[:13] for stem in stems] == ["test_it[CON]", *["test_it[a-b]-"] * 3, "test_it[a.]", "test_it[a]"]
    assert len(set(stems)) == 6
    assert not any(PureWindowsPath(f"{stem}.yaml").is_reserved() for stem in stems)
    run(pytester).assert_outcomes(passed=6)


THREADS = """
from concurrent.futures import ThreadPoolExecutor

def test_it(interactions_cassette):
    def ask(n):
        with httpx.Client(transport=interactions_cassette.transport, base_url="http://x", headers=KEY) as client:
            return client.post(PATH, json={**BODY, "input": f"{n} " * 9000}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(40))) == {200}
"""


@pytest.mark.slow
def test_threads_record_into_one_file(pytester: pytest.Pytester, live: Emulator) -> None:
    """The requests of eight threads of a test are all in its recording, and replay in eight threads."""
    pytester.makepyfile(HEAD + THREADS)
    run(pytester, "--record-mode=once").assert_outcomes(passed=1)
    [path] = pytester.path.rglob("cassettes/**/*.yaml")
    assert len(ids_in(path)) == 40
    result = run(pytester)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*not replayed*")


TURNS = """
import os, pathlib, time
FOLDER = pathlib.Path(__file__).parent

@pytest.fixture(autouse=True, scope="session")
def began():
    (FOLDER / os.environ["PYTEST_XDIST_WORKER"]).touch()

@pytest.fixture(scope="session")
def vcr_config():
    return {"record_mode": "all"}

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.interactions_cassette("shared.yaml", allow_unused=True)
def test_it(n, interactions_cassette):
    deadline = time.monotonic() + 60
    while len(list(FOLDER.glob("gw*"))) < 2:
        assert time.monotonic() < deadline, "the other worker did not begin"
    with httpx.Client(base_url=interactions_cassette.base_url, headers=KEY) as client:
        for number in range(30):
            body = {**BODY, "input": f"{n}, {number}"}
            assert client.post(PATH, json=body).status_code == 200
"""


@pytest.mark.slow
def test_workers_take_turns_on_a_file(pytester: pytest.Pytester, live: Emulator) -> None:
    """A worker of pytest-xdist waits for the file that another one is recording into.

    It replaces what was there before the run, although only the tests know that they record.
    """
    pytest.importorskip("xdist", reason="pytest-xdist is not installed: pip install -e '.[dev]'")
    pytester.makepyfile(HEAD + TURNS)
    older = set[str]()
    for _ in range(2):
        run(pytester, "-n", "2", "--dist", "load", process=True).assert_outcomes(passed=2)
        [path] = pytester.path.rglob("cassettes/**/shared.yaml")
        assert len(ids_in(path)) == 60
        assert older.isdisjoint(ids_in(path))
        older = ids_in(path)


OTHER_WORKER = """
def test_another_worker():
    made = Path(__file__).parent / "cassettes" / Path(__file__).stem / "shared.yaml"
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_bytes(Path("ORIGIN").read_bytes())

"""


@pytest.mark.slow
def test_a_worker_adds_to_what_another_has_recorded(pytester: pytest.Pytester, live: Emulator) -> None:
    """With pytest-xdist, `once` records all tests that share a file which was not there before the run."""
    share(pytester, "1,", "'shared.yaml'")
    run(pytester, "--record-mode=once").assert_outcomes(passed=1)
    [path] = pytester.path.rglob("cassettes/**/*.yaml")
    origin = path.rename(pytester.path / "origin.yaml")
    older = ids_in(origin)
    share(pytester, "2,", "'shared.yaml'")
    [module] = pytester.path.glob("test_*.py")
    other = OTHER_WORKER.replace("ORIGIN", str(origin))
    module.write_text(f"from pathlib import Path\n{other}{module.read_text('utf-8')}", "utf-8")
    run(pytester, "--record-mode=once").assert_outcomes(passed=2)
    assert older < ids_in(path)
    assert len(ids_in(path)) == 2


NESTED = """
class TestA:
    class TestB:
        @pytest.mark.interactions_cassette(record_mode="once")
        def test_it(self):
            pass

class TestC(TestA):
    pass
"""


def test_two_tests_of_one_name_record_nothing(pytester: pytest.Pytester) -> None:
    """The error names both: each would replace the recording of the other."""
    result = toy(pytester, NESTED)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*test_it.yaml would be the recording of *::TestA::TestB::test_it, too: name *"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tests", "path", "words"),
    [("1,", "", ()), ("1, 2", SHARED_FILE, ()), ("1, 2", SHARED_FILE, ("-n", "2", "--dist", "load"))],
    ids=["its own", "shared", "shared by two workers"],
)
def test_rewriting_all_tests_of_a_file_drops_the_rest(
    pytester: pytest.Pytester, live: Emulator, tests: str, path: str, words: tuple[str, ...]
) -> None:
    """Its name belongs to the test alone, or all tests of the module that use it have passed.

    Before that, a replay names the recording that none of them used.
    """
    if words:
        pytest.importorskip("xdist", reason="pytest-xdist is not installed: pip install -e '.[dev]'")
    share(pytester, tests, path, "f'{n} before'")
    count = len(eval(f"[{tests}]"))
    run(pytester, "--record-mode=once").assert_outcomes(passed=count)
    [file] = pytester.path.rglob("cassettes/**/*.yaml")
    older = ids_in(file)
    share(pytester, tests, path, "f'{n} after'")
    run(pytester, "--record-mode=new_episodes").assert_outcomes(passed=count)
    result = run(pytester, *words, process=bool(words))
    result.stdout.fnmatch_lines([f"*.yaml: {count} of {2 * count} not replayed: POST /v1beta/interactions*"])
    result = run(pytester, *words, "--record-mode=rewrite", process=bool(words))
    result.assert_outcomes(passed=count)
    assert len(ids_in(file)) == count
    assert older.isdisjoint(ids_in(file))
    if path:
        result.stdout.fnmatch_lines(["*recorded again as a whole; *shared.before-1.yaml also has 2 older *"])


def ids_in(path: Path) -> set[str]:
    """The interactions in a recording."""
    return {json.loads(recording.decode().body)["id"] for recording in load(path).recordings}


def body_in(path: Path) -> bytes:
    """The body of the only answer in a recording."""
    [recording] = load(path).recordings
    return recording.decode().body


def test_a_missed_recording_counts_once(pytester: pytest.Pytester, live: Emulator) -> None:
    """A request that was not recorded fails its test once; its advice adds it, and replaces nothing."""
    pytester.makepyfile(HEAD + RECORDED.format(then="pass"))
    run(pytester, "--record-mode=once").assert_outcomes(passed=1)
    then = "assert client.post(PATH, json={**BODY, 'input': 'Other'}).status_code == 200"
    pytester.makepyfile(HEAD + RECORDED.format(then=then))
    result = run(pytester)
    result.assert_outcomes(failed=1)
    assert str(result.stdout).count("To record what is missing, run this test once") == 1
    [path] = pytester.path.rglob("cassettes/**/*.yaml")
    older = ids_in(path)
    [advice] = re.findall(r"run this test once .*?record_mode='(\w+)'", str(result.stdout))
    run(pytester, f"--record-mode={advice}").assert_outcomes(passed=1)
    assert older < ids_in(path)
