"""`harness doctor`: what is installed, what this machine allows, and which problems there are.

Sends nothing beyond loopback and shows no value that could be a secret. Each question answers with a `Diagnosis`;
an exception in one must not hide the others, so `diagnose` turns it into a problem.
"""

from __future__ import annotations

import os
import platform
import re
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from importlib import metadata

from harness import __version__
from harness.cli.arguments import load_options, read_options, read_settings
from harness.cli.common_options import json_option
from harness.cli.main import COMMANDS, shadow_note
from harness.cli.options import Options, Page
from harness.cli.output import mask_text, say, show_text, write_json
from harness.errors import UsageFault
from harness.outcome import Exit
from harness.outcome.words import format_count
from harness.project_file import ProjectFile, find_file
from harness.report.screen import Line, Role, Screen, wants_colour

DISTRIBUTION = "interactions-harness"
_REQUIREMENT = re.compile(r"""^([\w.-]+)[^;]*(?:;.*?extra\s*==\s*['"]([\w-]+)['"])?""")
"""The name of a required package, and the extra that needs it."""
_KEYS = ("GEMINI_API_KEY", "GOOGLE_API_KEY", "OTHER_GEMINI_API_KEY")
_ONE_KEY = ("GEMINI_API_KEY", "GOOGLE_API_KEY")


class Condition(StrEnum):
    """How bad it is: all right, worth knowing, or to be mended."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line: what was looked at, what is there, and what to do about it, if anything."""

    about: str
    state: Condition
    found: str
    remedy: str = ""


_ROLES = {Condition.OK: Role.PASSED, Condition.NOTE: Role.WARNED, Condition.PROBLEM: Role.FAILED}


@dataclass(kw_only=True)
class DoctorArguments(Options):
    """The options of `harness doctor`."""

    json: bool = json_option()

    page = Page(
        "doctor", ("harness doctor", "harness doctor --json"), notes="exit codes: 0 no problem · 1 a problem"
    )


OPTIONS = DoctorArguments


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 without a problem, 1 with one."""
    arguments = read_options(DoctorArguments, words)
    screen = Screen(sys.stdout, colour=wants_colour(sys.stdout, os.environ))
    found = []
    for item in diagnose():
        found.append(item)
        if not arguments.json:
            word = screen.paint(_ROLES[item.state], f"{item.state:<8}")
            screen.line(Line(f"{word} {item.about:<15} {show_text(item.found)}", hang=25))
            if item.remedy:
                screen.line(Line(f"{'':<25}→ {show_text(item.remedy)}", hang=27))
    problems = sum(item.state is Condition.PROBLEM for item in found)
    if arguments.json:
        rows = [
            {"about": item.about, "state": str(item.state), "found": mask_text(item.found), "remedy": item.remedy}
            for item in found
        ]
        write_json({"problems": problems, "diagnoses": rows})
    else:
        say(f"{format_count(problems, 'problem')}" if problems else "No problems found.")
    return Exit.FAILED if problems else Exit.OK


def diagnose() -> Iterator[Diagnosis]:
    """Ask every question."""
    for about, ask in _QUESTIONS.items():
        try:
            yield from ask()
        except Exception as error:
            yield Diagnosis(about, Condition.PROBLEM, f"the test failed: {type(error).__name__}: {error}")


def _diagnose_harness() -> Iterator[Diagnosis]:
    from harness.contract import CURRENT, REVISIONS

    python = f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})"
    yield Diagnosis("python", Condition.OK, python)
    known = ", ".join(REVISIONS)
    yield Diagnosis("harness", Condition.OK, f"{__version__}; revisions of the API: {known} (current: {CURRENT})")
    if note := shadow_note():
        yield Diagnosis("harness", Condition.PROBLEM, note)


def _diagnose_packages() -> Iterator[Diagnosis]:
    """The packages of the base, which every command needs, and those of each extra."""
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        remedy = f"pip install {DISTRIBUTION}"
        yield Diagnosis("packages", Condition.NOTE, "run from a folder, not installed", remedy)
        return
    extras: dict[str, dict[str, str]] = {"": {}}
    for text in requirements:
        name, extra = _REQUIREMENT.findall(text)[0]
        if extra != "dev" and name != DISTRIBUTION and ("platform_system" not in text or os.name != "nt"):
            extras.setdefault(extra, {})[name] = _find_version(name)
    absent = []
    for extra, versions in extras.items():
        missing = ", ".join(name for name, version in versions.items() if not version)
        if missing and extra:
            absent.append(f"{extra} ({missing})")
        elif missing:
            yield Diagnosis("packages", Condition.PROBLEM, f"missing: {missing}", f"pip install {DISTRIBUTION}")
        else:
            found = ", ".join(f"{name} {version}" for name, version in versions.items())
            yield Diagnosis(f"extra {extra}" if extra else "packages", Condition.OK, found)
    if absent:
        remedy = f"pip install '{DISTRIBUTION}[NAME]', if you want one"
        yield Diagnosis("extras", Condition.NOTE, f"not installed: {', '.join(absent)}", remedy)


def _find_version(name: str) -> str:
    """The version of an installed package, "" if it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _diagnose_pytest() -> Iterator[Diagnosis]:
    version = _find_version("pytest")
    plugins = {entry.name: entry.value for entry in metadata.entry_points(group="pytest11")}
    ours = plugins.get("interactions", "")
    if not version:
        yield Diagnosis("pytest", Condition.NOTE, "not installed", "pip install pytest, for the fixtures")
    elif not ours:
        found = f"{version}; the plugin is not registered"
        yield Diagnosis("pytest", Condition.NOTE, found, "pip install the package")
    elif os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        remedy = f"-p {ours}, or unset PYTEST_DISABLE_PLUGIN_AUTOLOAD"
        yield Diagnosis("pytest", Condition.NOTE, f"{version}; plugins are not loaded by themselves", remedy)
    else:
        yield Diagnosis("pytest", Condition.OK, f"{version}, with the plugin {ours}")


