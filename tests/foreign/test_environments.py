"""Foreign servers with sandboxes, and agents in them: odd ones that are right, others with one defect each."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from tests.foreign.rows import hold_each, in_pages, refuse, rows_of, without
from tests.foreign.server import ForeignService, Headed, Json, Refused, Run, parse_object
from tests.foreign.test_collections import KeepsAgents

pytestmark = pytest.mark.slow

FILES = (
    "env.recursive env.tar env.fork-files"
    " env.upload-resumable env.upload-x-goog env.upload-extract"
    " env.extract-exists env.extract-overwrite env.upload-creates-parents"
)
WRONG = "env.target-root env.fork-env"
OWN = "env.key-once env.mode"
AGENTS = "agent.base-fork env.update-network agent.env-kept"
FILED = {"words": "--capability +environments"}
OWNED = {"words": "--capability +environments --capability +self-hosted"}
SAVED = {"words": "--capability +environments --capability +agents-crud"}


def pack(files: dict[str, bytes]) -> bytes:
    """An archive of everything."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


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
        name = f"box{next(self.numbers)}"
        self.boxes[name] = dict(self.boxes.get(body.get("from_environment", ""), {}))
        self.boxes[name] |= {source["target"]: source["content"].encode() for source in body.get("sources", ())}
        return {"id": name, "status": "active"}

    def read(self, files: dict[str, bytes], path: str, query: Json) -> Any:
        """List, pack or download."""
        if path and path not in files:
            raise Refused(404, "not_found", "There is no such file.")
        if query.get("alt") == "media":
            return files[path] if path else pack(files)
        deep = query.get("recursive") == "true"
        return {
            "files": [
                {"path": f"/{name}"} for name in sorted(files if deep else {n.partition("/")[0] for n in files})
            ]
        }

    def upload(self, path: str, query: Json, headers: Json, data: bytes) -> Json:
        if found := self.begun.get(query.get("upload_id", "")):
            return self.finish(*found, data)
        _, box, _, *rest = path.split("/")
        name = "/".join(rest)
        told = {key.lower(): value for key, value in headers.items()}
        if "x-goog-upload-command" in told or query.get("uploadType") == "resumable":
            upload = f"u{next(self.numbers)}"
            self.begun[upload] = (box, name)
            address = f"https://elsewhere.example/upload/v1beta/{path}?upload_id={upload}"
            return Headed({}, location=address, x_goog_upload_url=address)
        if query.get("extract") == "true":
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                opened = ((self.place(name, member.name), archive.extractfile(member)) for member in archive)
                found = {place: file.read() for place, file in opened if file}
            if query.get("overwrite") == "true":
                self.replace(self.boxes[box], found)
            else:
                self.unpack(self.boxes[box], found)
            return {"files": []}
        return self.finish(box, name, data)

    def unpack(self, files: dict[str, bytes], found: dict[str, bytes]) -> None:
        """Write the files of an archive, if none of them exists."""
        if found.keys() & files.keys():
            raise Refused(409, "aborted", "Some of it exists.")
        files |= found

    def replace(self, files: dict[str, bytes], found: dict[str, bytes]) -> None:
        """Write the files of an archive, whatever exists."""
        files |= found

    def place(self, below: str, name: str) -> str:
        """Where a file of an archive goes."""
        return f"{below}/{name}"

    def finish(self, box: str, name: str, data: bytes) -> Json:
        """Write what was uploaded."""
        self.boxes[box][name] = data
        return {"files": [{"path": name}]}


