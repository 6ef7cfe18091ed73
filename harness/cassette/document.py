"""The YAML of a cassette as plain data, and the line of any value in it. Layer 1.

Knows YAML and the few tags of vcrpy's; must not know what the values mean. Two reasons not to ask vcrpy: its
releases before 8.3 run whatever code a file names, and all of them hold the whole text twice to have it parsed.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

from harness.cassette.fault import CassetteError

_TAG = "tag:yaml.org,2002:python/"
_DEEPEST = 100
"""Levels of a document. libyaml's composer calls itself for each, and ends the process where the stack does."""


def parse(path: Path, source: IO[bytes] | bytes) -> Any:
    """The document in `source`, which is what `path` holds. Raises CassetteError with the line of a fault."""
    import yaml

    with _told_of(path, source):
        return yaml.load(source, Loader=_loader())


def parse_all(path: Path, source: IO[bytes] | bytes) -> list[Any]:
    """Every document in `source` but empty ones: other recorders write several into a file."""
    import yaml

    with _told_of(path, source):
        return [document for document in yaml.load_all(source, Loader=_loader()) if document is not None]


@contextmanager
def _told_of(path: Path, source: IO[bytes] | bytes) -> Iterator[None]:
    """What YAML says of a file, as a CassetteError."""
    import yaml

    try:
        yield
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise CassetteError(f"{path}{place}: not readable as YAML: {wrong.problem}") from None
    except yaml.reader.ReaderError as wrong:
        data = source if isinstance(source, bytes) else path.read_bytes()
        line = data.count(b"\n", 0, wrong.position) + 1
        what = "not UTF-8" if "UTF-8" in wrong.reason or "utf" in wrong.encoding else f"not YAML: {wrong.reason}"
        raise CassetteError(f"{path}, line {line}: {what}: restore the file or delete it") from None
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise CassetteError(f"{path}: not readable as YAML: {str(wrong).splitlines()[0]}") from None


def line_of(path: Path, place: tuple[str | int, ...]) -> str:
    """`, line N` of the value at `place`; only asked for when something is wrong."""
    import yaml

    try:
        node: Any = yaml.compose(path.read_bytes(), Loader=_loader())
    except (OSError, yaml.YAMLError):
        return ""
    line = node.start_mark.line
    for step in place:
        if isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line
        else:
            pair = next((pair for pair in node.value if pair[0].value == step), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
    return f", line {line + 1}"


@cache
def _loader() -> Any:
    """PyYAML's safe loader, which also reads what vcrpy writes for bodies that were files or iterators."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Of this module only: constructors are kept by class. Composers tell it when they enter a node."""

        _depth = 0

        def descend_resolver(self, parent: Any, index: Any) -> None:
            self._depth += 1
            if self._depth > _DEEPEST:
                raise yaml.composer.ComposerError(
                    None, None, f"nested more than {_DEEPEST} levels deep, as no cassette is", None
                )

        def ascend_resolver(self) -> None:
            self._depth -= 1

    Loader.add_constructor("tag:yaml.org,2002:binary", _from_base64)
    for name in ("str", "unicode"):
        Loader.add_constructor(_TAG + name, Loader.construct_scalar)
    Loader.add_constructor(_TAG + "tuple", lambda loader, node: tuple(loader.construct_sequence(node, deep=True)))
    Loader.add_constructor(_TAG + "object/new:_io.BytesIO", lambda loader, node: _held(loader, node, "state"))
    Loader.add_constructor(_TAG + "object/apply:builtins.iter", lambda loader, node: _held(loader, node, "args"))
    return Loader


def _from_base64(loader: Any, node: Any) -> bytes:
    """What PyYAML makes of it, without a second copy of its text."""
    import yaml

    try:
        return binascii.a2b_base64(loader.construct_scalar(node))
    except ValueError as wrong:
        raise yaml.constructor.ConstructorError(
            None, None, f"failed to decode base64 data: {wrong}", node.start_mark
        ) from None


def _held(loader: Any, node: Any, name: str) -> bytes:
    """The bytes of a pickled file (`state` begins with them) or iterator (`args` begins with its parts)."""
    value: Any = loader.construct_mapping(node, deep=True)
    first = next(iter(value.get(name) or ()), b"") if isinstance(value, Mapping) else b""
    return b"".join(map(_bytes, first)) if isinstance(first, (list, tuple)) else _bytes(first)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8")
