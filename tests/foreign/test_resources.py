"""Foreign servers with files, file search stores, voices and decisions: one that is odd and right, and defects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.foreign.rows import Row, add, in_pages, refuse, rows_of, without
from tests.foreign.server import ForeignService, Headed, Json, Refused, Run, parse_object

PAGED = "page.files page.voices"
MINE = f"file.* filesearch.* voice.* decision.* {PAGED}"
TOPICS = {"shop": 0.5, "travel": 0.25, "food": 0.25}
MOODS = {"0": 0.25, "1": 0.5, "2": 0.25}
LEGEND = {"0": "angry", "1": "so so", "2": "glad"}
ANSWERS: Json = {
    "late": {"type": "noul", "noul": 0.75, "confidence": 0.75},
    "topic": {"type": "choice", "choice": "shop", "confidence": 0.5, "probabilities": TOPICS},
    "mood": {"type": "score", "score": 1.0, "confidence": 0.5, "probabilities": MOODS, "legend": LEGEND},
}


class Keeping(ForeignService):
    """Odd, but right: 404 for what is gone, errors in words, sizes as numbers, operations done at once."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Json] = {}
        self.under_way: dict[str, str] = {}
        self.asked = 0

    takes = frozenset({"tools"})

    def admit(self, body: Json) -> None:
        given = body.get("input")
        parts = given if isinstance(given, list) else []
        for part in parts:
            if isinstance(part, dict) and part.get("type") == "image":
                self.use(str(part.get("uri")))
                body = {**body, "input": "an image"}
        super().admit(body)

    def use(self, uri: str) -> None:
        self.look(uri.removeprefix("my:"))

    def look(self, name: str) -> Json:
        if name not in self.kept:
            raise Refused(404, "not_found", "There is no such thing.")
        return self.kept[name]

    def show(self, run: Run) -> Json:
        for tool in run.body.get("tools", ()):
            for store in tool.get("file_search_store_names", ()):
                content = run.steps[-1]["content"][0]
                content["annotations"] = [{"type": "file_citation", "source": one} for one in self.search(store)]
        return super().show(run)

    def search(self, store: str) -> list[str]:
        """The documents of a store that a search finds."""
        return [name for name in list(self.kept) if name.startswith(f"{store}/documents/")]

    def bring(self, store: str, file: str) -> Json:
        """Make a document of a file."""
        self.look(store), self.look(file)
        return self.document(store, f"imported-{next(self.numbers)}")

    def keep(self, name: str, **fields: object) -> Json:
        self.kept[name] = {"name": name, **fields}
        return self.kept[name]

    def upload(self, path: str, query: Json, headers: Json, data: bytes) -> Json:
        told = {name.lower(): text for name, text in headers.items()}
        command = told.get("x-goog-upload-command", "")
        if command == "start":
            name = str(next(self.numbers))
            self.under_way[name] = told["x-goog-upload-header-content-type"]
            address = f"https://uploads.example/upload/v1beta/{path}?upload_id={name}"
            return Headed({}, x_goog_upload_url=address)
        if query["upload_id"] not in self.under_way:
            raise Refused(404, "not_found", "There is no such upload.")
        if command == "query":
            return Headed({}, x_goog_upload_status="active", x_goog_upload_size_received="0")
        return self.finish(path, query["upload_id"], data)

    def finish(self, path: str, upload: str, data: bytes) -> Json:
        kind = self.under_way.pop(upload)
        if path == "files":
            name = f"files/{upload}"
            file = self.keep(name, mimeType=kind, sizeBytes=len(data), uri=f"my:{name}", state="ACTIVE")
            return Headed({"file": file}, x_goog_upload_status="final")
        store = path.partition(":")[0]
        self.look(store)
        return Headed(self.document(store, upload), x_goog_upload_status="final")

    def document(self, store: str, name: str) -> Json:
        """Keep a document, and answer the operation that made it."""
        self.keep(f"{store}/documents/{name}")
        response = {"documentName": f"{store}/documents/{name}"}
        return self.keep(f"{store}/operations/{name}", done=True, response=response)

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Json:
        path = "/".join(parts)
        if (method, path) == ("POST", "decisions"):
            return self.decide(parse_object(data))
        if (method, path) == ("POST", "voices"):
            return self.speak(parse_object(data))
        if (method, path) == ("POST", "fileSearchStores"):
            name = f"fileSearchStores/{next(self.numbers)}"
            return self.keep(name, displayName=parse_object(data).get("displayName", ""))
        if (method, path.partition(":")[2]) == ("POST", "importFile"):
            return self.bring(path.partition(":")[0], parse_object(data)["fileName"])
        if method == "GET" and path == "voices" and "type" in query:
            return self.list_voices(query)
        if method == "GET" and path in ("files", "voices", "fileSearchStores"):
            kept = list(self.kept.items())
            return {path: [one for name, one in kept if name.count("/") == 1 and name.startswith(path)]}
        if method == "GET":
            return self.look(path)
        if method == "DELETE" and len(parts) in (2, 4):
            self.look(path)
            return self.remove(path, query)
        raise Refused(404, "not_found", "There is no such route.")

    def remove(self, path: str, query: Json) -> Json:
        below = [name for name in list(self.kept) if name.startswith(f"{path}/documents/")]
        if below and query.get("force") != "true":
            raise Refused(400, "failed_precondition", "The store is not empty.")
        for name in (path, *below):
            del self.kept[name]
        return {}

    def decide(self, body: Json) -> Json:
        if not body.get("questions"):
            raise Refused(400, "invalid_request", "There are no questions.")
        for question in body["questions"].values():
            if len(question.get("criteria", "ab")) < 2 and question["type"] != "noul":
                raise Refused(400, "invalid_request", "There is nothing to choose.")
        return {"answers": json.loads(json.dumps(ANSWERS)), "usage": {"total_output_tokens": 0}}

    def list_voices(self, query: Json) -> Json:
        """Voices of a type; the token of a page is that type."""
        if query.get("page_token", query["type"]) != query["type"]:
            raise Refused(400, "invalid_request", "The page belongs to another list.")
        if query["type"] == "prompted":
            return {"voices": [one for name, one in list(self.kept.items()) if name.startswith("voices/")][::-1]}
        return {"voices": [{"id": "solo", "type": query["type"]}], "next_page_token": query["type"]}

    def speak(self, body: Json) -> Json:
        if not body.get("store"):
            raise Refused(400, "invalid_request", "It must be stored.")
        name, prompted = f"v{next(self.numbers)}", body["voice"].get("prompted", {})
        return self.keep(f"voices/{name}", id=name, type="prompted", prompted=prompted)


