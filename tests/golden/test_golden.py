"""The recorder of outputs: it masks what is volatile and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.golden.catalogue import COMMANDS, catalogue
from lab.golden.items import Item, Step, steps
from lab.golden.record import record_all, record_item


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


def test_items_have_names_of_their_own() -> None:
    """No two items write the same file, and every command has one."""
    items = catalogue(["some.mutant"])
    names = [item.name for item in items]
    assert len(set(names)) == len(names)
    assert set(COMMANDS) <= {word for item in items for step in item.steps for word in step.words}
