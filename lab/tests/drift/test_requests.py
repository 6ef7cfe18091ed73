"""Requests drawn from an SDK's types: all that it declares is drawn, and the emulator takes and shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from harness.contract import CURRENT, load
from harness.emulator.mutants import MUTANTS
from lab.__main__ import main
from lab.drift import requests
from lab.drift.drawn_requests import CREATE, send_drawn
from lab.drift.packages import find_installed
from lab.drift.python_sdk import read_python_sdk
from lab.drift.requests import DrawnRequest, draw_requests, find_lost, load_samples
from lab.drift.type_model import FieldType, OperationType, Record, TypeModel, ValueType
from lab.tests.drift.planting import NEXT_MONTH, plant
from tests.packages import NEEDS_GENAI_TYPES

TEXT = ValueType(kinds=frozenset({"string"}))
SAMPLES = {
    "fields": {"when": "today"}, "records": {"Ride": {"seat": 1}}, "last": "agent", "refused": [],
    "before": {"stop": [{"type": "start"}]}, "roots": {"*.wind=north": {"hat": "warm", "when": None}},
    "clashes": {"Trip.rides": ["hat"]},
}  # fmt: skip


def fixed(value: str) -> FieldType:
    """A field that can only have this value."""
    return FieldType(ValueType(frozenset({"string"}), frozenset({value}), fixed=True))


RIDE = Record("m.Ride", {
    "seat": FieldType(ValueType(frozenset({"integer"}))),
    "wind": FieldType(ValueType(frozenset({"string"}), frozenset({"north", "south"}))),
})  # fmt: skip
STOP = Record(
    "m.Stop_2", {"type": fixed("stop"), "long": FieldType(ValueType(frozenset({"boolean"})), required=True)}
)
TRIP = Record("m.Trip", {
    "when": FieldType(TEXT, required=True),
    "hat": FieldType(TEXT, required=True),
    "rides": FieldType(ValueType(frozenset({"array"}), item=ValueType(
        frozenset({"object"}), records=("m.Ride", "m.Stop_2")))),
    "notes": FieldType(ValueType(frozenset({"object"}), entry=TEXT)),
})  # fmt: skip
OPERATION = OperationType("take", "post", "/v1/trips", body=ValueType(frozenset({"object"}), records=("m.Trip",)))
MODEL = TypeModel("toy", {"take": OPERATION}, {record.name: record for record in (TRIP, RIDE, STOP)})


def test_each_field_value_and_kind_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request holds what its type requires, one thing more, and what the samples say of both."""
    monkeypatch.setattr(requests, "load_samples", lambda: SAMPLES)
    drawn = {one.what: one.body for one in draw_requests(MODEL, OPERATION)}
    whole = {"when": "today", "hat": "x"}
    assert drawn == {
        "Trip": whole,
        "Trip.when": whole,
        "Trip.hat": whole,
        "Trip.rides[]:Ride": {"when": "today", "rides": [{"seat": 1}]},
        "Trip.rides[]:Stop": {"when": "today", "rides": [{"type": "start"}, {"type": "stop", "long": True}]},
        "Trip.notes{}": {**whole, "notes": {"key": "x"}},
        "Ride.seat": {"when": "today", "rides": [{"seat": 1}]},
        "Ride.wind=north": {"hat": "warm", "rides": [{"seat": 1, "wind": "north"}]},
        "Ride.wind=south": {"when": "today", "rides": [{"seat": 1, "wind": "south"}]},
        "Stop.long": {"when": "today", "rides": [{"type": "start"}, {"type": "stop", "long": True}]},
    }


@pytest.mark.parametrize(("shown", "lost"), [
    ({"a": [{"b": 1}], "more": 2}, []),
    ({"more": 2}, []),
    ({"a": [{"b": "1"}]}, []),
    ({"a": [{"b": 2}]}, ["$.a[0].b: 1 was sent, and 2 is shown"]),
    ({"a": []}, ["$.a: 1 items were sent, and 0 are shown"]),
    ({"a": "b"}, ["$.a: [{'b': 1}] was sent, and 'b' is shown"]),
])  # fmt: skip
def test_what_is_shown_otherwise_is_lost(shown: object, lost: list[str]) -> None:
    """A response may leave a field out and add others; a number of 64 bits may be a string."""
    assert list(find_lost({"a": [{"b": 1}]}, shown)) == lost


