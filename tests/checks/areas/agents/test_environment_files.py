"""The judges of the checks on files of environments, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.agents.environment_files import NOTE, NOTE_PATH
from harness.checks.areas.agents.uploads import pack
from tests.checks._play import answer, case, refusal


def files(*paths):
    """A listing of files."""
    return answer(body={"files": [{"name": path.rpartition("/")[2], "path": path} for path in paths]})


ONE = answer(body={"id": "env2"})
MISSING = refusal(404, "not_found")
DEEP, TOP = files("notes", NOTE_PATH), files("notes")
BYTES = answer(body=NOTE.encode(), label="text/plain")


def packed(name=NOTE_PATH, data=b"harness check\n"):
    """A tar of one file."""
    return answer(body=pack(name, data), label="application/x-tar")


CASES = [
    case("env.files", "met", "with its path", listing=files("notes", NOTE_PATH)),
    case("env.files", "met", "with a leading slash", listing=files(f"/{NOTE_PATH}")),
    case("env.files", "not_met", "not there", listing=files("notes")),
    case("env.files", "not_met", "refused", listing=MISSING),
    case("env.files", "not_met", "a bare list", listing=answer(body=[{"path": NOTE_PATH}])),
    case("env.file-content", "met", "the bytes", content=answer(body=NOTE.encode(), label="text/plain")),
    case("env.file-content", "not_met", "other bytes", content=answer(body=NOTE.strip().encode())),
    case("env.file-content", "not_met", "its metadata", content=files(NOTE_PATH)),
    case("env.file-missing", "met", "404", missing=MISSING),
    case("env.file-missing", "not_met", "an empty list", missing=files()),
    case("env.recursive", "met", "only when asked", listing=DEEP, top=TOP),
    case("env.recursive", "met", "directories with a slash", listing=DEEP, top=files("/notes/")),
    case("env.recursive", "not_met", "always", listing=DEEP, top=DEEP),
    case("env.recursive", "not_met", "never", listing=TOP, top=TOP),
    case("env.recursive", "not_met", "refused", listing=DEEP, top=refusal(500)),
    case("env.tar", "met", "packed", packed=packed()),
    case("env.tar", "met", "below a directory", packed=packed(f"./{NOTE_PATH}")),
    case("env.tar", "not_met", "a listing", packed=DEEP),
    case("env.tar", "not_met", "nothing in it", packed=packed("other.txt")),
    case("env.tar", "not_met", "other bytes", packed=packed(data=b"other")),
    case("env.tar", "not_met", "refused", packed=refusal(400)),
    case("env.fork-files", "met", "copied", forked=ONE, copied=BYTES),
    case("env.fork-files", "not_met", "empty", forked=ONE, copied=MISSING),
    case("env.fork-files", "not_met", "refused", forked=refusal(400), copied=refusal(400)),
]  # fmt: skip
