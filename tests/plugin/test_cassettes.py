"""`interactions_cassette` in toy repositories: recording, playing, and living beside vcrpy."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.benches.record.provenance import provenance_of
from harness.cassette import Recording, Target, load, save
from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.faults import cut
from harness.interactions import INTERACTIONS
from harness.plugin.after_test import sections
from harness.plugin.environment_variables import KEY_VARIABLES
from harness.transport import ServiceDriver
from harness.wire import Headers, Request
from tests.plugin.toys import run

pytest.importorskip("vcr", reason="cassettes need vcrpy: pip install -e '.[record]'")
pytestmark = pytest.mark.filterwarnings("ignore")

RECORDED = """
import httpx, pytest
from harness.resume import follow

BODY = {"model": "gemini-3.8-flash", "input": "Hi", "background": True}

@pytest.fixture
def client(interactions_cassette):
    with httpx.Client(transport=interactions_cassette.transport, base_url="http://x.test",
                      headers={"x-goog-api-key": "AIzaSyVerySecretKeyOfMine0123456789abcdef"}) as client:
        yield client

MARK
def test_it(client, interactions_no_sleep):
    found = client.post("/v1beta/interactions", json=BODY).json()["id"]
    stream = follow(client, found)
    assert [event["event_type"] for event in stream][-1] == "interaction.completed"
    assert stream.text
"""


def toy(pytester: pytest.Pytester, arguments: str = "") -> None:
    """Make the toy repository, with its test marked with these arguments."""
    pytester.makepyfile(test_app=RECORDED.replace("MARK", f"@pytest.mark.interactions_cassette({arguments})"))


@pytest.mark.slow
def test_record_and_play(pytester: pytest.Pytester, live: Emulator) -> None:
    """`once` records to pytest-recording's path without secrets; later runs send nothing to the service."""
    toy(pytester, "record_mode='once'")
    run(pytester).assert_outcomes(passed=1)
    path = pytester.path / "cassettes" / "test_app" / "test_it.yaml"
    assert "AIzaSyVerySecret" not in path.read_text("utf-8")
    asked = len(live.requests)
    assert asked > 0
    run(pytester).assert_outcomes(passed=1)
    toy(pytester)
    run(pytester).assert_outcomes(passed=1)
    assert len(live.requests) == asked


KEYED = """
import pytest

@pytest.mark.interactions_cassette(record_mode="once", UPSTREAM)
def test_it(interactions_client):
    interactions_client.interactions.create(model="gemini-3.8-flash", input="Hi")
"""


