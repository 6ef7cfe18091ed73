"""`harness diff --textconv`: what git shows of a cassette that was recorded again."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from harness.cassette import load, save
from harness.wire import Headers
from tests.cassette.samples import DROPPED, answered, frames, post, streamed
from tests.cli.conftest import Harness

PAGE = Path(__file__).parents[3] / "docs" / "cassettes.md"
ASK = post({"model": "m", "input": "東京?"}, x_goog_api_key="AIzaSyD-0123456789abcdefghijklmnopqrstu")


def record(path: Path, resource: str, *texts: str) -> Path:
    """A cassette of one stream that broke off, and of one answer."""
    parts = frames(resource, texts=texts)[:-2]
    asked = answered(ASK, {"id": resource, "created": f"2026-01-01T00:00:0{len(texts)}Z", "status": "completed"})
    save(path, [streamed(ASK, parts, DROPPED.ending), asked])
    return path


def test_an_event_is_a_line(tmp_path: Path, harness: Harness) -> None:
    """Bodies are indented, an event is a line, characters are real, and the key is hidden."""
    path = record(tmp_path / "a.yaml", "v1_a", "東", "京")
    out = harness("diff", "--textconv", str(path)).out
    lines = out.splitlines()
    assert lines[0] == "1. POST /v1beta/interactions"
    assert '       "input": "東京?"' in lines
    (line,) = (line for line in lines if '"京"' in line)
    assert line.startswith('     event: step.delta  data: {"index": 0, "delta": {"text": "京", "type": "text"}, ')
    assert f"   ends: {DROPPED.ending.words}" in out
    assert "AIzaSyD" not in out


def test_stable_values_hide_what_every_recording_changes(tmp_path: Path, harness: Harness) -> None:
    """Ids and times have names; what the model said is still compared."""
    first = harness("diff", "--textconv", str(record(tmp_path / "a.yaml", "v1_a", "x"))).out
    second = harness("diff", "--textconv", str(record(tmp_path / "b.yaml", "v1_b", "x"))).out
    other = harness("diff", "--textconv", str(record(tmp_path / "c.yaml", "v1_a", "y"))).out
    assert first == second != other
    assert '"created": "<time>"' in first


def test_a_file_that_is_no_cassette_is_shown_as_it_is(tmp_path: Path, harness: Harness) -> None:
    """git asks for any version of a file, also for one that was broken."""
    (tmp_path / "a.yaml").write_text("version: 1\nbroken: [\n", encoding="utf-8")
    done = harness("diff", "--textconv", str(tmp_path / "a.yaml"))
    assert (done.code, done.out) == (0, "version: 1\nbroken: [\n")
    assert "no cassette" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a.yaml"], "name the newer recording, too"),
        (["a.yaml", "b.yaml", "c.yaml"], "one recording too many: 'c.yaml'"),
        (["--textconv", "a.yaml", "b.yaml"], "--textconv prints one cassette"),
        (["a.yaml", "b.yaml", "--report", "html=c.html"], "--report applies to reports of runs"),
        (["--textconv", "missing.yaml"], "missing.yaml does not exist"),
    ],
)
def test_wrong_use_is_explained(words: list[str], told: str, harness: Harness) -> None:
    """Options that contradict each other are a usage error."""
    done = harness("diff", *words)
    assert (done.code, told in done.err) == (2, True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_shows_what_changed(tmp_path: Path) -> None:
    """The lines of docs/cassettes.md make `git diff` show one changed event as one changed line.

    vcrpy, which recorded the older file, sorts headers.
    """

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    git("init", "-q")
    program = shlex.join([sys.executable, "-m", "harness", "diff", "--textconv"])
    git("config", "diff.cassette.textconv", program)
    [attributes] = re.findall("^echo '(.*)' >> .gitattributes$", PAGE.read_text("utf-8"), re.MULTILINE)
    (tmp_path / ".gitattributes").write_text(attributes, encoding="utf-8")
    path = tmp_path / "tests" / "cassettes" / "test_chat" / "test_it.yaml"
    path.parent.mkdir(parents=True)
    for resource, text, is_sorted in (("v1_a", "two", True), ("v1_b", "2", False)):
        old = load(record(path, resource, "one", text)).recordings
        fields = [sorted([*one.headers, ("server", "a")], reverse=not is_sorted) for one in old]
        save(path, [replace(one, headers=Headers(given)) for one, given in zip(old, fields, strict=True)])
        if is_sorted:
            git("add", ".")
            git("commit", "-qm", "Record")
    changed = [line for line in git("diff").splitlines() if line.startswith(("-  ", "+  "))]
    assert [('"two"' in line, '"2"' in line) for line in changed] == [(True, False), (False, True)]


def test_a_cassette_of_the_json_serializer(tmp_path: Path, harness: Harness) -> None:
    """It may be either side, as each other command reads it; any other JSON file is taken for a report."""
    sides = [record(tmp_path / "a.yaml", "v1_a", "x"), tmp_path / "b.json"]
    document = yaml.safe_load(sides[0].read_bytes())
    sides[1].write_text(json.dumps(document, default=bytes.decode), encoding="utf-8")
    for first, second in (sides, sides[::-1]):
        done = harness("diff", str(first), str(second))
        assert (done.code, done.out.splitlines()[-1]) == (0, "PASSED: 2 exchanges have the same structure.")
    (tmp_path / "c.json").write_text('{"version": 1}', encoding="utf-8")
    assert "is not a report of a run" in harness("diff", str(tmp_path / "c.json"), str(sides[1])).err


def test_the_last_line_is_a_verdict(tmp_path: Path, harness: Harness) -> None:
    """As every command that judges, `diff` ends with a word for its exit code and a sentence."""
    (tmp_path / "none").mkdir()
    first = str(record(tmp_path / "a.yaml", "v1_a", "x"))
    done = harness("diff", first, str(record(tmp_path / "b.yaml", "v1_b", "x")))
    assert (done.code, done.out.splitlines()[-1]) == (0, "PASSED: 2 exchanges have the same structure.")
    text = Path(first).read_text("utf-8").replace("completed", "failed")
    (tmp_path / "c.yaml").write_text(text, "utf-8")
    done = harness("diff", first, str(tmp_path / "c.yaml"))
    assert done.code == 1
    assert done.out.splitlines()[-1].startswith("FAILED: 1 part of the structure differs (2 exchanges compared).")
    (tmp_path / "empty.yaml").write_text("", "utf-8")
    for sides in (("none", "none"), ("a.yaml", "empty.yaml"), ("empty.yaml", "a.yaml")):
        done = harness("diff", *(str(tmp_path / side) for side in sides))
        empty = str(tmp_path / next(side for side in sides if side != "a.yaml"))
        said = f"NOTHING RAN: {empty!r} contains no recording: "
        said += "name a cassette of `harness record`, or a folder of them."
        assert (done.code, done.out.splitlines()[-1]) == (3, said)


BROKEN, FOREIGN = b"\x1f\x8b\x08broken", b"\x8b\x03\x80not ours"


@pytest.mark.parametrize(
    ("coding", "body"), [("gzip", BROKEN), ("deflate", FOREIGN), ("br", FOREIGN), ("zstd", FOREIGN)]
)
def test_a_body_that_cannot_be_read_is_not_called_the_same(
    coding: str, body: bytes, tmp_path: Path, harness: Harness
) -> None:
    """Two bodies that nobody can look into are no proof: the command names them, and does not end green."""
    sides = [str(save_coded(tmp_path / f"{name}.yaml", coding, body + name.encode())) for name in "ab"]
    for pair in (sides, sides[:1] * 2, [sides[0], str(record(tmp_path / "c.yaml", "v1_a", "x"))]):
        done = harness("diff", *pair)
        if pair[-1].endswith("c.yaml"):
            assert done.code == 1  # an exchange is missing there, too
        else:
            assert done.code == 4
            assert done.out.splitlines()[-1].startswith(
                "INCOMPLETE: no difference was found in 1 exchange. 1 body could"
            )
        assert "not read " in done.out
        assert json.loads(harness("diff", *pair, "--json").out)["unread"][0]["exchanges"]


def test_a_name_with_two_values_is_a_difference(tmp_path: Path, harness: Harness) -> None:
    """One reader takes the first value and another one the last, so the two bodies are not the same."""
    bodies = [b'{"status": "completed"}', b'{"status": 5, "status": "completed"}', b'{"status": 5, "status": 5}']
    once, twice, same = (
        str(save_coded(tmp_path / f"{n}.yaml", "identity", body)) for n, body in enumerate(bodies)
    )
    assert harness("diff", once, twice).code == 1
    assert harness("diff", twice, twice).code == harness("diff", same, same).code == 0


def save_coded(path: Path, coding: str, body: bytes) -> Path:
    """A cassette of vcrpy, which keeps the body as it was sent."""
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"content-type": ["application/json"], "content-encoding": [coding]},
        "body": {"string": body},
    }
    request = {
        "method": "POST",
        "uri": "https://service.example/v1beta/interactions",
        "body": ASK.body.decode("utf-8"),
        "headers": {"content-type": ["application/json"]},
    }
    path.write_text(
        yaml.safe_dump({"version": 1, "interactions": [{"request": request, "response": response}]}), "utf-8"
    )
    return path


@pytest.mark.parametrize("words", [["diff", "a.yaml", "b.yaml"], ["verify", "b.yaml"]])
def test_a_key_that_the_file_marks_is_in_no_output(tmp_path: Path, harness: Harness, words: list[str]) -> None:
    """A word that only the header marks as a key is hidden in the bodies that quote it, in every format."""
    ask = post({"model": "m", "input": "hi"}, x_goog_api_key="word-of-mine")
    for name, status in (("a", "word-of-mine"), ("b", {"is": "word-of-mine"})):
        save(tmp_path / f"{name}.yaml", [answered(ask, {"id": "v1_a", "status": status, "object": "interaction"})])
    named = [str(tmp_path / word) if word.endswith(".yaml") else word for word in words]
    shown = [harness(*named).out, harness(*named, "--json").out]
    if words[0] == "verify":
        page = tmp_path / "page.html"
        harness(*named, "--report", f"html={page}")
        shown.append(page.read_text("utf-8"))
    assert all("***" in text and "word-of-mine" not in text for text in shown)
