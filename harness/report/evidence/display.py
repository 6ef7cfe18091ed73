"""How evidence is shown: by whose API it is read, where its requests go, and what must not be printed.

Layer 6, a value. Every function that prints an exchange takes one.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.kit.api import Api
from harness.wire.mask import Mask

EMBEDDED_ROOT = "http://127.0.0.1:8000"
"""Where `harness serve --port 8000` listens: the root of the curl lines if the target is the embedded emulator."""


@dataclass(frozen=True, slots=True)
class Display:
    """`root` is the target's URL without a trailing slash; `mask` hides the secrets of the run."""

    api: Api
    root: str
    mask: Mask