def test_the_key_of_a_recording(
    pytester: pytest.Pytester, live: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ready-made client records with the key from the environment, and the key is not written."""
    pytest.importorskip("google.genai")
    live.change(keys={"the-key-of-a-user": "project"})
    monkeypatch.setenv("GEMINI_API_KEY", "the-key-of-a-user")
    pytester.makepyfile(test_app=KEYED.replace("UPSTREAM", ""))
    run(pytester).assert_outcomes(passed=1)
    assert "the-key-of-a-user" not in (pytester.path / "cassettes/test_app/test_it.yaml").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("upstream", "said"),
    [
        ("https://generativelanguage.googleapis.com", "*there is no key to record with: set GEMINI_API_KEY*"),
        ("http://127.0.0.1:9", "create → no response, connection refused (127.0.0.1:9*"),
    ],
)
def test_nothing_to_record(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, upstream: str, said: str
) -> None:
    """A request that never reached the service is reported, and leaves no file for later runs to play."""
    pytest.importorskip("google.genai")
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(test_app=KEYED.replace("UPSTREAM", f"upstream={upstream!r}"))
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([said])
    assert not (pytester.path / "cassettes/test_app/test_it.yaml").exists()


@pytest.mark.parametrize("marked", [True, False])
def test_upstream_is_a_server_alone(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, marked: bool
) -> None:
    """A path would be left out of what is requested and of what is written; the error names who set it."""
    url, named = "http://127.0.0.1:9/v1beta", "interactions_cassette: upstream"
    if not marked:
        monkeypatch.setenv(named := "INTERACTIONS_RECORD_URL", url)
    toy(pytester, f"record_mode='once', upstream={url!r}" if marked else "record_mode='once'")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{named} '{url}' names more than a server*so write http://127.0.0.1:9"])


def test_where_a_recording_is_from(pytester: pytest.Pytester, live: Emulator) -> None:
    """A recording has the same provenance as one of `harness record`, except for the recorder."""
    toy(pytester, "record_mode='once'")
    run(pytester).assert_outcomes(passed=1)
    made = load(pytester.path / "cassettes" / "test_app" / "test_it.yaml").provenance
    assert made == provenance_of(
        os.environ["INTERACTIONS_RECORD_URL"], INTERACTIONS, recorder="harness.pytest_plugin"
    )
    assert made.target is Target.EMULATOR


def test_no_recording(pytester: pytest.Pytester) -> None:
    """Without a recording, the test's error says how to make one."""
    toy(pytester)
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*there is no recording at*test_it.yaml*record_mode='once'*"])


def test_what_a_killed_run_left_is_named(pytester: pytest.Pytester, live: Emulator) -> None:
    """A run that replays names the file beside the missing one; a run that records keeps it and reports where."""
    toy(pytester)
    part = pytester.path / "cassettes" / "test_app" / "test_it.part.yaml"
    save(part, [Recording.of(ServiceDriver(live).send(Request("GET", "/v1beta/interactions/x")))])
    run(pytester).stdout.fnmatch_lines(["*a killed recorder left *test_it.part.yaml, which is a cassette, too*"])
    toy(pytester, "record_mode='once'")
    run(pytester).stdout.fnmatch_lines(["*what a killed run recorded is in *test_it.interrupted-1.yaml*"])
    part.with_name("test_it.interrupted-1.yaml").rename(part)
    source = (pytester.path / "test_app.py").read_text("utf-8").replace("once", "none").replace('"Hi"', '"Ho"')
    (pytester.path / "test_app.py").write_text(source, "utf-8")
    run(pytester).stdout.fnmatch_lines(["*To record what is missing*a killed recorder left *test_it.part.yaml*"])


def test_what_was_not_recorded_fails(pytester: pytest.Pytester, live: Emulator) -> None:
    """A request that no recording answers fails the test and names the field that differs."""
    toy(pytester, "record_mode='once'")
    run(pytester).assert_outcomes(passed=1)
    source = (pytester.path / "test_app.py").read_text("utf-8")
    swallowing = source.replace('"input": "Hi"', '"input": "Ho"').replace('.json()["id"]', "\n    return")
    (pytester.path / "test_app.py").write_text(swallowing, "utf-8")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*not recorded*input*"])


def test_unused_and_stale(pytester: pytest.Pytester, live: Emulator) -> None:
    """Recordings that are not played, old ones, and files of no test are listed at the end of the run.

    These are neither copies nor files of the marker `vcr`, nor those of a module that was not collected. A link
    belongs to the test that names it.
    """
    toy(pytester, "record_mode='once'")
    run(pytester)
    path = pytester.path / "cassettes" / "test_app" / "test_it.yaml"
    text = path.read_text("utf-8")
    start = text.index("recorded:")
    path.write_text(text[:start] + "recorded: '2020-01-01'" + text[text.index("\n", start) :], "utf-8")
    for name in ("test_old", "test_it.before-1", "test_vcr", "../test_gone/test_x", "../test_other/test_y"):
        copy = path.parent / f"{name}.yaml"
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text("utf-8"), "utf-8")
    pytester.makepyfile(test_other="")
    (pytester.path / "stored.yaml").write_text(path.read_text("utf-8"), "utf-8")
    path.with_name("linked.yaml").symlink_to(pytester.path / "stored.yaml")
    source = (pytester.path / "test_app.py").read_text("utf-8")
    (pytester.path / "test_app.py").write_text(
        source.replace("    stream = follow", "    return\n    stream = follow")
        + "\n@pytest.mark.vcr\ndef test_vcr(): pass\n"
        + "\n@pytest.mark.interactions_cassette('linked', allow_unused=True)"
        + "\ndef test_linked(interactions_cassette): pass\n"
    )
    result = run(pytester, "--interactions-max-age", "30")
    result.assert_outcomes(passed=3)
    said = "of no test, as after one was renamed or deleted"
    assert str(result.stdout).count(said) == 2
    result.stdout.fnmatch_lines(
        [
            "*interactions cassettes*",
            "*test_it.yaml: 1 of 2 not replayed: GET /v1beta/interactions/*",
            "*recorded 2020-01-01*",
            f"test_app: {said}: test_old.yaml",
            f"test_gone: {said}: test_x.yaml",
        ]
    )


