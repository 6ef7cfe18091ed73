"""A failure of a search as files: a shell script of curl lines, a pytest module and a cassette."""

from __future__ import annotations

import re
from pathlib import Path

from harness.engine.events import Result, TargetInfo, of_kind
from harness.files import make_folder, write_file
from harness.kit.api import Api
from harness.outcome.words import write_docstring
from harness.report.evidence.curl import Display, curl_lines
from harness.wire import Exchange


def commands(result: Result, display: Display) -> list[str]:
    """The requests that show a failure as curl lines, in order."""
    return curl_lines(of_kind(Exchange, result.evidence), display)


def _build_key(result: Result) -> str:
    """The value that distinguishes the failure from others, in names of files and in tests."""
    return (result.reproduction.key if result.reproduction is not None else "") or result.id


def pytest_module(result: Result, target: TargetInfo, api: Api) -> str:
    """A test that fails as long as the rule is broken; "" if no history is known."""
    history = result.reproduction.steps if result.reproduction is not None else ()
    if not history:
        return ""
    name = re.sub(r"\W", "_", result.rule.id)
    (module, _, value), (search_module, _, load_search) = (
        origin.rpartition(".") for origin in (api.server_origin, api.search_origin)
    )
    steps = "\n".join(f"    {step.record()!r}," for step in history)
    promise = f"No request breaks {result.rule.id}: {' > '.join(map(str, history))}."
    return f'''{write_docstring(f"{result.rule.statement} Found by `harness fuzz`.")}

import os

from harness.engine.search.run import replay
from harness.engine.targets import TargetOptions, resolve_target
from {search_module} import {load_search}
from {module} import {value}

HISTORY = [
{steps}
]


def test_{name}():
    {write_docstring(promise)}
    options = TargetOptions(api_version={target.version!r}, api_key=os.environ.get("{api.key_variable}", ""))
    target = resolve_target({value}, os.environ.get("HARNESS_TARGET", {(target.url or target.name)!r}), options)
    assert {_build_key(result)!r} not in replay(target, {load_search}(), HISTORY)
'''


def write_cassette(result: Result, target: TargetInfo, api: Api, path: Path) -> None:
    """Write the trail as a cassette, redacted. Raises CassetteError."""
    from harness.cassette import Provenance, Recording, Redactor, Target, save

    protocol = api.load_protocol()
    redactor = Redactor(protocol, secrets=[secret for secret in target.secrets.values() if len(secret) >= 8])
    trail = of_kind(Exchange, result.evidence)
    recordings = [redactor.redact(Recording.of(exchange)) for exchange in trail if exchange.status is not None]
    kind = Target.OTHER if target.url else Target.EMULATOR
    save(path, recordings, Provenance(recorder="harness fuzz", target=kind, api_version=target.version))


def write_all(result: Result, target: TargetInfo, display: Display, folder: Path) -> list[Path]:
    """Write script, test and cassette of one failure below `folder`; return the paths that were written."""
    from harness.cassette import CassetteError, load

    key = display.mask.text(_build_key(result)).lower()
    stem = re.sub(r"[^a-z0-9]+", "_", key.replace("?", " lenient")).strip("_")
    make_folder(folder)
    written, script, rule = [], "", result.rule
    if of_kind(Exchange, result.evidence):
        # Made one line: a target's words must not become commands.
        message = " ".join(display.mask.show(result.observation.findings[0].message).split())
        head = f"#!/bin/sh\n# {rule.id} ({rule.level}): {rule.statement}\n# {message}\n"
        script = head + "\n\n".join(commands(result, display)) + "\n"
    for suffix, text in ((".sh", script), (".py", display.mask.text(pytest_module(result, target, display.api)))):
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
    trail = of_kind(Exchange, result.evidence)
    if not trail:
        return "no request is known"
    return "" if trail[-1].status is not None else "it contains responses, and the last request got none"
