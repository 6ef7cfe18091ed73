"""Rules of what is kept beside interactions: files, file search stores, voices; and of decisions.

Layer 1. Data only. A target that does not offer a resource breaks none of its rules.
"""

from __future__ import annotations

from harness.contract.rules.pages import DECISIONS_GUIDE, FILE_SEARCH, FILES_ISSUES, SDK, STORES_ISSUE
from harness.outcome import Basis, Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        id="file.upload",
        level=Level.SHOULD,
        statement="A resumable upload gets an address in X-Goog-Upload-URL; its last answer has the file and says "
        "X-Goog-Upload-Status: final. The address needs no key.",
        breaks="The SDKs raise KeyError or, after three tries, ValueError: no file can be uploaded.",
        source=SDK.cite(Basis.SCHEMA, "BaseApiClient._upload_fd, Files.upload"),
    ),
    Rule(
        id="file.resume",
        level=Level.MAY,
        statement="A query of an upload under way says that it is active, and how many bytes have arrived.",
        breaks="A client whose connection broke has to send a large file from its first byte again.",
        source=SDK.cite(Basis.SCHEMA, "X-Goog-Upload-Status: active; X-Goog-Upload-Offset"),
    ),
    Rule(
        id="file.crud",
        level=Level.SHOULD,
        statement="An uploaded file can be read, listed and deleted, and keeps its name, type and size.",
        breaks="A client waits for a file to become active that it cannot find.",
        source=SDK.cite(Basis.SCHEMA, "files: get, list, delete; File"),
    ),
    Rule(
        id="file.schema",
        level=Level.SHOULD,
        statement="Files, alone and in lists, fit their published schema, unknown additions apart.",
        breaks="Typed clients hand out empty fields or raise.",
        source=SDK.cite(Basis.SCHEMA, "File, ListFilesResponse"),
    ),
    Rule(
        id="file.in-create",
        level=Level.SHOULD,
        statement="A create may refer to an uploaded file by its uri.",
        breaks="The official multimodal samples, which begin with an upload, fail.",
        source=SDK.cite(Basis.SCHEMA, "File: uri"),
    ),
    Rule(
        id="file.gone-in-create",
        level=Level.SHOULD,
        statement="A create that refers to a deleted file is refused with 4xx.",
        breaks="The model answers without the file, and nobody notices.",
        source=FILES_ISSUES.cite(Basis.OBSERVED, "403 You do not have permission to access the File"),
    ),
    Rule(
        id="filesearch.crud",
        level=Level.SHOULD,
        statement="A file search store can be created, read, listed and deleted, and is gone afterwards.",
        breaks="Stores cannot be managed, and pile up until the quota is used up.",
        source=SDK.cite(Basis.SCHEMA, "file_search_stores: create, get, list, delete"),
    ),
    Rule(
        id="filesearch.schema",
        level=Level.SHOULD,
        statement="Stores, documents and operations fit their published schema, unknown additions apart.",
        breaks="Typed clients hand out empty fields or raise.",
        source=SDK.cite(Basis.SCHEMA, "FileSearchStore, Document, UploadToFileSearchStoreOperation"),
    ),
    Rule(
        id="filesearch.upload",
        level=Level.SHOULD,
        statement="An upload to a store gets an address, and its last answer is an operation below the store.",
        breaks="The SDKs raise, and no document gets into a store.",
        source=SDK.cite(Basis.SCHEMA, "FileSearchStores.upload_to_file_search_store"),
    ),
    Rule(
        id="filesearch.operation",
        level=Level.SHOULD,
        statement="The operation of an upload ends, with the name of the document that was made.",
        breaks="A client polls it for ever.",
        source=SDK.cite(Basis.SCHEMA, "UploadToFileSearchStoreOperation: done, response.document_name"),
    ),
    Rule(
        id="filesearch.document",
        level=Level.SHOULD,
        statement="The document that an upload made can be read under its name.",
        breaks="A client cannot tell what a store holds.",
        source=SDK.cite(Basis.SCHEMA, "documents.get: Document"),
    ),
    Rule(
        id="filesearch.import",
        level=Level.SHOULD,
        statement="An import of a file answers an operation below the store, which ends with a document.",
        breaks="A file that was uploaded once has to be uploaded again for each store.",
        source=SDK.cite(Basis.SCHEMA, "FileSearchStores.import_file: ImportFileOperation"),
    ),
    Rule(
        id="filesearch.import-found",
        level=Level.SHOULD,
        statement="A search finds what was imported into a store as it finds what was uploaded to one.",
        breaks="The answers of a model leave out half of what the store holds, and nobody is told.",
        source=FILE_SEARCH.cite(Basis.DOCUMENTED, "Import files, then search the store"),
    ),
    Rule(
        id="filesearch.delete-force",
        level=Level.SHOULD,
        statement="A store that holds documents is deleted only with force=true.",
        breaks="A slip of the hand deletes a collection that took hours to build.",
        source=STORES_ISSUE.cite(Basis.OBSERVED, "Cannot delete non-empty FileSearchStore"),
    ),
    Rule(
        id="voice.crud",
        level=Level.SHOULD,
        statement="A stored voice can be read, listed and deleted, and is gone afterwards.",
        breaks="Voices cannot be managed, and the quota of the project is soon used up.",
        source=SDK.cite(Basis.SCHEMA, "voices: create, get, list, delete"),
    ),
    Rule(
        id="voice.schema",
        level=Level.SHOULD,
        statement="Voices, alone and in lists, fit their published schema, unknown additions apart.",
        breaks="Typed clients hand out empty fields or raise.",
        source=SDK.cite(Basis.SCHEMA, "VoiceOutput, ListVoicesResponse"),
    ),
    Rule(
        id="voice.prompted-needs-store",
        level=Level.SHOULD,
        statement="A prompted voice that shall not be stored is refused with 4xx.",
        breaks="A client gets a voice with neither id nor key, which nothing can speak with.",
        source=SDK.cite(Basis.SCHEMA, "CreateVoiceRequest: store"),
    ),
    Rule(
        id="decision.answers",
        level=Level.SHOULD,
        statement="A decision has an answer of its own kind for every question, and for nothing else.",
        breaks="A program branches on an answer that is not there.",
        source=SDK.cite(Basis.SCHEMA, "CreateDecisionResponse: answers keyed by the question identifiers"),
    ),
    Rule(
        id="decision.probabilities",
        level=Level.SHOULD,
        statement="The probabilities of an answer add up to 1, and its confidence is that of the winner.",
        breaks="Thresholds on confidences let through what they should stop.",
        source=SDK.cite(Basis.SCHEMA, "ChoiceAnswer, ScoreAnswer: probabilities, confidence, score"),
    ),
    Rule(
        id="decision.schema",
        level=Level.SHOULD,
        statement="Decisions fit their published schema, unknown additions apart.",
        breaks="Typed clients hand out empty fields or raise.",
        source=SDK.cite(Basis.SCHEMA, "CreateDecisionResponse"),
    ),
    Rule(
        id="decision.zero-output",
        level=Level.MAY,
        statement="A decision counts no output tokens.",
        breaks="Somebody is charged for output that there is none of.",
        source=DECISIONS_GUIDE.cite(Basis.DOCUMENTED, "output tokens"),
    ),
)