def test_filters_of_vcr_config(pytester: pytest.Pytester, live: Emulator) -> None:
    """`vcr_config` is honoured: its record mode, and the values that it keeps out of files."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="module")
        def vcr_config():
            return {"record_mode": "once", "filter_headers": ["user-agent"]}
        """
    )
    toy(pytester)
    run(pytester).assert_outcomes(passed=1)
    text = (pytester.path / "cassettes" / "test_app" / "test_it.yaml").read_text("utf-8").lower()
    assert "user-agent" not in text


def test_own_words_and_functions(pytester: pytest.Pytester, live: Emulator) -> None:
    """Words of project and marker, and functions for vcrpy, reach what is written; a replay plays it."""
    pytester.makepyprojecttoml('[tool.harness.recordings]\nhide = ["x-tenant"]\n')
    pytester.makepyfile(
        test_app="""
        import json, httpx, pytest

        def edit_request(request):
            if request.method == "DELETE":
                return None
            request.uri = request.uri.replace("secret-place", "place")
            return request

        def edit_response(response):
            body = json.loads(response["body"]["string"])
            response["body"]["string"] = json.dumps({**body, "edited": True}).encode()
            return response

        @pytest.fixture(scope="module")
        def vcr_config():
            return {"before_record_request": edit_request, "before_record_response": edit_response,
                    "filter_post_data_parameters": ["user"]}

        @pytest.mark.interactions_cassette(record_mode="once", hide_pattern="acct-[0-9]{6}", ignore=["labels"])
        @pytest.mark.parametrize("n", [1])
        def test_it(n, interactions_cassette):
            with httpx.Client(transport=interactions_cassette.transport, base_url="http://x.test",
                              headers={"x-goog-api-key": "k" * 20, "x-tenant": "mine-alone"}) as client:
                asked = {"model": "gemini-3.8-flash", "input": "acct-123456"}
                body = {**asked, "user": "lovelace", "labels": {"run": LABEL}}
                client.post("/v1beta/interactions?at=secret-place", json=body)
        """.replace("LABEL", '__import__("os").urandom(4).hex()')
    )
    run(pytester).assert_outcomes(passed=1)
    (path,) = (pytester.path / "cassettes").rglob("*.yaml")
    text = path.read_text("utf-8")
    assert [word for word in ("acct-123456", "mine-alone", "lovelace", "secret-place") if word in text] == []
    assert '"edited": true' in text
    kept = load(path).recordings[0]
    assert (kept.status, kept.reason) == (400, "Bad Request")  # the service knows no `user`
    asked = len(live.requests)
    run(pytester).assert_outcomes(passed=1)
    assert len(live.requests) == asked


def save_dropped_stream(path: Path) -> None:
    """Write a cassette with a stream that was reset after three events."""
    emulator = Emulator()
    driver = ServiceDriver(cut(emulator, "event:3,rst", PROTOCOL), emulator.clock)
    body = b'{"model": "gemini-3.8-flash", "input": "Hi", "stream": true}'
    exchange = driver.send(Request("POST", "/v1beta/interactions", Headers([("x-goog-api-key", "k")]), body))
    path.parent.mkdir(parents=True)
    save(path, [Recording.of(exchange)])


ELSEWHERE = {
    "the marker of another name": (
        "@pytest.mark.default_cassette('other.yaml')\n@pytest.mark.vcr\ndef test_it(): pass",
        "cassettes/test_app/other.yaml",
    ),
    "a folder of the user": (
        "@pytest.fixture\ndef vcr_cassette_dir(): return 'mine'\n@pytest.mark.vcr\ndef test_it(): pass",
        "mine/test_it.yaml",
    ),
    "a second file": ("@pytest.mark.vcr('second.yaml')\ndef test_it(): pass", "cassettes/test_app/second.yaml"),
}


