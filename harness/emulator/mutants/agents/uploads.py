"""Mutants: writing files into an environment."""

from __future__ import annotations

from dataclasses import replace

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import answer, crash, drop_header, refuse, when, without_query
from harness.emulator.mutants.hooks import request
from harness.emulator.mutants.parts import after
from harness.emulator.mutants.rows import row
from harness.emulator.service import Emulator
from harness.emulator.values.call import Call
from harness.kit.mutant import table


def _misses_directory(call: Call, engine: Engine) -> bool:
    """Whether a file is sent below a directory of an environment that holds none of that name."""
    _, _, environment, _, *directories = call.segments[:-1]
    if not directories or "extract" in call.query:
        return False
    files = engine.resources._environments.open(environment, call.project).tree
    return files.node("/".join(directories)) is None


MUTANTS = table(
    "uploads",
    row("upload-crashes", "An upload is answered with 500.",
        request("* upload/**", crash)),
    row("upload-lost", "An upload is answered with 200 but nothing is written.",
        request("* upload/**", answer({"files": []}))),
    row("upload-needs-directories", "An upload to a directory that is not there is refused.",
        request("* upload/environments/**", when(_misses_directory, refuse("There is no such directory.", 404)))),
    row("upload-archive-kept", "An archive is stored as one file, although it should be unpacked.",
        request("* upload/**", lambda call, _: without_query(call, "extract"))),
    row("upload-without-location", "A resumable upload is begun and nobody is told where to send the bytes.",
        after(Emulator.perform, drop_header("location"))),
    row("upload-without-url", "An upload by commands is begun and nobody is told where to send the bytes.",
        after(Emulator.perform, drop_header("x-goog-upload-url"))),
    row("upload-replaces-unasked", "An upload replaces a file without overwrite=true.",
        request("* upload/**", lambda call, _: replace(call, query={**call.query, "overwrite": "true"}))),
    row("upload-never-replaces", "An upload with overwrite=true is refused if the file exists.",
        request("* upload/**", lambda call, _: without_query(call, "overwrite"))),
)  # fmt: skip
