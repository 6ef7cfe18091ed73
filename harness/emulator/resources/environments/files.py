"""Reading an environment's files: metadata, listings, downloads, and a tar of the whole environment.

Layer 2. Knows the read half of the files API; the write half is in `uploads`.
"""

from __future__ import annotations

from typing import Any

from harness.emulator.resources.environments import archive
from harness.emulator.resources.environments.environments import Environment, Environments
from harness.emulator.resources.environments.file_tree import File, Node, clean
from harness.emulator.resources.paging import listing, page
from harness.emulator.resources.refusals import flag, no_operation
from harness.emulator.values.call import Call, json_response, not_found
from harness.wire import Headers, Response

_SNAPSHOT_PREFIX, _SNAPSHOT_VERB = "environment-", ":download"


class Files:
    """GET below `environments/{id}/files`, and the older download of a whole environment."""

    def __init__(self, environments: Environments) -> None:
        self._environments = environments

    def handle(self, call: Call) -> Response:
        """Answer with a file's metadata or a directory's children; with `alt=media`, the file's bytes or a tar."""
        if call.request.method != "GET":
            raise no_operation(call, "GET here; uploads are PUT below /upload/{version}/")
        environment = self._environments.open(call.segments[1], call.project)
        # whether or not a client encodes the slashes of a path, it means the same file
        path = clean("/".join(call.segments[3:]))
        node = environment.tree.node(path)
        if node is None:
            raise not_found(f"Environment {environment.id!r} has nothing at {path!r}.")
        recursive = flag(call, "recursive")
        if call.query.get("alt") == "media":
            return _answer_media(environment, path, node, recursive)
        if isinstance(node, File):
            return json_response({"files": [entry(path, node)]})
        listed = environment.tree.below(path, recursive=recursive)
        scope = f"files {environment.id} {path} {recursive}"
        chosen, token = page([(name, (name, item)) for name, item in listed], call.query, scope)
        return json_response(listing("files", [entry(name, item) for name, item in chosen], token))

    def snapshot(self, call: Call) -> Response | None:
        """`files/environment-{id}:download`, a tar of everything; None for any other path below `files`."""
        name = call.segments[1] if len(call.segments) == 2 else ""
        if not (name.startswith(_SNAPSHOT_PREFIX) and name.endswith(_SNAPSHOT_VERB)):
            return None
        if call.request.method != "GET":
            raise no_operation(call, "GET")
        environment_id = name.removeprefix(_SNAPSHOT_PREFIX).removesuffix(_SNAPSHOT_VERB)
        environment = self._environments.open(environment_id, call.project)
        return _pack_tar(environment.tree.below("", recursive=True), "")


def entry(path: str, node: Node, *, times: bool = True) -> dict[str, Any]:
    """One file or directory as the API lists it; responses to uploads have no times."""
    entry: dict[str, Any] = {"name": path.rpartition("/")[2], "path": path}
    if not isinstance(node, File):
        return {**entry, "type": "DIRECTORY", **({"created": node.created} if times else {})}
    entry |= {"type": "FILE", "size_bytes": str(len(node.data)), "mime_type": node.media_type}
    return {**entry, "created": node.created, "modified": node.modified} if times else entry


def _answer_media(environment: Environment, path: str, node: Node, recursive: bool) -> Response:
    if isinstance(node, File):
        return Response.whole(200, Headers((("content-type", node.media_type),)), node.data)
    below = environment.tree.below(path, recursive=recursive)
    # without `recursive`, only the directory's own files are packed, and no entries for its subdirectories
    return _pack_tar([(name, item) for name, item in below if recursive or isinstance(item, File)], path)


def _pack_tar(entries: list[tuple[str, Node]], start: str) -> Response:
    """Pack entries; names inside the archive are relative to the requested directory (inferred)."""
    skip = len(start) + 1 if start else 0
    data = archive.pack((name[skip:], node) for name, node in entries)
    return Response.whole(200, Headers((("content-type", "application/x-tar"),)), data)
