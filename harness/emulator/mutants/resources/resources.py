"""Mutants: files, file search stores, voices, decisions."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from harness.contract.data.input import items
from harness.contract.requests import KEY_HEADER
from harness.emulator.engine import Engine
from harness.emulator.http.routing import Route
from harness.emulator.mutants.changes import (
    Json,
    crash,
    drop,
    not_found,
    put,
    read_json,
    refuse,
    skip,
    when,
)
from harness.emulator.mutants.hooks import admit, arrival, request, response
from harness.emulator.mutants.lives import life_rows
from harness.emulator.mutants.parts import Change, Defect, after
from harness.emulator.mutants.rows import row
from harness.emulator.resources import Resources
from harness.emulator.service import Emulator
from harness.emulator.values.call import Call, Refusal
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table
from harness.wire import Request, Response


def _change_upload(change: Change) -> Defect:
    """Change the headers of every answer to an upload of files."""

    def edit(response: Response | None, _: Emulator, engine: Engine, call: Call) -> Response | None:
        if response is not None and call.segments == ("upload", "files"):
            change(response, call)
        return response

    return after(Emulator.perform, edit)


def _without_address(response: Response, call: Call) -> None:
    response.headers = response.headers.without("x-goog-upload-url")


def _never_final(response: Response, call: Call) -> None:
    if response.headers.get("x-goog-upload-status") == "final":
        response.headers = response.headers.having("x-goog-upload-status", "active")


def _without_size(response: Response, call: Call) -> None:
    response.headers = response.headers.without("x-goog-upload-size-received")


def _names_a_file(order: CreateRequest) -> bool:
    return any("/files/" in str(part.get("uri", "")) for part in items(order.given))


def _lose_imported(result: None, resources: Resources, order: CreateRequest) -> None:
    kept = [store for _, _, store in resources._stores._kept.everywhere()]
    made = [one for store in kept for one in store.operations.items()]
    imported = [document.fields["displayName"] for name, document in made if not name.startswith("upload/")]
    if order.documents is not None:
        order.documents = [title for title in order.documents if title not in imported]


def _force(call: Call, engine: Engine) -> Call:
    call.query = {**call.query, "force": "true"}
    return call


def _with_first_answer_only(value: Json, call: Call) -> None:
    value["answers"] = dict(list(value["answers"].items())[:1])


def _overconfident(value: Json, call: Call) -> None:
    for given in value["answers"].values():
        given["confidence"] = 1.0


def _in_percent(value: Json, call: Call) -> None:
    for given in value["answers"].values():
        for name in given.get("probabilities", {}):
            given["probabilities"][name] /= 2


def _without_types(value: Json, call: Call) -> None:
    for given in value["answers"].values():
        del given["type"]


def _ask_for_key(request: Request, where: Route) -> None:
    if "upload_id" in where.query and KEY_HEADER not in request.headers:
        raise Refusal(401, "authentication", "The call carries no API key.")


def _store_always(call: Call, engine: Engine) -> Call:
    body = {**read_json(call), "store": True}
    return replace(call, request=replace(call.request, body=msgspec.json.encode(body)))


def _with_output_tokens(value: Json, call: Call) -> None:
    value["usage"]["total_output_tokens"] = 7


MUTANTS = table(
    "resources",
    *life_rows("file", "files", "files"),
    *life_rows("store", "fileSearchStores", "file search stores"),
    *life_rows("voice", "voices", "voices"),
    row("file-upload-crashes", "An upload of a file is answered with 500.",
        request("* upload/files", crash)),
    row("file-upload-no-address", "The first answer to an upload names no address.",
        _change_upload(_without_address)),
    row("file-upload-never-final", "The last answer to an upload says that it is still active.",
        _change_upload(_never_final)),
    row("file-upload-needs-a-key", "The address of an upload asks for a key.",
        arrival(_ask_for_key)),
    row("file-query-silent", "A query of an upload does not say how much has arrived.",
        _change_upload(_without_size)),
    row("file-size-as-text", "The size of a file has a unit.",
        response("GET files/*", put(sizeBytes="67 B"))),
    row("file-refused-in-create", "A create that names a file is refused.",
        admit("references", when(_names_a_file, refuse("Cannot fetch content from the provided URL.")))),
    row("file-gone-in-create", "A create that names a deleted file is accepted.",
        admit("references", skip)),
    row("store-count-as-text", "A file search store counts its documents in words.",
        response("* fileSearchStores/**", put(activeDocumentsCount="one"))),
    row("store-operation-never-ends", "The operation of an upload to a store never ends.",
        response("GET fileSearchStores/*/upload/operations/*", drop("done", "response"))),
    row("store-upload-forgotten", "An upload to a store is answered with an empty object.",
        response("POST upload/fileSearchStores/*:uploadToFileSearchStore", lambda value, call: {})),
    row("store-import-forgotten", "An import into a store is answered with an empty object.",
        response("POST fileSearchStores/*:importFile", lambda value, call: {})),
    row("store-import-never-ends", "The operation of an import into a store never ends.",
        response("GET fileSearchStores/*/operations/*", drop("done", "response"))),
    row("store-import-not-searched", "What was imported into a store is kept and never found.",
        after(Resources.refer, _lose_imported)),
    row("store-document-lost", "An upload to a store names a document that is not there.",
        request("GET fileSearchStores/*/documents/*", not_found)),
    row("store-delete-forces", "A store that holds documents is deleted without force.",
        request("DELETE fileSearchStores/*", _force)),
    row("voice-without-type", "Voices do not say of what type they are.",
        response("POST voices", drop("type"))),
    row("voice-unstored", "A prompted voice that shall not be stored is stored all the same.",
        request("POST voices", _store_always)),
    row("decision-partial", "A decision answers only the first question.",
        response("POST decisions", _with_first_answer_only)),
    row("decision-overconfident", "Every answer of a decision is certain.",
        response("POST decisions", _overconfident)),
    row("decision-halved", "The probabilities of a decision add up to a half.",
        response("POST decisions", _in_percent)),
    row("decision-without-answers-type", "The answers of a decision do not say of what kind they are.",
        response("POST decisions", _without_types)),
    row("decision-counts-output", "A decision counts output tokens.",
        response("POST decisions", _with_output_tokens)),
)  # fmt: skip
