"""The commands that a run prints if its `help:` line is followed show the same defect of the same server again."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from tests.foreign.answering import Json
from tests.foreign.server import ForeignService, Run, serving
from tests.foreign.test_forgetting import OneHop, Resurrects

pytestmark = pytest.mark.slow


class DeletesChildren(ForeignService):
    """The deletion of an interaction deletes what continues it, too."""

    def delete(self, run: Run) -> Json:
        children = [one for one in list(self.runs.values()) if one.body.get("previous_interaction_id") == run.id]
        for child in children:
            del self.runs[child.id]
        return super().delete(run)


class WritesBack(Resurrects):
    """A run that was deleted in progress is stored again when it ends, later than a process of curl begins."""

    lasts = 1.5


class RepeatsLive(ForeignService):
    """The first resume of a background run returns the event after the cursor twice.

    It does so however long the client takes until then: the commands of a script take longer on a busy machine.
    """

    lasts = 3.0

    def get(self, run: Run, query: Json) -> Any:
        events = super().get(run, query)
        if "last_event_id" not in query or not run.body.get("background") or run.id in self.noted:
            return events
        self.noted[run.id] = True
        return [events[0], *events]


class CancelsInWords(ForeignService):
    """A cancel says that the run is canceled, and the run goes on to its end."""

    lasts = 3.0

    def cancel(self, run: Run) -> Json:
        return {**self.show(run), "status": "cancelled"}


def count_ids(output: str) -> list[int]:
    """How often each event came in the last response, as a sorted set."""
    names = re.findall(r'"event_id": "([^"]+)"', output.rpartition("HTTP/1")[2])
    return sorted({names.count(name) for name in names})


def read_all(output: str) -> list[str]:
    """The status of each response."""
    return re.findall(r"HTTP/1\.[01] (\d+)", output)


def read_last(output: str) -> tuple[str, list[str]]:
    """The last status, and the input tokens of all responses."""
    return read_all(output)[-1], re.findall(r'"total_input_tokens": (\d+)', output)


def read_statuses(output: str) -> list[str]:
    """The status of the run in each response."""
    return re.findall(r'"status": "(\w+)"', output)


ROWS: list[tuple[type[ForeignService], tuple[str, ...], Callable[[str], bool]]] = [
    (OneHop, ("chain.whole-history",), lambda out: read_last(out) == ("200", ["7", "21", "21"])),
    (
        DeletesChildren,
        ("get.ok", "chain.*", "del.*"),
        lambda out: read_all(out)[:2] == ["200", "200"] and read_last(out)[0] == "404",
    ),
    (WritesBack, ("del.stays-gone",), lambda out: read_last(out)[0] == "200" and '"completed"' in out),
    (RepeatsLive, ("resume.live",), lambda out: count_ids(out) == [1, 2]),
    (
        CancelsInWords,
        ("cancel.state",),
        lambda out: read_statuses(out) == ["in_progress", "cancelled", "completed"],
    ),
]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs a POSIX shell and curl")
@pytest.mark.parametrize(("kind", "globs", "shows"), ROWS, ids=[row[0].__name__ for row in ROWS])
def test_the_printed_commands_show_the_defect_again(
    kind: type[ForeignService],
    globs: tuple[str, ...],
    shows: Callable[[str], bool],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """The script creates what it refers to, leaves a stream where the run did, and waits as the run did."""
    with serving(kind()) as url:
        words = ["check", url, *(word for glob in globs for word in ("-c", glob))]
        assert main(words) == 1
        [step] = re.findall(r"^help: print all of it: `(.+)`$", capsys.readouterr().out, re.M)
        code = main([*words, "-v"] if step == "-v" else shlex.split(step)[1:])
        report = capsys.readouterr().out
        assert code == 1, report
        script = (
            report.partition("\nFAILED ")[2]
            .partition("  reproduce:\n")[2]
            .partition("\n  source:")[0]
            .replace("\n  ", "\n")
        )
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert shows(done.stdout), f"{report}\n{done.stdout}\n{done.stderr}"
