"""Long bodies on their way into YAML, as the bytes that libyaml wants. Layer 1.

vcrpy makes a text of every body and PyYAML bytes of every text, which libyaml copies: of a body of a hundred
megabytes all of them would be in memory at once. PyYAML takes a scalar as bytes of UTF-8 too, and writes the same.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from functools import cache
from typing import Any

from harness.cassette.places import is_text

_LONG = 64 * 1024
"""Bytes of a body that is worth the trouble."""

_LINES = 57 * 1024
"""Bytes that become whole lines of base64, as MIME has them."""


class Scalar:
    """A scalar as libyaml will write it."""

    __slots__ = ("style", "tag", "value")

    def __init__(self, tag: str, value: bytes, style: str | None) -> None:
        self.tag = f"tag:yaml.org,2002:{tag}"
        self.value = value
        self.style = style


@cache
def dumper() -> Any:
    """PyYAML's dumper, which knows `Scalar` if it is libyaml's."""
    import yaml

    if not hasattr(yaml, "CDumper"):
        return yaml.Dumper

    class Dumper(yaml.CDumper):
        """Of this module only: representers are kept by class."""

    Dumper.add_representer(Scalar, lambda _, one: yaml.ScalarNode(one.tag, one.value, style=one.style))
    return Dumper


def lighten(requests: Iterable[Any], responses: Iterable[dict[str, Any]]) -> None:
    """Put a `Scalar` in the place of each long body of what vcrpy shall serialize."""
    for request in requests:
        if isinstance(request.body, bytes):
            request.body = _scalar(request.body)
    for response in responses:
        body = response.get("body")
        if isinstance(body, dict) and isinstance(body.get("string"), bytes):
            body["string"] = _scalar(body["string"])


def release(requests: Iterable[Any], responses: Iterable[dict[str, Any]]) -> None:
    """Let all bodies go."""
    for request in requests:
        request.body = None
    for response in responses:
        response["body"] = {}


def _scalar(data: bytes) -> bytes | Scalar:
    """A body for the dumper: itself where it is short, or where it might be read as something else than a text."""
    known = dumper()
    if len(data) < _LONG or Scalar not in known.yaml_representers:
        return data
    if is_text(data):
        return data if chr(data[0]) in known.yaml_implicit_resolvers else Scalar("str", data, None)
    text = io.BytesIO()
    for at in range(0, len(data), _LINES):
        text.write(base64.encodebytes(data[at : at + _LINES]))
    return Scalar("binary", text.getvalue(), "|")
