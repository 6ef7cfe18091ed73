"""The implementations that the public page is about, and how each is set up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.peers import causes, installing
from lab.peers.known import Cause

Gateway = Callable[[Path, str], AbstractContextManager[str]]


@dataclass(frozen=True, kw_only=True, eq=False)
class SetUp:
    """How an implementation was installed and configured, in lines, and what starts it so.

    `gateway` starts it in front of an upstream, `server` starts it alone; a set-up has one of the two.
    """

    lines: tuple[str, ...]
    gateway: Gateway | None = None
    server: Callable[[Path], AbstractContextManager[str]] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Implementation:
    """One of them. What is published of it is found in each of its set-ups."""

    name: str
    version: str
    set_ups: tuple[SetUp, ...]
    causes: tuple[Cause, ...]
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


CONTROL = Implementation(
    name="control: a transparent proxy",
    version="",
    set_ups=(SetUp(lines=("harness proxy --target $UPSTREAM --port PORT",), gateway=installing.transparent),),
    causes=(),
    options=("--capability", "+v1"),
)

_LITELLM_INSTALL = f"pip install '{installing.LITELLM[0]}' {installing.LITELLM[1]}"
_LITELLM = "litellm --config config.yaml   # "
LITELLM = Implementation(
    name="LiteLLM's proxy",
    version=installing.LITELLM[0].partition("==")[2],
    set_ups=(
        SetUp(
            lines=(
                _LITELLM_INSTALL,
                f"{_LITELLM}gemini/gemini-3.8-flash, api_base $UPSTREAM, master_key, num_retries 0",
            ),
            gateway=installing.litellm,
        ),
        SetUp(
            lines=(
                _LITELLM_INSTALL,
                f"{_LITELLM}a wildcard, gemini/*, in place of the model; the rest the same",
            ),
            gateway=partial(installing.litellm, model="*"),
        ),
    ),
    causes=causes.LITELLM,
    options=("--capability", "+v1"),
)

_ROSETTA_INSTALL = f"pip install '{installing.ROSETTA[0]}'"
_ROSETTA = "llm-rosetta-gateway --config config.jsonc   # "
ROSETTA = Implementation(
    name="LLM-Rosetta's gateway",
    version=installing.ROSETTA[0].partition("==")[2],
    set_ups=(
        SetUp(
            lines=(
                _ROSETTA_INSTALL,
                f"{_ROSETTA}provider google_interactions at $UPSTREAM, open_on_no_keys",
            ),
            gateway=installing.rosetta,
        ),
        SetUp(
            lines=(
                _ROSETTA_INSTALL,
                f"{_ROSETTA}a provider of another name with that type, and upstream_model",
            ),
            gateway=partial(installing.rosetta, renamed=True),
        ),
    ),
    causes=causes.ROSETTA,
)

_AIMOCK_INSTALL = f"npm install {installing.AIMOCK}"
AIMOCK = Implementation(
    name="aimock",
    version=installing.AIMOCK.rpartition("@")[2],
    set_ups=(
        SetUp(
            lines=(
                _AIMOCK_INSTALL,
                "node dist/cli.js -p PORT -f fixtures.json   # one fixture, which matches any text",
            ),
            server=installing.aimock,
        ),
        SetUp(
            lines=(
                _AIMOCK_INSTALL,
                "node dist/cli.js -p PORT -f fixtures.json   # another answer, of plain words",
            ),
            server=partial(installing.aimock, answer="Hello! How can I help you today?"),
        ),
    ),
    causes=causes.AIMOCK,
    options=("--capability", "-formats", "--capability", "-prompts"),  # its text is a fixture, as in any mock
)

ALL = (LITELLM, ROSETTA, AIMOCK)
