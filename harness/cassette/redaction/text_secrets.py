"""Find secrets in a text: in JSON literals at any depth, and between them. Layer 1.

Searches decoded values but returns places in the text, so that nothing but the secret changes. Knows nothing of
bytes, streams or requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from harness.cassette.format.byte_edits import TextEdit
from harness.cassette.redaction.placeholders import PlaceholderTable, apply_changes, without_overlap
from harness.wire import StreamProtocol
from harness.wire.secrets.forms import SCHEME
from harness.wire.secrets.patterns import is_placeholder, looks_random, plain_name
from harness.wire.tokens import Token, encode_literal, pair_up, seems_json, tokens

_DEPTH = 4
"""How many levels of JSON are read: that of the text itself, and of strings in it up to three deep."""

_BLANK = " " * 65_536
_FEW = 4096
"""How many parts to hold before joining them: a short string takes many times the memory of its characters."""

_SHORT = 1024
"""Length up to which a text is not searched as a whole before its literals are."""

_FOLDED = re.compile(r"[,;] ")
"""The separator between the values of a repeated header, as a cassette joins them."""


class TextReader:
    """Finds the secrets in the texts of one API; `table` holds the known secrets and their placeholders.

    `above` is the path of names under which the members of a text stand (`SecretFields`).
    """

    def __init__(self, protocol: StreamProtocol, table: PlaceholderTable) -> None:
        self._table = table
        self._secret = protocol.secret_fields
        stems = self._secret.stems
        self._stems = [stem for stem in stems if not any(other in stem for other in stems - {stem})]
        self._longest = max(map(len, stems), default=1)
        self._exempt = frozenset(map(plain_name, protocol.opaque_fields | protocol.id_fields))

    def learn(self, text: str, above: tuple[str, ...] = (), depth: int = 0) -> None:
        """Add the random-looking values of secret fields to the table, because they may appear again elsewhere.

        Only useful for a text that names secrets, or that stands below such a name. Looks as deep into JSON inside
        JSON as `changes`.
        """
        for token in self.literals(text, above):
            if not token.is_string or token.is_name:
                continue
            if self._secret.covers(token.path):
                self._learn_value(token)
            elif depth + 1 < _DEPTH and self._may_nest(token) and self.names_secrets(token.text):
                self.learn(token.text, depth=depth + 1)

    def _may_nest(self, token: Token) -> bool:
        return seems_json(token.text) and not self._is_exempt(token)

    def _learn_value(self, token: Token) -> None:
        value = _without_scheme(token.text)
        if token.closed and looks_random(value):
            self._table.learn(value)

    def changes(
        self,
        text: str,
        *,
        above: tuple[str, ...] = (),
        depth: int = 0,
        cut: bool = False,
        resumed: bool = False,
    ) -> list[TextEdit]:
        """Return what to replace in a text, which may or may not be JSON."""
        if not seems_json(text) or depth >= _DEPTH:
            return self._table.changes(text, cut=cut, resumed=resumed)
        found: list[TextEdit] = []
        outside = _Outside()
        clean = _Clean(text, self._table) if len(text) > _SHORT else None
        for token in self.literals(text, above):
            outside.take(text, token)
            if clean is not None and clean.holds(token) and not self._secret.covers(token.path):
                continue
            change = self.in_literal(text, token, depth)
            if change is not None:
                found.append(change)
        outside.end(text)
        del text, clean  # free a long text early
        return [*found, *self._table.changes(outside.text())]

    def literals(self, text: str, above: tuple[str, ...] = ()) -> Iterator[Token]:
        """The literals of a JSON text; `{"name": …, "value": …}` objects are read as members."""
        return pair_up(tokens(text, above), self._secret.covers)

    def names_secrets(self, text: str) -> bool:
        """Whether a text may have a member that holds a secret; cheap, with no false negatives."""
        return self.any_names_secrets((text,))

    def any_names_secrets(self, parts: Iterable[str]) -> bool:
        """The same for a text given in parts, without keeping them."""
        low = ""
        for part in parts:
            low = low[-self._longest :] + plain_name(part)
            if any(stem in low for stem in self._stems):
                return True
        return False

    def between(self, text: str, taken: Iterable[Token]) -> list[TextEdit]:
        """Secrets outside all literals: in comments, in event names, in text that only began like JSON."""
        outside = _Outside()
        for token in taken:
            outside.take(text, token)
        outside.end(text)
        return self._table.changes(outside.text())

    def in_literal(self, text: str, token: Token, depth: int = 0) -> TextEdit | None:
        """The change to a literal of a text, None if it stays."""
        if self._is_exempt(token):
            return None
        if not token.is_string:
            secret = len(token.text) > 3 and self._secret.covers(token.path)
            return TextEdit(token.start, token.end, "0", "secret field") if secret else None
        value, kind = self._redact_value(token, depth)
        if value == token.text:
            return None
        new = encode_literal(value, text[token.start : token.end], closed=token.closed)
        return TextEdit(token.start, token.end, new, kind)

    def hide_value(self, value: str) -> str:
        """Replace the whole value, except for the name of an authorisation scheme."""
        if all(is_placeholder(part) or not part for part in map(_without_scheme, _FOLDED.split(value))):
            return value
        secret = _without_scheme(value)
        return value[: len(value) - len(secret)] + self._table.placeholder(secret)

    def _redact_value(self, token: Token, depth: int) -> tuple[str, str]:
        """A literal's value with its secrets replaced, and the kind of the first secret."""
        if not token.is_name and self._secret.covers(token.path):
            self._learn_value(token)  # `learn` cannot: it may be in a text that is split over events
            return self.hide_value(token.text), "secret field"
        changes = without_overlap(self.changes(token.text, depth=depth + 1, cut=not token.closed))
        return apply_changes(token.text, changes), changes[0].kind if changes else ""

    def _is_exempt(self, token: Token) -> bool:
        """Whether a literal must stay as it is: a signature, inline data, an id."""
        return not token.is_name and bool(token.path) and plain_name(token.path[-1]) in self._exempt


