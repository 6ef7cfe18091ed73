"""The tables of models: complete, and every cell names a source that exists."""

from __future__ import annotations

import json
import re
from itertools import chain
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from harness import resources
from harness.contract import CURRENT, load
from harness.contract.models import profiles
from harness.contract.models.profiles import (
    FOLDER,
    LEVELS,
    describe_life,
    find_profile,
    list_media_types,
    list_models,
    list_sources,
)
from harness.files import load_yaml
from tests.contract.corpus import FOLDER as CORPUS
from tests.contract.corpus import needs_corpus
from tests.contract.models.model_table import write_table

SCHEMA = json.loads((resources.folder("schemas") / "models.schema.json").read_text("utf-8"))
CELLS = SCHEMA["$defs"]["cells"]["properties"]
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name not in ("common.yaml", "sources.yaml"))
MODELS = {profile.name: profile for profile in list_models()}
"""Every model by name."""


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A file to publish to, which the loader looks at; what was loaded is forgotten before and afterwards."""
    cached = (profiles._load_published, profiles._load_table, find_profile)
    path = tmp_path / "models.json"
    monkeypatch.setattr(profiles, "published_path", lambda: path)
    for function in cached:
        function.cache_clear()
    yield path
    for function in cached:
        function.cache_clear()


def test_the_published_file_is_read_if_it_was_made_from_the_tables(published, monkeypatch):
    """With it, no table is parsed as YAML, and the profiles are the same."""
    published.write_text(profiles.publish_models(), encoding="utf-8")
    monkeypatch.setattr(profiles, "load_yaml", None)
    assert {name: find_profile(name) for name in MODELS} == MODELS


@pytest.mark.parametrize("text", [None, "{", '{"tables": "of yesterday", "gemini-3": []}'])
def test_a_published_file_of_other_tables_is_passed_over(text, published):
    """A file that is missing, damaged or out of date decides nothing."""
    if text is not None:
        published.write_text(text, encoding="utf-8")
    assert {name: find_profile(name) for name in MODELS} == MODELS


def families():
    """Every family of every file."""
    return chain.from_iterable(load_yaml(path.read_text("utf-8")) for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_fits_the_schema(path):
    """Families, models and cells are those that the schema describes."""
    Draft202012Validator(SCHEMA).validate(load_yaml(path.read_text("utf-8")))


def test_every_cell_has_a_value_for_any_model():
    """The common table holds every cell, so that no profile lacks one, and fits the schema as a model's does."""
    common = load_yaml((FOLDER / "common.yaml").read_text("utf-8"))["cells"]
    assert common.keys() == CELLS.keys()
    Draft202012Validator({**SCHEMA, "$ref": "#/$defs/cells", "type": "object", "items": True}).validate(common)


def test_sources_are_all_there_and_all_used():
    """A key behind a level is one of the sources, and each source carries a cell or is named in a note."""
    cells = [cell for profile in MODELS.values() for cell in profile.cells.values()]
    keys = {cell.key for cell in cells if cell.level in "GST"}
    noted = set(re.findall(r"\([GST] (\w+)\)", " ".join(cell.note for cell in cells)))
    assert keys | noted <= list_sources().keys()
    assert list_sources().keys() == keys | noted
    assert {cell.level for cell in cells} == LEVELS.keys()


@needs_corpus
def test_every_recording_exists():
    """A recording that carries a cell, or that a note names, is in the corpus."""
    cells = [cell for profile in MODELS.values() for cell in profile.cells.values()]
    named = {cell.key for cell in cells if cell.level == "R"}
    named |= set(re.findall(r"\(R ([\w.-]+)\)", " ".join(cell.note for cell in cells)))
    assert named
    live = {f"live-{path.stem}" for path in (resources.folder("cassettes") / "live").glob("*.yaml")}
    assert {stem for stem in named - live if not list((CORPUS / "files").glob(f"{stem}.*"))} == set()


def test_the_default_is_one_of_the_levels():
    for profile in MODELS.values():
        default = profile.value("default_level")
        assert default is None or profile.levels is None or default in profile.levels, profile.name


def test_no_third_party_narrows_the_media_types():
    """A list of types refuses what it lacks, so a model's own one rests on a recording, a guide or the types."""
    cells = ("documents", "images", "audio", "videos")
    found = [profile.cells[cell] for profile in MODELS.values() for cell in cells]
    assert {fact.level for fact in found} <= {"R", "G", "S"}
    assert {fact.origin for fact in found} > {""}


def test_the_common_media_types_are_those_of_the_schemas():
    """What some model reads is what the schemas take, so that none of the two refuses more."""
    known = load(CURRENT).schemas.document("media")["$defs"]
    for kind in ("image", "audio", "video"):
        types = {mime.partition(";")[0].lower() for mime in known[f"{kind}_mime"]["x-known-values"]}
        assert types == list_media_types()[kind]


def test_a_successor_is_a_model_of_its_own():
    """Whoever answers for a retired model is in the tables."""
    lives = [profile.value("lifecycle") or {} for profile in MODELS.values()]
    assert {life["then"] for life in lives if "then" in life} <= MODELS.keys()


def test_every_name_of_the_schemas_is_in_the_tables():
    """Each model and agent that the schemas list has a table."""
    documents = (load(CURRENT).schemas.document(name) for name in ("model-name", "agent-name"))
    assert set(chain.from_iterable(known["x-known-values"] for known in documents)) <= MODELS.keys()


def test_a_name_belongs_to_its_own_family():
    """Without its table a model would be taken for one of its family: the expressions are the right ones."""
    wrong = []
    for family in families():
        for name in family["models"]:
            found = find_profile(f"{name}-x")
            if found.family != family["family"]:
                wrong.append((name, found.family))
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "family", "words"),
    [
        ("gemini-5-helium", "gemini-4", "the newest family, gemini-4"),
        ("models/gemini-3.9-flash", "gemini-3", "the family gemini-3"),
        ("gemini-9-flash-tts", "speech", "the family speech"),
        ("gemini-4-neon", "gemini-4", ""),
        ("models/gemini-4-neon", "gemini-4", ""),
    ],
)
def test_an_unknown_name_takes_a_family(name, family, words):
    """A name of no table takes its family's profile, or the newest family's, and says so."""
    profile = find_profile(name)
    assert profile.family == family
    assert words in profile.standing
    assert bool(profile.standing) is bool(words)


def test_the_page_shows_the_tables():
    """docs/models.md ends with the table that is made of the data."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "models.md").read_text("utf-8")
    assert page.endswith("\n\n" + write_table()), "run `python -m tests.contract.models.model_table`"


def test_a_life_is_one_sentence():
    """A retired model names its successor; one that lives on has no sentence."""
    told = describe_life(find_profile("gemini-2.5-flash"))
    assert "2026-12-01" in told
    assert "gemini-3.5-flash-lite" in told
    assert describe_life(find_profile("gemini-4-neon")) == ""
