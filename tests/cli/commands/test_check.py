"""Tests of `harness check`: each exit code has one meaning, and a run is green only if something was judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.transport import ServerThread
from harness.wire import Request, Response
from tests.cli.conftest import Harness, fits
from tests.engine import toys

Toy = tuple[toys.ToyService, str]
DEAD = "http://127.0.0.1:9"

pytestmark = pytest.mark.usefixtures("toy_catalogue")


@pytest.fixture
def with_odd(toy_catalogue: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue with one check that fails on a correct toy."""
    monkeypatch.setattr("harness.checks.catalogue.CATALOGUE", (*toys.CATALOGUE, toys.ODD, toys.SHOULD))


def test_conformant(harness: Harness, toy: Toy) -> None:
    """A correct target is green, and the API version in use is printed."""
    done = harness("check", toy[1] + "/v1beta")
    assert done.code == 0
    assert f"target: {toy[1]} (API version v1beta)" in done.out
    assert "\nPASSED: all 3 MUST checks passed.\n" in done.out
    assert toy[0].stored == {}


def test_version_option_overrides_the_url(harness: Harness, toy: Toy) -> None:
    """--api-version overrides the version in the URL, and the requests use it."""
    harness("check", toy[1] + "/v1beta", "--api-version", "v1")
    assert any(line == "POST /v1/interactions" for line in toy[0].log)
    assert not any("/v1beta/" in line for line in toy[0].log)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["check"], 2, "write `emulator`"),
        (["check", ""], 2, "write `emulator`"),
        (["check", DEAD, "--levle", "must"], 2, "did you mean '--level'"),
        (["check", DEAD, "--level", "mus"], 2, "did you mean 'must'"),
        (["check", DEAD, "--profile", "cor"], 2, "did you mean 'core'"),
        (["check", DEAD, "-c", "create.okk"], 2, "did you mean 'create.ok'"),
        (["check", DEAD, "--exclude", "stram"], 2, "did you mean 'stream'"),
        (["check", DEAD, "--capability", "-streem"], 2, "did you mean 'stream'"),
        (["check", DEAD, "--report", "junti=x"], 2, "did you mean 'junit'"),
        (["check", DEAD, "--report", "junit"], 2, "junit=PATH"),
        (["check", DEAD, "--report", "junit=nowhere/x.xml"], 2, "no folder"),
        (["check", DEAD, "--baseline", "none.yaml"], 2, "--baseline-update"),
        (["check", DEAD, "--baseline-update"], 2, "--baseline FILE"),
        (["check", DEAD, "--timeout", "0"], 2, "positive number of seconds"),
        (["check", DEAD, "-j", "0"], 2, "1 or more"),
        (["check", DEAD, "-H", "nonsense"], 2, "Name: value"),
        (["check", DEAD, "extra"], 2, "one argument too many: 'extra' (see"),
        (["proxy", DEAD], 2, f"one argument too many: {DEAD!r}: write --target {DEAD}"),
        (["serve", "npm", "test"], 2, "one argument too many: 'npm': write `--` before a command"),
        (
            ["serve", "--scenario", "none.yaml"],
            2,
            "the scenario none.yaml cannot be read: No such file or directory: check the path and its spelling\n",
        ),
        (["torture", "--set", "wide", "--", "true"], 2, "no set is named 'wide': known are quick"),
        (["torture", "--client", "foo"], 2, "no client has the name 'foo': known are google-genai,"),
        (["check", DEAD], 4, "refused"),
        (["check", DEAD, "--wait", "0.1"], 4, "no response within 0.1 s"),
        (["chekc", DEAD], 2, "did you mean 'check'"),
        (["--chek"], 2, "unknown flag"),
        (["check", "--target", "http://h"], 2, "write the URL without it, as in `harness check URL`"),
        (["torture", "http://h"], 2, "`harness check http://h` judges that server"),
        (["verify", "a.html"], 2, "no file or folder 'a.html'"),
        (["fuzz", "emulator", "--deadline", "0.00001"], 4, "give the run more time with --deadline S"),
        ([], 2, ""),
    ],
)
def test_never_green(words: list[str], code: int, told: str, harness: Harness) -> None:
    """A command line that cannot judge anything exits with its own code and one line that says what to do."""
    done = harness(*words)
    assert done.code == code
    assert told in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("defect", [{"page": True}, {"refuse": 404}, {"refuse": 500}], ids=str)
