"""Foreign servers with sandboxes: one that is odd but right, others with one defect each."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Headed, Json, Refused, parse_object

CHECKS = (
    "env.recursive", "env.tar", "env.fork-files",
    "env.upload-resumable", "env.upload-x-goog", "env.upload-extract", "env.upload-creates-parents",
)  # fmt: skip
SUPPORTS = ("--capability", "+environments")


class Sandboxes(ForeignService):
    """Odd, but right: paths begin with a slash, archives have `./` entries, addresses name another host."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes: dict[str, dict[str, bytes]] = {}
        self.begun: dict[str, tuple[str, str]] = {}

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Any:
        if parts[0] != "environments":
            return super().neighbour(method, parts, data, query)
        if len(parts) == 1:
            return self.open(parse_object(data or b"{}")) if method == "POST" else {"environments": []}
        if parts[1] not in self.boxes:
            raise Refused(404, "not_found", "There is no such environment.")
        if len(parts) == 2:
            return {} if method == "DELETE" and self.boxes.pop(parts[1]) is not None else {"id": parts[1]}
        return self.read(self.boxes[parts[1]], "/".join(parts[3:]), query)

    def open(self, body: Json) -> Json:
        """Make a sandbox."""
        name = f"box{len(self.boxes) + self.made}"
        self.made += 1
        self.boxes[name] = dict(self.boxes.get(body.get("from_environment", ""), {}))
        self.boxes[name] |= {source["target"]: source["content"].encode() for source in body.get("sources", ())}
        return {"id": name, "status": "active"}

    def read(self, files: dict[str, bytes], path: str, query: Json) -> Any:
        """List, pack or download."""
        if path and path not in files:
            raise Refused(404, "not_found", "There is no such file.")
        if query.get("alt") == "media":
            return files[path] if path else self.pack(files)
        return {"files": [{"path": f"/{name}"} for name in self.list(files, query.get("recursive") == "true")]}

    def list(self, files: dict[str, bytes], deep: bool) -> list[str]:
        """The paths that a listing of the root shows."""
        return sorted(files if deep else {name.partition("/")[0] for name in files})

    def pack(self, files: dict[str, bytes]) -> bytes:
        """An archive of everything."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(f"./{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        return buffer.getvalue()

    def upload(self, path: str, query: Json, headers: Json, data: bytes) -> Json:
        if found := self.begun.get(query.get("upload_id", "")):
            return self.finish(*found, data)
        _, box, _, *rest = path.split("/")
        name = "/".join(rest)
        told = {key.lower(): value for key, value in headers.items()}
        if "x-goog-upload-command" in told or query.get("uploadType") == "resumable":
            self.begun[f"u{len(self.begun)}"] = (box, name)
            address = f"https://elsewhere.example/upload/v1beta/{path}?upload_id=u{len(self.begun) - 1}"
            return Headed({}, location=address, x_goog_upload_url=address)
        if query.get("extract") == "true":
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                for member in archive:
                    file = archive.extractfile(member)
                    self.boxes[box][self.place(name, member.name)] = file.read() if file else b""
            return {"files": []}
        return self.finish(box, name, data)

    def place(self, below: str, name: str) -> str:
        """Where a file of an archive goes."""
        return f"{below}/{name}"

    def finish(self, box: str, name: str, data: bytes) -> Json:
        """Write what was uploaded."""
        self.boxes[box][name] = data
        return {"files": [{"path": name}]}


class ListsAll(Sandboxes):
    """Wrong: every listing is of everything."""

    def list(self, files: dict[str, bytes], deep: bool) -> list[str]:
        return sorted(files)


class PacksNothing(Sandboxes):
    """Wrong: the archive of a directory leaves out what is in subdirectories, although all was asked for."""

    def pack(self, files: dict[str, bytes]) -> bytes:
        return super().pack({name: data for name, data in files.items() if "/" not in name})


class ForksNothing(Sandboxes):
    """Wrong: a fork is empty."""

    def open(self, body: Json) -> Json:
        return super().open({name: value for name, value in body.items() if name != "from_environment"})


class FlattensArchives(Sandboxes):
    """Wrong: what is unpacked lies in one directory, whatever the archive says."""

    def place(self, below: str, name: str) -> str:
        return f"{below}/{name.rpartition('/')[2]}"


class LosesPieces(Sandboxes):
    """Wrong: what is sent to the address of an upload is confirmed and dropped."""

    def upload(self, path: str, query: Json, headers: Json, data: bytes) -> Json:
        return {"files": []} if "upload_id" in query else super().upload(path, query, headers, data)


class NeedsDirectories(Sandboxes):
    """Wrong: a file can only be put where a directory is."""

    def finish(self, box: str, name: str, data: bytes) -> Json:
        parent = name.rpartition("/")[0]
        if parent and not any(path.startswith(f"{parent}/") for path in self.boxes[box]):
            raise Refused(404, "not_found", "There is no such directory.")
        return super().finish(box, name, data)


def test_odd_sandboxes_are_right() -> None:
    """Leading slashes, `./` in archives and addresses of another host are no faults."""
    report = check(Sandboxes(), *CHECKS, words=SUPPORTS)
    assert report.verdicts == dict.fromkeys(CHECKS, "pass")


@pytest.mark.parametrize(
    ("defect", "faults"),
    [
        (ListsAll, {"env.recursive"}),
        (PacksNothing, {"env.tar"}),
        (ForksNothing, {"env.fork-files"}),
        (FlattensArchives, {"env.upload-extract"}),
        (NeedsDirectories, {"env.upload-creates-parents"}),
        (LosesPieces, {"env.upload-resumable", "env.upload-x-goog"}),
    ],
)
def test_each_defect_is_found_where_it_is(defect: type[Sandboxes], faults: set[str]) -> None:
    """Each defect is reported by the check of the promise that it breaks, and by no other."""
    assert set(check(defect(), *CHECKS, words=SUPPORTS).faults) == faults
