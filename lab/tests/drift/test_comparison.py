"""Two descriptions are compared by how types are used, and every kind of difference is told apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from harness.contract import CURRENT, load
from lab.drift.comparison import Explanation, compare, explain, pair_records
from lab.drift.packages import find_installed
from lab.drift.python_sdk import read_python_sdk
from lab.drift.schema_types import read_schemas
from lab.drift.type_model import ANYTHING, FieldType, OperationType, Record, TypeModel, ValueType, unite

TEXT = ValueType(frozenset({"string"}))
WHOLE = ValueType(frozenset({"integer"}))


def one_of(*values: str) -> ValueType:
    """A string with known values."""
    return ValueType(frozenset({"string"}), frozenset(values))


def tag(value: str) -> FieldType:
    """A constant by which members of a union are told apart."""
    return FieldType(ValueType(frozenset({"string"}), frozenset({value}), fixed=True), required=True)


def refer(*names: str) -> ValueType:
    """A union of records."""
    return ValueType(frozenset({"object"}), records=names)


def model(
    records: Mapping[str, Mapping[str, FieldType]], *, answer: str = "A", whole_numbers: bool = True
) -> TypeModel:
    """A description with one call, which answers with one record."""
    call = OperationType("get", "get", "/{api_version}/things/{id}", answer=refer(answer))
    return TypeModel(
        "m", {"get": call}, {name: Record(name, fields) for name, fields in records.items()}, whole_numbers
    )


def ids(older: TypeModel, newer: TypeModel) -> list[str]:
    """The ids of all differences."""
    return [difference.id for difference in compare(older, newer)]


def test_the_same_under_other_names_is_the_same():
    """Names of types, of path variables and of the version do not matter."""
    older = model({"A": {"x": FieldType(refer("B"))}, "B": {"y": FieldType(TEXT)}})
    newer = model({"K": {"x": FieldType(refer("L"))}, "L": {"y": FieldType(TEXT)}}, answer="K")
    assert ids(older, newer) == []
    assert pair_records(older, newer) == {"K": "A", "L": "B"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"x": FieldType(TEXT)}, ["field.new A x"]),
        ({"x": FieldType(TEXT)}, {}, ["field.gone A x"]),
        ({"x": FieldType(TEXT)}, {"x": FieldType(TEXT, required=True)}, ["required.new A x"]),
        ({"x": FieldType(TEXT, required=True)}, {"x": FieldType(TEXT)}, ["required.gone A x"]),
        ({"x": FieldType(TEXT)}, {"x": FieldType(WHOLE)}, ["type.changed A x"]),
        (
            {"x": FieldType(one_of("a", "b"))},
            {"x": FieldType(one_of("b", "c"))},
            ["value.gone A x=a", "value.new A x=c"],
        ),
        ({"x": FieldType(TEXT)}, {"x": FieldType(one_of("a"))}, ["value.new A x=*"]),
        ({"x": FieldType(one_of("a"))}, {"x": FieldType(TEXT)}, []),
        ({"x": FieldType(ValueType(frozenset({"any"})))}, {"x": FieldType(WHOLE)}, []),
    ],
)  # fmt: skip
def test_a_field_differs(before, after, expected):
    """Each way in which a field can differ has a kind of its own; what is open on one side is no difference."""
    assert ids(model({"A": before}), model({"A": after})) == expected


def test_differences_within_lists_and_maps_are_seen():
    """The items of a list and the values of a map are compared."""

    def nested(inner: ValueType) -> dict[str, FieldType]:
        return {
            "list": FieldType(ValueType(frozenset({"array"}), item=inner)),
            "map": FieldType(ValueType(frozenset({"object"}), entry=inner)),
        }

    found = ids(model({"A": nested(TEXT)}), model({"A": nested(WHOLE)}))
    assert found == ["type.changed A list[]", "type.changed A map{}"]


MAPS = {
    "text": ValueType.map_of(TEXT),
    "whole": ValueType.map_of(WHOLE),
    "anything": ValueType.map_of(ANYTHING),
    "open": ValueType.of("object"),
}


@pytest.mark.parametrize("before", MAPS)
@pytest.mark.parametrize("after", MAPS)
def test_a_map_of_anything_is_no_map_of_texts(before, after):
    """An object that lists no members is a map of anything."""
    found = ids(model({"A": {"x": FieldType(MAPS[before])}}), model({"A": {"x": FieldType(MAPS[after])}}))
    same = before == after or {before, after} == {"anything", "open"}
    assert found == ([] if same else ["type.changed A x{}"])


def test_each_map_of_the_sdk_is_compared():
    """Another type of the values of any map is found, wherever the API uses the map."""
    older, newer = (
        read_schemas(load(CURRENT).schemas),
        read_python_sdk(find_installed("google-genai").folder, "installed"),
    )
    known = {difference.id for difference in compare(older, newer)}
    api = {name: record for name, record in newer.records.items() if name.startswith(("interactions.", "agents."))}
    missed = []
    for name, record in api.items():
        for field, part in record.fields.items():
            entry = part.shape.entry
            if entry is not None and not part.shape.records:
                other = ValueType.map_of(ValueType.of("boolean"))
                fields = {**record.fields, field: replace(part, shape=other)}
                changed = replace(newer, records={**newer.records, name: replace(record, fields=fields)})
                if {difference.id for difference in compare(older, changed)} <= known:
                    missed.append((name, field))
    assert missed == []


def test_members_of_a_union_are_paired_by_their_constants():
    """A member is new or gone by its constant, whatever it is called and wherever it stands."""
    older = model(
        {
            "A": {"x": FieldType(refer("B", "C"))},
            "B": {"type": tag("b"), "n": FieldType(TEXT)},
            "C": {"type": tag("c")},
        }
    )
    newer = model(
        {
            "A": {"x": FieldType(refer("D", "E"))},
            "D": {"type": tag("d")},
            "E": {"type": tag("b"), "n": FieldType(WHOLE)},
        }
    )
    assert ids(older, newer) == ["member.gone A x:c", "member.new A x:d", "type.changed B n"]


def test_a_union_with_a_title_is_reported_once():
    """What is written in one place and used in two differs in one place."""
    union = ValueType(frozenset({"object"}), records=("B",), title="tool")
    older = model({"A": {"x": FieldType(union), "y": FieldType(union)}, "B": {"type": tag("b")}})
    newer = model(
        {
            "A": {"x": FieldType(refer("B", "C")), "y": FieldType(refer("B", "C"))},
            "B": {"type": tag("b")},
            "C": {"type": tag("c")},
        }
    )
    assert ids(older, newer) == ["member.new tool c"]


def test_types_that_contain_themselves_end():
    """A record that refers to itself is compared once."""
    older = model({"A": {"x": FieldType(refer("A"))}})
    newer = model({"A": {"x": FieldType(refer("A")), "y": FieldType(TEXT)}})
    assert ids(older, newer) == ["field.new A y"]


def test_numbers_are_one_kind_if_a_side_has_only_one():
    """TypeScript has no integers, so an integer there is a number here."""
    number = {"x": FieldType(ValueType(frozenset({"number"})))}
    assert ids(model({"A": {"x": FieldType(WHOLE)}}), model({"A": number}, whole_numbers=False)) == []
    assert ids(model({"A": {"x": FieldType(WHOLE)}}), model({"A": number})) == ["type.changed A x"]


def test_calls_parameters_and_bodies_differ():
    """Calls, the parameters of their query and whether they take a body are compared."""

    def describe(*operations: OperationType) -> TypeModel:
        return TypeModel("m", {operation.name: operation for operation in operations}, {"A": Record("A", {})})

    older = describe(
        OperationType("a", "get", "/a", {"p": FieldType(TEXT)}), OperationType("b", "post", "/b", body=refer("A"))
    )
    newer = describe(
        OperationType("a", "get", "/a", {"q": FieldType(TEXT)}, body=refer("A")),
        OperationType("b", "post", "/b"),
        OperationType("c", "put", "/b"),
    )
    assert ids(older, newer) == [
        "body.gone POST /b body",
        "body.new GET /a body",
        "operation.new PUT /b",
        "parameter.gone GET /a p",
        "parameter.new GET /a q",
    ]
    assert "operation.gone PUT /b" in ids(newer, older)


def test_uniting_keeps_what_each_allows():
    """A union allows the kinds, values, records and items of its members."""
    both = unite([one_of("a"), refer("A"), ValueType(frozenset({"array"}), item=TEXT), ValueType()])
    assert both.kinds == {"string", "object", "array"}
    assert both.values == {"a"}
    assert both.records == ("A",)
    assert both.item == TEXT


def test_an_explanation_is_limited_to_an_sdk_and_its_versions():
    """Outside its versions an explanation explains nothing, and is not stale either."""
    differences = compare(model({"A": {"x": FieldType(TEXT)}}), model({"A": {}}))
    known = [Explanation("why", "where from", ("field.gone A *",), sdk="s", since="1.2", before="1.10.0")]
    assert explain(differences, known, "s", "1.9").unexplained == []
    for sdk, version in (("t", "1.9"), ("s", "1.1.9"), ("s", "1.10.0")):
        told = explain(differences, known, sdk, version)
        assert len(told.unexplained) == 1
        assert told.stale == ()
    assert explain([], known, "s", "1.9").stale == ("field.gone A *",)
