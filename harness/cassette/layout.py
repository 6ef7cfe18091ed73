"""The text of a cassette file: what vcrpy calls a serializer and a persister, made strict and atomic. Layer 1.

vcrpy does the YAML. This adds what it lacks: metadata first and kept by every release of it, errors that name the
line, and a save that replaces the old file at once or not at all.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from harness.cassette.entry import KEY, REQUEST_KEYS
from harness.cassette.fault import CassetteError
from harness.outcome import HarnessFault


class Serializer(Protocol):
    """What vcrpy means by a serializer."""

    def deserialize(self, cassette_string: str) -> Any: ...

    def serialize(self, cassette_dict: dict[str, Any]) -> str: ...


class Layout:
    """vcrpy's YAML for the file at `path`; `metadata` is what was read, and what is written at the top."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.metadata: dict[str, Any] = {}
        self.text = ""

    def deserialize(self, cassette_string: str) -> dict[str, Any]:
        """The document. Raises CassetteError with the line of what is wrong."""
        from vcr.serializers import yamlserializer  # type: ignore[import-untyped]

        self.text = cassette_string
        document = _parsed(self._path, lambda: yamlserializer.deserialize(cassette_string))
        problem = _problem(document)
        if problem is not None:
            raise self.error(problem[0], *problem[1])
        self.metadata = dict(document.get("metadata") or {})
        return dict(document)

    def serialize(self, cassette_dict: dict[str, Any]) -> str:
        """The text: version, metadata, then the entries."""
        from vcr.serializers import yamlserializer

        parts: list[dict[str, Any]] = [{"version": cassette_dict["version"]}]
        if self.metadata:
            parts.append({"metadata": self.metadata})
        parts.append({"interactions": cassette_dict["interactions"]})
        return "".join(str(yamlserializer.serialize(part)) for part in parts)

    def error(self, message: str, *place: str | int) -> CassetteError:
        """A CassetteError for the value at `place` in the file read last, with its line."""
        return CassetteError(f"{self._path}{_line(self.text, place)}: {message}")


class AtomicFile:
    """vcrpy's persister interface: whole files only."""

    @staticmethod
    def load_cassette(cassette_path: str | Path, serializer: Serializer) -> Any:
        """Requests, responses and perhaps metadata, as vcrpy wants them."""
        from vcr.persisters.filesystem import CassetteNotFoundError  # type: ignore[import-untyped]
        from vcr.serialize import deserialize  # type: ignore[import-untyped]

        try:
            data = Path(cassette_path).read_bytes()
        except FileNotFoundError:
            raise CassetteNotFoundError from None
        except OSError as wrong:
            raise CassetteError(f"{cassette_path} cannot be read: {wrong.strerror}") from None
        if not data or data.isspace():
            raise CassetteNotFoundError
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as wrong:
            line = data.count(b"\n", 0, wrong.start) + 1
            raise CassetteError(
                f"{cassette_path}, line {line}: not UTF-8: restore the file or delete it"
            ) from None
        return deserialize(text, serializer)

    @staticmethod
    def save_cassette(cassette_path: str | Path, cassette_dict: Mapping[str, Any], serializer: Serializer) -> None:
        """Write beside the old file and take its place; only what reads back as it was given replaces anything."""
        from vcr.serialize import deserialize, serialize
        from vcr.serializers import yamlserializer

        path = Path(cassette_path)
        text = str(serialize(cassette_dict, serializer))
        given = zip(cassette_dict["requests"], cassette_dict["responses"], strict=True)
        read = zip(*deserialize(text, yamlserializer)[:2], strict=True)
        if list(map(_essence, given)) != list(map(_essence, read)):
            raise HarnessFault(
                f"{path} would not read back as it was recorded: left as it was; please report this"
            )
        replace_file(path, text.encode("utf-8"))


def _essence(entry: tuple[Any, Mapping[str, Any]]) -> tuple[Any, ...]:
    """What of an entry must survive being written."""
    request, response = entry
    body = (response.get("body") or {}).get("string")
    data = body.encode("utf-8") if isinstance(body, str) else body
    return request.method, request.uri, data, response.get(KEY)


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that every reader sees the old file or the new one, whatever happens meanwhile."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as wrong:
        raise CassetteError(f"{path} cannot be written: {wrong.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(_mode(path))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced; of a new one what the umask leaves."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _parsed(path: Path, parse: Callable[[], Any]) -> Any:
    import yaml

    try:
        return parse()
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise CassetteError(f"{path}{line}: not readable as YAML: {wrong.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise CassetteError(f"{path}: not readable as YAML: {str(wrong).splitlines()[0]}") from None


def _problem(document: object) -> tuple[str, tuple[str | int, ...]] | None:
    """(message, place) of the first thing that vcrpy would stumble over without saying where."""
    if not isinstance(document, Mapping) or "interactions" not in document:
        return ("not a cassette: `version: 1` and a list named `interactions` belong at its top", ())
    if document.get("version") != 1:
        return (f"version={document.get('version')!r}: vcrpy's format 1 is the one there is", ("version",))
    if not isinstance(document["interactions"], list):
        return ("`interactions` is no list: write one entry, `- request: …`, a recording", ("interactions",))
    for number, entry in enumerate(document["interactions"]):
        for part in ("request", "response"):
            if not isinstance(entry, Mapping) or not isinstance(entry.get(part), Mapping):
                return (f"entry {number + 1} has no `{part}` mapping", ("interactions", number))
        extra = sorted(map(str, entry["request"].keys() - REQUEST_KEYS))
        missing = sorted(REQUEST_KEYS - entry["request"].keys())
        if extra or missing:
            wrong = f"holds {', '.join(extra)}: delete it" if extra else f"lacks {', '.join(missing)}: write it"
            place = ("interactions", number, "request")
            return f"entry {number + 1}: its request {wrong}, or vcrpy cannot load the file", place
    return None


def _line(text: str, place: tuple[str | int, ...]) -> str:
    """`, line N` of the value at `place`; only asked for when something is wrong."""
    import yaml

    try:
        node: Any = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
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
