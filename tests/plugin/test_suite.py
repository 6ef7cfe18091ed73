"""The catalogue as test items: `pytest --pyargs harness.suite`, as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from harness.cli.main import main
from harness.contract import CURRENT, load
from harness.emulator import Emulator, Settings
from harness.outcome import Exit
from harness.transport import ServerThread
from harness.wire import Chunk, Request, Response
from harness.wire.bodies import object_or_none
from tests.plugin.toys import run

pytestmark = pytest.mark.filterwarnings("ignore")

SUITE = ("--pyargs", "harness.suite")


class Terse(Emulator):
    """A server whose 404 has an empty error; it counts what it is asked."""

    asked = 0

    def __call__(self, request: Request) -> Response:
        """The reference's answer, a 404 without its details."""
        self.asked += 1
        response = super().__call__(request)
        if response.status == 404:
            return Response.whole(404, response.headers, b'{"error":{}}')
        return response


class Counting(Emulator):
    """Counts what it is asked; a GET of what runs in the background shows labels that are a number."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.asked = 0
        self.behind: set[str] = set()

    def __call__(self, request: Request) -> Response:
        """The reference's answer, spoiled for reads of background runs."""
        self.asked += 1
        response = super().__call__(request)
        if request.method not in ("GET", "POST") or request.parameter("stream") or response.status != 200:
            return response
        value = object_or_none(data := b"".join(p.data for p in response.body if isinstance(p, Chunk))) or {}
        if request.method == "POST" and b'"background":true' in request.body.replace(b" ", b""):
            self.behind.add(value.get("id", ""))
        if request.method == "GET" and value.get("id", "") in self.behind:
            data = json.dumps({**value, "labels": 5}).encode()
        return Response.json(200, data)


@pytest.mark.slow
def test_all_answers_of_the_run_count(pytester: pytest.Pytester) -> None:
    """A defect seen only in another exercise fails the check about all answers; no request is sent twice."""
    emulator = Counting(Settings(require_key=False))
    asked: list[int] = []
    failed: list[int] = []
    with ServerThread(emulator, clock=emulator.clock) as server:
        for names in ("get.schema", "bg.create", "get.schema or bg.create"):
            before = emulator.asked
            result = run(pytester, *SUITE, "--interactions-url", server.url, "-k", names, "-rf")
            asked.append(emulator.asked - before)
            failed.append(result.parseoutcomes().get("failed", 0))
    assert failed == [0, 0, 1]
    result.stdout.fnmatch_lines(["FAILED*get.schema*"])
    result.stdout.fnmatch_lines(
        [
            "*interactions checks*",
            "2 checks in * s: 1 failed, 1 passed.",
            "FAILED: 1 of 2 MUST checks failed (1 cause: *",
        ]
    )
    assert asked[2] < asked[0] + asked[1], "probed once for both"


@pytest.mark.slow
@pytest.mark.parametrize("dist", ["load", pytest.param("worksteal", marks=pytest.mark.thorough), "in one process"])
def test_workers_share_one_run(pytester: pytest.Pytester, dist: str) -> None:
    """However pytest-xdist spreads the items, each exercise runs once, and the verdicts are those of `check`."""
    emulator = Terse(Settings(require_key=False))
    words = () if dist == "in one process" else ("-n", "2", "--dist", dist)
    report, junit = pytester.path / "check.json", pytester.path / "junit.xml"
    with ServerThread(emulator, clock=emulator.clock) as server:
        main(["check", server.url, "-c", "get.*,create.*", "--report", f"json={report}"])
        of_check, emulator.asked = emulator.asked, 0
        target = ("--interactions-url", server.url, "-k", "get. or create.")
        run(pytester, *SUITE, *target, f"--junit-xml={junit}", *words, process=bool(words))
    checks = {check["id"]: check["outcome"] for check in json.loads(report.read_text("utf-8"))["checks"]}
    cases = {
        case.attrib["name"][len("test_conforms[") : -1]: {child.tag for child in case}
        for case in ElementTree.parse(junit).iter("testcase")
    }
    assert len(cases) > 40
    assert {name for name, tags in cases.items() if "failure" in tags} == {
        name for name, outcome in checks.items() if outcome == "failed"
    }
    assert {name for name, tags in cases.items() if "skipped" in tags} == {
        name for name, outcome in checks.items() if name in cases and outcome.startswith("not_")
    }
    assert emulator.asked <= of_check * 1.2


@pytest.fixture
def broken() -> Iterator[str]:
    """The URL of a server with a defect."""
    emulator = Terse(Settings(require_key=False))
    with ServerThread(emulator, clock=emulator.clock) as server:
        yield server.url


@pytest.mark.slow
def test_markers_and_names_select(pytester: pytest.Pytester) -> None:
    """Level and area are markers, the id is the name; only the exercises of selected checks run."""
    named = run(
        pytester, *SUITE, "--interactions-url", "emulator", "-m", "interactions_must and interactions_area_del"
    )
    assert 0 < named.parseoutcomes()["passed"] < 12
    one = run(pytester, *SUITE, "--interactions-url", "emulator", "-k", "create.status")
    assert 0 < one.parseoutcomes()["passed"] < 4


