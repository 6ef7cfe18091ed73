"""Writing an environment's files: where an upload goes, and what it writes there.

Layer 2. Knows paths, archives and conflicts; the upload protocols are in `uploads`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.emulator.resources import uploads
from harness.emulator.resources.environments import archive
from harness.emulator.resources.environments.environments import Environments
from harness.emulator.resources.environments.file_tree import clean
from harness.emulator.resources.environments.files import entry
from harness.emulator.resources.refusals import flag
from harness.emulator.resources.uploads import Receiver, declared_type
from harness.emulator.values.call import Call, invalid


@dataclass(frozen=True, slots=True)
class Destination:
    """Where and how to store an upload, as given in its first request."""

    environment: str
    project: str
    path: str
    media_type: str
    overwrite: bool
    extract: bool


class EnvironmentUploads:
    """PUT below `upload/environments/{id}/files`."""

    def __init__(self, environments: Environments) -> None:
        self._environments = environments

    def receive(self, call: Call) -> Receiver:
        """Return what takes the bytes of the upload that this request begins. Raises `Refusal` 400 or 404."""
        to = _choose_destination(call)
        self._environments.open(to.environment, to.project)
        return Receiver(lambda data: self._store(to, data), uploads.UPLOAD_BYTES)

    def _store(self, to: Destination, data: bytes) -> dict[str, Any]:
        environment = self._environments.open(to.environment, to.project)
        if to.extract:
            below = f"{to.path}/" if to.path else ""
            files, directories = archive.unpack(data, uploads.UPLOAD_BYTES)
            paths = self._environments.write(
                environment,
                {below + name: content for name, content in files.items()},
                overwrite=to.overwrite,
                directories=tuple(below + name for name in directories),
            )
        else:
            paths = self._environments.write(
                environment, {to.path: data}, media_type=to.media_type, overwrite=to.overwrite
            )
        written = ((path, environment.tree.node(path)) for path in paths)
        return {"files": [entry(path, node, times=False) for path, node in written if node]}


def _choose_destination(call: Call) -> Destination:
    extract = flag(call, "extract")
    path = clean("/".join(call.segments[4:]))
    if not path and not extract:
        raise invalid("An upload needs the path of a file: …/files/{path}; only extract=true can name the root.")
    return Destination(call.segments[2], call.project, path, declared_type(call), flag(call, "overwrite"), extract)
