"""An admitted create request: what the body asks for, resolved.

The value that `create.validation` makes and that replies and runs are made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from harness.contract.models.profiles import ModelProfile
from harness.contract.transcript import count_transcript
from harness.emulator.values.samples import SampleBudget
from harness.emulator.values.settings import GEMINI, Platform


class ParentRun(Protocol):
    """The parts of an earlier turn that the next one may use."""

    id: str
    agent: str | None
    body: dict[str, Any]
    given: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    token: str | None
    context: int
    environment_id: str | None

    def total_context(self) -> int:
        """Return how many tokens of context it leaves: its whole input and output."""


SELF_HOSTED = "self_hosted"
"""The mode of an environment whose sandbox the user runs."""


class CreateRequest(Struct, eq=False):
    """`given` is the input as steps, `text` the text in it; `agent` is also set if `model` held its name.

    `documents` are the titles of what its `file_search` finds, `files` the paths in its environment, `platform` is
    the surface of the call, `profile` the table of the model or agent that answers, `size` how much memory
    the request takes, `rest` the steps that are left of the answer whose checkpoint it continues, `spent` the
    `budget` once one was needed, `needs_worker` whether the user runs its sandbox, `is_plain` whether
    only the words of its response are its own.
    """

    body: dict[str, Any]
    project: str
    model: str | None
    agent: str | None
    given: list[dict[str, Any]]
    text: str
    stream: bool
    store: bool
    background: bool
    profile: ModelProfile
    previous: ParentRun | None = None
    environment_id: str | None = None
    documents: list[str] | None = None
    files: Sequence[str] = ()
    platform: Platform = GEMINI
    size: int = 0
    rest: Sequence[dict[str, Any]] = ()
    spent: SampleBudget | None = None
    needs_worker: bool = False
    is_plain: bool = False

    @property
    def budget(self) -> SampleBudget:
        """The limit on the cost of all samples for this create."""
        if self.spent is None:
            self.spent = SampleBudget()
        return self.spent

    @property
    def is_further(self) -> bool:
        """Whether it goes on with a conversation: by the id of a run, or with earlier answers in its input."""
        return self.previous is not None or count_transcript(self.given) > 0

    @property
    def generation(self) -> dict[str, Any]:
        return self.body.get("generation_config") or {}

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools that this request declares; none are inherited from a parent."""
        return self.body.get("tools") or []
