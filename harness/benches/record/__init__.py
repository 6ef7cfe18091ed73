"""Recordings: the recorder between any client and a target, sessions that record the library, verify and diff.

Layer 5. Clients talk to `recorder`. A `session` runs scenarios through a driver of its own, and decides whether
each result may be kept. Names are imported on first use: `verify` and `diff` need no tap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.benches.record.recorder import Recorder, Summary, provenance_of, recording_of, target_class

__all__ = ["Recorder", "Summary", "provenance_of", "recording_of", "target_class"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from harness.benches.record import recorder

    return getattr(recorder, name)
