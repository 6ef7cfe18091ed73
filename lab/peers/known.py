"""What is behind the findings about third-party servers: root causes, and the curl lines that show each.

A cause names the checks and rules that report it, so a defect counts once however many rows it breaks. What comes
from our own set-up is listed as such, with the reason. A finding without a cause here is news, and a test says so.
"""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Step = tuple[str, str, Any, *tuple[str, ...]]
"""Method, path, JSON body or None, header lines. A path with `$UPSTREAM` goes there; `{id}`: the last id seen."""

PLAIN = {"model": "gemini-3.8-flash", "input": "Say hi.", "stream": False}
STREAM = {**PLAIN, "stream": True}
CREATE = ("POST", "/v1beta/interactions", PLAIN)
STREAMED = ("POST", "/v1beta/interactions", STREAM)
CREATE_IN_REVISION = (*CREATE, "api-revision: 2026-05-20")
BACKGROUND = ("POST", "/v1beta/interactions", {**PLAIN, "background": True})
REQUESTS = ("GET", "$UPSTREAM/__harness__/requests", None)
RESET: Step = ("POST", "$UPSTREAM/__harness__/reset", {})
_PICTURE = {"type": "image", "mime_type": "image/png", "data": "iVBORw0KGgo="}
_OUTPUT = {"type": "model_output", "content": [{"type": "text", "text": "Here."}, _PICTURE]}
IMAGE = ("POST", "$UPSTREAM/__harness__/scripts", {"steps": [_OUTPUT]})


def fault(plan: str) -> Step:
    """Let the upstream's next answers fail in this way."""
    return ("POST", "$UPSTREAM/__harness__/faults", {"plan": plan})


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One root cause. `shows` is a pattern for the output of the last curl, which begins with the status line.

    `found_by` are globs over ids of checks and rules. `only_first` is the reason why the first set-up alone can
    show it. `ours` is the reason why our set-up, and not the server, is
    behind it. A defect that no curl line shows, because the upstream must misbehave inside an event, has no steps.
    """

    what: str
    found_by: tuple[str, ...]
    source: str = ""
    steps: tuple[Step, ...] = ()
    shows: str = ""
    ours: str = ""
    only_first: str = ""

    def __str__(self) -> str:
        return re.sub(r"\W+", "-", self.what.lower())[:50].strip("-")

    def covers(self, finding: str) -> bool:
        """Whether this check or rule reports it."""
        return any(fnmatch.fnmatchcase(finding, glob) for glob in self.found_by)


def unexplained(findings: Iterable[str], causes: tuple[Cause, ...]) -> list[str]:
    """The checks and rules that none of the causes covers."""
    return [finding for finding in findings if not any(cause.covers(finding) for cause in causes)]


def curl(url: str, upstream: str, key: str, steps: tuple[Step, ...]) -> tuple[list[str], str]:
    """Run these steps with curl; return the command lines, without the key, and the last output with headers."""
    lines, printed, found = [], "", ""
    for method, path, body, *headers in steps:
        place = path.replace("{id}", found)
        address = place.replace("$UPSTREAM", upstream) if place.startswith("$UPSTREAM") else url + place
        shown = path if path.startswith("$UPSTREAM") else f"$URL{path}"
        arguments = ["-X", method]
        more = ["-H", "content-type: application/json", "-d", json.dumps(body)] if body is not None else []
        more = [word for line in headers for word in ("-H", line)] + more
        lines.append(" ".join(["curl -sS -i", *map(_quote, [*arguments, shown, *more])]))
        own = ["curl", "-sS", "-i", "--max-time", "60", "-H", f"x-goog-api-key: {key}"]
        # A stream that breaks off makes curl fail, which is what some of these lines are there to show.
        done = subprocess.run([*own, *arguments, address, *more], capture_output=True, check=False)
        printed = done.stdout.decode("utf-8", "replace")
        match = re.search(r'"id":\s*"([^"]+)"', printed)
        found = match.group(1) if match else ""
    return lines, printed


def _quote(word: str) -> str:
    if re.fullmatch(r"[\w/.:=@-]+", word):
        return word
    return f'"{word}"' if word.startswith("$") else f"'{word}'"