@pytest.mark.parametrize("toy", ELSEWHERE)
def test_a_dropped_recording_that_pytest_recording_finds(pytester: pytest.Pytester, toy: str) -> None:
    """Wherever a cassette is: the file that is loaded is judged."""
    pytest.importorskip("pytest_recording", reason="pip install -e '.[dev]'")
    source, place = ELSEWHERE[toy]
    save_dropped_stream(pytester.path / place)
    pytester.makepyfile(test_app=f"import pytest\n{source}\n")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*was dropped when it was recorded (the server reset *_cassette instead of vcr*"])


@pytest.mark.slow
def test_dropping_a_recording(pytester: pytest.Pytester, live: Emulator) -> None:
    """interactions_dropped_stream cuts a recording as it cuts a script, with the recording's own text and ids."""
    toy(pytester, "record_mode='once'")
    run(pytester).assert_outcomes(passed=1)
    pytester.makepyfile(
        test_drops="""
        import httpx, pytest
        from harness.resume import follow

        @pytest.mark.interactions_dropped_stream(cassette="cassettes/test_app/test_it.yaml", endings=["rst"])
        def test_it(interactions_dropped_stream, interactions_no_sleep):
            transport = interactions_dropped_stream.emulator.transport
            with httpx.Client(transport=transport, base_url="http://x.test") as client:
                stream = follow(client, interactions_dropped_stream.id)
                interactions_dropped_stream.assert_seen_once(list(stream))
            assert "Hi" in interactions_dropped_stream.text
        """
    )
    assert run(pytester, "test_drops.py").parseoutcomes()["passed"] > 8


@pytest.mark.slow
def test_the_marker_is_enough(pytester: pytest.Pytester, live: Emulator) -> None:
    """As with pytest-recording: code that finds the URL in the environment needs no fixture."""
    pytester.makepyfile(
        test_app="""
        import os, httpx, pytest

        @pytest.mark.interactions_cassette(record_mode="once")
        def test_it():
            url = os.environ["GOOGLE_GEMINI_BASE_URL"] + "/v1beta/interactions"
            body = {"model": "gemini-3.8-flash", "input": "Hi"}
            assert httpx.post(url, json=body, headers={"x-goog-api-key": "k"}).json()["status"] == "completed"
        """
    )
    for _ in range(2):
        run(pytester).assert_outcomes(passed=1)
        assert len(live.requests) == 1


def test_names_with_dots(pytester: pytest.Pytester, live: Emulator) -> None:
    """A name may have dots, and the file still gets the suffix `.yaml`."""
    toy(pytester, "'gemini-3.8-flash', record_mode='once'")
    run(pytester).assert_outcomes(passed=1)
    assert (pytester.path / "cassettes" / "test_app" / "gemini-3.8-flash.yaml").is_file()


UNUSED = """
import pytest

@pytest.mark.interactions_cassette("old.yaml")
def test_it(interactions_cassette):
    assert interactions_cassette.path.exists()

@pytest.mark.interactions_cassette("old.yaml", allow_unused=True)
def test_meant(interactions_cassette):
    pass
"""


def test_a_recording_of_which_nothing_is_played(pytester: pytest.Pytester) -> None:
    """The test has tested nothing with it, so it fails, unless that is meant."""
    emulator = Emulator()
    fields = Headers([("x-goog-api-key", "k"), ("content-type", "application/json")])
    body = b'{"input": "Hi", "model": "gemini-3.8-flash"}'
    exchange = ServiceDriver(emulator, emulator.clock).send(Request("POST", "/v1beta/interactions", fields, body))
    path = pytester.path / "cassettes" / "test_app" / "old.yaml"
    path.parent.mkdir(parents=True)
    save(path, [Recording.of(exchange)])
    pytester.makepyfile(test_app=UNUSED)
    result = run(pytester)
    result.assert_outcomes(failed=1, passed=1)
    assert result.stdout.str().count("the test replayed none of its 1 recorded answer") == 1


def test_a_remark_on_many_files_is_one_line() -> None:
    """Thirty tests that fail after a drift are one fact, not thirty."""
    reports = [SimpleNamespace(user_properties=[("interactions_cassette", f"{n}.yaml: kept")]) for n in range(5)]
    lines = "0.yaml, 1.yaml, 2.yaml and 2 more: kept\nb.yaml was written"
    assert list(sections(reports, ["b.yaml was written"])) == [("interactions cassettes", lines)]
