"""Foreign servers with files, file search stores, voices and decisions: one that is odd and right, and defects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.foreign.rows import hold_each, in_pages, rows_of, without
from tests.foreign.server import ForeignService, Headed, Json, Refused, Run, parse_object

pytestmark = pytest.mark.slow

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
                self.look(str(part.get("uri")).removeprefix("my:"))
                body = {**body, "input": "an image"}
        super().admit(body)

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
            store = path.partition(":")[0]
            self.look(store), self.look(parse_object(data)["fileName"])
            return self.document(store, f"imported-{next(self.numbers)}")
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

    def look(self, name: str) -> Json:
        found = super().look(name)
        self.looks += "/operations/" in name
        return found if "/operations/" not in name or self.looks >= 3 else {"name": name}


def end_without_document(self: Keeping, usual: Any, name: str) -> Json:
    """Say that an operation is done, and not what it made."""
    found = usual(name)
    return {"name": name, "done": True, "response": {}} if "/operations/" in name else found


def list_all(self: Keeping, usual: Any, query: Json) -> Json:
    """List voices whatever the token says."""
    return usual(without(query, "page_token"))


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


row = rows_of(Keeping)
ROWS = [
    # Other words, forms of numbers and hosts in addresses are no faults, and nothing is left unjudged.
    row(f"keeps: {MINE} -> rest pass"),
    # A server without these routes is asked by probes only.
    rows_of(ForeignService)(f"offers-none: {MINE} -> rest not_applicable"),
    # The model never looks into a store, which is right.
    row(f"searches-nothing: {MINE}", search=lambda self, usual, store: []),
    # What a client says of a resource is shown somewhere; the create alone need not.
    row(f"forgets-prompts: {MINE} -> warn voice.crud voice.schema",
        speak=lambda self, usual, body: usual({**body, "voice": {}})),
    row(f"shows-prompts-later: {MINE}",
        speak=lambda self, usual, body: {k: v for k, v in usual(body).items() if k != "prompted"}),
    # What a server does for one resource, and not for the next.
    row(f"forgets-a-name: {MINE} -> warn filesearch.crud", neighbour=name_the_first_store),
    row(f"denies-once: {MINE} -> warn voice.crud/denied", words="-j 1", speak=refuse_the_second_voice),
    row(f"loses-one: {MINE} -> warn voice.crud", words="-j 1", look=lose_the_first_voice),
    # Files and voices in pages, with nothing on the last one.
    row(f"in-pages: {PAGED} -> rest pass", neighbour=in_pages(empty_end=True), list_voices=list_all),
    # An operation has to end with the name of a document, within the time that runs get.
    rows_of(TakesLong)("takes-long: filesearch.* -> pass filesearch.operation"),
    row("done-without-document: filesearch.* -> warn filesearch.operation, untestable filesearch.document",
        words="--timeout 2", look=end_without_document),
]  # fmt: skip


test_a_defect_is_found_where_it_is = hold_each(ROWS)
"""Each defect is reported by the checks of the promise that it breaks, and by no other."""
