"""Texts and numbers of strangers in what a person copies, joins or compares: they stay texts and numbers."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.inspector.evidence import _write_docstring
from harness.interactions import INTERACTIONS
from harness.report.evidence.curl import curl
from harness.report.evidence.display import Display
from harness.wire import Headers, Request
from harness.wire.mask import Mask

TEXTS = (
    '/x"""; __import__("os").system("id") #', "/\\", '/"', "/'''", "/\n__import__('os')", "/$(id)", "/`id`",
    "/'; id; '", "/\u2028x", "/\x1b]0;x\x07", "/{__import__}", "/\\N{DOLLAR SIGN}", "/\udc80", "/%s", "/'\"'",
    "/!!", "/\\\n",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_copied_test_holds_the_text_as_a_literal(text: str) -> None:
    """A path that a client chose cannot end the docstring of a copied test: the module has nothing but it."""
    written = _write_docstring(f"The answer that was seen to GET {text}.")
    assert "\n" not in written
    source = f"def test():\n    {written}\n    ...\n"
    (function,) = ast.parse(source.encode("utf-8")).body
    assert isinstance(function, ast.FunctionDef)
    assert len(function.body) == 2
    assert ast.get_docstring(function, clean=False) == f"The answer that was seen to GET {text}."


@pytest.mark.parametrize("method", ["`id`", "$(id)", "GET;id", "|id", "'id'", "A&B", "GET"])
@pytest.mark.parametrize("text", ["/$(id)`id`'\"; id", "/x"])
def test_a_copied_command_holds_the_request_as_words(method: str, text: str) -> None:
    """Method, path, headers and body of a curl line are words of a shell that it does not expand."""
    request = Request(method, text, Headers([("x-a", "$(id) `id` ' \" \\")]), b'{"a": "$(id)\' `id`"}')
    line = curl(request, Display(INTERACTIONS, "http://127.0.0.1:8", Mask({})))
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}\n{line}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": ""})
    words = done.stdout.split("\0")
    assert words[words.index("-X") + 1 : words.index("-X") + 3] == [method, f"http://127.0.0.1:8{text}"]
    assert "x-a: $(id) `id` ' \" \\" in words
    assert '{"a": "$(id)\' `id`"}' in words
    assert done.stderr == ""


REPORT = ("check", "emulator", "-c", "get.unknown", "-c", "get.ok")


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "-Infinity", "1e999", "-1", "1e300", "9" * 400])
def test_a_report_of_odd_numbers_is_refused(odd: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A number that no run has makes no sum: `merge` and `compare` refuse the report and name the number."""
    names = [str(tmp_path / f"{number}.json") for number in (1, 2)]
    for number, name in enumerate(names, 1):
        assert main((*REPORT, "--shard", f"{number}/2", "--report", f"json={name}")) in (0, 3)
    assert main(["merge", *names]) == 0
    text = Path(names[0]).read_text("utf-8")
    assert isinstance(json.loads(text)["seconds"], float)
    changed = re.sub(r'\n  "seconds": [\d.e-]+', f'\n  "seconds": {odd}', text)
    assert changed != text
    Path(names[0]).write_text(changed, encoding="utf-8")
    capsys.readouterr()
    assert main(["merge", *names]) == 2
    assert re.search(r"holds seconds = \S+, which no run has|is no JSON", capsys.readouterr().err)
    assert main(["compare", *names]) == 2


def test_a_diff_hides_the_value_of_a_secret_member(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That a token has changed is told; neither the old one nor the new one is shown."""
    names = []
    for number in (1, 2):
        body = {
            "id": "x",
            "token": f"tok-hunter{number}",
            "api_key": f"hunter-{number}",
            "text": f"plain {number}",
        }
        response = {"status": {"code": 200, "message": "OK"}, "headers": {"content-type": ["application/json"]}}
        request = {
            "method": "GET",
            "uri": "https://example.com/v1beta/interactions/x",
            "body": None,
            "headers": {},
        }
        entry = {"request": request, "response": {**response, "body": {"string": json.dumps(body)}}}
        names.append(str(tmp_path / f"{number}.yaml"))
        Path(names[-1]).write_text(json.dumps({"version": 1, "interactions": [entry]}), encoding="utf-8")
    report = tmp_path / "diff.html"
    for more in ([], ["--json"], ["--report", f"html={report}"]):
        assert main(["diff", *names, *more]) == 0
    came = capsys.readouterr().out + report.read_text("utf-8")
    assert "body.token: *** → ***" in came
    assert "plain 2" in came
    assert "hunter" not in came