@pytest.mark.slow
def test_a_defect_fails_and_a_baseline_excuses_it(pytester: pytest.Pytester, broken: str) -> None:
    """A broken rule is a failed item with its source and a curl line; in the baseline it becomes xfail."""
    selection = (*SUITE, "--interactions-url", broken, "--interactions-level", "must", "-k", "err.")
    failed = run(pytester, *selection)
    names = [line.split("[")[1].split("]")[0] for line in failed.outlines if line.startswith("FAILED ")]
    assert names
    failed.stdout.fnmatch_lines(["*requirement (MUST)*", "*curl*", "*source:*"])
    failed.stdout.no_fnmatch_line("*reports have all*")  # it writes none
    path = pytester.path / "baseline.yaml"
    path.write_text("".join(f"- {{id: {name}, reason: known}}\n" for name in names), "utf-8")
    excused = run(pytester, *selection, "--interactions-baseline", str(path))
    assert excused.parseoutcomes()["xfailed"] == len(names)
    assert excused.ret == 0
    path.write_text("".join(f"- {{id: {name}, reason: known, finding: another}}\n" for name in names), "utf-8")
    others = run(pytester, *selection, "--interactions-baseline", str(path))
    assert (others.parseoutcomes()["failed"], others.ret) == (len(names), 1)


def test_an_entry_that_names_no_check_is_stale(pytester: pytest.Pytester) -> None:
    """As for `harness check`, it does not stop the run, and fails it under a name of its own."""
    path = pytester.path / "baseline.yaml"
    path.write_text("- {id: create.stattus, reason: known}\n", "utf-8")
    selection = (*SUITE, "--interactions-url", "emulator", "-k", "create.stat")
    stale = run(pytester, *selection, "--interactions-baseline", str(path))
    assert (stale.parseoutcomes()["failed"], stale.ret) == (1, 1)
    assert stale.parseoutcomes()["passed"] > 0
    stale.stdout.fnmatch_lines(["*entry is stale: no check has the id 'create.stattus'*create.status*"])


def test_an_entry_of_a_check_that_passes_is_stale(pytester: pytest.Pytester) -> None:
    """Its reason is printed in one line."""
    path = pytester.path / "baseline.yaml"
    path.write_text('- {id: create.status, reason: "known\\nPASSED: all"}\n', "utf-8")
    selection = (*SUITE, "--interactions-url", "emulator", "-k", "create.status")
    stale = run(pytester, *selection, "--interactions-baseline", str(path))
    assert (stale.parseoutcomes()["failed"], stale.ret) == (1, 1)
    stale.stdout.fnmatch_lines(["*the baseline excuses it (known PASSED: all): take it out of the baseline"])


def test_without_a_target(pytester: pytest.Pytester) -> None:
    """Without a URL, nothing is sent, and the only item says what is missing."""
    result = run(pytester, *SUITE, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*--interactions-url URL*"])


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--interactions-profile", "stream"), "unknown profile*streaming*"),
        (("--interactions-level", "very"), "*must, should, may*"),
        (("--interactions-baseline", "missing.yaml"), "no baseline at*"),
        (
            ("--interactions-revision", CURRENT[:-1]),
            f"--interactions-revision: *known are {CURRENT}; did you mean*",
        ),
        (("--interactions-url", "ftp://127.0.0.1"), "'ftp://127.0.0.1'*"),
        (("--interactions-url", ""), "no target was given*"),
        (("--api-key", "K"), "unrecognized arguments: --api-key*\n  help: keys come from the environment*"),
    ],
)
def test_wrong_options(pytester: pytest.Pytester, option: tuple[str, str], said: str) -> None:
    """A wrong option ends the run with a sentence and pytest's own exit code for one, before anything is sent."""
    result = run(pytester, *SUITE, "--interactions-url", "emulator", *option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{line}" for line in said.splitlines()])
    assert not result.stdout.str().strip()


@pytest.mark.slow
def test_another_revision_judges(pytester: pytest.Pytester) -> None:
    """A target is judged by the revision that is named, here the folder of one that asks for one field more."""
    folder = pytester.mkdir("2027-01-01")
    (folder / "revision.json").write_text(json.dumps({"base": CURRENT}), "utf-8")
    interaction = load(CURRENT).schemas.document("interaction")
    (folder / "interaction.json").write_text(
        json.dumps({**interaction, "required": [*interaction["required"], "robot"]}), "utf-8"
    )
    selection = (*SUITE, "--interactions-url", "emulator", "-k", "create.schema")
    run(pytester, *selection, "--interactions-revision", CURRENT).assert_outcomes(passed=1)
    judged = run(pytester, *selection, "--interactions-revision", "2027-01-01")
    judged.assert_outcomes(failed=1)
    judged.stdout.fnmatch_lines(["*robot*"])


@pytest.mark.slow
def test_an_unreachable_target(pytester: pytest.Pytester) -> None:
    """If the server cannot be reached, the run ends at once, with the same exit code as `harness check`."""
    result = run(pytester, *SUITE, "--interactions-url", "http://127.0.0.1:9")
    assert result.ret == Exit.INCOMPLETE
    result.stdout.fnmatch_lines(["*nothing to judge*127.0.0.1:9*"])


def test_not_collected_by_accident(pytester: pytest.Pytester) -> None:
    """A project's own run has none of these items."""
    pytester.makepyfile("def test_mine(): pass")
    run(pytester, "--interactions-url", "emulator").assert_outcomes(passed=1)


@pytest.mark.slow
def test_what_a_target_repeats_is_shown_without_the_key(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a refusal quotes the key, the message that ends the session does not contain it."""
    key = "zq1canary0123456789abc"
    monkeypatch.setenv("GEMINI_API_KEY", key)
    refusal = json.dumps({"error": {"code": "refused", "message": f"your key {key} did it"}}).encode()
    with ServerThread(lambda request: Response.json(401, refusal)) as server:
        result = run(pytester, *SUITE, "--interactions-url", server.url)
    said = result.stdout.str() + result.stderr.str()
    assert "did it" in said
    assert key not in said
