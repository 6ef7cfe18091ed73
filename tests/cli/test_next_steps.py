"""Mistakes of users: each error names what came, why it is wrong, and the next step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.emulator.mutants import MUTANTS
from harness.outcome import Exit
from harness.transport import ServerThread
from tests.cli.conftest import Harness

DEAD = "http://127.0.0.1:9"
RECORD = "with `harness record`"
SPELLING = "check the path and its spelling"

MISTAKES: list[tuple[tuple[str, ...], Exit, str]] = [
    (("verify", "missing.yaml"), Exit.USAGE, f"check the spelling, or record it {RECORD}"),
    (("verify", "plain.txt"), Exit.NOTHING_RAN, f"or record some {RECORD}."),
    (("verify", "empty"), Exit.NOTHING_RAN, f"or record some {RECORD}."),
    (("verify", "half.json"), Exit.USAGE, "restore it, or record it again."),
    (("diff", "missing.yaml", "plain.txt"), Exit.USAGE, f"check the spelling, or record it {RECORD}"),
    (("diff", "plain.txt", "plain.txt"), Exit.USAGE, f"record one {RECORD}"),
    (("diff", "empty", "empty"), Exit.NOTHING_RAN, "name a cassette of `harness record`, or a folder of them."),
    (("replay", "missing.yaml"), Exit.USAGE, f"record one there {RECORD}"),
    (("replay", "other.json"), Exit.USAGE, f"record one {RECORD}"),
    (("verify", "other.json", "--open"), Exit.USAGE, f"record one {RECORD}"),
    (("diff", "missing.json"), Exit.USAGE, SPELLING),
    (("diff", "other.json", "other.json"), Exit.USAGE, "Write one with --report json=FILE"),
    (("diff", "run.json", "verified.json"), Exit.USAGE, "is a report of `harness verify`: name one of"),
    (("diff", "run.json"), Exit.USAGE, "write `harness diff OLDER.json NEWER.json`"),
    (("serve", "--scenario", "missing.yaml"), Exit.USAGE, SPELLING),
    (("serve", "--tls-cert", "missing.pem"), Exit.USAGE, SPELLING),
    (("serve", "--tls-cert", "plain.txt"), Exit.USAGE, "name a PEM file with both, or the key with --tls-key"),
    (("serve", "--key", ""), Exit.USAGE, "is a variable unset?"),
    (("serve", "--", "no-such-command"), Exit.USAGE, "check the spelling, or name the path of the program"),
    (("torture", "--", "./plain.txt"), Exit.USAGE, "make the file executable, or name the program"),
    (("torture", "--mode", "folow", "--", "true"), Exit.USAGE, "is not a mode: did you mean 'follow'?"),
    (("gateway", DEAD, "--upstream-port", "0"), Exit.INCOMPLETE, "start it, check the URL, or wait for it"),
    (("check", "emulator", "--capability", "+foo"), Exit.USAGE, "known are v1, auth, "),
    (("check", "emulator", "--extension", "plain.txt"), Exit.USAGE, "name a file that ends in .py, or a module"),
    (("check", "emulator", "--extension", "nowhere"), Exit.USAGE, "install it, or name a file that ends in .py"),
    (("check", "emulator", "--baseline", "closed.yaml"), Exit.USAGE, "allow this user to read it"),
    (("fuzz", "emulator", "--exclude", "zzz"), Exit.USAGE, "copy a code from the findings of a run"),
    (("list", "--json=foo"), Exit.USAGE, "--json takes no value: write it without 'foo'"),
    (("replay", "--mode", "strct", "cut.yaml"), Exit.USAGE, "did you mean 'strict'?"),
    (("check", DEAD, "--wait", "0.1"), Exit.INCOMPLETE, "that the server runs, or wait longer with --wait S"),
    (("check", "https://a.test"), Exit.INCOMPLETE, "refused (the proxy 127.0.0.1:9): check HTTPS_PROXY, or wait"),
    (("gateway",), Exit.USAGE, "name its URL, such as http://127.0.0.1:4000"),
    (("gateway", DEAD, "--upstream-port", "0", "--wait", "0.2", "--", "sleep", "9"), Exit.INCOMPLETE,
     "no response within 0.2 s"),
    (("gateway", DEAD, "--upstream-port", "0", "--", "false"), Exit.INCOMPLETE, "run the command alone"),
    (("explain", "resume-skips-one"), Exit.USAGE, "`harness mutants --list resume-skips-one` describes it"),
    (("incidents", "resume-skips-one"), Exit.USAGE, "`harness mutants --list resume-skips-one` describes it"),
    (("explain", "resume-refused-as-too-old"), Exit.USAGE, "`harness incidents resume-refused-as-too-old`"),
    (("fuzz", "emulator", "--database", "x://y"), Exit.USAGE, "write DIR or redis://…"),
    (("torture", "--client", "nosuch"), Exit.USAGE, "known are google-genai, "),
    (("torture", "--client", "curl", "--", "true"), Exit.USAGE, "use one of them"),
    (("serve", "--scenario", "other.json"), Exit.USAGE, "Its keys are replies, settings, description."),
    (("replay", "stream.sse"), Exit.USAGE, "not a cassette, which is a YAML file: name one, or record one"),
    (("replay", "cut.yaml"), Exit.USAGE, "has no `response` mapping: restore it, or record it again"),
    (("replay", "--mode", "STRICT", "cut.yaml"), Exit.USAGE, "did you mean 'strict'?"),
    (("explain", "RESUME.NO-GAP"), Exit.USAGE, "did you mean 'resume.no-gap'?"),
    (("verify", "stream.sse"), Exit.FAILED, "help: `harness explain stream."),
    (("list", "--capabilities", "--revision", "2026-05-20"), Exit.USAGE, "no effect with --capabilities: remove"),
    (("list", "--extension", "ends.py"), Exit.USAGE, "cannot be loaded: SystemExit: 3"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "code", "step"), MISTAKES)
def test_an_error_ends_with_the_next_step(
    harness: Harness,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: Exit,
    step: str,
) -> None:
    """A mistake has its exit code, and its message the next step."""
    (tmp_path / "plain.txt").write_text("hello, this is text\n", "utf-8")
    (tmp_path / "empty").touch()
    (tmp_path / "ends.py").write_text("raise SystemExit(3)\n", "utf-8")
    (tmp_path / "half.json").write_text("[1,", "utf-8")
    (tmp_path / "stream.sse").write_text("event: x\ndata: {}\n\nevent: y\ndata: {}\n\n", "utf-8")
    (tmp_path / "cut.yaml").write_text("version: 1\ninteractions:\n- request: {method: GET}\n", "utf-8")
    (tmp_path / "other.json").write_text('{"a": 1}', "utf-8")
    monkeypatch.setenv("HTTPS_PROXY", DEAD)
    monkeypatch.setenv("HARNESS_EXTENSION", "")  # the option sets it for later calls of this process
    refuse_to_open(tmp_path / "closed.yaml", monkeypatch)
    if "run.json" in words:
        harness("check", "emulator", "-c", "get.unknown", "--report", "json=run.json")
        harness("verify", "stream.sse", "--report", "json=verified.json")
    done = harness(*words)
    assert (done.code, "Traceback" in done.err) == (code, False)
    assert step in done.err + done.out


def refuse_to_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file be one that this user may not read, also where the user may read everything."""
    real = os.open

    def opened(name: object, *arguments: int, **options: int) -> int:
        if name == path or str(name) == path.name:
            raise PermissionError(13, "Permission denied", str(name))
        return real(name, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "open", opened)


def test_a_missing_event_id_is_no_run_that_was_too_fast(harness: Harness) -> None:
    """A resume at a final event without an id needs another server, so no slower model is recommended."""
    service = MUTANTS["text-doubled"].build()
    with ServerThread(service, clock=service.clock) as server:
        done = harness("check", server.url, "-c", "resume.ends", "--api-key", "any", "-v")
    assert "(resume.ends): the final event has no `event_id`\n  help: test it on a server whose final" in done.out
    assert "1 feature not observed: resume.ends" in done.out
