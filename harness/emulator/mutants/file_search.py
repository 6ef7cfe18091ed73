"""Mutants: file search stores."""

from __future__ import annotations

from harness.emulator.mutants.changes import answer, drop, not_found, put
from harness.emulator.mutants.hooks import life_rows, request, response, row
from harness.emulator.mutants.parts import after
from harness.emulator.resources.router import Resources
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table


def _lose_imported(result: None, resources: Resources, order: CreateRequest) -> None:
    kept = [store for _, _, store in resources.kept.stores.everywhere()]
    made = [one for store in kept for one in store.operations.items()]
    imported = [document.fields["displayName"] for name, document in made if not name.startswith("upload/")]
    if order.documents is not None:
        order.documents = [title for title in order.documents if title not in imported]


MUTANTS = table(
    "file_search",
    *life_rows("store", "fileSearchStores", "file search stores", paged=False),
    row("store-count-as-text", "A file search store counts its documents in words.",
        response("* fileSearchStores/**", put(activeDocumentsCount="one"))),
    row("store-operation-never-ends", "The operation of an upload to a store never ends.",
        response("GET fileSearchStores/*/upload/operations/*", drop("done", "response"))),
    row("store-upload-forgotten", "An upload to a store returns an empty object.",
        response("POST upload/fileSearchStores/*:uploadToFileSearchStore", lambda value, call: {})),
    row("store-import-forgotten", "An import into a store returns an empty object.",
        response("POST fileSearchStores/*:importFile", lambda value, call: {})),
    row("store-import-not-searched", "A file that was imported into a store is kept and never found.",
        after(Resources.refer, _lose_imported)),
    row("store-document-lost", "An upload to a store names a document that is not there.",
        request("GET fileSearchStores/*/documents/*", not_found)),
    row("store-document-kept", "A delete of a document in a store returns 200 but it is kept.",
        request("DELETE fileSearchStores/*/documents/*", answer({}))),
)  # fmt: skip