class OwnSandboxes(Sandboxes):
    """Odd, but right: environments may be of a user's own, and only those show their mode."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: dict[str, Json] = {}

    def open(self, body: Json) -> Json:
        made = super().open(body)
        if body.get("mode") == "self_hosted":
            made |= {"mode": "self_hosted", "environment_key": f"key of {made['id']}"}
        self.opened[made["id"]] = made
        return made

    def look(self, name: str) -> Json:
        """An environment as a read shows it."""
        return without(self.opened[name], "environment_key")

    def list_boxes(self, mode: str) -> list[Json]:
        """The environments of a mode, or all."""
        shown = [self.look(name) for name in self.boxes]
        return [box for box in shown if mode in ("", box.get("mode", "on_demand"))]

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Any:
        if (method, parts) == ("GET", ["environments"]):
            return {"environments": self.list_boxes(query.get("mode", ""))}
        answer = super().neighbour(method, parts, data, query)
        shown = method == "GET" and parts[0] == "environments" and len(parts) == 2
        return self.look(parts[1]) if shown else answer


class Workshop(Sandboxes, KeepsAgents):
    """Odd, but right: rules are shown as a list of hosts, and the sandbox is told when the run has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.rules: dict[str, Any] = {}

    def admit(self, body: Json) -> None:
        agent = body.get("agent", "")
        saved = self.agents.get(agent, {})
        if agent and not saved and not agent.startswith("antigravity"):
            raise Refused(404, "not_found", "There is no such agent.")
        plain = without(body, "agent", "environment")
        super().admit({**plain, "model": "gemini-agent"} if agent else plain)
        if "environment" in body:
            body["environment_id"] = self.enter(body["environment"], saved.get("base_environment"))
        body.setdefault("model", "gemini-agent")

    def enter(self, wanted: Any, base: str | None) -> str:
        """The sandbox that a run gets."""
        if isinstance(wanted, dict) and "environment_id" in wanted:
            return self.set_rules(wanted["environment_id"], wanted.get("network"))
        if wanted != "remote":
            if wanted not in self.boxes:
                raise Refused(404, "not_found", "There is no such environment.")
            return str(wanted)
        return self.fork(base)

    def fork(self, base: str | None) -> str:
        """A new sandbox, with the files of a base if there is one."""
        return str(self.open({"from_environment": base} if base else {})["id"])

    def set_rules(self, box: str, network: Any) -> str:
        """Give a sandbox other rules."""
        self.rules[box] = [rule["domain"] for rule in network["allowlist"]]
        return box

    def open(self, body: Json) -> Json:
        made = super().open(body)
        self.rules[made["id"]] = body.get("network")
        return {**made, "network": body.get("network")}

    def show(self, run: Run) -> Json:
        body = super().show(run)
        if body["status"] != "in_progress" and "environment_id" in run.body:
            body["environment_id"] = run.body["environment_id"]
        return body

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Any:
        answer = super().neighbour(method, parts, data, query)
        shown = method == "GET" and parts[0] == "environments" and len(parts) == 2
        return {**answer, "network": self.rules[parts[1]]} if shown else answer


