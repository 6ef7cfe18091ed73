"""A request as a curl line that reproduces it from a POSIX shell, the key taken from the environment.

Layer 5.
"""

from __future__ import annotations

import base64
import re
import shlex

from harness.wire import Request
from harness.wire.mask import Mask
from harness.wire.secrets import is_secret_header

_LEFT_TO_CURL = frozenset({"content-length", "host", "connection", "accept-encoding", "transfer-encoding"})


def curl(request: Request, root: str, mask: Mask) -> str:
    """One command, on several lines joined by backslashes; `root` is where the target is (no trailing slash)."""
    pipe, data = _data(request, mask)
    parts = [f"{pipe}curl -sS -N -i -X {request.method} {shlex.quote(mask.text(root + request.target))}"]
    parts += [
        f"-H {_header(name, value, mask)}"
        for name, value in request.headers.items()
        if name.lower() not in _LEFT_TO_CURL
    ]
    return " \\\n  ".join([*parts, *data])


def _header(name: str, value: str, mask: Mask) -> str:
    scheme, space, rest = value.rpartition(" ")
    if (variable := mask.variable(value)) is not None:
        scheme, space = "", ""
    else:
        variable = mask.variable(rest)
    if variable is not None:
        return shlex.quote(f"{name}: {scheme}{space}") + f'"${variable}"'
    # Any other key is one that the check made up (a wrong one, on purpose): it is no secret and must be seen.
    return shlex.quote(f"{name}: {value if is_secret_header(name) else mask.text(value)}")


def _data(request: Request, mask: Mask) -> tuple[str, list[str]]:
    body = request.body
    if not body:
        return "", []
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text):
        packed = base64.b64encode(body).decode("ascii")
        return f"echo {packed} | base64 -d | ", ["--data-binary @-"]
    masked = mask.text(text, request)
    # A leading @ would be read as the name of a file; --data-raw takes it literally.
    return "", [f"--data-raw {shlex.quote(masked)}"]
