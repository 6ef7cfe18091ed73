"""All codes that a finding may have: what `schemas/output/codes.json` publishes.

A code identifies a defect from one version to the next, so the list only grows: a code that no judge gives any
more moves to `retired`. `python -m tests.finding_codes` rewrites the file.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator

from harness.benches.client.judgement.outcome import CODES as CLIENT_CODES
from harness.checks.gateway import STREAM_WORDS
from harness.contract.judge.history.resources import RULES as RESOURCE_RULES
from harness.contract.schema.explain import keyword_word
from harness.contract.tables.protocol import OPERATIONS
from harness.engine.search.failure import RULES, SEARCHED
from harness.files import write_file
from harness.resources import folder, read_published_codes
from harness.rules import ROWS
from tests.packages import parse_package

_CODE = re.compile(r"(?P<rule>[a-z0-9-]+\.[a-z0-9-]+)/[a-z0-9-]+")
_KEYWORDS = (
    "additionalProperties", "anyOf", "const", "dependentRequired", "enum", "maxLength", "minItems", "minLength",
    "not", "oneOf", "pattern", "propertyNames", "required", "type",
)  # fmt: skip
"""The keywords of the schemas that a value can break."""

_STREAM_RULES = ("gw.events", "gw.utf8", "gw.idle", "gw.resume-through")
"""The rules whose judges say what became of the events of a stream."""

_SHARED_WORDS = {
    ("other", "missing"): ("get.ok", "bg.same-id", "cancel.get-after", "resume.same-id", "long.same-id"),
    ("status", "output"): ("cancel.keeps-result", "cancel.keeps-background-result", "chain.siblings-apart"),
    ("inclusive", "resplit"): ("resume.exclusive", "resume.replay", "resume.live", "resume.from-create"),
    ("reordered", "restart"): ("resume.exclusive", "resume.replay", "resume.live", "resume.from-create"),
    ("reordered",): ("resume.two-readers",),
    ("left-end", "order", "unlisted"): ("bg.no-regress", "bg.transition", "bg.queued"),
    ("another", "changed", "denied", "lacking", "lost", "page", "unlisted"): tuple(RESOURCE_RULES.values()),
    ("denied",): ("create.ok", "get.ok", "cancel.ok", "del.ok", "resume.opens"),
    ("late",): ("get.ok", "cancel.ok", "del.ok", "resume.opens"),
    ("name", "arguments"): ("tool.stream-call",),
    ("pending",): (
        "tool.requires-action",
        "tool.stream-status",
        "bg.requires-action",
        "bg.requires-action-streamed",
    ),
    ("empty",): tuple(one.rule for one in OPERATIONS if one.schema),
}
"""The words of judges that several rules share (in `contract/judge`), and those rules."""


def all_codes() -> list[str]:
    """Every code, sorted: each rule, and each `rule/word` that a judge gives."""
    rules = {*ROWS, *(rule.id for rule in (*RULES, SEARCHED))}
    shapes = {"request.schema", "stream.schema", "stream.error-shape"}
    shapes |= {operation.rule for operation in OPERATIONS if operation.schema}
    words = {f"{rule}/{keyword_word(keyword)}" for rule in shapes for keyword in _KEYWORDS}
    words |= {f"{rule}/null" for rule in shapes}
    words |= {f"{rule}/{word}" for rule in _STREAM_RULES for word in STREAM_WORDS}
    words |= {f"{rule}/{word}" for own, shared in _SHARED_WORDS.items() for rule in shared for word in own}
    return sorted(
        {*rules, *words, *CLIENT_CODES, *(code for code in _find_literals() if code.partition("/")[0] in rules)}
    )


def _find_literals() -> Iterator[str]:
    """Every string in the package that has the form of a code."""
    for tree in parse_package(_CODE.pattern).values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
                yield node.value


def write() -> None:
    """Write the whole file again; tokens that are not given any more are kept as retired."""
    current = all_codes()
    codes, retired = read_published_codes()
    old = sorted({*codes, *retired} - set(current))
    text = json.dumps({"codes": current, "retired": old}, indent=2)
    write_file(folder("schemas") / "output" / "codes.json", f"{text}\n")


if __name__ == "__main__":
    write()
