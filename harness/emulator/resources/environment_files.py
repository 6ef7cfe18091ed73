"""An environment's files: metadata, listings, downloads, uploads, and tar archives in both directions.

Knows paths, archives and conflicts; the upload protocols are in `uploads`.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from datetime import datetime
from typing import Any

from harness.emulator.resources import uploads
from harness.emulator.resources.collection import listing, page
from harness.emulator.resources.environments import Environments, File, Node, clean
from harness.emulator.resources.uploads import Receiver, declared_type
from harness.emulator.values.call import Call, flag, invalid, no_operation, not_found
from harness.wire import Headers, Response


class Files:
    """The operations below `environments/{id}/files`, and the older download of a whole environment."""

    def __init__(self, environments: Environments) -> None:
        self._environments = environments

    def get(self, call: Call, environment_id: str) -> Any:
        """GET environments/{id}/files/…: metadata of a file, children of a directory; bytes with `alt=media`."""
        if call.request.method != "GET":
            raise no_operation(call, "GET here; uploads are PUT below /upload/{version}/")
        environment = self._environments.open(environment_id, call.project)
        # whether or not a client encodes the slashes of a path, it means the same file
        path = clean("/".join(call.segments[3:]))
        node = environment.node(path)
        if node is None:
            raise not_found(f"Environment {environment.id!r} has nothing at {path!r}.")
        recursive = flag(call, "recursive")
        if call.query.get("alt") == "media":
            if isinstance(node, File):
                return Response.whole(200, Headers((("content-type", node.media_type),)), node.data)
            below = environment.below(path, recursive=recursive)
            # without `recursive`, only the directory's own files are packed, and no entries for its subdirectories
            return _pack_tar([entry for entry in below if recursive or isinstance(entry[1], File)], path)
        if isinstance(node, File):
            return {"files": [_show(path, node)]}
        listed = environment.below(path, recursive=recursive)
        scope = f"files {environment.id} {path} {recursive}"
        chosen, token = page([(name, (name, item)) for name, item in listed], call.query, scope)
        return listing("files", [_show(name, item) for name, item in chosen], token)

    def pack(self, call: Call, environment_id: str) -> Response:
        """GET files/environment-{id}:download, a tar of everything."""
        if call.request.method != "GET":
            raise no_operation(call, "GET")
        environment = self._environments.open(environment_id, call.project)
        return _pack_tar(environment.below("", recursive=True), "")

    def receive(self, call: Call) -> Receiver:
        """PUT upload/environments/{id}/files/…: what takes the bytes that come. Raises `Refusal` 400 or 404."""
        extract = flag(call, "extract")
        path = clean("/".join(call.segments[4:]))
        if not path and not extract:
            raise invalid(
                "An upload needs the path of a file: …/files/{path}; only extract=true can name the root."
            )
        overwrite, media_type = flag(call, "overwrite"), declared_type(call)
        self._environments.open(call.segments[2], call.project)

        def store(data: bytes) -> dict[str, Any]:
            environment = self._environments.open(call.segments[2], call.project)
            if extract:
                below = f"{path}/" if path else ""
                files, directories = _unpack(data)
                paths = self._environments.write(
                    environment,
                    {below + name: content for name, content in files.items()},
                    overwrite=overwrite,
                    directories=tuple(below + name for name in directories),
                )
            else:
                paths = self._environments.write(
                    environment, {path: data}, media_type=media_type, overwrite=overwrite
                )
            written = ((path, environment.node(path)) for path in paths)
            return {"files": [_show(path, node, times=False) for path, node in written if node]}

        return Receiver(store, uploads.UPLOAD_BYTES)


def _show(path: str, node: Node, *, times: bool = True) -> dict[str, Any]:
    """One file or directory as the API lists it; responses to uploads have no times."""
    shown: dict[str, Any] = {"name": path.rpartition("/")[2], "path": path}
    if not isinstance(node, File):
        return {**shown, "type": "DIRECTORY", **({"created": node.created} if times else {})}
    shown |= {"type": "FILE", "size_bytes": str(len(node.data)), "mime_type": node.media_type}
    return {**shown, "created": node.created, "modified": node.modified} if times else shown


def _pack_tar(entries: list[tuple[str, Node]], start: str) -> Response:
    """Pack entries into an uncompressed POSIX tar; the same entries give the same bytes.

    Names inside the archive are relative to the requested directory (inferred).
    """
    skip = len(start) + 1 if start else 0
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, node in entries:
            member = tarfile.TarInfo(name[skip:])
            if isinstance(node, File):
                member.size = len(node.data)
                member.mtime = int(datetime.fromisoformat(node.modified).timestamp())
                archive.addfile(member, io.BytesIO(node.data))
            else:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                member.mtime = int(datetime.fromisoformat(node.created).timestamp())
                archive.addfile(member)
    return Response.whole(200, Headers((("content-type", "application/x-tar"),)), target.getvalue())


def _unpack(data: bytes) -> tuple[dict[str, bytes], list[str]]:
    """Files and directories of a `.tar` or `.tar.gz`, by clean path; a later member replaces an earlier one.

    Raises `Refusal` 400 for anything but a valid archive of plain files and directories.
    """
    files: dict[str, bytes] = {}
    directories: list[str] = []
    try:
        raw = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            for member in archive:
                path = clean(member.name)
                if member.isdir():
                    directories.append(path)
                    continue
                content = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                if content is None or not path:
                    raise invalid(f"The archive member {member.name!r} is neither a plain file nor a directory.")
                files[path] = content.read()
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, RecursionError, zlib.error) as problem:
        raise invalid(f"extract=true needs a .tar or .tar.gz body, and this one is not: {problem}.") from None
    return files, [path for path in directories if path]
