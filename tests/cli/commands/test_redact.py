"""The words of a project, `[tool.harness.recordings]`: one declaration for all commands that read recordings."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from harness.benches.record.recorder import Recorder
from harness.cassette import load, save
from harness.cassette.own_words import with_own_words
from harness.cli.common_options import own_api
from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.outcome import UsageFault
from harness.transport import ServerThread
from tests.cassette.samples import answered, post
from tests.cli.conftest import Harness

WORDS = """\
[tool.harness.recordings]
hide = ["account_number", "X-Tenant"]
hide-pattern = ["acct-[0-9]{6}"]
ignore = ["trace"]
"""
PLAIN = """\
interactions:
- request:
    body: '{"input":"acct-123456","account_number":"77"}'
    headers:
      x-goog-api-key: [key-of-this-file-1]
    method: POST
    uri: https://a.test/v1beta/interactions?next=https:%2f%2fb.test/x%3Fa=1
  response:
    body: {string: '{"echo":"key-of-this-file-1","next":"https%3A%2F%2Fb.test%2Fx"}'}
    headers: {content-type: [application/json]}
    status: {code: 200, message: OK}
    mine: kept
- request: {body: null, headers: {}, method: GET, uri: https://a.test/v1beta/interactions/x}
  response: {body: {string: '{}'}, headers: {}, status: {code: 200, message: OK}}
version: 1
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with these words and one plain vcrpy cassette, as the current one."""
    (tmp_path / "pyproject.toml").write_text(WORDS, encoding="utf-8")
    (tmp_path / "a.yaml").write_text(PLAIN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_cassette_is_mended_in_place(project: Path, harness: Harness) -> None:
    """Exactly the secrets change; the earlier file is kept beside it, and a second run finds nothing."""
    assert harness("verify", "--secrets", "a.yaml").code == 1
    done = harness("redact", "a.yaml")
    assert (done.code, done.out.splitlines()[-1]) == (0, "replaced 4 secrets in 1 file")
    assert "a.yaml: replaced your pattern at interactions[0], request body, byte 10" in done.out
    assert (project / "a.before-1.yaml").read_text("utf-8") == PLAIN
    before, after = (yaml.safe_load(text) for text in (PLAIN, (project / "a.yaml").read_text("utf-8")))
    first = before["interactions"][0]
    first["request"]["headers"]["x-goog-api-key"] = ["REDACTED-1"]
    first["request"]["body"] = '{"input":"REDACTED-3","account_number":"REDACTED-2"}'
    first["response"]["body"]["string"] = '{"echo":"REDACTED-1","next":"https%3A%2F%2Fb.test%2Fx"}'
    found = after["interactions"][0]
    numbers = [found["request"]["headers"]["x-goog-api-key"][0], *json.loads(found["request"]["body"]).values()]
    assert sorted(numbers) == ["REDACTED-1", "REDACTED-2", "REDACTED-3"]
    for one in (first, found):
        one["request"].pop("body"), one["request"].pop("headers")
    assert found == first
    assert after["interactions"][1] == before["interactions"][1]
    assert harness("verify", "--secrets", "a.yaml").code == 0
    assert harness("redact", "a.yaml").out == "replaced 0 secrets in 1 file\n"
    assert not (project / "a.before-2.yaml").exists()


def test_a_cassette_in_json_stays_json(project: Path, harness: Harness) -> None:
    """The file of vcrpy's JSON serializer, with pairs of surrogates, is searched, mended and replayed."""
    whole = yaml.safe_load(PLAIN)
    whole["interactions"][1]["response"]["body"]["string"] = '{"text":"🦊"}'
    (project / "a.json").write_text(json.dumps(whole, indent=4), "utf-8")
    found = harness("verify", "--secrets", "a.json").out
    assert found == harness("verify", "--secrets", "a.yaml").out.replace("a.yaml", "a.json")
    assert harness("redact", "a.json").out.splitlines()[-1] == "replaced 4 secrets in 1 file"
    mended = json.loads((project / "a.json").read_text("utf-8"))
    assert mended["interactions"][1] == whole["interactions"][1]
    assert "key-of-this-file-1" not in json.dumps(mended)
    assert harness("verify", "--secrets", "a.json").code == 0
    send = "import os, httpx; base = os.environ['INTERACTIONS_BASE_URL']; "
    send += "assert '🦊' in httpx.get(base + '/v1beta/interactions/x').text"
    assert harness("replay", "a.json", "--", sys.executable, "-c", send).code == 0


def test_one_line_for_the_same_header_in_each_entry(project: Path, harness: Harness) -> None:
    """Places that differ in the number of their entry share a line, of each file one; --json lists each place."""
    key = "headers: {x-goog-api-key: [key-of-this-file-1]}"
    for name in ("a2.yaml", "a3.yaml"):
        (project / name).write_text(PLAIN.replace("body: null, headers: {}", f"body: null, {key}"), "utf-8")
    more = " at interactions[0], request header x-goog-api-key (and 1 more like it; --json lists them)"
    found = harness("verify", "--secrets", "a2.yaml", "a3.yaml").out.splitlines()
    assert [line for line in found if "api-key" in line] == [
        f"{name}: secret header{more}" for name in ("a2.yaml", "a3.yaml")
    ]
    assert f"a2.yaml: replaced secret header{more}" in harness("redact", "a2.yaml").out.splitlines()
    (file,) = json.loads(harness("redact", "a3.yaml", "--json").out)["files"]
    assert sum("api-key" in one["place"] for one in file["replaced"]) == 2


def test_a_file_that_cannot_be_read_stays(project: Path, harness: Harness) -> None:
    """It is named, the other one is mended, and the exit code is 1."""
    (project / "b.yaml").write_text("interactions: []\n", encoding="utf-8")
    done = harness("redact", "b.yaml", "a.yaml")
    assert (done.code, "not redacted: b.yaml" in done.err) == (1, True)
    assert (project / "b.yaml").read_text("utf-8") == "interactions: []\n"
    assert (project / "a.before-1.yaml").exists()


def test_options_add_to_the_words_of_the_file(project: Path, harness: Harness) -> None:
    """`--hide` and `--hide-pattern` are for one run."""
    (project / "pyproject.toml").unlink()
    harness("redact", "a.yaml", "--hide", "account_number", "--hide-pattern", "acct-[0-9]{6}")
    assert "acct-123456" not in (project / "a.yaml").read_text("utf-8")
    assert '"77"' not in (project / "a.yaml").read_text("utf-8")


@pytest.mark.slow
def test_diff_and_replay_leave_out_what_means_nothing(project: Path, harness: Harness) -> None:
    """A member that is ignored is neither drift nor the reason of a miss; another one is."""
    for name, trace, other in (("b", "1", 1), ("c", "2", 1), ("d", "1", "1"), ("e", 222, 1)):
        kept = answered(post({"m": 1, "trace": trace}), {"trace": trace, "other": other})
        save(project / f"{name}.yaml", [kept])
    for newer in ("c.yaml", "e.yaml"):
        said = harness("diff", "b.yaml", newer).out
        assert said.startswith("compared 1 exchange; differences: 0 in structure, 0 in content")
    assert harness("diff", "b.yaml", "d.yaml").code == 1
    send = "import os, httpx as h;h.post(os.getenv('INTERACTIONS_BASE_URL') + '/v1beta/interactions', json={body})"
    for body, code in (({"m": 1, "trace": "9"}, 0), ({"m": 2, "trace": "1"}, 1)):
        command = send.replace("{body}", str(body))
        assert harness("replay", "b.yaml", "--", sys.executable, "-c", command).code == code


@pytest.mark.parametrize("words", [("b.yaml",), ("b.yaml", "--json"), ("--textconv",)])
def test_diff_prints_no_key_that_a_file_names(words: tuple[str, ...], project: Path, harness: Harness) -> None:
    """The header of a request marks a value that looks like no key; bodies repeat it."""
    (project / "b.yaml").write_text(PLAIN.replace('{"echo":"', '{"echo":"not '), encoding="utf-8")
    out = harness("diff", "a.yaml", *words).out
    assert "echo" in out
    assert "key-of-this" not in out


def test_a_recorder_hides_the_words_of_the_project(project: Path) -> None:
    """A header, a member and a text of the project's own are in no file."""
    with ServerThread(Emulator()) as server, Recorder(server.url, project / "new.yaml", own_api()) as recorder:
        httpx.post(
            f"{recorder.url}/v1beta/interactions",
            json={"model": "gemini-3.8-flash", "input": "My account is acct-654321."},
            headers={"x-tenant": "the-tenant-of-mine", "x-goog-api-key": "k" * 20},
        )
    (kept,) = load(project / "new.yaml").recordings
    text = (project / "new.yaml").read_text("utf-8")
    assert kept.status == 200
    assert "acct-654321" not in text
    assert "the-tenant-of-mine" not in text


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('hid = ["a"]', "has no key 'hid': did you mean 'hide'?"),
        ('hide = "a"', "hide = 'a' is not a list of texts"),
        ('hide-pattern = ["("]', "'(' is not a regular expression"),
        ('hide-pattern = ["a*"]', "'a*' matches the empty text"),
    ],
)
def test_a_wrong_word_is_a_usage_fault(table: str, told: str, tmp_path: Path) -> None:
    """The message names the file and the key."""
    (tmp_path / "pyproject.toml").write_text(f"[tool.harness.recordings]\n{table}\n", encoding="utf-8")
    with pytest.raises(UsageFault) as caught:
        with_own_words(PROTOCOL, tmp_path)
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}{os.sep}pyproject.toml: [tool.harness.recordings]")
