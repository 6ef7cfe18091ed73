"""Every operation of google-genai's resources works against `harness serve`, in the sync and in the async client.

`pytest -s tests/e2e/test_every_operation.py` prints a table of operations and results.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import google.oauth2.credentials
import pytest

from tests.e2e.serving import serving

genai = pytest.importorskip("google.genai")

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.filterwarnings("ignore")]
MODEL, AGENT = "gemini-3.8-flash", "antigravity-preview-09-2026"
RESOURCES = (
    "interactions", "interactions.auth_tokens", "agents", "environments", "environments.files", "files",
    "file_search_stores", "file_search_stores.documents", "operations", "webhooks", "triggers", "credentials",
    "voices", "decisions",
)  # fmt: skip
NOT_OPERATIONS = {
    "do_request": "the transport of the generated clients",
    "parent_ref": "an attribute",
    "sdk_configuration": "an attribute",
    "with_raw_response": "another form of the same operations",
    "with_streaming_response": "another form of the same operations",
    "vertexai": "an attribute",
    "auth_tokens": "a resource of its own",
    "documents": "a resource of its own",
    "files": "a resource of its own",
    "T": "a type",
}
SAME = {
    "environments.create_environment": "environments.create",
    "environments.get_environment": "environments.get",
    "environments.list_environments": "environments.list",
    "environments.delete_environment": "environments.delete",
}
"""Older names of operations."""
HOOK = {"uri": "https://hooks.example/x", "subscribed_events": ["interaction.completed"]}
TASK = {"agent": AGENT, "input": "Go.", "environment": "remote"}
SPEECH = {"data": b"speech", "mime_type": "audio/wav"}
QUESTIONS = {
    "yes": {"type": "noul", "instructions": "Is it so?"},
    "which": {"type": "choice", "instructions": "Which?", "criteria": {"a": "first", "b": "second"}},
    "how": {"type": "score", "instructions": "How good?", "criteria": ["bad", "fair", "good"]},
}


class Caller:
    """Calls operations by name, such as `files.upload`, on the sync or the async client; lists are read whole."""

    def __init__(self, client: Any, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._root = client if loop is None else client.aio
        self._loop = loop
        self.made: dict[str, Any] = {}

    def method(self, name: str) -> Callable[..., Any]:
        """The method of a dotted name."""
        target = self._root
        for part in name.split("."):
            target = getattr(target, part)
        return target  # type: ignore[no-any-return]

    def call(self, name: str, /, *args: Any, **fields: Any) -> Any:
        """Call an operation and return its result; a page of the older resources becomes a list of all pages."""
        result = self.method(name)(*args, **fields)
        if self._loop is not None and inspect.isawaitable(result):
            result = self._loop.run_until_complete(result)
        if hasattr(result, "__anext__") and self._loop is not None:
            return self._loop.run_until_complete(_collect(result))
        return list(result) if "Pager" in type(result).__name__ else result


async def _collect(pages: Any) -> list[Any]:
    return [item async for item in pages]


@contextmanager
def opened(kind: str, base_url: str) -> Iterator[Caller]:
    """A caller of the sync or the async client."""
    client = genai.Client(api_key="test-key", http_options=genai.types.HttpOptions(base_url=base_url))
    loop = asyncio.new_event_loop() if kind == "async" else None
    try:
        yield Caller(client, loop)
    finally:
        if loop is not None:
            loop.run_until_complete(client.aio.aclose())
            loop.close()
        client.close()


def interactions(c: Caller) -> Iterator[tuple[str, Any]]:
    """Create, read, cancel and delete; a create with an uploaded file and one with a store are in `storage`."""
    made = c.call("interactions.create", model=MODEL, input="Hi.")
    yield "interactions.create", made.status == "completed"
    yield "interactions.get", c.call("interactions.get", made.id).output_text == made.output_text
    run = c.call("interactions.create", model=MODEL, input="Long.", background=True)
    yield "interactions.cancel", c.call("interactions.cancel", run.id).status == "cancelled"
    token = c.call("interactions.auth_tokens.create", made.id).auth_token.removeprefix("auth_tokens/")
    yield "interactions.auth_tokens.create", len(token) == 32
    c.call("interactions.auth_tokens.delete", made.id, token)
    yield "interactions.auth_tokens.delete", _status(c, "interactions.auth_tokens.delete", made.id, token) == 404
    c.call("interactions.delete", made.id)
    yield "interactions.delete", _status(c, "interactions.get", made.id) == 404


def agents(c: Caller) -> Iterator[tuple[str, Any]]:
    """Save an agent, find it and delete it."""
    made = c.call("agents.create", id="helper", base_agent=AGENT)
    yield "agents.create", made.id == "helper"
    yield "agents.get", c.call("agents.get", id="helper").base_agent == AGENT
    yield "agents.list", [agent.id for agent in c.call("agents.list").agents] == ["helper"]
    c.call("agents.delete", id="helper")
    yield "agents.delete", _status(c, "agents.get", id="helper") == 404


def environments(c: Caller) -> Iterator[tuple[str, Any]]:
    """Make an environment, and write and read its files."""
    made = c.call("environments.create")
    yield "environments.create", made.status == "active"
    yield "environments.get", c.call("environments.get", id=made.id).id == made.id
    own = c.call("environments.create", mode="self_hosted", custom_config={"team": "a"})
    yield "environments.create of one's own", bool(own.environment_key) and own.custom_config == {"team": "a"}
    chosen = c.call("environments.list", mode="self_hosted").environments
    yield "environments.list of one's own", [(one.id, one.environment_key) for one in chosen] == [(own.id, None)]
    yield "environments.list", made.id in [one.id for one in c.call("environments.list").environments]
    sent = c.call("environments.files.upload", environment=made.id, path="src/a.py", file=b"print()\n")
    yield "environments.files.upload", sent.files[0].path == "src/a.py"
    data = c.call("environments.files.download", environment=made.id, path="src/a.py")
    yield "environments.files.download", data == b"print()\n"
    listed = c.call("environments.files.list", environment=made.id, path="src")
    yield "environments.files.list", [one.name for one in listed.files] == ["a.py"]
    c.call("environments.delete", id=made.id)
    yield "environments.delete", _status(c, "environments.get", id=made.id) == 404


def files(c: Caller) -> Iterator[tuple[str, Any]]:
    """Upload files whole and in pieces, use one in a create, download what was generated, and delete."""
    about = {"mime_type": "text/plain", "display_name": "Notes", "name": "notes"}
    made = c.call("files.upload", file=io.BytesIO(b"hello"), config=about)
    large = c.call("files.upload", file=io.BytesIO(bytes(17 * 2**20)), config={"mime_type": "application/pdf"})
    yield "files.upload", (made.name, made.size_bytes, large.size_bytes) == ("files/notes", 5, 17 * 2**20)
    yield "files.get", c.call("files.get", name=made.name).state.name == "ACTIVE"
    granted = google.oauth2.credentials.Credentials(token="granted")
    registered = c.call("files.register_files", auth=granted, uris=["gs://bucket/a.pdf"]).files[0]
    yield "files.register_files", (registered.source.name, registered.uri) == ("REGISTERED", "gs://bucket/a.pdf")
    c.call("files.delete", name=registered.name)
    names = [file.name for file in c.call("files.list", config={"page_size": 1})]
    yield "files.list", names == [made.name, large.name]
    read = c.call("interactions.create", model=MODEL, input=[{"type": "document", "uri": made.uri}])
    yield "interactions.create (file)", read.status == "completed"
    form = {"type": "video", "delivery": "uri"}
    video = c.call("interactions.create", model="gemini-omni-flash-preview", input="A cat.", response_format=form)
    uri = video.steps[-1].content[0].uri
    yield "files.download", c.call("files.download", file=uri)[4:8] == b"ftyp"
    c.call("files.delete", name=made.name)
    yield "files.delete", _status(c, "files.get", name=made.name) == 403


def stores(c: Caller) -> Iterator[tuple[str, Any]]:
    """Fill a store by an upload and by an import, search it, and delete documents and store."""
    made = c.call("file_search_stores.create", config={"display_name": "My store"})
    yield "file_search_stores.create", made.name.startswith("fileSearchStores/mystore-")
    about = {"display_name": "Plan", "mime_type": "text/markdown"}
    about["custom_metadata"] = [{"key": "year", "numeric_value": 2026}]  # type: ignore[assignment]
    upload = c.call(
        "file_search_stores.upload_to_file_search_store",
        file_search_store_name=made.name,
        file=io.BytesIO(b"# Plan"),
        config=about,
    )
    yield (
        "file_search_stores.upload_to_file_search_store",
        upload.name.startswith(f"{made.name}/upload/operations/"),
    )
    file = c.call("files.upload", file=io.BytesIO(b"notes"), config={"mime_type": "text/plain"})
    imported = c.call("file_search_stores.import_file", file_search_store_name=made.name, file_name=file.name)
    yield "file_search_stores.import_file", imported.name.startswith(f"{made.name}/operations/")
    ended = [c.call("operations.get", one) for one in (upload, imported)]
    yield "operations.get", all(one.done and one.response.document_name for one in ended)
    yield "file_search_stores.get", c.call("file_search_stores.get", name=made.name).active_documents_count == 2
    yield "file_search_stores.list", [one.name for one in c.call("file_search_stores.list")] == [made.name]
    documents = c.call("file_search_stores.documents.list", parent=made.name)
    yield "file_search_stores.documents.list", [one.display_name for one in documents][:1] == ["Plan"]
    first = documents[0].name
    document = c.call("file_search_stores.documents.get", name=first)
    yield "file_search_stores.documents.get", document.custom_metadata[0].numeric_value == 2026
    media = c.call("file_search_stores.download_media", media_id=first.replace("/documents/", "/media/"))
    yield "file_search_stores.download_media", media == b"# Plan"
    search = {"type": "file_search", "file_search_store_names": [made.name]}
    found = c.call("interactions.create", model=MODEL, input="What is planned?", tools=[search])
    yield "interactions.create (file_search)", found.steps[-1].content[0].annotations[0].file_name == "Plan"
    c.call("file_search_stores.documents.delete", name=first, config={"force": True})
    yield "file_search_stores.documents.delete", _status(c, "file_search_stores.documents.get", name=first) == 404
    c.call("file_search_stores.delete", name=made.name, config={"force": True})
    yield "file_search_stores.delete", _status(c, "file_search_stores.get", name=made.name) == 403


def webhooks(c: Caller) -> Iterator[tuple[str, Any]]:
    """Subscribe, change the subscription, try it, change its secret, and unsubscribe."""
    made = c.call("webhooks.create", **HOOK)
    yield "webhooks.create", bool(made.new_signing_secret)
    yield "webhooks.get", c.call("webhooks.get", id=made.id).uri == HOOK["uri"]
    yield "webhooks.list", [one.id for one in c.call("webhooks.list").webhooks] == [made.id]
    yield "webhooks.update", c.call("webhooks.update", id=made.id, state="disabled").state == "disabled"
    c.call("webhooks.ping", id=made.id)
    yield "webhooks.ping", True
    secret = c.call("webhooks.rotate_signing_secret", id=made.id).secret
    yield "webhooks.rotate_signing_secret", secret not in (None, made.new_signing_secret)
    c.call("webhooks.delete", id=made.id)
    yield "webhooks.delete", _status(c, "webhooks.get", id=made.id) == 404


def triggers(c: Caller) -> Iterator[tuple[str, Any]]:
    """Plan runs, start one by hand, pause, and delete."""
    made = c.call("triggers.create", schedule="0 9 * * *", time_zone="UTC", interaction=TASK)
    yield "triggers.create", made.status == "active"
    yield "triggers.get", c.call("triggers.get", id=made.id).schedule == "0 9 * * *"
    yield "triggers.list", [one.id for one in c.call("triggers.list").triggers] == [made.id]
    run = c.call("triggers.run", trigger_id=made.id)
    yield "triggers.run", bool(run.interaction_id)
    runs = c.call("triggers.list_executions", trigger_id=made.id).trigger_executions
    yield "triggers.list_executions", [one.id for one in runs] == [run.id]
    yield "triggers.update", c.call("triggers.update", id=made.id, status="paused").status == "paused"
    c.call("triggers.delete", id=made.id)
    yield "triggers.delete", _status(c, "triggers.get", id=made.id) == 404


def credentials(c: Caller) -> Iterator[tuple[str, Any]]:
    """Keep a secret, change it, and forget it."""
    made = c.call("credentials.create", id="key", type="bearer_token", token="t")
    yield "credentials.create", made.id == "key"
    yield "credentials.get", c.call("credentials.get", id="key").type == "bearer_token"
    yield "credentials.list", [one.id for one in c.call("credentials.list").credentials] == ["key"]
    changed = c.call("credentials.update", id="key", type="bearer_token", token="u")
    yield "credentials.update", changed.id == "key"
    c.call("credentials.delete", id="key")
    yield "credentials.delete", _status(c, "credentials.get", id="key") == 404


def voices(c: Caller) -> Iterator[tuple[str, Any]]:
    """Design a voice, replicate one without storing it, find them among the prebuilt ones, and delete."""
    made = c.call("voices.create", voice={"type": "prompted", "prompted": {"input": "Deep."}}, store=True)
    speech = {"source_audio": SPEECH, "consent_audio": SPEECH}
    key = c.call("voices.create", voice={"type": "replicated", "replicated": speech}).key
    yield "voices.create", (made.id[:6], key[:9]) == ("voice_", "voicekey_")
    yield "voices.get", c.call("voices.get", id=made.id).prompted.input == "Deep."
    listed = c.call("voices.list", page_size=2).voices
    yield "voices.list", [voice.id for voice in listed] == [made.id, "Zephyr"]
    c.call("voices.delete", id=made.id)
    yield "voices.delete", _status(c, "voices.get", id=made.id) == 404


def decisions(c: Caller) -> Iterator[tuple[str, Any]]:
    """Ask one question of every kind."""
    made = c.call("decisions.create", model="gemini-decision-1", input="hello", questions=QUESTIONS)
    kinds = {name: answer.type for name, answer in made.answers.items()}
    yield "decisions.create", kinds == {"yes": "noul", "which": "choice", "how": "score"}


STORIES = (
    interactions, agents, environments, files, stores, webhooks, triggers, credentials, voices, decisions,
)  # fmt: skip


def _status(c: Caller, name: str, /, *args: Any, **fields: Any) -> int:
    """The HTTP status with which a call fails; 0 if it does not."""
    try:
        c.call(name, *args, **fields)
    except Exception as refusal:
        return int(getattr(refusal, "status_code", None) or getattr(refusal, "code", 0))
    return 0


@pytest.fixture(scope="module")
def results() -> Mapping[str, Mapping[str, str]]:
    """The result of every operation by name, `ok` or what went wrong, for each kind of client."""
    seen: dict[str, dict[str, str]] = {}
    for kind in ("sync", "async"):
        with serving("--setting", "processing=0") as base_url, opened(kind, base_url) as caller:
            for story in STORIES:
                _tell(story, caller, seen.setdefault(kind, {}))
    return seen


def _tell(story: Callable[[Caller], Iterator[tuple[str, Any]]], caller: Caller, seen: dict[str, str]) -> None:
    try:
        with warnings.catch_warnings(action="ignore"):
            for name, fits in story(caller):
                seen[name] = "ok" if fits else "another answer"
    except Exception as fault:
        seen[f"{story.__name__} (rest)"] = f"{type(fault).__name__}: {fault}"


def test_every_operation_works(results: Mapping[str, Mapping[str, str]]) -> None:
    """Every operation gives the result that its story expects."""
    names = list(dict.fromkeys(name for seen in results.values() for name in seen))
    table = [f"{name:50} {results['sync'].get(name, '-'):10} {results['async'].get(name, '-')}" for name in names]
    print("", f"google-genai {genai.__version__}", *table, sep="\n")  # noqa: T201
    wrong = {name: result for seen in results.values() for name, result in seen.items() if result != "ok"}
    assert wrong == {}


def test_no_operation_was_left_out(results: Mapping[str, Mapping[str, str]]) -> None:
    """The stories cover every public method of the resources."""
    client = genai.Client(api_key="test-key")
    with warnings.catch_warnings(action="ignore"):
        declared = {
            f"{name}.{method}"
            for name in RESOURCES
            for method in dir(Caller(client).method(name))
            if not method.startswith("_") and method not in NOT_OPERATIONS
        }
    missing = declared - SAME.keys() - results["sync"].keys()
    assert missing == set()


def test_files_are_read_from_paths(tmp_path: Path) -> None:
    """A file that is given by its path keeps the type that the client guesses from its name."""
    path = tmp_path / "report.pdf"
    path.write_bytes(b"%PDF-1.7")
    with serving() as base_url, opened("sync", base_url) as caller:
        assert caller.call("files.upload", file=str(path)).mime_type == "application/pdf"
