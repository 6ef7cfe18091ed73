"""The judges of the checks on uploads, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.agents.uploads import FIRST, SECOND
from tests.checks._play import answer, case, refusal

WRITTEN = answer(body={"files": [{"path": "harness/upload.txt"}]})
TAKEN = refusal(409, "aborted")
OLD, NEW = (answer(body=data, label="text/plain") for data in (FIRST, SECOND))
LOCATED = answer(headers={"location": "/upload/v1beta/x?upload_id=1"})
NAMED = answer(headers={"x-goog-upload-url": "/upload/v1beta/x?upload_id=1"})
NOBODY = refusal(404, "not_found")

CASES = [
    case("env.upload", "met", "read again", written=WRITTEN, content=OLD),
    case("env.upload", "not_met", "refused", written=NOBODY, content=NOBODY),
    case("env.upload", "not_met", "lost", written=WRITTEN, content=NOBODY),
    case("env.upload", "not_met", "other bytes", written=WRITTEN, content=NEW),
    case("env.upload", "not_met", "a list", written=answer(body=[]), content=OLD),
    case("env.upload-exists", "met", "409", written=WRITTEN, again=TAKEN, kept=OLD),
    case("env.upload-exists", "non_strict", "400", written=WRITTEN, again=refusal(400), kept=OLD),
    case("env.upload-exists", "untestable", "nothing was there", written=NOBODY, again=NOBODY, kept=NOBODY),
    case("env.upload-exists", "not_met", "replaced", written=WRITTEN, again=WRITTEN, kept=NEW),
    case("env.upload-exists", "not_met", "refused, and replaced", written=WRITTEN, again=TAKEN, kept=NEW),
    case("env.upload-overwrite", "met", "replaced", written=WRITTEN, replaced=WRITTEN, new_content=NEW),
    case("env.upload-overwrite", "not_met", "refused", written=WRITTEN, replaced=TAKEN, new_content=OLD),
    case("env.upload-overwrite", "not_met", "ignored", written=WRITTEN, replaced=WRITTEN, new_content=OLD),
    case("env.upload-creates-parents", "met", "made", written=WRITTEN, written_below=WRITTEN, below=OLD),
    case("env.upload-creates-parents", "untestable", "no upload", written=NOBODY, written_below=OLD, below=OLD),
    case("env.upload-creates-parents", "not_met", "refused", written=WRITTEN, written_below=NOBODY, below=NOBODY),
    case("env.upload-creates-parents", "not_met", "lost", written=WRITTEN, written_below=WRITTEN, below=NOBODY),
    case("env.upload-resumable", "met", "sent there", started=LOCATED, finished=WRITTEN, resumed=NEW),
    case("env.upload-resumable", "not_met", "nowhere", started=WRITTEN, finished=WRITTEN, resumed=NEW),
    case("env.upload-resumable", "not_met", "refused", started=NOBODY, finished=NOBODY, resumed=NOBODY),
    case("env.upload-resumable", "not_met", "refused there", started=LOCATED, finished=NOBODY, resumed=NOBODY),
    case("env.upload-resumable", "not_met", "other bytes", started=LOCATED, finished=WRITTEN, resumed=OLD),
    case("env.upload-x-goog", "met", "sent there", commanded=NAMED, sent=WRITTEN, by_command=NEW),
    case("env.upload-x-goog", "not_met", "nowhere", commanded=LOCATED, sent=LOCATED, by_command=NOBODY),
    case("env.upload-x-goog", "not_met", "lost", commanded=NAMED, sent=WRITTEN, by_command=NOBODY),
    case("env.upload-extract", "met", "unpacked", extracted=WRITTEN, unpacked=OLD),
    case("env.upload-extract", "not_met", "kept as it is", extracted=WRITTEN, unpacked=NOBODY),
    case("env.upload-extract", "not_met", "refused", extracted=refusal(400), unpacked=NOBODY),
]