def _without_scheme(value: str) -> str:
    scheme = SCHEME.match(value)
    return value[scheme.end() :] if scheme else value


class _Clean:
    """Which strings of a JSON text hold nothing to replace: one search of the whole is faster than one of each."""

    def __init__(self, text: str, table: PlaceholderTable) -> None:
        self._text = text
        self._table = table
        self._learned = table.learned
        self._places = table.find_places(text)
        self._next = 0

    def holds(self, token: Token) -> bool:
        """Whether a string is sure to be clean as it is written; asked of each in order.

        Nothing is sure any more once a secret was learned that may stand in the rest of the text.
        """
        while self._next < len(self._places) and self._places[self._next] < token.start:
            self._next += 1
        if not (token.is_string and token.closed) or self._table.learned != self._learned:
            return False
        found = self._next < len(self._places) and self._places[self._next] < token.end
        return not found and self._text.find("\\", token.start, token.end) < 0


class _Outside:
    """A text with its strings blanked, assembled while they are found, because a body may have millions."""

    def __init__(self) -> None:
        self._at = 0
        self._parts: list[str] = []
        self._latest: list[str] = []

    def take(self, text: str, token: Token) -> None:
        """Blank a literal if it is a string."""
        if not token.is_string:
            return
        blanks, rest = divmod(token.end - token.start, len(_BLANK))
        self._latest += [text[self._at : token.start], " " * rest]
        self._at = token.end
        if blanks or len(self._latest) > _FEW:
            self._parts += ["".join(self._latest), *[_BLANK] * blanks]
            self._latest.clear()

    def end(self, text: str) -> None:
        """Add what follows the last string."""
        self._latest.append(text[self._at :])

    def text(self) -> str:
        """The text with its strings blanked; it has the same length."""
        return "".join((*self._parts, *self._latest))
