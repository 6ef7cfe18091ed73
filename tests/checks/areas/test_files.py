"""The judges of the checks on uploaded files, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.files import PIXEL, TYPE
from tests.checks._play import DONE, EMPTY, answer, case, page_cases, refusal

FILE = {"name": "files/x", "mimeType": TYPE, "sizeBytes": str(len(PIXEL)), "state": "ACTIVE"}
SENT = "/upload/v1beta/files?upload_id=u"
ADDRESS = {"x-goog-upload-url": f"https://host.example{SENT}"}
FINAL = {"x-goog-upload-status": "final"}

STARTED = answer(method="POST", target="/upload/v1beta/files", headers=ADDRESS)
FINISHED = answer(body={"file": FILE}, method="POST", target=SENT, headers=FINAL)
FETCHED = answer(body=FILE, target="/v1beta/files/x")
LISTED = answer(body={"files": [FILE]}, target="/v1beta/files")
GONE = refusal(403, "permission_denied")
LIFE = {
    "finished": FINISHED,
    "fetched": FETCHED,
    "listed": LISTED,
    "deleted": EMPTY,
    "unlisted": None,
    "gone": GONE,
}


def queried(status: str, size: str):
    """The answer to a query."""
    return answer(headers={"x-goog-upload-status": status, "x-goog-upload-size-received": size})


def shown(**fields):
    """A file as GET returns it, with some fields replaced."""
    return answer(body={**FILE, **fields}, target="/v1beta/files/x")


CASES = [
    case("file.upload", "met", "final, with a file", started=STARTED, finished=FINISHED),
    case("file.upload", "not_met", "no address", started=answer(), finished=answer()),
    case("file.upload", "not_met", "no URL", finished=answer(),
         started=answer(headers={"x-goog-upload-url": "http://[::1"})),
    case("file.upload", "not_met", "refused", started=refusal(404), finished=refusal(404)),
    case("file.upload", "not_met", "no file", started=STARTED, finished=answer(body={}, headers=FINAL)),
    case("file.upload", "not_met", "asks for a key", started=STARTED, finished=refusal(401)),
    case("file.resume", "not_met", "refused", queried=refusal(404)),
    case("file.crud", "met", "a size that is a number", **{**LIFE, "fetched": shown(sizeBytes=len(PIXEL))}),
    case("file.crud", "not_met", "another size", **{**LIFE, "fetched": shown(sizeBytes="1")}),
    case("file.crud", "not_met", "not listed", **{**LIFE, "listed": EMPTY}),
    case("file.crud", "met", "on a later page", **{**LIFE, "listed": answer(body={"nextPageToken": "x"})}),
    case("file.crud", "not_met", "still there", **{**LIFE, "gone": FETCHED}),
    case("file.gone-in-create", "not_met", "answered", used=DONE, deleted=EMPTY, used_again=DONE),
    *page_cases("page.files", "files", "name"),
]  # fmt: skip
