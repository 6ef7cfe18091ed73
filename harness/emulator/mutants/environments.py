"""Mutants: environments, their files and uploads."""

from __future__ import annotations

from typing import Any

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import (
    Json,
    answer,
    ask,
    crash,
    drop,
    drop_header,
    ignore,
    is_missing,
    put,
    read_bytes,
    refuse,
    when,
    with_bytes,
    without,
)
from harness.emulator.mutants.hooks import error, life_rows, request, request_body, response, row, unknown_rows
from harness.emulator.mutants.parts import Change, Defect, after, around
from harness.emulator.resources.router import Resources
from harness.emulator.service import Emulator
from harness.emulator.values.call import Call
from harness.kit.mutant import table


def _change_shown(change: Change) -> Defect:
    """Change every environment that an answer shows, one or a list."""

    def edit(value: Json, call: Call) -> None:
        if call.segments[2:3] != ("files",):
            for environment in value.get("environments", [value] if value else []):
                change(environment)

    return response("* environments/**", edit)


def _is_fork(body: Json, call: Call) -> bool:
    return "from_environment" in body


def _away_from_root(body: Json, call: Call) -> None:
    for source in body.get("sources", ()):
        if source.get("target") == "/":
            source["target"] = "x"


def _is_listed(call: Call, engine: Engine) -> bool:
    return "alt" not in call.query


def _without(field: str) -> Change:
    """Make the environment of a run without a field of what the create asks for."""

    def make(inner: Change, _: Resources, config: Any, project: str, **who: str) -> Any:
        named = isinstance(config, dict) and "environment_id" in config
        return inner(without(config, field) if named else config, project, **who)

    return make


def _open_base(inner: Change, resources: Resources, config: Any, project: str, *, agent: str = "") -> Any:
    base = (resources.agent(agent, project) or {}).get("base_environment")
    return inner(base if isinstance(base, str) and config == "remote" else config, project)


def _misses_directory(call: Call, engine: Engine) -> bool:
    """Whether a file is sent below a directory of an environment that holds none of that name."""
    _, _, environment, _, *directories = call.segments[:-1]
    if not directories or "extract" in call.query:
        return False
    opened = engine.resources.kept.environments.open(environment, call.project)
    return opened.node("/".join(directories)) is None


MUTANTS = table(
    "environments",
    *life_rows("environments", "environments", "environments"),
    *unknown_rows("environments", "environments", "environments"),
    row("environments-without-id", "Environments have no id.", _change_shown(drop("id"))),
    row("environments-need-a-network", "An environment with its network disabled cannot be created.",
        request_body("POST environments", when(
            lambda body, _: body.get("network") == "disabled", refuse("'network' must be an object.")))),
    row("environments-status-missing", "Environments have no status.", _change_shown(drop("status"))),
    row("environments-count-words", "Sizes are text such as `2 KB`.",
        _change_shown(put(size_bytes="2 KB", file_count="two"))),
    row("environments-fork-with-sources", "A fork may have sources of its own.",
        request_body("POST environments", when(_is_fork, drop("sources", "env")))),
    row("environments-fork-with-variables", "A fork may have an `env` of its own.",
        request_body("POST environments", when(_is_fork, drop("env")))),
    row("environments-any-target", "A source may take the place of the root directory.",
        request_body("POST environments", _away_from_root)),
    row("environments-fork-empty", "A fork is an environment without files.",
        request_body("POST environments", drop("from_environment"))),
    row("environment-rules-kept", "A run that gives its sandbox other network rules runs under the old ones.",
        around(Resources.create_environment, _without("network"))),
    row("agents-base-shared", "All runs of a saved agent work in its base_environment itself.",
        around(Resources.create_environment, _open_base)),
    row("agents-base-forgotten", "A run of a saved agent begins in an empty sandbox, whatever its base contains.",
        around(Resources.create_environment, lambda inner, _, config, project, **who: inner(config, project))),
    row("files-always-below", "A listing always shows everything below a directory.",
        request("GET environments/*/files/**", when(_is_listed, ask(recursive="true")))),
    row("files-never-below", "Files are listed of one directory only, for any value of `recursive`.",
        request("GET environments/*/files/**", when(_is_listed, ask(recursive="false")))),
    row("environments-key-shown-again", "Every read of an environment shows a key of its sandbox.",
        response("GET environments/*", put(environment_key="key"))),
    row("environments-any-mode", "A list of environments by mode contains all of them.",
        request("GET environments", ignore("mode"))),
    row("files-changed", "Downloaded files have different line endings from the uploaded ones.",
        after(Resources.handle, when(
            lambda response, _, call: response is not None and call.query.get("alt") == "media",
            lambda response, *_: with_bytes(
                response, read_bytes(response).replace(b"\n", b"\r\n") + b"\r\n")))),
    row("files-missing-200", "A read of a file that does not exist returns an empty list of files.",
        error("GET environments/*/files/**", when(is_missing, answer({"files": []})))),
    row("upload-crashes", "An upload returns 500.", request("* upload/**", crash)),
    row("upload-needs-directories", "An upload to a directory that is not there is refused.",
        request("* upload/environments/**", when(_misses_directory, refuse("There is no such directory.", 404)))),
    row("upload-archive-kept", "An archive is stored as one file, although it should be unpacked.",
        request("* upload/**", ignore("extract"))),
    row("upload-without-location", "A resumable upload starts without an upload URL.",
        after(Emulator.perform, drop_header("location"))),
    row("upload-without-url", "An upload by commands starts without an upload URL.",
        after(Emulator.perform, drop_header("x-goog-upload-url"))),
    row("upload-replaces-unasked", "An upload replaces a file without overwrite=true.",
        request("* upload/**", when(lambda call, _: "extract" not in call.query, ask(overwrite="true")))),
    row("upload-archive-replaces", "An archive that is unpacked replaces files without overwrite=true.",
        request("* upload/**", when(lambda call, _: "extract" in call.query, ask(overwrite="true")))),
    row("upload-never-replaces", "An upload with overwrite=true returns 200 and writes nothing.",
        request("* upload/**", when(lambda call, _: "overwrite" in call.query, answer({"files": []})))),
    row("shape-environment", "A read shows the sources of an environment as a string.",
        response("GET environments/*", put(sources="none"))),
    row("env-files-page-repeats", "Every page of an environment's files is the first one.",
        request("GET environments/*/files", ignore("page_token"))),
    row("upload-archive-never-replaces", "An archive with overwrite=true is refused if one of its files exists.",
        request("* upload/**", when(lambda call, _: "extract" in call.query, ignore("overwrite")))),
)  # fmt: skip
