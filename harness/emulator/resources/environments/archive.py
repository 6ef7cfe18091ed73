"""Packs an environment's files into tar archives and unpacks them, in memory and within limits.

Layer 2. Knows tar and gzip; must not know environments. Archives are untrusted: links, devices and paths with `..`
are refused, and unpacking stops at the limit, so that a gzip bomb does no harm.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterable
from datetime import datetime

from harness.emulator.resources.environments.file_tree import File, Node, clean
from harness.emulator.resources.refusals import over_quota
from harness.emulator.values.call import invalid

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def pack(entries: Iterable[tuple[str, Node]]) -> bytes:
    """Pack relative names and nodes into an uncompressed POSIX tar; the same entries give the same bytes."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, node in entries:
            member = tarfile.TarInfo(name)
            if isinstance(node, File):
                member.size = len(node.data)
                member.mtime = int(datetime.fromisoformat(node.modified).timestamp())
                archive.addfile(member, io.BytesIO(node.data))
            else:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                member.mtime = int(datetime.fromisoformat(node.created).timestamp())
                archive.addfile(member)
    return target.getvalue()


def unpack(data: bytes, limit: int) -> tuple[dict[str, bytes], list[str]]:
    """Files and directories of a `.tar` or `.tar.gz`, by clean path; a later member replaces an earlier one.

    Raises `Refusal` 400 for anything but a valid archive of plain files and directories, 429 when gzip data
    inflates to more than twice `limit` bytes.
    """
    raw = _inflate(data, limit) if data.startswith(_GZIP) else data
    files: dict[str, bytes] = {}
    directories: list[str] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            for member in archive:
                path = clean(member.name)
                if member.isdir():
                    directories.append(path)
                    continue
                # isreg() is true of sparse members too, whose stated size costs the sender nothing
                plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
                content = archive.extractfile(member) if plain else None
                if content is None or not path:
                    raise invalid(f"The archive member {member.name!r} is neither a plain file nor a directory.")
                files[path] = content.read()
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as problem:
        raise invalid(f"extract=true needs a .tar or .tar.gz body, and this one is not: {problem}.") from None
    return files, [path for path in directories if path]


def _inflate(data: bytes, limit: int) -> bytes:
    # the headers of many small files can make a tar much larger than its contents: twice the limit leaves room
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        raw = inflater.decompress(data, 2 * limit)
    except zlib.error as problem:
        raise invalid(f"The body begins as gzip and is not: {problem}.") from None
    if inflater.unconsumed_tail:
        raise over_quota(f"The archive unpacks to more than {2 * limit} bytes.")
    if not inflater.eof:
        raise invalid("The gzip archive ends too early.")
    return raw
