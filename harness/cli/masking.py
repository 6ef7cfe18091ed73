"""Hides the target's secrets, and what looks like one, in everything a command prints.

A fault that ends a run may quote the target, and the target may quote what it was sent. Reports have their own
masks; this one is for everything that is printed outside reports.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from harness.wire import Request
    from harness.wire.mask import Mask

Value = TypeVar("Value")

_told: set[str] = set()
_heard: list[str] = []
_unread: dict[tuple[int, str], Request] = {}
"""Heads in which nobody looked for keys yet, by the identity of their fields, which lives as long as they do."""
_lock = threading.Lock()


def begin() -> None:
    """Forget the secrets of earlier commands in this process."""
    _told.clear()
    _heard.clear()
    _unread.clear()
    _mask_of.cache_clear()


def hide(secrets: Mapping[str, str]) -> None:
    """Hide these secrets from now on."""
    _told.update(secrets.values())


def hear(request: Request) -> None:
    """Hide from now on the keys that a client's request carries; of many only the latest."""
    # Hot. The keys in a head are looked for when something is printed; a connection repeats the same head.
    head = (id(request.headers), request.target)
    if head not in _unread:
        if len(_unread) >= 256:
            with _lock:
                _read_heads()
        _unread[head] = request.without_body()


def _read_heads() -> None:
    """Look for keys in the heads that were only kept so far; the caller holds the lock."""
    from harness.wire.mask import keys_in

    latest_first = []
    while _unread:  # other threads go on hearing, so it is emptied one by one
        latest_first.append(_unread.popitem()[1])
    for request in reversed(latest_first):
        for key in keys_in(request):
            if len(key) >= 8 and key not in _heard:  # a shorter one would turn plain text into stars
                _heard.append(key)
                del _heard[:-50]


def show_text(text: str) -> str:
    """Mask a text and escape its control characters, so that it may be shown on a terminal without `say`."""
    return _mask().show(text)


def mask_text(text: str) -> str:
    """Mask a text that goes elsewhere than to a terminal, or there through `say`."""
    return _mask().text(text)


def hide_in(value: Value) -> Value:
    """The value with the secrets in its texts hidden, whatever writes it later."""
    from harness.wire.mask import hide_secrets

    return hide_secrets(value, _mask())


def mask_tree(value: Any) -> Any:
    """Mask every string in plain data so that it may be shown."""
    return _mask().tree(value)


def own_secrets() -> dict[str, str]:
    """The keys in the environment, by their variables: a run that has no target of its own must not show them."""
    from harness.interactions import INTERACTIONS

    return INTERACTIONS.keys_in(os.environ)


def hide_own(text: str) -> str:
    """Hide the keys of the environment in a text of ours: it may name a file that is named like one."""
    own = own_secrets()
    return _mask_of(frozenset((*own.values(), *_told))).hide_known(text) if own else text


def _mask() -> Mask:
    # Hide the environment's keys even if another key was chosen.
    with _lock:
        _read_heads()
        return _mask_of(frozenset((*own_secrets().values(), *_told, *_heard)))


@lru_cache(maxsize=2)
def _mask_of(secrets: frozenset[str]) -> Mask:
    """The mask for these secrets; kept, because making it takes far longer than masking a line with it."""
    from harness.contract.tables.protocol import PROTOCOL
    from harness.wire.mask import Mask

    return Mask({str(number): secret for number, secret in enumerate(secrets)}, PROTOCOL.secret_fields)
