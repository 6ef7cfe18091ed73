"""Commands and options that were removed; each answers with what does the same now, for one release.

Layer 8. The command line and `[tool.harness]` ask it before they report a name as unknown. A command or an option
that is removed leaves a row, which goes again with the next release:

    RENAMED_COMMANDS: "merge": Removed("a run takes seconds, so none is split", "remove this step of the pipeline")
    RENAMED_OPTIONS: ("check", "--shard"): Removed("a run takes seconds, so none is split", "remove the option")

They are read as "`harness merge` was removed: REASON: NEXT STEP". The key of an option is its command and one flag
as it is written; a key of a file is looked up with `--` before it. `EVERY` as command means all of them.
"""

from __future__ import annotations

from typing import NamedTuple


class Removed(NamedTuple):
    """Why a name is gone, and what to do instead; both are parts of a sentence, without a period."""

    why: str
    instead: str


EVERY = "*"

_SCALE = Removed(
    "a run takes seconds, so it is not split",
    "spread pytest items with pytest-xdist, or targets with a CI matrix (docs/scale.md)",
)
_LAB = "only maintainers need it"

_ONE_ENOUGH = "one command is enough"

RENAMED_COMMANDS: dict[str, Removed] = {
    "client": Removed("npm has the package", "run `npm install --save-dev interactions-harness`"),
    "clients": Removed(
        "docs/clients.md has the table",
        "run `harness torture --client NAME`, or `python -m lab clients` in a checkout",
    ),
    "compare": Removed(_ONE_ENOUGH, "run `harness diff OLDER.json NEWER.json`"),
    "drift": Removed(_LAB, "run `python -m lab drift` in a checkout"),
    "inspect": Removed(_ONE_ENOUGH, "run `harness verify FILE --open`"),
    "merge": _SCALE,
    "smoke": Removed(_ONE_ENOUGH, "run `harness check URL --profile smoke`"),
    "trust": Removed(
        "a configuration file sets nothing that needs trust",
        "pass the settings that it names as options, or in environment variables (docs/configuration.md)",
    ),
}

RENAMED_OPTIONS: dict[tuple[str, str], Removed] = {
    (EVERY, "--annotations"): Removed("GITHUB_ACTIONS=true turns them on", "set GITHUB_ACTIONS instead"),
    (EVERY, "--baseline-prune"): Removed("one option writes the file", "write --baseline-update"),
    (EVERY, "--color"): Removed("the usual variables decide it", "set NO_COLOR=1 or FORCE_COLOR=1"),
    (EVERY, "--shard"): _SCALE,
    (EVERY, "--shard-times"): _SCALE,
    ("check", "--timings"): Removed("-v lists the waits", "write -v"),
    ("diff", "--stable"): Removed("--textconv always names ids by their order", "remove the option"),
    ("diff", "--quiet"): Removed("the verdict ends the output", "read the last line, or --json"),
    ("explain", "--revision"): Removed("a rule is the same in each", "`harness list --revision` has its checks"),
    ("fuzz", "--exhaustive"): Removed("only the emulator could be searched so", "write -e history"),
    ("gateway", "--api-version"): Removed("the URL has the version", "write it at the end of the URL"),
    ("list", "--level"): Removed("each line has the level", "filter the lines, such as with `grep`"),
    ("list", "--matrix"): Removed(_LAB, "run `python -m lab modes` in a checkout"),
    ("list", "--profile"): Removed("each line has the profile", "filter the lines, such as with `grep`"),
    ("torture", "--help-all"): Removed("--help lists every option", "write --help"),
    ("record", "--api-version"): Removed("the URL has the version", "write it at the end of the URL"),
    ("record", "--max-body"): Removed("256 MiB is the limit", "remove the option"),
    ("record", "--max-cassette"): Removed("512 MiB is the limit", "remove the option"),
    ("record", "--yes"): Removed("--max-requests N confirms the run", "remove the option"),
    ("replay", "--verbose"): Removed("--json lists the unused recordings", "remove the option"),
    ("mutants", "--revision"): Removed("the emulator proves the current one", "remove the option"),
    **{
        ("mutants", flag): Removed(_LAB, "run `python -m lab score` in a checkout")
        for flag in ("--generated", "--sample", "--seed")
    },
}


def explain_command(name: str) -> str:
    """The message about a command that was removed; "" if there was no such command."""
    row = RENAMED_COMMANDS.get(name)
    return "" if row is None else f"`harness {name}` was removed: {row.why}: {row.instead}"


def explain_option(command: str, flag: str) -> str:
    """The message about a flag that a command had; "" if it had none of this name."""
    row = RENAMED_OPTIONS.get((command, flag)) or RENAMED_OPTIONS.get((EVERY, flag))
    return "" if row is None else f"{flag} was removed from `harness {command}`: {row.why}: {row.instead}"
