"""The schemas in the hands of other tools: ajv, an OpenAPI validator of Node, and a typed client.

They need `npm install --prefix tests/e2e/schemas_node --no-package-lock`; without it they are skipped.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import resources
from harness.cassette import load as load_cassette
from harness.contract import load
from harness.contract.schema.published_files import published_files
from harness.wire.bodies import json_or_none

FOLDER = Path(__file__).parent / "schemas_node"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed"),
    pytest.mark.skipif(
        not (FOLDER / "node_modules").is_dir(),
        reason="run: npm install --prefix tests/e2e/schemas_node --no-package-lock",
    ),
]


def run(*words: str, stdin: str = "") -> str:
    """Run a program of the folder and return what it printed."""
    done = subprocess.run(
        ["node", *words], cwd=FOLDER, input=stdin, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def recorded() -> Iterator[tuple[str, Any]]:
    """Every recorded body of an interaction, event, error or create, with the schema that describes it."""
    for path in sorted(resources.folder("cassettes").rglob("*.yaml")):
        for recording in load_cassette(path).recordings:
            request, route = recording.request, recording.request.target.partition("?")[0]
            if "/interactions" not in route or recording.status is None:
                continue
            if request.method == "POST" and route.endswith("/interactions"):
                yield "requests/create-interaction", json_or_none(request.body)
            if recording.events:
                lines = (line[6:] for line in recording.body.splitlines() if line.startswith(b"data: {"))
                yield from (("event", json_or_none(line)) for line in lines)
            elif request.method != "DELETE" and recording.status < 500:
                yield ("interaction" if recording.status < 400 else "error-body"), json_or_none(recording.body)


def damage(value: Any) -> Iterator[Any]:
    """The value with one member missing or of another type, one after the other, two levels deep."""
    if not isinstance(value, dict):
        return
    for name, member in value.items():
        yield {key: part for key, part in value.items() if key != name}
        for wrong in (None, 5, "odd", [], {}):
            yield {**value, name: wrong}
        items = member if isinstance(member, list) else [member]
        for index, item in enumerate(items[:2]):
            for worse in damage(item) if isinstance(item, dict) and len(json.dumps(item)) < 400 else ():
                changed = copy.deepcopy(items)
                changed[index] = worse
                yield {**value, name: changed if isinstance(member, list) else changed[0]}


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated documents."""
    folder = tmp_path_factory.mktemp("schemas")
    for name, text in published_files(load().schemas).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "bundled"


@pytest.fixture(scope="module")
def bodies() -> list[tuple[str, Any]]:
    """Different recorded bodies, each once."""
    found = {(name, json.dumps(value, sort_keys=True)) for name, value in recorded() if value is not None}
    return [(name, json.loads(text)) for name, text in sorted(found)]


def judge_by_ajv(bundled: Path, cases: list[tuple[str, Any]]) -> list[bool]:
    """Whether ajv accepts each value, by the compound document."""
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    return [line == "true" for line in run("judge.mjs", str(bundled / "schemas.json"), stdin=lines).split()]


def test_ajv_accepts_every_recorded_body(bundled, bodies):
    """What the recordings contain and our own validator accepts, ajv accepts; each kind of body is there."""
    schemas = load().schemas
    accepted = [(name, value) for name, value in bodies if schemas.validator(name).is_valid(value)]
    assert len(accepted) > len(bodies) * 0.9 > 100
    assert {name for name, _ in accepted} >= {"event", "interaction", "requests/create-interaction", "error-body"}
    verdicts = judge_by_ajv(bundled, accepted)
    assert [case for case, verdict in zip(accepted, verdicts, strict=True) if not verdict] == []


def test_ajv_judges_damaged_bodies_as_jsonschema_does(bundled, bodies):
    """For bodies with a member missing or of another type, ajv and our validators have the same verdict."""
    schemas = load().schemas
    some = [case for case in bodies if len(json.dumps(case[1])) < 2_000][::3]
    cases = [(name, worse) for name, value in some for worse in damage(value)]
    ours = [schemas.validator(name).is_valid(value) for name, value in cases]
    assert ours.count(False) > 1_000
    assert ours.count(True) > 500
    verdicts = judge_by_ajv(bundled, cases)
    assert [case for case, a, b in zip(cases, ours, verdicts, strict=True) if a != b] == []


def test_a_second_validator_accepts_the_openapi_documents(bundled):
    """A validator of another author accepts the documents under 3.2 and 3.1."""
    files = [str(bundled / name) for name in ("openapi-3.2.json", "openapi-3.1.json", "openapi-3.1-known.json")]
    assert [line.split() for line in run("validate.mjs", *files).splitlines()] == [
        ["3.2", "true"],
        ["3.1", "true"],
        ["3.1", "true"],
    ]


@pytest.mark.parametrize(
    ("document", "client"), [("openapi-3.1.json", "client.ts"), ("openapi-3.1-known.json", "narrowing_client.ts")]
)
def test_a_typed_client_compiles(bundled, tmp_path, document, client):
    """Types made by openapi-typescript compile against a small client, which also notices a wrong field.

    Those of known kinds narrow: the type of a step says what it holds.
    """
    modules = FOLDER / "node_modules"
    run(
        str(modules / "openapi-typescript" / "bin" / "cli.js"),
        str(bundled / document),
        "-o",
        str(tmp_path / "api.d.ts"),
    )
    shutil.copy(FOLDER / client, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    options = ["--noEmit", "--strict", "--skipDefaultLibCheck", "--target", "es2022", "--module", "nodenext"]
    options += ["--lib", "es2022,dom"]
    run(str(modules / "typescript" / "bin" / "tsc"), *options, str(tmp_path / client))
