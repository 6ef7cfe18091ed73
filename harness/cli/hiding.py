"""Hides the target's secrets, and what looks like one, in everything a command prints.

Layer 6. A fault that ends a run may quote the target, and the target may quote what it was sent. Reports have
their own masks; this one is for everything that is printed outside reports.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.wire.mask import Mask

_told: set[str] = set()


def begin() -> None:
    """Forget the secrets of earlier commands in this process."""
    _told.clear()


def hide(secrets: Mapping[str, str]) -> None:
    """Hide these secrets from now on."""
    _told.update(secrets.values())


def hidden(text: str) -> str:
    """Mask a text so that it may be shown."""
    return _mask().text(text)


def hidden_in(value: Any) -> Any:
    """Mask every string in plain data so that it may be shown."""
    return _mask().tree(value)


def _mask() -> Mask:
    from harness.contract.protocol import PROTOCOL
    from harness.runner.targets import KEY_VARIABLE, OTHER_KEY_VARIABLE
    from harness.wire.mask import Mask

    # Hide the environment's keys even if another key was chosen.
    keys = [os.environ.get(name, "").strip() for name in (KEY_VARIABLE, OTHER_KEY_VARIABLE)]
    return Mask({str(number): key for number, key in enumerate((*keys, *_told))}, PROTOCOL.secret_fields)
