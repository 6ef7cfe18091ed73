"""A minimal reproduction of a failure in three forms: a shell script of curl lines, a pytest module, a cassette.

Layer 6. Keys come from the environment.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.engine.events import TargetInfo
from harness.engine.results import LoggedExchange, Result
from harness.kit.api import Api
from harness.report.evidence.curl import curl_lines
from harness.report.evidence.display import Display
from harness.wire import Exchange
from harness.wire.mask import Mask
from harness.written_files import write_file

_SHOWN = 8


def trail_of(result: Result) -> list[Exchange]:
    """The exchanges that show it, in order."""
    return [item for item in result.evidence if isinstance(item, Exchange)]


def commands(result: Result, display: Display) -> list[str]:
    """The requests of the trail as curl lines, in order; of another run's, as its report has them."""
    logged = [item.command for item in result.evidence if isinstance(item, LoggedExchange)]
    return logged or curl_lines(trail_of(result), display)


def _build_key(result: Result) -> str:
    """What tells the failure apart from others, in names of files and in tests."""
    return (result.reproduction.key if result.reproduction is not None else "") or result.id


def pytest_module(result: Result, target: TargetInfo, api: Api) -> str:
    """A test that fails as long as the promise is broken; "" if no history is known."""
    history = result.reproduction.steps if result.reproduction is not None else ()
    if not history:
        return ""
    name = re.sub(r"\W", "_", result.rule.id)
    module, _, value = api.origin.rpartition(".")
    steps = "\n".join(f"    {step.record()!r}," for step in history)
    return f'''"""{result.rule.statement} Found by `harness fuzz`."""

import os

from harness.engine.search.run import replay
from harness.engine.targets import TargetOptions, resolve_target
from {module} import {value}

HISTORY = [
{steps}
]


def test_{name}():
    """No request breaks {result.rule.id}: {" > ".join(map(str, history))}."""
    options = TargetOptions(api_version={target.version!r}, api_key=os.environ.get("{api.key_variable}", ""))
    target = resolve_target({value}, os.environ.get("HARNESS_TARGET", {(target.url or target.name)!r}), options)
    assert {_build_key(result)!r} not in replay(target, HISTORY)
'''


def write_cassette(result: Result, target: TargetInfo, api: Api, path: Path) -> None:
    """Write the trail as a cassette, redacted. Raises CassetteError."""
    from harness.cassette import Provenance, Recording, Redactor, Target, save

    protocol = api.load_protocol()
    redactor = Redactor(protocol, secrets=[secret for secret in target.secrets.values() if len(secret) >= _SHOWN])
    recordings = [
        redactor.redact(Recording.of(exchange)) for exchange in trail_of(result) if exchange.status is not None
    ]
    kind = Target.OTHER if target.url else Target.EMULATOR
    save(path, recordings, Provenance(recorder="harness fuzz", target=kind, api_version=target.version))


def write_all(result: Result, target: TargetInfo, display: Display, folder: Path) -> list[Path]:
    """Write script, test and cassette of one failure below `folder`; return the paths that were written."""
    from harness.cassette import CassetteError, load

    key = display.mask.text(_build_key(result)).lower()
    stem = re.sub(r"[^a-z0-9]+", "_", key.replace("?", " lenient")).strip("_")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, text in (
        (".sh", _write_script(result, display)),
        (".py", display.mask.text(pytest_module(result, target, display.api))),
    ):
        if text:
            path = folder / (f"test_{stem}{suffix}" if suffix == ".py" else f"{stem}{suffix}")
            write_file(path, text)
            written.append(path)
    if not why_no_cassette(result):
        path = folder / f"{stem}.yaml"
        try:
            write_cassette(result, target, display.api, path)
            load(path)
            written.append(path)
        except CassetteError:
            path.unlink(missing_ok=True)  # a body is too large: the script and the test still show the failure
    return written


def why_no_cassette(result: Result) -> str:
    """Why a cassette would not show a failure; "" if it does."""
    trail = trail_of(result)
    if not trail:
        return "no request is known"
    return "" if trail[-1].status is not None else "it contains responses, and the last request got none"


def _write_comment(text: str, mask: Mask) -> str:
    """Make the text one line: a target's words must not become commands."""
    return " ".join(mask.show(text).split())


def _write_script(result: Result, display: Display) -> str:
    if not trail_of(result):
        return ""
    rule = result.rule
    said = _write_comment(result.observation.findings[0].message, display.mask)
    head = f"#!/bin/sh\n# {rule.id} ({rule.level}): {rule.statement}\n# {said}\n"
    return head + "\n\n".join(commands(result, display)) + "\n"
