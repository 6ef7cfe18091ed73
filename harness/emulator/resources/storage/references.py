"""What a create refers to: uploaded files by their uris, and file search stores by their names.

Layer 2. Knows where references stand in a create; must not know how the things are kept. Uris of other places are
taken as they are. The refusals are those recorded for files; that interactions word them alike is inferred.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from harness.emulator.values.call import Refusal

if TYPE_CHECKING:
    from harness.emulator.resources.storage.search_stores import SearchStores
    from harness.emulator.resources.storage.uploaded_files import UploadedFiles

_ADDRESS = re.compile(r"(?:https?://[^/]+/(?:upload/)?v1(?:beta)?/)?(files/[^/:?#]+)")
_HINT = " (The emulator's setting files=any takes every name.)"


def judge_contents(contents: Iterable[dict[str, Any]], files: Callable[[], UploadedFiles], project: str) -> None:
    """Raise `Refusal` 403 or 400 for the first content whose uri names a file that is not there or not ready."""
    for content in contents:
        match = _ADDRESS.fullmatch(uri) if isinstance(uri := content.get("uri"), str) else None
        if match is not None:
            _explain(lambda name=match[1]: files().open_active(name, project))


def judge_stores(
    tools: Iterable[dict[str, Any]], stores: Callable[[], SearchStores], project: str
) -> list[str] | None:
    """Return the titles of the documents in the stores that the tools name, None if they name none.

    Raises `Refusal` 403 for an unknown store.
    """
    names = [name for tool in tools if tool.get("type") == "file_search" for name in _names(tool)]
    return _explain(lambda: stores().titles(names, project)) if names else None


def _names(tool: dict[str, Any]) -> list[str]:
    names = tool.get("file_search_store_names")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _explain(look: Any) -> Any:
    try:
        return look()
    except Refusal as refusal:
        raise Refusal(refusal.status, refusal.code, refusal.message + _HINT) from None
