"""The capabilities of a target, and their origin: declared, announced by its control API, or probed.

Values and the parsing of `+x,-y`; sends nothing.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from harness.kit.api import Lack
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean


class CapabilityOrigin(StrEnum):
    """How a capability became known; only with `DECLARED` a check that was not tested fails."""

    DECLARED = "declared"
    DENIED = "denied"
    ANNOUNCED = "announced"
    PROBED = "probed"
    ASSUMED = "assumed"


class Capability(Struct, frozen=True):
    """One capability: whether it is there, its origin, and the evidence.

    `lack` is the reason why it is not present, and `remedy` the way to show that it is. If the lack follows from
    another capability, `owing_to` names that one.
    """

    name: str
    present: bool
    how: CapabilityOrigin
    note: str = ""
    lack: Lack = Lack.REFUSED
    owing_to: str = ""
    remedy: str = ""

    @property
    def is_assumed(self) -> bool:
        """Whether it counts as present only because no probe could decide it."""
        return self.present and self.how is CapabilityOrigin.ASSUMED


class Capabilities:
    """The settled capabilities of one target; a capability that was not settled counts as absent."""

    def __init__(self, items: Iterable[Capability] = ()) -> None:
        self._items = {item.name: item for item in items}

    def settle(self, item: Capability) -> None:
        """Record one; an observation never overrules the user's word."""
        known = self._items.get(item.name)
        if known is None or known.how not in (CapabilityOrigin.DECLARED, CapabilityOrigin.DENIED):
            self._items[item.name] = item

    def get(self, name: str) -> Capability | None:
        """The state of one capability, or None."""
        return self._items.get(name)

    def lacks(self, names: Iterable[str]) -> list[Capability]:
        """Those of `names` that are not present, those with the weightiest reason first."""
        found = [
            self._items.get(name) or Capability(name, False, CapabilityOrigin.PROBED, "not probed", Lack.UNSEEN)
            for name in sorted(names)
            if name not in self
        ]
        return sorted(found, key=lambda item: _WEIGHT[item.lack])

    def in_order(self, names: Iterable[str]) -> Capabilities:
        """The capabilities in the order of these names; others come last."""
        order = {name: position for position, name in enumerate(names)}
        return Capabilities(sorted(self, key=lambda item: order.get(item.name, len(order))))

    def declared(self, names: Iterable[str]) -> bool:
        """Whether all of these are present and the user declared one, so that the target has to offer it."""
        items = [self._items.get(name) for name in names]
        present = all(item is not None and item.present for item in items)
        return present and any(item is not None and item.how is CapabilityOrigin.DECLARED for item in items)

    def __contains__(self, name: object) -> bool:
        item = self._items.get(name) if isinstance(name, str) else None
        return item is not None and item.present

    def __iter__(self) -> Iterator[Capability]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)


def parse_capabilities(words: Iterable[str], known: Mapping[str, str]) -> list[Capability]:
    """Parse `+stream`, `-agents`, or several separated by commas; a bare name means `+`.

    Raises UsageFault for an unknown name and for one that is both claimed and denied.
    """
    stated: dict[str, Capability] = {}
    for part in (piece.strip() for word in words for piece in word.split(",")):
        if not part:
            continue
        present = not part.startswith("-")
        name = part.lstrip("+-")
        if name not in known:
            hint = did_you_mean(name, known, otherwise=f": known are {', '.join(known)}")
            raise UsageFault(f"unknown capability {name!r}{hint}")
        if name in stated and stated[name].present is not present:
            raise UsageFault(f"capability {name!r} is both claimed (+) and denied (-): keep one of them")
        stated[name] = Capability(
            name,
            present,
            CapabilityOrigin.DECLARED if present else CapabilityOrigin.DENIED,
            "declared by the user",
            Lack.DENIED,
        )
    return list(stated.values())


_WEIGHT = {lack: weight for weight, lack in enumerate(Lack)}


def everything(known: Iterable[str], *, but: Container[str] = ()) -> Capabilities:
    """All capabilities assumed present without a request: for dry runs and the reference emulator."""
    return Capabilities(Capability(name, name not in but, CapabilityOrigin.ASSUMED) for name in known)
