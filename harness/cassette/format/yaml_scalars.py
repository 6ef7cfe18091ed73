"""Write long bodies to YAML as the bytes that libyaml needs, to save memory. Layer 1.

vcrpy converts every body to text, PyYAML converts the text to bytes, and libyaml copies those. For a body of a
hundred megabytes, all copies would be in memory at once. PyYAML also accepts a scalar as UTF-8 bytes, and writes
the same file.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from functools import cache
from typing import Any

from harness.cassette.format.byte_edits import is_text

_LONG = 64 * 1024
"""The size in bytes from which a body is handled this way."""

_LINES = 57 * 1024
"""Bytes encoded at once; a multiple of 57, so that they fill whole lines of MIME base64."""


class Scalar:
    """A scalar in the form in which libyaml will write it."""

    __slots__ = ("style", "tag", "value")

    def __init__(self, tag: str, value: bytes, style: str | None) -> None:
        self.tag = f"tag:yaml.org,2002:{tag}"
        self.value = value
        self.style = style


@cache
def dumper() -> Any:
    """PyYAML's dumper; it supports `Scalar` if it is the one built on libyaml."""
    import yaml

    if not hasattr(yaml, "CDumper"):
        return yaml.Dumper

    class Dumper(yaml.CDumper):
        """Private to this module, because representers are registered per class."""

    Dumper.add_representer(Scalar, lambda _, one: yaml.ScalarNode(one.tag, one.value, style=one.style))
    return Dumper


def lighten(requests: Iterable[Any], responses: Iterable[dict[str, Any]]) -> None:
    """Replace each long body that vcrpy is about to serialize by a `Scalar`."""
    for request in requests:
        if isinstance(request.body, bytes):
            request.body = _choose_scalar(request.body)
    for response in responses:
        body = response.get("body")
        if isinstance(body, dict) and isinstance(body.get("string"), bytes):
            body["string"] = _choose_scalar(body["string"])


def release(requests: Iterable[Any], responses: Iterable[dict[str, Any]]) -> None:
    """Drop all bodies, to free their memory."""
    for request in requests:
        request.body = None
    for response in responses:
        response["body"] = {}


def _choose_scalar(data: bytes) -> bytes | Scalar:
    """A body for the dumper: unchanged if it is short, or if YAML might read it as something other than text."""
    known = dumper()
    if len(data) < _LONG or Scalar not in known.yaml_representers:
        return data
    if is_text(data):
        return data if chr(data[0]) in known.yaml_implicit_resolvers else Scalar("str", data, None)
    text = io.BytesIO()
    for at in range(0, len(data), _LINES):
        text.write(base64.encodebytes(data[at : at + _LINES]))
    return Scalar("binary", text.getvalue(), "|")
