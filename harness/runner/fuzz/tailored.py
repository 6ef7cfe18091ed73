"""The OpenAPI document made to measure for one target, in a folder of its own.

Layer 4. Names of models and agents are open in the schemas, so that a generator would ask for ones nobody has
and be refused every time. Here they are the target's; references to things that do not exist are left out.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import resources
from harness.checks.target import Target
from harness.contract.schemas import CURRENT

_REQUEST = "strict/create-interaction.json"
_LEFT_OUT = ("continuation_token", "previous_interaction_id", "cached_content", "safety_settings")
"""Fields that a generated create had better not send: they name what only the target can give, or are refused."""


@contextmanager
def tailored(target: Target) -> Iterator[Path]:
    """The path of the document, as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="harness-fuzz-") as folder:
        root = Path(folder) / CURRENT
        shutil.copytree(resources.folder("schemas") / CURRENT, root)
        _rewrite(root / _REQUEST, lambda schema: _narrow(schema, target))
        _rewrite(root / "openapi.json", _one_key)
        yield root / "openapi.json"


def _rewrite(path: Path, change: Any) -> None:
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def _narrow(schema: dict[str, Any], target: Target) -> None:
    parts = schema["$defs"]
    fields = parts["requests.create-interaction"]["$defs"]["fields"]["properties"]
    fields["model"] = {"type": "string", "enum": [target.model]}
    fields["agent"] = {"type": "string", "enum": [target.agent]}
    fields["environment"] = {"type": "string", "enum": ["remote"]}
    for name in _LEFT_OUT:
        fields.pop(name, None)
    rules = parts["requests.create-interaction"]
    rules["required"] = ["input"]
    rules["dependentRequired"] = {
        name: needs for name, needs in rules.get("dependentRequired", {}).items() if name not in _LEFT_OUT
    }


def _one_key(document: dict[str, Any]) -> None:
    """Of the ways to send a key, the one that every call of ours uses."""
    document["security"] = [{"apiKeyHeader": []}]
