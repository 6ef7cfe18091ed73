"""The least that shows a failure, in three forms: a shell script of curl lines, a pytest module, a cassette.

Layer 5. An id that one answer gives and a later request needs is a shell variable; keys come from the environment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from harness.contract import read
from harness.contract.protocol import PROTOCOL
from harness.report.curl import curl
from harness.report.record import EMBEDDED_ROOT
from harness.runner.events import TargetInfo
from harness.runner.fuzz.failure import Failure
from harness.runner.fuzz.resend import abstracted, place_holder
from harness.runner.fuzz.rules import rule_of
from harness.wire import Exchange
from harness.wire.mask import Mask

_TAKE_ID = '| tee /dev/stderr | grep -o \'"id": *"[^"]*"\' | head -n 1 | cut -d\'"\' -f4'
_SHOWN = 8


def curl_lines(failure: Failure, target: TargetInfo, mask: Mask) -> list[str]:
    """The requests of the trail as commands, in order."""
    trail = failure.trail
    ids = [read(exchange).id or "" for exchange in trail]
    used = {number for number in range(len(trail)) if _is_used(ids, number, trail)}
    root = target.url or EMBEDDED_ROOT
    lines = []
    for number, exchange in enumerate(trail):
        command = _with_variables(curl(abstracted(exchange.request, ids[:number]), root, mask))
        if number in used and ids.index(ids[number]) == number:
            command = f"ID{number}=$({command.replace(' -i ', ' ')} {_TAKE_ID})"
        lines.append(command)
    return lines


def _is_used(ids: Sequence[str], number: int, trail: Sequence[Exchange]) -> bool:
    later = (exchange.request for exchange in trail[number + 1 :])
    return bool(ids[number]) and any(
        ids[number] in request.target or ids[number].encode() in request.body for request in later
    )


def _with_variables(command: str) -> str:
    """Place-holders as shell variables, whether they stand inside single quotes or not."""
    held = re.escape(place_holder(0).removesuffix("0")) + r"(\d+)"
    quoted = re.sub(r"'[^']*'", lambda part: re.sub(held, r"""'"${ID\1}"'""", part[0]), command)
    return re.sub(held + r"(?![^\"]*\}\")", r'"${ID\1}"', quoted)


def pytest_module(failure: Failure, target: TargetInfo) -> str:
    """A test that fails as long as the promise is broken, "" where no history is known."""
    if not failure.history:
        return ""
    name = re.sub(r"\W", "_", failure.rule)
    steps = "\n".join(f"    {operation.record()!r}," for operation in failure.history)
    return f'''"""{rule_of(failure.rule).statement} Found by `harness fuzz`."""

import os

from harness.runner.fuzz.run import replay
from harness.runner.targets import TargetOptions, resolve_target

HISTORY = [
{steps}
]


def test_{name}():
    """Nothing of {failure.rule} is broken by: {" > ".join(map(str, failure.history))}."""
    options = TargetOptions(api_version={target.version!r}, api_key=os.environ.get("GEMINI_API_KEY", ""))
    target = resolve_target(os.environ.get("HARNESS_TARGET", {(target.url or target.name)!r}), options)
    assert {failure.key!r} not in replay(target, HISTORY)
'''


def write_cassette(failure: Failure, target: TargetInfo, path: Path) -> None:
    """The trail as a cassette, its secrets taken out. Raises CassetteError."""
    from harness.cassette import Provenance, Recording, Redactor, Target, save

    redactor = Redactor(PROTOCOL, secrets=[secret for secret in target.secrets.values() if len(secret) >= _SHOWN])
    recordings = [
        redactor.redact(Recording.of(exchange)) for exchange in failure.trail if exchange.status is not None
    ]
    kind = Target.OTHER if target.url else Target.EMULATOR
    save(path, recordings, Provenance(recorder="harness fuzz", target=kind, api_version=target.version))


def write_all(failure: Failure, target: TargetInfo, mask: Mask, folder: Path) -> list[Path]:
    """Script, test and cassette of one failure below `folder`; the paths that were written."""
    from harness.cassette import CassetteError

    stem = re.sub(r"[^a-z0-9]+", "_", failure.key.lower()).strip("_")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, text in ((".sh", _script(failure, target, mask)), (".py", pytest_module(failure, target))):
        if text:
            path = folder / (f"test_{stem}{suffix}" if suffix == ".py" else f"{stem}{suffix}")
            path.write_text(text, encoding="utf-8")
            written.append(path)
    if failure.trail:
        path = folder / f"{stem}.yaml"
        try:
            write_cassette(failure, target, path)
            written.append(path)
        except CassetteError:
            pass  # a body beyond the bounds: the script and the test still show it
    return written


def _script(failure: Failure, target: TargetInfo, mask: Mask) -> str:
    if not failure.trail:
        return ""
    rule = rule_of(failure.rule)
    head = f"#!/bin/sh\n# {failure.rule} ({rule.level}): {rule.statement}\n# {failure.finding.message}\n"
    return head + "\n\n".join(curl_lines(failure, target, mask)) + "\n"