class TakesLong(Keeping):
    """Odd, but right: the operation of an upload is done only when it is looked at for the third time."""

    looks = 0
    needed = 3

    def look(self, name: str) -> Json:
        found = super().look(name)
        if "/operations/" not in name:
            return found
        self.looks += 1
        return found if self.looks >= self.needed else {"name": name}


def end_without_document(self: Keeping, usual: Any, name: str) -> Json:
    """Say that an operation is done, and not what it made."""
    found = usual(name)
    return {"name": name, "done": True, "response": {}} if "/operations/" in name else found


def take_one_option(self: Keeping, usual: Any, body: Json) -> Json:
    """Choose among one."""
    criteria = [question.get("criteria") for question in body.get("questions", {}).values()]
    return {"answers": {}} if any(len(one) == 1 for one in criteria if one) else usual(body)


def list_all(self: Keeping, usual: Any, query: Json) -> Json:
    """List voices whatever the token says."""
    return usual(without(query, "page_token"))


def leave_one_open(self: Keeping, usual: Any, body: Json) -> Json:
    """Leave one question of a decision open."""
    answer = usual(body)
    del answer["answers"]["mood"]
    return answer


def be_sure_of_all(self: Keeping, usual: Any, body: Json) -> Json:
    """Give every answer the confidence 1, whatever its probabilities."""
    answer = usual(body)
    return {**answer, "answers": {name: {**one, "confidence": 1.0} for name, one in answer["answers"].items()}}


def name_the_first_store(self: Keeping, usual: Any, method: str, parts: list[str], *sent: Any) -> Json:
    """Show the name for people of one store only."""
    made = usual(method, parts, *sent)
    if (method, parts) != ("POST", ["fileSearchStores"]):
        return made
    named = [one for one in self.kept.values() if one.get("displayName")]
    return made if len(named) == 1 else self.keep(made["name"])


def refuse_the_second_voice(self: Keeping, usual: Any, body: Json) -> Json:
    """Refuse the create of one voice as it is accepted before and afterwards."""
    self.asked += bool(body.get("store"))
    if self.asked == 2 and body.get("store"):
        raise Refused(403, "permission_denied", "It is not allowed.")
    return usual(body)


def lose_the_first_voice(self: Keeping, usual: Any, name: str) -> Json:
    """Do not find a voice that is there, for once."""
    self.asked += name.startswith("voices/") and name in self.kept
    return usual("voices/none" if self.asked == 1 and name.startswith("voices/") else name)


LEADS_NOWHERE = "filesearch.* -> warn filesearch.operation, untestable filesearch.document"