def _diagnose_loopback() -> Iterator[Diagnosis]:
    for name, family, host in (("IPv4", socket.AF_INET, "127.0.0.1"), ("IPv6", socket.AF_INET6, "::1")):
        try:
            with socket.create_server((host, 0), family=family) as server:
                socket.create_connection((host, server.getsockname()[1]), timeout=5).close()
        except OSError as error:
            found = f"{name}: {error.strerror or error}"
            if family is socket.AF_INET:
                remedy = "serve, replay, record, proxy and gateway need it"
                yield Diagnosis("loopback", Condition.PROBLEM, found, remedy)
            else:
                yield Diagnosis("loopback", Condition.NOTE, found)
        else:
            yield Diagnosis("loopback", Condition.OK, f"{name}: a server can be started and reached")


def _diagnose_variables() -> Iterator[Diagnosis]:
    """Variables that commands refuse, or that change what they do."""
    present = [name for name in _KEYS if os.environ.get(name)]
    for name in present:
        if not re.fullmatch(r"[!#-&(-~]+", os.environ[name]):  # no space, no quote, nothing beyond ASCII
            found = f"{name} contains a space, a quote or a character that no key has"
            yield Diagnosis("keys", Condition.PROBLEM, found, f"set {name} again, with the key alone")
    if len({os.environ[name] for name in present if name in _ONE_KEY}) > 1:
        found = f"{' and '.join(_ONE_KEY)} differ: harness sends the first, google-genai the second"
        yield Diagnosis("keys", Condition.NOTE, found, "unset one of them")
    if present:
        yield Diagnosis("keys", Condition.OK, f"set: {', '.join(present)} (not shown, not tried)")
    else:
        yield Diagnosis("keys", Condition.NOTE, "none is set", "only a live service needs one: GEMINI_API_KEY")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        path = os.environ.get(name, "")
        if path and not os.path.exists(path):  # noqa: PTH110 - a path that Path refuses is missing, too
            found = f"{name} names {path}, which does not exist"
            yield Diagnosis("certificates", Condition.PROBLEM, found, f"correct {name}, or unset it")


def _diagnose_configuration() -> Iterator[Diagnosis]:
    """The first wrong setting of each table of the file."""
    from harness.cassette.own_words import add_file_words
    from harness.interactions import INTERACTIONS

    readers: list[Callable[[ProjectFile], object]] = [
        partial(read_settings, load_options(name)) for name, entry in COMMANDS.items() if entry.table is not None
    ]
    readers.append(partial(add_file_words, INTERACTIONS.load_protocol()))
    try:
        file = find_file()
    except UsageFault as fault:
        yield Diagnosis("configuration", Condition.PROBLEM, str(fault))
        return
    wrong: dict[str, None] = {}  # each command reads the shared table, too
    if file is not None:
        for read in readers:
            try:
                read(file)
            except UsageFault as fault:
                wrong[str(fault)] = None
    yield from (Diagnosis("configuration", Condition.PROBLEM, why) for why in wrong)
    if not wrong:
        found = f"{file.path} sets {', '.join(sorted(file.table))}" if file and file.table else "no [tool.harness]"
        yield Diagnosis("configuration", Condition.OK, found)


_QUESTIONS: dict[str, Callable[[], Iterator[Diagnosis]]] = {
    "harness": _diagnose_harness,
    "packages": _diagnose_packages,
    "pytest": _diagnose_pytest,
    "loopback": _diagnose_loopback,
    "environment": _diagnose_variables,
    "configuration": _diagnose_configuration,
}
