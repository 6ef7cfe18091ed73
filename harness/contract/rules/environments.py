"""Rules of environments: their life, their files, uploads to them, and lists of them.

Layer 1. Data only.
"""

from __future__ import annotations

from harness.contract.rules.pages import ENVIRONMENTS, OPENAPI, PROBES, REFERENCE, SDK
from harness.outcome import Basis, Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        id="env.create",
        level=Level.SHOULD,
        statement="Creating an environment answers it with its id.",
        breaks="The environment exists, and nobody can name it.",
        source=SDK.cite(Basis.SCHEMA, "Environment: id"),
    ),
    Rule(
        id="env.network",
        level=Level.SHOULD,
        statement="An environment whose network is disabled can be made.",
        breaks="Code that must not reach the network is run with it, or not at all.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Network: disabled"),
    ),
    Rule(
        id="env.update-network",
        level=Level.SHOULD,
        statement="A run whose environment names an environment_id and a network replaces the rules of that "
        "sandbox, and its files stay.",
        breaks="Code goes on reaching hosts that were shut off, or its files are gone with the old rules.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Update the network of an environment: environment_id"),
    ),
    Rule(
        id="env.crud",
        level=Level.SHOULD,
        statement="An environment can be created, read, listed and deleted, and is gone afterwards.",
        breaks="Environments, which are limited in number, cannot be managed.",
        source=SDK.cite(Basis.SCHEMA, "environments: create, get, list, delete"),
    ),
    Rule(
        id="env.schema",
        level=Level.SHOULD,
        statement="Environments and their files fit their published schema, unknown additions apart.",
        breaks="Typed clients hand out empty fields or raise.",
        source=SDK.cite(Basis.SCHEMA, "Environment, EnvironmentFile"),
    ),
    Rule(
        id="env.status",
        level=Level.SHOULD,
        statement="An environment's status is active or expired.",
        breaks="Clients cannot tell whether an environment can be used.",
        source=SDK.cite(Basis.SCHEMA, "Environment: status"),
    ),
    Rule(
        id="env.fork",
        level=Level.SHOULD,
        statement="from_environment together with sources is refused.",
        breaks="One of the two is dropped without a word.",
        source=REFERENCE.cite(Basis.SCHEMA, "CreateEnvironmentRequest: from_environment"),
    ),
    Rule(
        id="env.int64",
        level=Level.MAY,
        statement="file_count and size_bytes are integers or strings of digits.",
        breaks="Typed clients fail on the whole listing.",
        source=PROBES.cite(Basis.OBSERVED, "counts as digit strings"),
    ),
    Rule(
        id="env.unknown",
        level=Level.SHOULD,
        statement="Reading an environment that does not exist answers 404.",
        breaks="An expired environment cannot be told from a broken server.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Lifecycle: expired and unknown ids"),
    ),
    Rule(
        id="env.files",
        level=Level.SHOULD,
        statement="The files an environment was created with are listed, each with its path.",
        breaks="Results that an agent wrote cannot be found.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "List files"),
    ),
    Rule(
        id="env.file-content",
        level=Level.SHOULD,
        statement="alt=media on a file answers its bytes.",
        breaks="Downloads are corrupt.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Download a file"),
    ),
    Rule(
        id="env.file-missing",
        level=Level.SHOULD,
        statement="A path that is not there answers 404.",
        breaks="A missing result looks like an empty one.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "List files: errors"),
    ),
    Rule(
        id="env.upload",
        level=Level.SHOULD,
        statement="A file that is written with PUT can be read.",
        breaks="What an agent shall work on never reaches it.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Upload a file"),
    ),
    Rule(
        id="env.upload-creates-parents",
        level=Level.SHOULD,
        statement="An upload to a path whose directories are not there makes them.",
        breaks="A project can only be brought in by who first makes each of its directories, which no call does.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Upload a file: parent directories"),
    ),
    Rule(
        id="env.upload-exists",
        level=Level.SHOULD,
        statement="An upload over a file that is there is answered 409 and writes nothing.",
        breaks="One upload silently destroys the work of another.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Upload a file: overwrite"),
    ),
    Rule(
        id="env.upload-overwrite",
        level=Level.SHOULD,
        statement="With overwrite=true an upload replaces the file.",
        breaks="A file that was uploaded once can never be corrected.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Upload a file: overwrite"),
    ),
    Rule(
        id="env.recursive",
        level=Level.SHOULD,
        statement="A listing shows the children of a directory; with recursive=true all that is below it.",
        breaks="Programs miss results in subdirectories, or read thousands of entries they did not ask for.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "List files: recursive"),
    ),
    Rule(
        id="env.tar",
        level=Level.SHOULD,
        statement="alt=media on a directory answers an uncompressed tar of its files.",
        breaks="The results of a run cannot be fetched at once.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Download a directory"),
    ),
    Rule(
        id="env.fork-files",
        level=Level.SHOULD,
        statement="An environment made with from_environment has the files of its origin.",
        breaks="An agent starts in an empty sandbox where its work should lie.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Fork an environment"),
    ),
    Rule(
        id="env.upload-resumable",
        level=Level.SHOULD,
        statement="uploadType=resumable answers an address in Location, which takes the bytes by Content-Range.",
        breaks="Large files cannot be brought in over a connection that breaks.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Upload a file: resumable"),
    ),
    Rule(
        id="env.upload-x-goog",
        level=Level.SHOULD,
        statement="An upload that begins with X-Goog-Upload-Command gets its address in X-Goog-Upload-URL.",
        breaks="The upload of the official SDK fails.",
        source=OPENAPI.cite(Basis.SCHEMA, "PUT /upload/…/environments/…/files: X-Goog-Upload-URL"),
    ),
    Rule(
        id="env.upload-extract",
        level=Level.SHOULD,
        statement="An archive that is uploaded with extract=true is unpacked below its path.",
        breaks="The agent finds an archive where it expects a project.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Upload a file: extract"),
    ),
    Rule(
        id="page.token",
        level=Level.SHOULD,
        statement="Reading environments a page at a time gives each of them once.",
        breaks="Listings lose entries or repeat them.",
        source=SDK.cite(Basis.SCHEMA, "environments.list: page_size, page_token"),
    ),
)
