"""`harness doctor`: what is there, what is in the way, and no secret."""

from __future__ import annotations

import socket
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from harness.cli.commands import doctor
from tests.cli.conftest import Harness, fits

KEY = "AIza" + "SyB" * 11 + "ab"


def examine(harness: Harness, *questions: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """The exit code, and the diagnoses of some questions, or of all, by what they are about."""
    with pytest.MonkeyPatch.context() as patch:
        chosen = {name: ask for name, ask in doctor._QUESTIONS.items() if name in questions or not questions}
        patch.setattr(doctor, "_QUESTIONS", chosen)
        done = harness("doctor", "--json")
    document: dict[str, Any] = fits("doctor", done.out)
    states = [item["state"] for item in document["diagnoses"]]
    assert document["problems"] == states.count("problem")
    found: dict[str, list[dict[str, str]]] = {}
    for item in document["diagnoses"]:
        found.setdefault(item["about"], []).append(item)
    return done.code, found


def test_nothing_is_in_the_way_here(harness: Harness) -> None:
    """Where these tests run, everything that they need is there."""
    code, found = examine(harness)
    assert code == 0
    assert {"python", "harness", "pytest", "loopback", "configuration"} <= found.keys()
    assert harness("doctor").out.splitlines()[-1] == "No problems found."


def test_a_key_is_named_and_not_shown(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which keys are set is told; their values are in no output."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    code, found = examine(harness, "environment")
    assert code == 0
    assert "GEMINI_API_KEY" in found["keys"][0]["found"]
    assert KEY not in harness("doctor").out


def test_what_an_extra_lacks_is_a_note(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package of an extra is worth knowing; one of the base is in the way."""
    monkeypatch.setattr(
        metadata, "requires", lambda name: ["httpx>=0.27", "no-such-base>1", "no-such>=2; extra == 'fuzz'"]
    )
    code, found = examine(harness, "packages")
    assert code == 1
    assert (found["packages"][0]["state"], found["packages"][0]["found"]) == ("problem", "missing: no-such-base")
    assert (found["extras"][0]["state"], found["extras"][0]["found"]) == ("note", "not installed: fuzz (no-such)")


def test_a_machine_without_loopback(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no server can be started, that is in the way, and it says what needs one."""

    def refuse(*arguments: object, **named: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "create_server", refuse)
    code, found = examine(harness, "loopback")
    assert code == 1
    first = found["loopback"][0]
    assert (first["state"], first["found"]) == ("problem", "IPv4: Operation not permitted")
    assert "serve" in first["remedy"]


@pytest.mark.parametrize(
    ("name", "text", "about", "said"),
    [
        (
            "pyproject.toml",
            "[tool.harness]\nmodl = 1\n[tool.harness.recordings]\nhide=['a', 1]",
            "configuration",
            "hide",
        ),
        ("harness.py", "", "harness", "harness.py"),
    ],
    ids=["a wrong configuration", "a module of the same name"],
)
def test_a_file_that_is_in_the_way(harness: Harness, name: str, text: str, about: str, said: str) -> None:
    """What the other commands would refuse is told here, too, and so is a module that hides this package."""
    Path(name).write_text(text, encoding="utf-8")
    code, found = examine(harness, "harness", "configuration")
    assert (code, said in found[about][-1]["found"]) == (1, True), found[about]
    assert name != "pyproject.toml" or "did you mean 'model'" in found[about][0]["found"]  # each one is told


def test_a_question_that_fails_hides_no_other(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while looking is a diagnosis of its own."""

    def fail() -> None:
        raise RuntimeError("no idea")

    monkeypatch.setitem(doctor._QUESTIONS, "packages", fail)  # type: ignore[arg-type]
    code, found = examine(harness, "packages", "configuration")
    assert code == 1
    assert found["packages"][0]["found"] == "the test failed: RuntimeError: no idea"
    assert "configuration" in found


@pytest.mark.parametrize(
    ("variable", "value", "about", "found"),
    [
        ("GEMINI_API_KEY", '"abc"', "keys", "GEMINI_API_KEY contains a space, a quote or a character"),
        ("GEMINI_API_KEY", "abc ", "keys", "GEMINI_API_KEY contains a space, a quote or a character"),
        (
            "SSL_CERT_FILE",
            "/no/such.pem",
            "certificates",
            "SSL_CERT_FILE names /no/such.pem, which does not exist",
        ),
    ],
)
def test_a_variable_that_no_command_can_use(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, about: str, found: str
) -> None:
    """What each run with this environment would refuse is a problem, with a remedy that names the variable."""
    monkeypatch.setenv(variable, value)
    code, diagnoses = examine(harness, "environment")
    first = diagnoses[about][0]
    assert (code, first["state"]) == (1, "problem"), first
    assert found in first["found"]
    assert variable in first["remedy"]


def test_what_is_worth_knowing_of_the_environment(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two keys that differ are a note: each command works with them."""
    monkeypatch.setenv("GEMINI_API_KEY", "one")
    monkeypatch.setenv("GOOGLE_API_KEY", "two")
    code, found = examine(harness, "environment")
    assert code == 0
    assert "GEMINI_API_KEY and GOOGLE_API_KEY differ" in found["keys"][0]["found"]