row = rows_of(Keeping)
ROWS = [
    # Other words, forms of numbers and hosts in addresses are no faults, and nothing is left unjudged.
    row(f"keeps: {MINE} -> rest pass"),
    # A server without these routes is asked by probes only.
    rows_of(ForeignService)(f"offers-none: {MINE} -> rest not_applicable"),
    # The first answer of an upload has no address.
    row(
        f"no-address: {MINE} -> warn file.upload filesearch.upload",
        upload=lambda self, usual, *sent: dict(usual(*sent)),
    ),
    # The last answer of an upload of a file does not say that it is the last.
    row(
        f"never-final: {MINE} -> warn file.upload",
        finish=lambda self, usual, path, *sent: (
            dict(usual(path, *sent)) if path == "files" else usual(path, *sent)
        ),
    ),
    # A document that is deleted stays, or cannot be deleted.
    row(
        f"keeps-documents: {MINE} -> warn filesearch.document-delete",
        remove=lambda self, usual, path, query: {} if "/documents/" in path else usual(path, query),
    ),
    row(
        f"keeps-documents-for-good: {MINE} -> warn filesearch.document-delete",
        remove=lambda self, usual, path, query: (
            refuse(400)(self, usual) if "/documents/" in path else usual(path, query)
        ),
    ),
    row(f"forgets-files: {MINE} -> warn file.gone-in-create", use=lambda self, usual, uri: None),
    row(f"refuses-files: {MINE} -> warn file.in-create", use=refuse(400)),
    # What an upload made cannot be read.
    row(
        f"loses-documents: {MINE} -> warn filesearch.document",
        look=lambda self, usual, name: usual("" if "/documents/" in name else name),
    ),
    # A file is of another type whenever it is read again.
    row(
        f"mistakes-files: {MINE} -> warn file.crud/changed",
        look=lambda self, usual, name: (
            {**usual(name), "mimeType": "image/png"} if name.startswith("files/") else usual(name)
        ),
    ),
    # A file is imported, and no document comes of it.
    row(
        f"forgets-imports: {MINE} -> warn filesearch.import",
        bring=lambda self, usual, store, _: {"name": f"{store}/operations/none", "done": True, "response": {}},
    ),
    row(
        f"hides-imports: {MINE} -> warn filesearch.import-found",
        search=lambda self, usual, store: [name for name in usual(store) if "imported" not in name],
    ),
    # The model never looks into a store, which is right.
    row(f"searches-nothing: {MINE}", search=lambda self, usual, store: []),
    # A store goes with all that it holds, unasked.
    row(
        f"deletes-all: {MINE} -> warn filesearch.crud filesearch.delete-force",
        remove=lambda self, usual, path, _: usual(path, {"force": "true"}),
    ),
    row(
        f"keeps-voices: {MINE} -> warn voice.prompted-needs-store",
        speak=lambda self, usual, body: usual({**body, "store": True}),
    ),
    # What a client says of a resource is shown somewhere; the create alone need not.
    row(
        f"forgets-prompts: {MINE} -> warn voice.crud voice.schema",
        speak=lambda self, usual, body: usual({**body, "voice": {}}),
    ),
    row(
        f"shows-prompts-later: {MINE}",
        speak=lambda self, usual, body: {k: v for k, v in usual(body).items() if k != "prompted"},
    ),
    # What a server does for one resource, and not for the next.
    row(f"forgets-a-name: {MINE} -> warn filesearch.crud", neighbour=name_the_first_store),
    row(f"denies-once: {MINE} -> warn voice.crud/denied", words="-j 1", speak=refuse_the_second_voice),
    row(f"loses-one: {MINE} -> warn voice.crud", words="-j 1", look=lose_the_first_voice),
    row(f"one-option: {MINE} -> warn decision.options", decide=take_one_option),
    row(
        f"no-questions: {MINE} -> warn decision.questions",
        decide=lambda self, usual, body: usual(
            {**body, "questions": body.get("questions") or {"a": {"type": "noul"}}}
        ),
    ),
    row(
        f"lists-any-voice: {MINE} -> warn voice.filter",
        list_voices=lambda self, usual, query: (
            {**usual(query), "voices": [{"id": "v", "type": "prompted"}]}
            if query["type"] != "prompted"
            else usual(query)
        ),
    ),
    row(
        f"any-page: {MINE} -> warn voice.page-filters",
        list_voices=list_all,
    ),
    # Files and voices in pages, with nothing on the last one; where one is on no page, or the oldest comes first.
    row(f"in-pages: {PAGED} -> rest pass", neighbour=in_pages(empty_end=True), list_voices=list_all),
    row(
        f"skips-one: {PAGED} -> warn {PAGED}",
        words="-j 1",
        neighbour=in_pages(lambda start: 2 if start == 1 else start),
        list_voices=list_all,
    ),
    row(
        f"oldest-first: {PAGED} -> warn page.voices",
        list_voices=lambda self, usual, query: {"voices": usual(query)["voices"][::-1]},
    ),
    row(f"half-answers: {MINE} -> warn decision.answers", decide=leave_one_open),
    row(f"sure-of-all: {MINE} -> warn decision.probabilities", decide=be_sure_of_all),
    # A MAY that is not kept is information.
    row(f"charges: {MINE} -> info decision.zero-output", decide=add(usage={"total_output_tokens": 9})),
    # An operation has to end with the name of a document, within the time that runs get.
    rows_of(TakesLong)("takes-long: filesearch.* -> pass filesearch.operation"),
    rows_of(TakesLong)(f"never-done: {LEADS_NOWHERE}", words="--timeout 2", needed=1_000_000),
    row(f"done-without-document: {LEADS_NOWHERE}", words="--timeout 2", look=end_without_document),
]


@pytest.mark.parametrize("case", ROWS)
def test_a_defect_is_found_where_it_is(case: Row, capsys: pytest.CaptureFixture[str]) -> None:
    """Each defect is reported by the checks of the promise that it breaks, and by no other."""
    case.hold(capsys)
