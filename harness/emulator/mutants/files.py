"""Mutants: uploaded files."""

from __future__ import annotations

from harness.contract.transcript import items
from harness.emulator.mutants.changes import crash, drop_header, put, refuse, skip, when
from harness.emulator.mutants.hooks import admit, life_rows, request, response, row
from harness.emulator.mutants.parts import after
from harness.emulator.service import Emulator
from harness.kit.mutant import table

MUTANTS = table(
    "files",
    *life_rows("file", "files", "files"),
    row("file-upload-crashes", "An upload of a file returns 500.", request("* upload/files", crash)),
    row("file-query-silent", "A query of an upload does not say how much has arrived.",
        after(Emulator.perform, drop_header("x-goog-upload-size-received"))),
    row("file-size-as-text", "The size of a file has a unit.", response("GET files/*", put(sizeBytes="67 B"))),
    row("file-refused-in-create", "A create that names a file is refused.",
        admit("references", when(
            lambda order: any("/files/" in str(part.get("uri", "")) for part in items(order.given)),
            refuse("Cannot fetch content from the provided URL.")))),
    row("file-gone-in-create", "A create that names a deleted file is accepted.",
        admit("references", when(
            lambda order: any("uri" in part for part in items(order.given)) or "file_search" in str(order.tools),
            skip))),
)  # fmt: skip
