"""A google-genai with planted differences: a copy of the installed source, and edits of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from lab.drift.packages import find_installed
from lab.drift.python_sdk import ROOT

TYPES = "types/interactions"


class Planted(NamedTuple):
    """An edit of one source file, and the id of the difference that it makes; "" if it needs another one."""

    file: str
    old: str
    new: str
    id: str


_MEMBER = (
    "class Dowsing(BaseModel):\n"
    '    r"""Finds water."""\n\n'
    '    rod: str\n    r"""Which rod."""\n\n'
    '    type: Annotated[Literal["dowsing"], pydantic.Field(alias="type")] = "dowsing"\n\n\n'
)

DIFFERENCES = (
    Planted(
        f"{TYPES}/filesearch.py",
        "    top_k: Optional[int] = None\n",
        "    top_k: Optional[int] = None\n    depth: int\n",
        "field.new tools/file-search depth",
    ),
    Planted(
        f"{TYPES}/filesearch.py",
        "    metadata_filter: Optional[str] = None\n",
        "",
        "field.gone tools/file-search metadata_filter",
    ),
    Planted(
        f"{TYPES}/filesearch.py",
        "    top_k: Optional[int] = None\n",
        "    top_k: Optional[str] = None\n",
        "type.changed tools/file-search top_k",
    ),
    Planted(
        f"{TYPES}/textcontent.py",
        "    text: str\n    r",
        "    text: Optional[str] = None\n    r",
        "required.gone contents/text text",
    ),
    Planted(
        f"{TYPES}/functioncallstep.py",
        "    id: str\n    r",
        "    id: Optional[str] = None\n    r",
        "required.gone steps/function-call id",
    ),
    Planted(
        f"{TYPES}/safetysetting.py",
        "    method: Optional[Method] = None\n",
        "    method: Method\n",
        "required.new safety-setting method",
    ),
    Planted(
        f"{TYPES}/responsemodality.py",
        '        "document",\n',
        '        "document",\n        "smell",\n',
        "value.new media#modality =smell",
    ),
    Planted(
        f"{TYPES}/mediaresolution.py", '        "ultra_high",\n', "", "value.gone media#resolution =ultra_high"
    ),
    Planted(
        f"{TYPES}/codeexecution.py",
        "class CodeExecution(BaseModel):",
        f"{_MEMBER}class CodeExecution(BaseModel):",
        "",
    ),
    Planted(f"{TYPES}/tool.py", "        CodeExecution,\n", "        CodeExecution,\n        Dowsing,\n", ""),
    Planted(
        f"{TYPES}/tool.py",
        "import CodeExecution, CodeExecutionParam",
        "import CodeExecution, Dowsing, CodeExecutionParam",
        "member.new tool dowsing",
    ),
    Planted(f"{TYPES}/tool.py", "        ComputerUse,\n", "", "member.gone tool computer_use"),
    Planted(
        "models/listagents.py",
        "class ListAgentsRequest(BaseModel):\n",
        "class ListAgentsRequest(BaseModel):\n    mood: Annotated[\n        Optional[str],\n"
        '        FieldMetadata(query=QueryParamMetadata(style="form", explode=True)),\n    ] = None\n\n',
        "parameter.new GET /agents mood",
    ),
    Planted(
        "models/listwebhooks.py",
        "    page_token: Annotated[\n        Optional[str],\n        FieldMetadata(query=QueryParamMetadata",
        "    page_token: Annotated[\n        Optional[str],\n        FieldMetadata(path=PathParamMetadata",
        "parameter.gone GET /webhooks page_token",
    ),
    Planted(
        "agents.py",
        'path="/{api_version}/agents/{agentsId}"',
        'path="/{api_version}/spies/{agentsId}"',
        "operation.new GET /spies/{}",
    ),
    Planted(
        f"{TYPES}/mcpserver.py",
        "    headers: Optional[Dict[str, str]] = None\n",
        "    headers: Optional[Dict[str, int]] = None\n",
        "type.changed tools/mcp-server headers{}",
    ),
    Planted(
        f"{TYPES}/webhookconfig.py",
        "    user_metadata: Optional[Dict[str, Any]] = None\n",
        "    user_metadata: Optional[Dict[str, int]] = None\n",
        "type.changed webhook-config user_metadata{}",
    ),
    Planted(
        "../types.py",
        'class FileSearchStore(_common.BaseModel):\n  """A collection of Documents."""\n',
        'class FileSearchStore(_common.BaseModel):\n  """A collection of Documents."""\n\n'
        '  shelf_mark: Optional[str] = Field(default=None, description="""Where it stands.""")\n',
        "field.new file-search-stores/store shelfMark",
    ),
    Planted(
        "../types.py",
        "class ChunkingConfig(_common.BaseModel):\n",
        "class ChunkingConfig(_common.BaseModel):\n  blunt: Optional[bool] = None\n",
        "field.new requests/import-file#chunking blunt",
    ),
    Planted(
        "../file_search_stores.py",
        "  def documents(self) -> Documents:\n",
        "  def shelve(self) -> None:\n    pass\n\n  @property\n  def documents(self) -> Documents:\n",
        "operation.new CALL /FileSearchStores.shelve",
    ),
    Planted(
        "models/createtrigger.py",
        "RequestMetadata(media_type",
        "HeaderMetadata(media_type",
        "body.gone POST /triggers body",
    ),
)

_STEP = (
    "class DowsingStep(BaseModel):\n"
    '    r"""A search for water."""\n\n'
    '    id: str\n    r"""Opaque identifier."""\n\n'
    '    wells: Optional[List[str]] = None\n    r"""What was found."""\n\n'
    '    signature: Optional[str] = None\n    r"""Opaque base64 token."""\n\n'
    '    type: Annotated[Literal["dowsing"], pydantic.Field(alias="type")] = "dowsing"\n\n\n'
)
_DELTA = _STEP.replace("DowsingStep", "DowsingDelta").replace('    id: str\n    r"""Opaque identifier."""\n\n', "")
_CONTENT = (
    "class ScentContent(BaseModel):\n"
    '    r"""A scent."""\n\n'
    '    notes: Optional[str] = None\n    r"""What it smells of."""\n\n'
    '    type: Annotated[Literal["scent"], pydantic.Field(alias="type")] = "scent"\n\n\n'
)


def _before(file: str, line: str, added: str) -> Planted:
    return Planted(f"{TYPES}/{file}.py", line, f"{added}{line}", "")


NEXT_MONTH = (
    *(each for each in DIFFERENCES if "dowsing" in each.new.lower()),
    _before("step", "Step = Annotated[\n", _STEP),
    _before("step", "        UnknownStep,\n", "        DowsingStep,\n"),
    _before("stepdeltadata", "StepDeltaData = Annotated[\n", _DELTA),
    _before("stepdeltadata", "        UnknownStepDeltaData,\n", "        DowsingDelta,\n"),
    _before("content", "Content = Annotated[\n", _CONTENT),
    _before("content", "        UnknownContent,\n", "        ScentContent,\n"),
    _before("interaction", '        "requires_continuation",\n', '        "paused",\n'),
    _before("interactionsseeventinteraction", '        "requires_continuation",\n', '        "paused",\n'),
    _before("interactionstatusupdate", '        "requires_continuation",\n', '        "paused",\n'),
    _before("usage", "    total_tokens: Optional[int] = None\n", "    dreamt_tokens: Optional[int] = None\n"),
    _before("createmodelinteraction", "    stream: Optional[bool] = None\n", "    dream: Optional[bool] = None\n"),
    _before("createagentinteraction", "    stream: Optional[bool] = None\n", "    dream: Optional[bool] = None\n"),
)
"""What an SDK of next month may bring: a tool, a step with its delta, a content, a status, a count, a field."""

ALSO = (
    "operation.gone GET /agents/{}",
    "field.new requests/upload-to-file-search-store#chunking blunt",
)
"""What an edit brings with it. Together there is each kind but `body.new`, which 3.4.0 has itself."""


def plant(folder: Path, planted: tuple[Planted, ...] = DIFFERENCES) -> Path:
    """Copy the installed google-genai's types to `folder` with the edits made; every edit must apply."""
    package = find_installed("google-genai")
    assert package is not None
    target = folder / ROOT
    shutil.copytree(package.folder / ROOT, target, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("version", "types", "files", "documents", "file_search_stores"):
        shutil.copy(package.folder / ROOT.parent / f"{name}.py", folder / ROOT.parent)
    for each in planted:
        path = target / each.file
        text = path.read_text("utf-8")
        assert each.old in text, f"{each.file} has no {each.old!r}"
        path.write_text(text.replace(each.old, each.new), encoding="utf-8")
    return folder
