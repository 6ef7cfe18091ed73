"""The recorder of outputs: it masks what is volatile and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.golden.catalogue import (
    CASE_TIMES,
    CASSETTE,
    COMMANDS,
    HUNG_UP,
    MADE_IDS,
    POLLS,
    SERVED,
    SERVER_TIMES,
    SESSIONS,
    STORIES,
    TODAY,
    catalogue,
)
from tests.golden.items import Item, Step, steps
from tests.golden.mask import Mask, mask_all
from tests.golden.record import record_all, record_item
from tests.golden.reduce import broken_rules, outcomes, untimed, verdicts
from tests.in_one_test import in_one_test


@in_one_test(
    [
        ("target: http://127.0.0.1:43691/v1", "target: http://127.0.0.1:<port>/v1", ()),
        ('"seconds": 0.46,', '"seconds": "<seconds>",', ()),
        ('"seconds": 5.1e-05,', '"seconds": "<seconds>",', ()),
        ('"between": 0.277879', '"between": "<seconds>"', ()),
        ('"first_byte": 0.026, "body": "text"', '"first_byte": "<seconds>", "body": "text"', ()),
        ('{"answer": "200", "at": 0.2689, "fault"', '{"answer": "200", "at": "<seconds>", "fault"', ()),
        ("256 pass in 13.2 s", "256 pass in <seconds> s", ()),
        ('<testcase name="a" time="0.001" />', '<testcase name="a" time="<seconds>" />', ()),
        ("/tmp/golden-1/work/r.json", "<work>/r.json", ()),
        ('"created":"2026-06-09T00:00:01Z"', '"created":"<time>"', (SERVER_TIMES,)),
        ("  since: '2026-11-20'", "  since: <today>", (TODAY,)),
        (
            'stream of 6 events, the last {"index":0}, ended: the client disconnected within the body',
            "stream of <n> events, ended: the client disconnected within the body",
            (HUNG_UP,),
        ),
        ("EXACT   event:0,rst (0.07 s)", "EXACT   event:0,rst (<seconds> s)", (CASE_TIMES,)),
        ("PASSED  recovered event:0,rst (0.07 s)", "PASSED  recovered event:0,rst (<seconds> s)", (CASE_TIMES,)),
        ("WRONG   event:0,rst (0.07 s): lost", "WRONG   event:0,rst (<seconds> s): lost", (CASE_TIMES,)),
        ('"expected": "v1_ChdwZE5uX2k4MmVL", "x"', '"expected": "<id>", "x"', (MADE_IDS,)),
        ('200 {"id":"v1_ChdkQWpFaVpZ…', '200 {"id":"<id>', (MADE_IDS,)),
        ('"first_byte": 0.1,\n "requests": 17', '"first_byte": "<seconds>",\n "requests": "<n>"', (POLLS,)),
        ("PATCH /__harness__/sessions/s5/v1beta/x", "PATCH /__harness__/sessions/<session>/v1beta/x", (SESSIONS,)),
        ('"about": "2 requests, 10 ms"', '"about": "2 requests, <time>"', STORIES),
        ('{"at": 9,\n "hot": true}', '{"hot": true}', STORIES),
        ('[{\n "kind": "pause",\n "lane": "front",\n "text": "155 ms"\n},\n {}]', "[{}]", STORIES),
        ('<span class="at">14</span>', '<span class="at"><ms></span>', STORIES),
        ("a\n[33/101] a short run, about 30 s left (17 s so far)\nb", "a\nb", SERVED),
        ('<time datetime="x">25 Nov 2026</time>, 28.8 s', "<moment>, <seconds> s", SERVED),
        ('["date", "Wed, 25 Nov 2026 00:29:36 GMT"]', '["date", "<date>"]', SERVED),
        ("    - Mon, 23 Nov 2026 21:02:26 GMT", "    - <date>", CASSETTE),
        ("      pieces: 193@4.593 20@0", "      pieces: 193@<ms> 20@<ms>", CASSETTE),
        ("how: complete\n      after_us: 6\n", "how: complete\n", CASSETTE),
    ]
)
def test_what_is_masked(before: str, after: str, masks: tuple[Mask, ...]) -> None:
    """Ports, durations, folders, and by item times of day, are replaced by words."""
    assert mask_all(before, {"/tmp/golden-1/work": "<work>"}, masks) == after


@pytest.mark.parametrize(
    "text",
    [
        '"exit": 0, "total": 257',
        "http://127.0.0.1:1 refused",
        "http://example.test:8000",
        "--timeout 0.5 s",
        '"at": 3,',
        "wait up to 5 s",
        '"id": "v1_0b13271eac4d993c"',
        "2024-01-02T03:04:05Z",
        'time="soon"',
        "(12 s)",
        "/sessions/mine/v1beta/x",
        "within 10 ms",
        'stream of 6 events, the last {"index":0}, ended: the server reset the connection within the body',
    ],
)
def test_what_is_not_masked(text: str) -> None:
    """Numbers, ids, other times, and addresses that no test server has, stay as they are."""
    assert mask_all(text, {}, (SERVER_TIMES, TODAY, CASE_TIMES, HUNG_UP, SESSIONS, *STORIES, *CASSETTE)) == text


@pytest.mark.slow
def test_a_command_is_recorded(tmp_path: Path) -> None:
    """Exit code, output, errors and files of a command are in the recording, and a second one is equal to it."""
    words = ("check", "emulator", "-c", "get", "--json", "--report", "badge=b.json")
    item = Item("x", (Step(words, ("b.json", "none.json")), Step(("list", "no.such"))))
    sections = record_item(item)
    texts = {f"{number}:{title}": text for number, (title, text) in enumerate(sections)}
    assert (texts["1:exit"], texts["7:exit"]) == ("0", "2")
    assert json.loads(texts["3:stdout"])["seconds"] == "<seconds>"
    assert list(json.loads(texts["3:stdout"])) == sorted(json.loads(texts["3:stdout"]))
    assert json.loads(texts["4:file b.json"])["schemaVersion"] == 1
    assert texts["5:file none.json"] == "(not written)"
    assert "no.such" in texts["8:stderr"]
    assert record_item(item) == sections


def test_an_item_without_its_folder_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a corpus, what needs it is named as skipped and an older recording of it goes."""
    monkeypatch.setenv("HARNESS_CORPUS", str(tmp_path / "nowhere"))
    (tmp_path / "verify.txt").write_text("old")
    said: list[str] = []
    item = Item("verify", steps("verify corpus"), folders=("corpus",))
    assert record_all([item], tmp_path, 1, said.append) == ["verify"]
    assert "HARNESS_CORPUS" in said[0]
    assert not (tmp_path / "verify.txt").exists()


