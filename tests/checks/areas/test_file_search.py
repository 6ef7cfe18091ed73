"""The judges of the checks on file search stores, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import EMPTY, MISSING, answer, case, interaction, refusal

NAME = "fileSearchStores/s"
DOCUMENT = f"{NAME}/documents/d"
OPERATION = f"{NAME}/upload/operations/o"

MADE = answer(body={"name": NAME}, method="POST", target="/v1beta/fileSearchStores")
FETCHED = answer(body={"name": NAME}, target=f"/v1beta/{NAME}")
LISTED = answer(body={"fileSearchStores": [{"name": NAME}]}, target="/v1beta/fileSearchStores")
GONE = refusal(403, "permission_denied")
LIFE = {"made": MADE, "fetched": FETCHED, "listed": LISTED, "deleted": EMPTY, "unlisted": None, "gone": GONE}
STARTED = answer(headers={"x-goog-upload-url": "https://host.example/upload/v1beta/x?upload_id=u"})
FINISHED = answer(body={"name": OPERATION})
READ = answer(body={"name": DOCUMENT}, target=f"/v1beta/{DOCUMENT}")


def ended(**fields):
    """The operation as GET shows it in the end."""
    return answer(body={"name": OPERATION, **fields}, target=f"/v1beta/{OPERATION}")


DONE = ended(done=True, response={"documentName": DOCUMENT})
IMPORTED = {"store": NAME, "imported": answer(body={"name": f"{NAME}/operations/o"}), "import_ended": DONE,
            "copy": READ}  # fmt: skip


def citing(kind="file_citation"):
    """An answer with an annotation."""
    note = {"type": kind, "start_index": 0, "end_index": 5}
    content = [{"type": "text", "text": "Green.", "annotations": [note]}]
    return answer(body=interaction(steps=[{"type": "model_output", "content": content}]))


SILENT = answer(body=interaction())
CASES = [
    case("filesearch.crud", "not_met", "another store", **{**LIFE, "fetched": READ}),
    case("filesearch.crud", "not_met", "still there", **{**LIFE, "gone": FETCHED}),
    case("filesearch.upload", "met", "an operation", made=MADE, started=STARTED, finished=FINISHED),
    case("filesearch.upload", "not_met", "no address", made=MADE, started=answer(), finished=answer()),
    case("filesearch.upload", "not_met", "refused", made=MADE, started=refusal(404), finished=refusal(404)),
    case("filesearch.upload", "not_met", "of another store", made=MADE, started=STARTED,
         finished=answer(body={"name": "fileSearchStores/t/operations/o"})),
    case("filesearch.operation", "met", "done", ended=DONE),
    case("filesearch.operation", "not_met", "not done", ended=ended()),
    case("filesearch.operation", "not_met", "failed", ended=ended(done=True, error={"code": 13})),
    case("filesearch.document-delete", "met", "forbidden", document=READ, removed=EMPTY, missed=refusal(403)),
    case("filesearch.document-delete", "non_strict", "410", document=READ, removed=EMPTY, missed=refusal(410)),
    case("filesearch.document-delete", "not_met", "still there", document=READ, removed=EMPTY, missed=READ),
    case("filesearch.document-delete", "not_met", "refused", document=READ, removed=refusal(400), missed=READ),
    case("filesearch.document", "not_met", "another", ended=DONE, document=answer(body={"name": NAME})),
    case("filesearch.import", "not_met", "refused", **{**IMPORTED, "imported": MISSING, "import_ended": MISSING}),
    case("filesearch.import", "not_met", "no such document", **{**IMPORTED, "copy": refusal(404)}),
    case("filesearch.import-found", "untestable", "nothing is cited", asked=SILENT, copy=READ, found=SILENT),
    case("filesearch.import-found", "not_met", "refused", asked=citing(), copy=READ, found=refusal(403)),
]  # fmt: skip
