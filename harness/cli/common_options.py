"""The options that several commands share one by one.

Imports nothing that runs: `harness list` needs it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.options import (
    HEADER,
    KEY,
    LEVEL,
    MODULE,
    PATH,
    REPORT,
    REVISION,
    SECONDS,
    TALLY,
    Options,
    Trust,
    flag,
    option,
)
from harness.cli.output import FORMATS
from harness.contract import CURRENT, REVISIONS
from harness.interactions import INTERACTIONS
from harness.kit.api import EXTENSION_VARIABLE
from harness.outcome import Level

if TYPE_CHECKING:
    from harness.contract import Contract
    from harness.kit.api import Api


def revision_option(group: str = "") -> Any:
    """Declare the revision of the API; `revision_of` and `contract_of` read it."""
    about = f"revision of the API, or a folder with one; known: {', '.join(REVISIONS)}"
    return option(about, REVISION, shown=CURRENT, group=group, trust=Trust.INSIDE)


def own_api() -> Api:
    """The API with what the project of the current folder declares about its recordings. Raises UsageFault."""
    from msgspec import structs

    from harness.cassette.own_words import with_own_words

    protocol = with_own_words(INTERACTIONS.load_protocol(), Path.cwd())
    return structs.replace(INTERACTIONS, load_protocol=lambda: protocol)


def revision_of(named: str | None) -> str:
    """The revision that was named, or the current one; for a folder its path. Raises UsageFault."""
    from harness.contract.contract import find_revision

    return find_revision(named or CURRENT, "--revision")


def contract_of(named: str | None) -> Contract:
    """The contract of the revision that was named. Raises UsageFault for an unknown one."""
    from harness.contract import load

    return load(revision_of(named))


def header_option(group: str) -> Any:
    """Declare headers of the user's own."""
    about = "header to send with every request (repeatable)"  # a gateway may route by any of them
    return option(about, HEADER, flags=("-H", "--header"), repeats=True, trust=Trust.SEND, group=group)


def ca_file_option(group: str = "") -> Any:
    """Declare certificates to trust: who has one of these can read the traffic."""
    return option("additional certificates to trust (PEM)", PATH, trust=Trust.SEND, group=group)


def api_key_option(group: str) -> Any:
    """Declare the key that requests carry."""
    return option("API key", KEY, variable=INTERACTIONS.key_variable, trust=Trust.CALL, group=group)


def plain_http_option(group: str) -> Any:
    """Declare that a key, or a header that may be one, may cross the network in plain text."""
    return flag(
        "also send the key and `-H` headers over plain HTTP to other machines", trust=Trust.SEND, group=group
    )


selection = partial(option, group="selection", once="selects")


def deadline_option(shown: str, group: str) -> Any:
    """Declare the end of a run."""
    about = "stop the run after S seconds and list what was not tested; 0 = no limit"
    return option(about, SECONDS, shown=shown, group=group)


def level_option() -> Any:
    """Declare the weakest level to include."""
    return selection("weakest level to judge: must, should or may", LEVEL, Level.MAY, shown="may")


@dataclass(kw_only=True)
class ExtensionOptions(Options):
    """The modules of the user that add to the catalog; `read_options` makes them known."""

    extension: Sequence[str] | None = option(
        "module or file that adds rules, checks, mutants and faults (repeatable)",
        MODULE, repeats=True, variable=EXTENSION_VARIABLE, trust=Trust.RUN,
    )  # fmt: skip


def json_option(about: str = "print one JSON object", group: str = "") -> Any:
    """Declare machine-readable output."""
    return flag(about, trust=Trust.CALL, group=group, once="reports")


def report_option(formats: Collection[str], group: str = "") -> Any:
    """Declare report files."""
    about = f"write a report (repeatable): {', '.join(formats)}"
    more: dict[str, Any] = {"trust": Trust.INSIDE, "group": group, "once": "reports"}
    return option(about, REPORT, repeats=True, **more)


def verbose_option(adds: str) -> Any:
    """Declare how much is printed, with the words for what the first -v adds."""
    more: dict[str, Any] = {
        "flags": ("-v", "--verbose"),
        "trust": Trust.CALL,
        "group": "output",
        "once": "reports",
    }
    return option(f"{adds}; -vv: also print every exchange", TALLY, 0, **more)


@dataclass(kw_only=True)
class OutputOptions(Options):
    """The output of a run: terminal and files."""

    report: Sequence[str] | None = report_option(FORMATS, "output")
    json: bool = json_option("print the JSON report and nothing else", "output")
    verbose: int = verbose_option("explain warnings")
    quiet: bool = flag(
        "print only the verdict, and the ids of what failed",
        flags=("-q", "--quiet"), trust=Trust.CALL, group="output", once="reports",
    )  # fmt: skip
