"""Stores the failures that were found, to play them first in the next run.

Layer 4. There is one folder per target with one small JSON file per failure. A history contains no ids, so it can
be played on any target; requests are kept as templates without keys, and in messages and names keys are masked. A
file that cannot be read is skipped with a note.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.documents import read_file
from harness.engine.results import Replays
from harness.engine.search.failure import EngineRun, Failure
from harness.engine.search.search_target import SearchTarget, play
from harness.engine.search.shrink import Template, resend, templates
from harness.engine.targets import ResolvedTarget
from harness.engine.traffic.deadline import Timer, TimeUp
from harness.kit.api import Api
from harness.outcome import UsageFault
from harness.wire.mask import Mask
from harness.written_files import write_file

ENGINE = "stored"


class Store:
    """The failures of one target, in a folder below `root`."""

    def __init__(self, root: Path, resolved: ResolvedTarget) -> None:
        self._api = resolved.api
        self._mask = resolved.make_mask()
        target = resolved.info.name
        words = re.sub(r"[^a-z0-9]+", "-", self._mask.text(target).lower()).strip("-")[:60] or "target"
        self.folder = root / f"{words}-{hashlib.sha256(target.encode()).hexdigest()[:8]}"

    def keep(self, failure: Failure) -> Path | None:
        """Write one failure and return its file; None if it has nothing to play again."""
        record = to_record(failure, self._api, self._mask)
        if not record["history"] and not record["requests"]:
            return None
        path = (
            self.folder
            / f"{re.sub(r'[^a-z0-9.-]+', '_', record['key'].lower().replace('?', ' lenient')).strip('_')}.json"
        )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            text = self._mask.hide_known(json.dumps(record, indent=1, ensure_ascii=False))
            write_file(path, text + "\n")
        except OSError as wrong:
            raise UsageFault(f"the failure cannot be stored in {str(self.folder)!r}: {wrong.strerror}") from None
        return path

    def replay(self, place: SearchTarget) -> EngineRun:
        """Play everything that is stored; remove what no longer fails."""
        timer = Timer(None)  # only measures: the place's own timer is the limit
        failures: list[Failure] = []
        notes: list[str] = []
        played = 0
        for path in sorted(self.folder.glob("*.json")) if self.folder.is_dir() else ():
            try:
                record = json.loads(read_file(path))
                found = list(_play_again(place, record))
            except TimeUp:
                notes.append("the time limit was reached before all of them were run")
                break
            except KeyboardInterrupt:
                place.timer.stop()
                notes.append("the search was interrupted before all of them were run")
                break
            except (ValueError, KeyError, TypeError) as wrong:
                notes.append(f"{path.name} is not a stored failure ({wrong}): remove it")
                continue
            played += 1
            key = self._mask.text(record["key"])
            kept = next((failure for failure in found if self._mask.text(failure.key) == key), None)
            if kept is None:
                path.unlink()
                notes.append(f"{record['key']} no longer fails: {path.name} was removed")
            else:
                failures.append(kept)
        counts = {"played": played, "still failing": len(failures)}
        return EngineRun(
            engine=ENGINE,
            seconds=timer.spent,
            counts=counts,
            failures=tuple(failures),
            notes=(*notes, *place.notes()),
            stopped=place.timer.stopped,
        )


def to_record(failure: Failure, api: Api, mask: Mask) -> dict[str, Any]:
    """A failure as plain data. In requests only known secrets are masked: they are to be sent again."""
    sent = () if failure.history else templates(failure.trail, api)
    return {
        "key": mask.text(failure.key),
        "engine": failure.engine,
        "message": mask.text(failure.finding.message),
        "history": [step.record() for step in failure.history],
        "requests": [template.edit(mask.hide_known).record() for template in sent],
    }


def _play_again(place: SearchTarget, record: dict[str, Any]) -> Iterator[Failure]:
    if record["history"]:
        history = [place.model.read_step(step) for step in record["history"]]
        found = play(place, history, ENGINE)
    else:
        found = resend(place, [Template(**template) for template in record["requests"]], ENGINE)
    for failure in found:
        yield replace(failure, engine=record["engine"], known=True, replays=Replays(1, 1))
