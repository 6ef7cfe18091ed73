"""Tests of `list`, `explain` and the profile `smoke`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.checks.gateway import CHECKS
from harness.interactions.servers import SERVERS
from harness.kit.check import Check
from harness.outcome.words import format_count
from tests.cli.conftest import Harness, fits
from tests.engine import toys

Toy = tuple[toys.ToyService, str]


def test_the_real_catalogue_fits_its_schema(harness: Harness) -> None:
    """`list --json` prints every check of the real catalogue, in the form of its schema."""
    records = fits("list", harness("list", "--json").out)
    assert len({record["id"] for record in records}) == len(records) > 100


@pytest.mark.parametrize(("words", "is_listed"), [
    ([], lambda check: True),
    (["get.*"], lambda check: check.id.startswith("get.")),
    (["stream"], lambda check: check.rule.area == "stream"),
    (["gw"], CHECKS.__contains__),
])  # fmt: skip
def test_list(words: list[str], is_listed: Callable[[Check], bool], harness: Harness) -> None:
    """Globs narrow the list, which has a title for each area; the last line counts what is listed."""
    *lines, count = harness("list", *words).out.splitlines()
    checks, rules = (
        [check.id for check in some if is_listed(check)] for some in (SERVERS.load_catalogue(), CHECKS)
    )
    assert sorted(line.split()[0] for line in lines if line.startswith("  ")) == sorted([*checks, *rules])
    numbers = {"check": len(checks), "gateway rule": len(rules)}
    assert count == ", ".join(format_count(number, what) for what, number in numbers.items() if number)


@pytest.mark.parametrize("check", ["chain.unknown", "gw.query"])
def test_the_source_of_a_check_is_read_in_one_place(check: str, harness: Harness) -> None:
    """The row of its rule, what its exercise sends, what judges it, and the mutant that it has to fail."""
    text = harness("explain", "--source", check).out
    for part in (f"\n  {check}:\n    level: MUST", "  @exercise(", "-> Iterator[Finding]:"):
        assert part in text, part
    assert ("--mutant chain-unknown-allowed)\n  row(" in text) == (check == "chain.unknown")


@pytest.mark.usefixtures("toy_catalogue")
def test_explain(harness: Harness) -> None:
    """`explain` shows a check's rule, source, effect, needs and cost."""
    text = harness("explain", "get.ok").out
    for part in ("get.ok holds", "Toy manual", "toys break", "needs: store", "2 requests, 1 interaction created"):
        assert part in text


@pytest.mark.usefixtures("toy_catalogue")
@pytest.mark.parametrize("command", ["list", "explain"])
def test_unknown_ids(command: str, harness: Harness) -> None:
    """An unknown id or pattern is an error that suggests a known one, and so is the option of `check`."""
    for words, told in (
        (["get.okk"], "did you mean 'get.ok'"),
        (["gett.*"], "no check matches 'gett.*': did you mean 'get.*'"),
        (["x?y"], "the areas are "),
        (["-c", "get.ok"], f"write the id without it, as in `harness {command} "),
    ):
        done = harness(command, *words)
        assert (done.code, told in done.err) == (2, True), done.err


def test_explain_a_code_that_no_finding_has(harness: Harness) -> None:
    """The codes of the rule are suggested; a code that exists explains its rule."""
    done = harness("explain", "resume.no-gap/idz")
    assert (done.code, "did you mean 'resume.no-gap/ids'" in done.err) == (2, True), done.err
    assert harness("explain", "resume.no-gap/ids").code == 0


@pytest.mark.parametrize(
    ("defect", "code", "told"),
    [
        ({}, 0, "PASSED: "),
        ({"page": True}, 4, "200 an HTML page: It works!"),
        ({"refuse": 401}, 4, "'401 authentication: no': pass --api-key or set"),
        ({"refuse": 400}, 4, "400 authentication: no"),
    ],
    ids=["sound", "page", "unauthorised", "refused"],
)
def test_smoke(defect: dict[str, Any], code: int, told: str, harness: Harness, toy: Toy) -> None:
    """The profile reports a target that answers no interactions, with its status and its own words."""
    for name, value in defect.items():
        setattr(toy[0], name, value)
    done = harness("check", toy[1], "--profile", "smoke")
    assert done.code == code
    assert told in done.out + done.err


def test_a_key_that_is_refused_is_not_asked_for_again(harness: Harness, toy: Toy) -> None:
    """If a key was sent and refused, the message says that it is not accepted and does not ask for one."""
    toy[0].refuse = 401
    done = harness("check", toy[1], "--api-key", "k")
    assert (done.code, "the target does not accept the key" in done.err) == (4, True)


def test_smoke_probes_every_capability(harness: Harness, toy: Toy) -> None:
    """Every capability is decided though one check runs, and everything created is deleted."""
    record = fits("check", harness("check", toy[1], "--profile", "smoke", "--json").out)
    assert {item["name"] for item in record["capabilities"]} == {*SERVERS.load_capabilities()}
    assert [item["id"] for item in record["checks"] if item["outcome"] != "excluded"] == ["create.ok"]
    assert toy[0].stored == {}


def test_dry_run_json(harness: Harness) -> None:
    """--dry-run --json prints the cost of a run as data: every rule is with the requests that it needs."""
    value = fits("dry-run", harness("check", "emulator", "--dry-run", "--json").out)
    assert value["requests"] == sum(one["requests"] for one in value["exercises"]) > value["interactions"] > 0
    assert sorted(value["checks"]) == sorted(name for one in value["exercises"] for name in one["checks"])


def test_capabilities_are_listed_with_the_checks_that_need_them(harness: Harness) -> None:
    """The user of a mock finds the word that excludes the rules about the content of scripted texts."""
    lines = harness("list", "--capabilities").out.splitlines()
    known = SERVERS.load_capabilities()
    assert [line.split()[0] for line in lines] == [*known]
    assert next(line for line in lines if line.startswith("prompts ")).endswith("not scripted ones (1 check)")
    records = json.loads(harness("list", "--capabilities", "--json").out)
    assert {record["capability"]: record["meaning"] for record in records} == known
    assert next(one for one in records if one["capability"] == "prompts")["checks"] == ["rob.concurrent-output"]


@pytest.mark.parametrize(
    ("words", "member"),
    [
        ("explain resume.no-gap gw.once", "facts"),
        ("mutants --list resume-*", "summary"),
        ("torture --dry-run --set quick --json -- true", "case"),
    ],
)
def test_what_is_listed_is_data_with_json(words: str, member: str, harness: Harness) -> None:
    """Each list that a person gets is also one JSON value, with a record for each line."""
    given = words.split() if "--json" in words else [*words.split(), "--json"]
    records = json.loads(harness(*given).out)
    assert len(records) > 1
    assert all(record[member] for record in records)