@cache
def read_installed() -> TypeModel:
    """The types of the installed google-genai."""
    package = find_installed("google-genai")
    assert package is not None
    return read_python_sdk(package.folder, "google-genai")


@pytest.fixture
def draw_only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Of 650 requests, draw those for certain fields: the emulator answers each of them four times."""

    def choose(*globs: str) -> None:
        def draw(model: TypeModel, operation: OperationType) -> Iterator[DrawnRequest]:
            for drawn in draw_requests(model, operation):
                if any(fnmatchcase(drawn.what, glob) for glob in globs):
                    yield drawn

        monkeypatch.setattr("lab.drift.drawn_requests.draw_requests", draw)

    return choose


@NEEDS_GENAI_TYPES
@pytest.mark.slow
def test_the_emulator_takes_what_the_sdk_declares() -> None:
    """No declared field, value or kind is refused without a reason, or shown as something else."""
    model = read_installed()
    taken = send_drawn(model, load(CURRENT))
    assert [*taken.refused, *taken.lost, *taken.broken, *taken.stale] == []
    (create,) = (one for one in model.operations.values() if one.key == CREATE)
    assert taken.sent == len(list(draw_requests(model, create))) > 650
    drawn = {one.what for one in draw_requests(model, create)}
    for name in create.body.records if create.body else ():
        record = model.records[name]
        for part in record.fields:
            assert any(what.startswith(f"{name.rpartition('.')[2]}.{part}") for what in drawn), part


@NEEDS_GENAI_TYPES
@pytest.mark.slow
def test_a_loss_is_noticed(draw_only: Callable[..., None]) -> None:
    """An emulator that stores another kind of content than was sent is found out."""
    draw_only("*VideoContent*")
    taken = send_drawn(read_installed(), load(CURRENT), MUTANTS["input-video-as-document"].build)
    assert any("'video' was sent, and 'document' is shown" in where for _, where in taken.lost)
    assert taken.failed


@NEEDS_GENAI_TYPES
@pytest.mark.slow
@pytest.mark.parametrize(("mutant", "code"), [
    ("get-halves-usage", "get.usage"),
    ("stream-drops-stop", "stream."),
    ("stored-output-cut", "get.matches-post"),
])  # fmt: skip
def test_responses_are_judged_as_by_the_checks(mutant: str, code: str, draw_only: Callable[..., None]) -> None:
    """What a response breaks, alone or beside another, plain or streamed, is reported by its rule."""
    draw_only("CreateModelInteraction")
    taken = send_drawn(read_installed(), load(CURRENT), MUTANTS[mutant].build)
    assert any(how.startswith(code) for _, how in taken.broken)
    assert taken.failed
    assert any(line.startswith("broken   CreateModelInteraction:") for line in taken.lines())


@NEEDS_GENAI_TYPES
@pytest.mark.slow
def test_a_reason_for_nothing_is_stale(draw_only: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that is explained and does not happen is named."""
    draw_only("TextContent.*", "*.continuation_token")
    samples = {**load_samples(), "refused": [{"reason": "none", "what": ["TextContent.*", "*"]}]}
    monkeypatch.setattr("lab.drift.drawn_requests.load_samples", lambda: samples)
    assert send_drawn(read_installed(), load(CURRENT)).stale == ["TextContent.*"]


@NEEDS_GENAI_TYPES
@pytest.mark.slow
def test_what_a_new_sdk_declares_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A field and a kind that the schemas do not have are reported as refused, and the command fails."""
    package = plant(tmp_path / "sdk", NEXT_MONTH)
    assert main(["drift", "--sdk", str(package), "--requests"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("refused  CreateModelInteraction.dream:") for line in lines)
    assert any(line.startswith("refused  ") and "[]:Dowsing:" in line for line in lines)