@pytest.mark.parametrize("words", [(), ("--capability", "+stream")], ids=["plain", "declared"])
def test_what_is_not_this_api_is_told_in_one_sentence(
    defect: dict[str, Any], words: tuple[str, ...], harness: Harness, toy: Toy
) -> None:
    """HTML, 404 or 500 for every request is reported in one line that says what to do, not as many failures.

    The exception is a 404 in this API's form when a capability was declared: then they are judged.
    """
    for name, value in defect.items():
        setattr(toy[0], name, value)
    done = harness("check", toy[1], *words)
    if words and defect.get("refuse") == 404:
        assert "the declared capabilities are judged" in done.out, "404 in this API's words may mean the model"
        return
    assert done.code == 4
    assert "the target returns no interactions" in done.err
    assert ("Read the log" if defect.get("refuse") == 500 else "--api-version") in done.err
    _, verdict = done.err.splitlines()
    assert verdict == "INCOMPLETE: the target was not tested."


class Limited:
    """Lets a number of requests through to a service, then answers all others with 429."""

    def __init__(self, service: toys.ToyService, requests: int) -> None:
        self._service = service
        self._left = requests

    def __call__(self, request: Request) -> Response:
        self._left -= request.segments[0] != "__harness__"
        if self._left >= 0:
            return self._service(request)
        refusal = {"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}
        return toys.answer(refusal, 429)


def test_a_rate_limit_that_is_not_waited_out_is_never_green(harness: Harness) -> None:
    """MUSTs not judged because of a rate limit are counted with the reason and what to do; the exit code is 4."""
    with ServerThread(Limited(toys.ToyService(), 3)) as server:
        done = harness("check", server.url, "--max-wait", "0", "-c", "create.ok,get.ok")
    assert done.code == 4
    assert "2 no response: create.ok, get.ok (-v gives details).\n" in done.out
    assert "help: `--rate N`" in done.out
    assert "PASSED" not in done.out


def test_a_rate_limit_that_is_waited_out_changes_nothing(harness: Harness) -> None:
    """Rate-limited requests, deletions included, are repeated when the target allows; this is announced once."""
    service, refusals = toys.ToyService(), iter(range(1, 1000))

    def every_third(request: Request) -> Response:
        if next(refusals) % 3:
            return service(request)
        response = toys.answer({"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}, 429)
        return structs.replace(response, headers=response.headers.having("retry-after-ms", "1"))

    with ServerThread(every_third) as server:
        done = harness("check", server.url, "-v")
    assert done.code == 0
    assert "\nPASSED: all 3 MUST checks passed.\n" in done.out
    assert done.out.count("the target requests a pause") == 1
    assert "pauses that the target requested" in done.out
    assert service.stored == {}, "deletions were asked again as well"


def test_empty_selection(harness: Harness, toy: Toy) -> None:
    """If everything selected is also excluded, nothing runs and the exit code is 3."""
    done = harness("check", toy[1], "-c", "get", "--exclude", "get")
    assert done.code == 3
    assert "\nNOTHING RAN: no check judged the target; " in done.out


@pytest.mark.usefixtures("with_odd")
def test_failure(harness: Harness, toy: Toy) -> None:
    """A broken MUST exits with 1 and shows requirement, source, exchange and curl line, without the key."""
    done = harness("check", toy[1], "--api-key", toys.KEY, "-v")
    assert done.code == 1
    for part in ("FAILED      get.odd [MUST]", "source: Toy manual", "< 200", "$GEMINI_API_KEY"):
        assert part in done.out
    assert toys.KEY not in done.out


@pytest.mark.usefixtures("with_odd")
def test_the_line_that_shows_a_failure_has_the_other_options(
    harness: Harness, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be copied: what was given comes again, keys as variables, and the selection is that failure alone."""
    monkeypatch.setenv("HARNESS_EXTENSION", "")  # the option sets it for later calls of this process
    Path("own.py").write_text("from harness.extend import Extension\nown = Extension('own')\n", encoding="utf-8")
    words = ("--api-key", toys.KEY, "-H", f"Authorization: Bearer {toys.KEY}x", "-H", "x-team: blue one")
    words += ("--timeout", "20", "-j", "2", "--capability", "-agents", "--extension", "own.py")
    done = harness("check", toy[1], "-c", "get.*", "--report", "json=a.json", *words)
    assert (
        f'help: print all of it: `harness check {toy[1]} -c get.odd -v --jobs 2 --api-key "$GEMINI_API_KEY" '
        "--capability=-agents --timeout 20 --header 'Authorization: Bearer '\"$AUTHORIZATION\" "
        "--header 'x-team: blue one' --extension own.py`\n"
    ) in done.out
    monkeypatch.setenv("HARNESS_SERVED_BY", "harness serve --mutant odd")  # a server that ends with this run
    monkeypatch.setenv("INTERACTIONS_BASE_URL", toy[1])
    done = harness("check", f"{toy[1]}/v1beta", "-c", "get.*", "--api-key", toys.KEY)
    assert (
        "help: print all of it: `harness serve --mutant odd -- sh -c 'harness check $INTERACTIONS_BASE_URL/v1beta "
        '-c get.odd -v --api-key "$GEMINI_API_KEY"\'`\n'
    ) in done.out


@pytest.mark.usefixtures("with_odd")
def test_baseline_ratchet(harness: Harness, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A baseline excuses known failures; a repaired check is stale and fails the run until it is pruned."""
    written = harness("check", toy[1], "--baseline", "b.yaml", "--baseline-update")
    assert (written.code, "FAILED" in written.out) == (0, False)
    assert "\nbaseline b.yaml: 1 added (get.odd), 0 removed\n" in written.out
    assert "id: get.odd" in Path("b.yaml").read_text(encoding="utf-8")
    toy[0].status = "incomplete"
    stale = harness("check", toy[1], "--baseline", "b.yaml")
    assert stale.code == 1
    assert "  failed get.odd: the baseline excuses" in stale.out


@pytest.mark.usefixtures("with_odd")
def test_strict(harness: Harness, toy: Toy) -> None:
    """With --strict, a broken SHOULD fails the run as well."""
    words = ("check", toy[1], "-c", "get.should")
    assert harness(*words).code == 0
    assert harness(*words, "--strict", "--report", "badge=b.json").code == 1
    badge = json.loads(Path("b.json").read_text(encoding="utf-8"))
    assert (badge["color"], badge["message"]) == ("red", "0 of 4 MUST passed; 1 SHOULD check failed the run")


def test_declared_capability_that_is_not_there(harness: Harness, toy: Toy) -> None:
    """Missing streaming fails the run if the capability was declared, but not if it was only probed."""
    toy[0].streams = False
    assert harness("check", toy[1]).code == 0
    assert harness("check", toy[1], "--capability", "+stream").code == 1
    assert harness("check", toy[1], "--capability", "-stream", "--profile", "streaming").code == 3


@pytest.mark.usefixtures("with_odd")
def test_json_is_alone_on_stdout_and_fits_its_schema(harness: Harness, toy: Toy) -> None:
    """--json prints one object and nothing else; its `exit` field is the exit code."""
    done = harness("check", toy[1], "--json", "-j", "2")
    report = fits("check", done.out)
    assert report["exit"] == done.code == 1
    assert report["target"]["api_version"] == "v1beta"


def test_an_old_report_does_not_outlive_a_run_that_fails_early(harness: Harness) -> None:
    """If nothing could be judged, the report of an earlier run is replaced, not left to look like the result."""
    Path("old.xml").write_text("<testsuites/>", encoding="utf-8")
    assert harness("check", DEAD, "--report", "junit=old.xml").code == 4
    assert 'errors="1"' in Path("old.xml").read_text(encoding="utf-8")


def test_dry_run_sends_nothing(harness: Harness, toy: Toy) -> None:
    """--dry-run prints what each exercise costs for which rules, and sends no request."""
    done = harness("check", toy[1], "--dry-run")
    assert done.code == 0
    assert "\n2         1        create_and_get  create.ok get.ok\n" in done.out
    assert "at most 3 requests, which create 2 interactions" in done.out
    assert toy[0].log == []


def test_fail_fast(harness: Harness, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --fail-fast, the checks after the first failure are counted as not run."""
    monkeypatch.setattr("harness.checks.catalogue.CATALOGUE", (toys.ODD, toys.STREAM))
    done = harness("check", toy[1], "--fail-fast")
    assert done.code == 1
    assert " s: 1 failed, 1 excluded." in done.out


def test_our_own_bug_is_exit_code_five(harness: Harness, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in a check exits with 5 and is not reported as a failure of the target."""
    monkeypatch.setattr("harness.checks.catalogue.CATALOGUE", (toys.CREATE, toys.RAISES))
    assert harness("check", toy[1]).code == 5
