"""Names of the places in a page that a URL can lead to: ids become fragments, each only once. Layer 6."""

from __future__ import annotations

import re

_SPACE = re.compile(r"\s+")


class FragmentNames:
    """Gives each text a fragment that no other text of the page has, and always the same one."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._used: set[str] = set()

    def name(self, text: str) -> str:
        """The fragment of a text: the text itself without white space, if that is free."""
        if text not in self._names:
            plain = _SPACE.sub("-", text.strip()) or "part"
            name, number = plain, 2
            while name in self._used:
                name, number = f"{plain}-{number}", number + 1
            self._used.add(name)
            self._names[text] = name
        return self._names[text]
