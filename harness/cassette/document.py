"""Parse a cassette's YAML into plain data, and find the line of any value in it. Layer 1.

Knows YAML and the few tags that vcrpy uses; must not know what the values mean. vcrpy's own parser is not used for
two reasons: releases before 8.3 run whatever code a file names, and all releases hold the whole text twice.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

from harness.documents import load_all_yaml, load_yaml, loader_class, read_file
from harness.errors import CassetteError

_TAG = "tag:yaml.org,2002:python/"


def parse(path: Path, source: IO[bytes] | bytes) -> Any:
    """Parse the document in `source`, the content of `path`. Raises CassetteError with the line of a fault."""
    with _told_of(path, source):
        return load_yaml(source, _build_loader())


def parse_all(path: Path, source: IO[bytes] | bytes) -> list[Any]:
    """Parse every non-empty document in `source`: other recorders write several into one file."""
    with _told_of(path, source):
        return [document for document in load_all_yaml(source, _build_loader()) if document is not None]


@contextmanager
def _told_of(path: Path, source: IO[bytes] | bytes) -> Iterator[None]:
    """Turn PyYAML's errors into a CassetteError."""
    import yaml

    try:
        yield
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise CassetteError(f"{path}{place}: not readable as YAML: {wrong.problem}") from None
    except yaml.reader.ReaderError as wrong:
        data = source if isinstance(source, bytes) else read_file(path)
        line = data.count(b"\n", 0, wrong.position) + 1
        what = "not UTF-8" if "UTF-8" in wrong.reason or "utf" in wrong.encoding else f"not YAML: {wrong.reason}"
        raise CassetteError(f"{path}, line {line}: {what}: restore the file or delete it") from None
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise CassetteError(f"{path}: not readable as YAML: {str(wrong).splitlines()[0]}") from None


def line_of(path: Path, place: tuple[str | int, ...]) -> str:
    """Return `, line N` for the value at `place`; "" if the file cannot be read. Only used in error messages."""
    import yaml

    try:
        node: Any = yaml.compose(read_file(path), Loader=_build_loader())
    except (OSError, yaml.YAMLError):
        return ""
    if node is None:  # an empty file
        return ""
    line = node.start_mark.line
    for step in place:
        if not isinstance(node, yaml.SequenceNode if isinstance(step, int) else yaml.MappingNode):
            break  # what is wrong may be that it is something else
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
def _build_loader() -> Any:
    """PyYAML's safe loader, extended to read what vcrpy writes for bodies that were files or iterators."""

    class Loader(loader_class()):  # type: ignore[misc]
        """Private to this module, because constructors are registered per class."""

    Loader.add_constructor("tag:yaml.org,2002:binary", _from_base64)
    for name in ("str", "unicode"):
        Loader.add_constructor(_TAG + name, Loader.construct_scalar)
    Loader.add_constructor(_TAG + "tuple", lambda loader, node: tuple(loader.construct_sequence(node, deep=True)))
    Loader.add_constructor(
        _TAG + "object/new:_io.BytesIO", lambda loader, node: _read_pickled(loader, node, "state")
    )
    Loader.add_constructor(
        _TAG + "object/apply:builtins.iter", lambda loader, node: _read_pickled(loader, node, "args")
    )
    return Loader


def _from_base64(loader: Any, node: Any) -> bytes:
    """Decode base64 as PyYAML does, but without a second copy of the text."""
    import yaml

    try:
        return binascii.a2b_base64(loader.construct_scalar(node))
    except ValueError as wrong:
        raise yaml.constructor.ConstructorError(
            None, None, f"failed to decode base64 data: {wrong}", node.start_mark
        ) from None


def _read_pickled(loader: Any, node: Any, name: str) -> bytes:
    """The bytes of a pickled file (first item of `state`) or iterator (its parts are the first item of `args`)."""
    value: Any = loader.construct_mapping(node, deep=True)
    first = next(iter(value.get(name) or ()), b"") if isinstance(value, Mapping) else b""
    return b"".join(map(_read_bytes, first)) if isinstance(first, (list, tuple)) else _read_bytes(first)


def _read_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8")
