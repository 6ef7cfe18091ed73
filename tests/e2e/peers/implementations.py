"""The implementations that the public page is about, and how each is set up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.peers import causes, installing
from tests.e2e.peers.known import Cause

Gateway = Callable[[Path, str], AbstractContextManager[str]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Implementation:
    """One of them. `gateway` starts it in front of an upstream, `server` starts it alone; it has one of the two.

    `set_up` is how it was installed and configured, in lines.
    """

    name: str
    version: str
    set_up: tuple[str, ...]
    causes: tuple[Cause, ...]
    gateway: Gateway | None = None
    server: Callable[[Path], AbstractContextManager[str]] | None = None
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


CONTROL = Implementation(
    name="control: a transparent proxy",
    version="",
    set_up=("harness proxy --target $UPSTREAM --port PORT",),
    causes=(),
    gateway=installing.transparent,
    options=("--capability", "+v1"),
)

LITELLM = Implementation(
    name="LiteLLM's proxy",
    version=installing.LITELLM[0].partition("==")[2],
    set_up=(
        f"pip install '{installing.LITELLM[0]}' {installing.LITELLM[1]}",
        "litellm --config config.yaml   # gemini/gemini-3.5-flash, api_base $UPSTREAM, master_key, num_retries 0",
    ),
    causes=causes.LITELLM,
    gateway=installing.litellm,
    options=("--capability", "+v1"),
)

ROSETTA = Implementation(
    name="LLM-Rosetta's gateway",
    version=installing.ROSETTA[0].partition("==")[2],
    set_up=(
        f"pip install '{installing.ROSETTA[0]}'",
        "llm-rosetta-gateway --config config.jsonc   # provider google_interactions at $UPSTREAM, open_on_no_keys",
    ),
    causes=causes.ROSETTA,
    gateway=installing.rosetta,
)

AIMOCK = Implementation(
    name="aimock",
    version=installing.AIMOCK.rpartition("@")[2],
    set_up=(
        f"npm install {installing.AIMOCK}",
        "node dist/cli.js -p PORT -f fixtures.json   # one fixture, which matches any text",
    ),
    causes=causes.AIMOCK,
    options=("--capability", "-formats", "--capability", "-prompts"),  # its text is a fixture, as in any mock
    server=installing.aimock,
)

ALL = (LITELLM, ROSETTA, AIMOCK)
