"""The clients that have a driver: packages, versions, and the modes that each can be used in.

Layer 5, values only. The table of clients was made with these versions; the user can name any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean


class Language(StrEnum):
    """The interpreter of a driver."""

    PYTHON = "python"
    NODE = "node"
    SHELL = "sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyClient:
    """A client with a driver. `modes` are what it can do, the usual one first.

    `package` is its public package, "" if there is nothing to install; `needs` are further packages of its
    environment, pinned. `last` are the versions before `version` that the table shows beside it. `arguments`
    follow the driver on its command line. `loops` if the driver reads one task after another. `note` is what a
    reader of its results has to know.
    """

    name: str
    about: str
    driver: str
    language: Language
    modes: tuple[str, ...]
    package: str = ""
    version: str = ""
    last: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    loops: bool = True
    imports: str = ""
    """A module that our own Python needs to run the driver."""
    note: str = ""

    @property
    def pinned(self) -> str:
        """Package and version as the installer of its language writes them; "" if there is nothing to install."""
        if not self.package:
            return ""
        return f"{self.package}{'@' if self.language is Language.NODE else '=='}{self.version}"

    @property
    def packages(self) -> list[str]:
        """All that its environment is made of, pinned."""
        return [self.pinned, *self.needs] if self.package else []

    @property
    def spec(self) -> str:
        """The name of this client in this version, as `find_ready` takes it."""
        return f"{self.name}=={self.version}" if self.package else self.name

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


_SDK_MODES = ("create", "background", "follow", "poll", "chain", "tools", "cancel")
_OUR_MODES = ("follow", "background", "create", "chain", "tools", "cancel")
_VERTEX = ("vertex",)
"""What a driver is started with to use Vertex: its paths, and a token instead of a key."""
_RETRIES = "It retries a request after 408, 409, 429 and 5xx by itself."

_GOOGLE_GENAI = ReadyClient(
    name="google-genai",
    about="the official SDK for Python, sync",
    driver="google_genai_sync.py",
    language=Language.PYTHON,
    modes=_SDK_MODES,
    package="google-genai",
    version="3.6.1",
    last=("3.4.0",),
    note=_RETRIES,
)

_JS_GENAI = ReadyClient(
    name="@google/genai",
    about="the official SDK for JavaScript",
    driver="google_genai.mjs",
    language=Language.NODE,
    modes=_SDK_MODES,
    package="@google/genai",
    version="3.3.0",
    last=("3.1.0",),
    note=_RETRIES,
)
_AI_SDK = ReadyClient(
    name="ai-sdk",
    about="the AI SDK with its Google provider, `google.interactions(model)`",
    driver="ai_sdk.mjs",
    language=Language.NODE,
    modes=("create", "background", "poll", "chain", "tools"),
    package="@ai-sdk/google",
    version="4.0.121",
    last=("4.0.117",),
    needs=("ai@7.0.173",),
)
_LITELLM = ReadyClient(
    name="litellm",
    about="LiteLLM's client, `litellm.interactions`",
    driver="litellm_client.py",
    language=Language.PYTHON,
    modes=("create", "background", "poll", "chain", "tools"),
    package="litellm",
    version="1.110.2",
    last=("1.106.2",),
    note="Its calls cannot follow a stream by an id.",
)

READY: tuple[ReadyClient, ...] = (
    _GOOGLE_GENAI,
    replace(
        _GOOGLE_GENAI,
        name="google-genai-async",
        about="the official SDK for Python, async",
        driver="google_genai_async.py",
    ),
    replace(
        _GOOGLE_GENAI,
        name="documented-loop",
        about="the reconnect loop of the official documentation, with google-genai",
        driver="documented_loop.py",
        modes=("follow",),
        note="Its pause after an exception is 0.05 s here instead of 3 s.",
    ),
    replace(
        _GOOGLE_GENAI,
        name="google-genai-vertex",
        about="the official SDK for Python, sync, on Vertex: `Client(vertexai=True, …)`",
        arguments=_VERTEX,
        last=(),
    ),
    _JS_GENAI,
    replace(
        _JS_GENAI,
        name="@google/genai-vertex",
        about="the official SDK for JavaScript on Vertex: `new GoogleGenAI({ vertexai: true, … })`",
        arguments=_VERTEX,
        last=(),
        note=f"{_RETRIES} If the base URL has a path, it sends `%2Fprojects%2F` for `/projects/`, which servers "
        "reject; the driver puts that path into `apiVersion`.",
    ),
    _AI_SDK,
    replace(
        _AI_SDK,
        name="ai-sdk-vertex",
        about="the AI SDK with its Vertex provider, `vertex.interactions(model)`",
        package="@ai-sdk/google-vertex",
        version="5.0.141",
        last=(),
        arguments=_VERTEX,
    ),
    ReadyClient(
        name="tanstack-ai",
        about="TanStack AI with the Interactions adapter of its Gemini package (experimental)",
        driver="tanstack.mjs",
        language=Language.NODE,
        modes=("create", "background", "chain", "tools"),
        package="@tanstack/ai-gemini",
        version="0.32.0",
        needs=("@tanstack/ai@0.58.0",),
        note="Its requests are those of @google/genai 2.32.0, on which it depends. Each version needs "
        "its own of @tanstack/ai.",
    ),
    ReadyClient(
        name="google-adk",
        about="the Agent Development Kit for Python, `Gemini(use_interactions_api=True)`, streamed",
        driver="google_adk.py",
        language=Language.PYTHON,
        modes=("create", "chain", "tools"),
        package="google-adk",
        version="2.13.0",
        last=("2.12.0",),
        note="It has no time limit of its own.",
    ),
    ReadyClient(
        name="@google/adk",
        about="the Agent Development Kit for JavaScript, `new Gemini({ useInteractionsApi: true })`, streamed",
        driver="google_adk.mjs",
        language=Language.NODE,
        modes=("create", "chain", "tools"),
        package="@google/adk",
        version="2.0.0",
        note="Its requests are those of @google/genai 2.32.0, on which it depends. It has no time limit of its "
        "own, and no option for the base URL, only GOOGLE_GEMINI_BASE_URL.",
    ),
    ReadyClient(
        name="agno",
        about="Agno with its model `GeminiInteractions`, streamed",
        driver="agno_client.py",
        language=Language.PYTHON,
        modes=("create", "chain", "tools"),
        package="agno",
        version="3.1.10",
        needs=("google-genai==3.6.1",),
        note="It resumes only agents in the background, such as Deep Research.",
    ),
    ReadyClient(
        name="genkit",
        about="Genkit with its Google plugin, whose Deep Research uses the Interactions API",
        driver="genkit.mjs",
        language=Language.NODE,
        modes=("poll",),
        package="@genkit-ai/google-genai",
        version="1.42.0",
        needs=("genkit@1.42.0",),
        note="It uses the Interactions API for Deep Research, Antigravity and Lyria only, without streams; "
        "its Gemini models use generateContent.",
    ),
    ReadyClient(
        name="any-llm",
        about="any-llm, whose Responses call uses the Interactions API",
        driver="any_llm_responses.py",
        language=Language.PYTHON,
        modes=("create",),
        package="any-llm-sdk",
        version="1.40.2",
        last=("1.39.0",),
        needs=("google-genai==3.6.1",),
        note="Its Responses call takes a text and no previous response, no tools and no background.",
    ),
    _LITELLM,
    replace(
        _LITELLM,
        name="litellm-vertex",
        about="LiteLLM's client with models of `vertex_ai/`",
        arguments=_VERTEX,
        last=(),
    ),
    ReadyClient(
        name="curl",
        about="curl in a shell script",
        driver="curl.sh",
        language=Language.SHELL,
        modes=("create", "follow"),
        loops=False,
    ),
    ReadyClient(
        name="harness.resume",
        about="the helper of this project with google-genai",
        driver="harness_resume.py",
        language=Language.PYTHON,
        modes=_OUR_MODES,
        imports="google.genai",
    ),
    ReadyClient(
        name="follow.mjs",
        about="the client of this project for JavaScript, without dependencies",
        driver="follow_loop.mjs",
        language=Language.NODE,
        modes=_OUR_MODES,
    ),
)
"""All clients with a driver, in the order of the table."""

_SPEC = re.compile(r"(?P<name>@?[^@=]+)(?:(?:==|@)(?P<version>[0-9A-Za-z.+-]+))?")


def find_ready(spec: str) -> ReadyClient:
    """The client that a word like `google-genai` or `google-genai==3.3.0` names.

    `@` is taken for `==`. Raises UsageFault for an unknown name, or a version where there is nothing to install.
    """
    by_name = {client.name: client for client in READY}
    parts = _SPEC.fullmatch(spec)
    name = parts["name"] if parts else spec
    if parts is None or name not in by_name:
        raise UsageFault(f"no client has the name {spec!r}{did_you_mean(name, by_name)}")
    client = by_name[name]
    if parts["version"] is None:
        return client
    if not client.package:
        raise UsageFault(f"--client {spec!r}: {name} is not installed from a package, so it has no versions")
    return replace(client, version=parts["version"])
