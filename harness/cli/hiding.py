"""What no line of a command may show: the secrets of its target, and what looks like one.

Layer 6. A fault that ends a run may quote the target, and the target may quote what it was sent. Reports have
masks of their own; this one is for all that is said beside them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.wire.mask import Mask

_told: set[str] = set()


def begin() -> None:
    """Forget what an earlier command in this process was told."""
    _told.clear()


def hide(secrets: Mapping[str, str]) -> None:
    """Hide these from now on."""
    _told.update(secrets.values())


def hidden(text: str) -> str:
    """The text as it may be shown."""
    return _mask().text(text)


def hidden_in(value: Any) -> Any:
    """Plain data with every string in it as it may be shown."""
    return _mask().tree(value)


def _mask() -> Mask:
    from harness.contract.protocol import PROTOCOL
    from harness.runner.targets import KEY_VARIABLE, OTHER_KEY_VARIABLE
    from harness.wire.mask import Mask

    # The environment's keys count even where another one was chosen.
    keys = [os.environ.get(name, "").strip() for name in (KEY_VARIABLE, OTHER_KEY_VARIABLE)]
    return Mask({str(number): key for number, key in enumerate((*keys, *_told))}, PROTOCOL.secret_fields)
