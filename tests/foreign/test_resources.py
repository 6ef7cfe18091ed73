"""Foreign servers with files, file search stores, voices and decisions: one that is odd and right, and defects."""

from __future__ import annotations

import json

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Headed, Json, Refused, Run, parse_object

MINE = ("file.*", "filesearch.*", "voice.*", "decision.*")
ANSWERS: Json = {
    "late": {"type": "noul", "noul": 0.75, "confidence": 0.75},
    "topic": {"type": "choice", "choice": "shop", "confidence": 0.5,
              "probabilities": {"shop": 0.5, "travel": 0.25, "food": 0.25}},
    "mood": {"type": "score", "score": 1.0, "confidence": 0.5, "probabilities": {"0": 0.25, "1": 0.5, "2": 0.25},
             "legend": {"0": "angry", "1": "so so", "2": "glad"}},
}  # fmt: skip


class Keeping(ForeignService):
    """Odd, but right: 404 for what is gone, errors in words, sizes as numbers, operations done at once."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Json] = {}
        self.under_way: dict[str, str] = {}

    def admit(self, body: Json) -> None:
        body = {name: value for name, value in body.items() if name != "tools"}
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
        return [name for name in self.kept if name.startswith(f"{store}/documents/")]

    def bring(self, store: str, file: str) -> Json:
        """Make a document of a file."""
        self.look(store), self.look(file)
        self.made += 1
        return self.document(store, f"imported-{self.made}")

    def keep(self, name: str, **fields: object) -> Json:
        self.kept[name] = {"name": name, **fields}
        return self.kept[name]

    def upload(self, path: str, query: Json, headers: Json, data: bytes) -> Json:
        told = {name.lower(): text for name, text in headers.items()}
        command = told.get("x-goog-upload-command", "")
        if command == "start":
            self.made += 1
            self.under_way[str(self.made)] = told["x-goog-upload-header-content-type"]
            address = f"https://uploads.example/upload/v1beta/{path}?upload_id={self.made}"
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
            self.made += 1
            return self.keep(f"fileSearchStores/{self.made}")
        if (method, path.partition(":")[2]) == ("POST", "importFile"):
            return self.bring(path.partition(":")[0], parse_object(data)["fileName"])
        if method == "GET" and path in ("files", "voices", "fileSearchStores"):
            return {
                path: [one for name, one in self.kept.items() if name.count("/") == 1 and name.startswith(path)]
            }
        if method == "GET":
            return self.look(path)
        if method == "DELETE" and len(parts) == 2:
            self.look(path)
            return self.remove(path, query)
        raise Refused(404, "not_found", "There is no such route.")

    def remove(self, path: str, query: Json) -> Json:
        below = [name for name in self.kept if name.startswith(f"{path}/documents/")]
        if below and query.get("force") != "true":
            raise Refused(400, "failed_precondition", "The store is not empty.")
        for name in (path, *below):
            del self.kept[name]
        return {}

    def decide(self, body: Json) -> Json:
        if not body.get("questions"):
            raise Refused(400, "invalid_request", "There are no questions.")
        return {"answers": json.loads(json.dumps(ANSWERS)), "usage": {"total_output_tokens": 0}}

    def speak(self, body: Json) -> Json:
        if not body.get("store"):
            raise Refused(400, "invalid_request", "It must be stored.")
        self.made += 1
        return self.keep(f"voices/v{self.made}", id=f"v{self.made}", type="prompted")


class NoAddress(Keeping):
    """Wrong: the first answer of an upload has no address."""

    def upload(self, path: str, query: Json, headers: Json, data: bytes) -> Json:
        return dict(super().upload(path, query, headers, data))


class NeverFinal(Keeping):
    """Wrong: the last answer of an upload of a file does not say that it is the last."""

    def finish(self, path: str, upload: str, data: bytes) -> Json:
        answer = super().finish(path, upload, data)
        return dict(answer) if path == "files" else answer


class ForgetsFiles(Keeping):
    """Wrong: it answers about files that are gone."""

    def use(self, uri: str) -> None:
        """Take any file."""


class RefusesFiles(Keeping):
    """Wrong: it cannot use what was uploaded."""

    def use(self, uri: str) -> None:
        raise Refused(400, "invalid_request", "Only inline images.")


class LosesDocuments(Keeping):
    """Wrong: what an upload made cannot be read."""

    def look(self, name: str) -> Json:
        return super().look("" if "/documents/" in name else name)


class ForgetsImports(Keeping):
    """Wrong: a file is imported, and no document comes of it."""

    def bring(self, store: str, file: str) -> Json:
        return {"name": f"{store}/operations/none", "done": True, "response": {}}


class HidesImports(Keeping):
    """Wrong: what was imported can be read, and no search finds it."""

    def search(self, store: str) -> list[str]:
        return [name for name in super().search(store) if "imported" not in name]


class SearchesNothing(Keeping):
    """Odd, but right: the model never looks into a store."""

    def search(self, store: str) -> list[str]:
        return []


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


class NeverEnds(TakesLong):
    """Wrong: the operation of an upload is never done."""

    needed = 1_000_000


class EndsWithoutDocument(Keeping):
    """Wrong: the operation is done, and does not say what it made."""

    def look(self, name: str) -> Json:
        found = super().look(name)
        return {"name": name, "done": True, "response": {}} if "/operations/" in name else found


class DeletesAll(Keeping):
    """Wrong: a store goes with all that it holds, unasked."""

    def remove(self, path: str, query: Json) -> Json:
        return super().remove(path, {"force": "true"})


class KeepsVoices(Keeping):
    """Wrong: a voice that shall not be stored is."""

    def speak(self, body: Json) -> Json:
        return super().speak({**body, "store": True})


class HalfAnswers(Keeping):
    """Wrong: one question of a decision is left open."""

    def decide(self, body: Json) -> Json:
        answer = super().decide(body)
        del answer["answers"]["mood"]
        return answer


class SureOfAll(Keeping):
    """Wrong: the confidence of every answer is 1, whatever its probabilities."""

    def decide(self, body: Json) -> Json:
        answer = super().decide(body)
        for one in answer["answers"].values():
            one["confidence"] = 1.0
        return answer


class ChargesForAnswers(Keeping):
    """Odd at best: a decision counts output tokens."""

    def decide(self, body: Json) -> Json:
        return {**super().decide(body), "usage": {"total_output_tokens": 9}}


def test_an_odd_server_that_is_right_has_no_finding() -> None:
    """Other words, forms of numbers and hosts in addresses are no faults, and nothing is left unjudged."""
    report = check(Keeping(), *MINE)
    assert report.faults == {}
    assert set(report.verdicts.values()) == {"pass"}


def test_what_is_not_offered_is_no_fault() -> None:
    """A server without these routes is asked by probes only: every check is not applicable."""
    report = check(ForeignService(), *MINE)
    assert set(report.verdicts.values()) == {"not_applicable"}


@pytest.mark.parametrize(
    ("defect", "faults"),
    [
        (NoAddress, {"file.upload": "warn", "filesearch.upload": "warn"}),
        (NeverFinal, {"file.upload": "warn"}),
        (ForgetsFiles, {"file.gone-in-create": "warn"}),
        (RefusesFiles, {"file.in-create": "warn"}),
        (LosesDocuments, {"filesearch.document": "warn"}),
        (ForgetsImports, {"filesearch.import": "warn"}),
        (HidesImports, {"filesearch.import-found": "warn"}),
        (SearchesNothing, {}),
        (DeletesAll, {"filesearch.crud": "warn", "filesearch.delete-force": "warn"}),
        (KeepsVoices, {"voice.prompted-needs-store": "warn"}),
        (HalfAnswers, {"decision.answers": "warn"}),
        (SureOfAll, {"decision.probabilities": "warn"}),
    ],
)
def test_a_defect_is_found_where_it_is(defect: type[Keeping], faults: dict[str, str]) -> None:
    """Each defect is reported by the checks of the promise that it breaks, and by no other."""
    assert check(defect(), *MINE).faults == faults


def test_an_operation_may_take_its_time() -> None:
    """What is done at the third look is done."""
    report = check(TakesLong(), "filesearch.*")
    assert report.faults == {}
    assert report.verdicts["filesearch.operation"] == "pass"


@pytest.mark.parametrize("defect", [NeverEnds, EndsWithoutDocument])
def test_an_operation_that_leads_nowhere_is_found(defect: type[Keeping]) -> None:
    """It has to end with the name of a document, within the time that runs get; what rests on it is not judged."""
    report = check(defect(), "filesearch.*", words=("--timeout", "2"))
    assert report.faults == {"filesearch.operation": "warn"}
    assert report.verdicts["filesearch.document"] == "untestable"


def test_what_may_be_is_only_told() -> None:
    """A MAY that is not kept is information."""
    report = check(ChargesForAnswers(), *MINE)
    assert report.faults == {}
    assert report.verdicts["decision.zero-output"] == "info"
