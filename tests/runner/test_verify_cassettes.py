"""Facts of cassettes as files, and the gate that looks for secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.contract import PROTOCOL
from harness.resources import folder
from harness.runner.verify_cassettes import CassetteFacts, cassette_facts, secrets_in

SHIPPED = folder("cassettes") / "emulator"


def test_a_recorded_drop_is_a_fact_and_no_finding() -> None:
    """Endings that were no whole answer are counted by who and how."""
    path = SHIPPED / "dropped-twice.yaml"
    ends = (("fin by the server", 1), ("rst by the server", 1))
    assert cassette_facts([path]) == [CassetteFacts(str(path), 3, ends)]
    assert main(["verify", str(path)]) == 0


def test_an_edited_entry_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A body changed by hand makes its pieces a guess, which is said and does not fail."""
    path = tmp_path / "edited.yaml"
    text = (SHIPPED / "lifecycle.yaml").read_text("utf-8")
    path.write_text(text.replace("standard", "flexible", 1), "utf-8")
    assert cassette_facts([path])[0].edited == (1,)
    main(["verify", str(path)])
    assert "entry 1 was edited" in capsys.readouterr().out


def test_a_cassette_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    """A broken extension is told with its reason; files of other recorders are passed over."""
    text = (SHIPPED / "stream.yaml").read_text("utf-8")
    (tmp_path / "broken.yaml").write_text(text.replace("framing: chunked", "framing: odd"), "utf-8")
    (tmp_path / "plain.yaml").write_text("version: 1\ninteractions: []\n", "utf-8")
    (facts,) = cassette_facts([tmp_path])
    assert "'odd'" in facts.problem


def test_the_gate_finds_a_key_and_does_not_print_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key in any file is a hit with its place and exit code 1; its text stays out of the output."""
    key = "AIzaSyD-canary0123456789abcdefghijklmno"
    (tmp_path / "a.json").write_text(f'{{"note": "{key}"}}', "utf-8")
    assert main(["verify", "--secrets", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "a.json" in out
    assert key not in out


def test_the_gate_has_no_hit_on_the_corpus(corpus: Path) -> None:
    """Recordings of the live service are clean by it, and so is our own library."""
    scanned, hits = secrets_in([corpus, SHIPPED], PROTOCOL)
    assert scanned > 50
    assert hits == []