class SharesCopy(Workshop):
    """The first run copies the base, and later runs go on in the copy."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: dict[str | None, str] = {}

    def fork(self, base: str | None) -> str:
        if base and base not in self.copies:
            self.copies[base] = super().fork(base)
        return self.copies[base] if base else super().fork(base)


def refuse_too_late(self: Sandboxes, usual: Any, files: dict[str, bytes], found: dict[str, bytes]) -> None:
    """Write what an archive has, and refuse it afterwards."""
    known = files.keys() & found.keys()
    files |= found
    if known:
        raise Refused(409, "aborted", "Some of it existed.")


def clear_files(self: Workshop, usual: Any, box: str, network: Any) -> str:
    """Drop the files of a sandbox with its rules."""
    self.boxes[box] = {}
    return usual(box, network)


def hide_rules(self: Workshop, usual: Any, *asked: Any) -> Any:
    """Show nobody what a sandbox may reach."""
    answer = usual(*asked)
    return without(answer, "network") if type(answer) is dict else answer


def share_files(self: Sandboxes, usual: Any, body: Json) -> Json:
    """Give a fork the files of its origin, and no copy of them."""
    made: Json = usual(body)
    self.boxes[made["id"]] = self.boxes.get(body.get("from_environment", ""), self.boxes[made["id"]])
    return made


def keep_old(self: Sandboxes, usual: Any, box: str, name: str, data: bytes) -> Json:
    """Write no file that exists."""
    return usual(box, name, self.boxes[box].get(name, data))


def refuse_to_replace(self: Sandboxes, usual: Any, box: str, name: str, data: bytes) -> Json:
    """Refuse to write a file that exists."""
    if name in self.boxes[box]:
        raise Refused(409, "aborted", "It exists.")
    return usual(box, name, data)


NO_FILES = refuse(404, message="There is no such route.")
boxes, shop, own = rows_of(Sandboxes), rows_of(Workshop), rows_of(OwnSandboxes)
ROWS = [
    # Leading slashes, `./` in archives and addresses of another host are no faults.
    boxes(f"sandboxes: {FILES} -> rest pass", **FILED),
    # Files are an option of environments.
    boxes(f"keeps-no-files: {FILES} -> rest not_applicable", read=NO_FILES, upload=NO_FILES, **FILED),
    # Files in pages, with nothing on the last one.
    boxes("in-pages: page.env-files -> pass page.env-files", neighbour=in_pages(empty_end=True), **FILED),
    # What is unpacked lies in one directory, whatever the archive says.
    boxes(
        f"flattens-archives: {FILES} -> warn env.upload-extract, blocked env.extract-exists env.extract-overwrite",
        place=lambda self, usual, below, name: usual(below, name.rpartition("/")[2]),
        **FILED,
    ),
    # An archive may replace what exists, and does not; what it may not replace it replaces before it is refused.
    boxes(
        f"keeps-what-exists: {FILES} -> warn env.extract-overwrite",
        replace=lambda self, usual, files, found: files.update({**found, **files}),
        **FILED,
    ),
    # A fork has the files of its origin, and not those files themselves; a server may have no forks.
    boxes(f"shares-files: {FILES} -> fail env.fork-files/shared, exit 1", open=share_files, **FILED),
    boxes(
        f"refuses-forks: {FILES} -> untestable env.fork-files, exit 0",
        open=refuse(400, lambda body: "from_environment" in body),
    ),
    # A file that exists is replaced on request; a server may refuse that, but not say that it did it.
    boxes("keeps-old-files: env.upload-overwrite -> fail env.upload-overwrite, exit 1", finish=keep_old, **FILED),
    boxes("replaces-no-file: env.upload-overwrite -> untestable env.upload-overwrite", finish=refuse_to_replace),
    boxes(f"refuses-too-late: {FILES} -> warn env.extract-exists", unpack=refuse_too_late, **FILED),
    boxes(
        f"refuses-both: {WRONG} -> rest pass",
        open=refuse(
            400, lambda body: "env" in body or any(one["target"] == "/" for one in body.get("sources", ()))
        ),
        **FILED,
    ),
    # A sandbox of the user's own: its key is shown once, and it is listed by its mode.
    own(f"own-boxes: {OWN} -> rest pass", **OWNED),
    # A server that has no such environments is judged only if its owner declares them.
    own(
        f"refuses-modes: {OWN} -> untestable env.key-once env.mode", open=refuse(400, lambda body: "mode" in body)
    ),
    own(
        f"lists-key: {OWN} -> warn env.key-once",
        list_boxes=lambda self, usual, mode: [self.opened[box["id"]] for box in usual(mode)],
        **OWNED,
    ),
    # A list of hosts is as good as an object, and the end of a run is early enough to tell its sandbox.
    shop(f"workshop: {AGENTS} -> rest pass", **SAVED),
    # Without a look at the rules before, nothing is said of those after.
    shop("hides-rules: env.update-network -> untestable env.update-network", neighbour=hide_rules),
    rows_of(SharesCopy)(f"shares-copy: {AGENTS} -> warn agent.base-fork", **SAVED),
    # A change of the rules drops the files.
    shop(f"clears-files: {AGENTS} -> warn env.update-network", set_rules=clear_files, **SAVED),
]


test_each_defect_is_found_where_it_is = hold_each(ROWS)
"""Each defect is a warning of the promise that it breaks, and of no other."""