def test_the_broken_rules_of_a_search() -> None:
    """Of a search only the broken rules are kept, with verdicts, without examples."""
    failures = [{"outcome": "failed", "rule": name, "known": name == "b"} for name in ("b", "a", "a")]
    record = {"exit": 1, "engines": [{"vacuous": ["no create"]}], "failures": failures}
    kept = {"exit": 1, "vacuous": ["no create"], "failures": ["failed a", "failed b (known)"]}
    assert broken_rules(json.dumps(record)) == kept


def test_the_verdicts_of_a_gateway() -> None:
    """Of a gateway whose defect is a race, verdicts and messages are kept, without numbers and evidence."""
    findings = [{"message": f"{count} events came late", "actual": count} for count in (3, 5)]
    record = {"exit": 1, "rules": [{"id": "gw.live", "outcome": "failed", "findings": findings, "passages": [1]}]}
    assert verdicts(json.dumps(record)) == {"exit": 1, "rules": {"gw.live": ["failed", "<n> events came late"]}}


def test_items_have_names_of_their_own() -> None:
    """No two items write the same file, and every command has one."""
    items = catalogue(["some.mutant"])
    names = [item.name for item in items]
    assert len(set(names)) == len(names)
    assert set(COMMANDS) <= {word for item in items for step in item.steps for word in step.words}


def test_the_outcomes_of_several_workers() -> None:
    """Of a run of several workers the exit code, the totals and the outcomes are kept, in no order."""
    checks = [{"id": name, "outcome": "passed", "seconds": 0.1} for name in ("b", "a")]
    record = {"exit": 0, "accounting": {"totals": {"passed": 2}, "line": ""}, "checks": checks, "timings": []}
    kept = {"exit": 0, "totals": {"passed": 2}, "checks": {"a": "passed", "b": "passed"}}
    assert outcomes(json.dumps(record)) == kept


def test_all_but_the_times_of_several_workers() -> None:
    """Of a run of several workers all is kept but what they took."""
    record = {"exit": 0, "checks": [{"id": "a", "findings": []}], "timings": [{"exercise": "x", "requests": 3}]}
    assert untimed(json.dumps(record)) == {"exit": 0, "checks": [{"id": "a", "findings": []}]}
