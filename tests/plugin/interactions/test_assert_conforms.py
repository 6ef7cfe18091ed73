"""`assert_conforms` on every kind of value that an implementer may have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.contract import CURRENT
from harness.contract.schema.schemas import load_schemas
from harness.outcome import UsageFault
from harness.plugin import InteractionsEmulator, assert_conforms

BODY = {"model": "gemini-3.8-flash", "input": "Hi"}


@pytest.fixture
def client() -> Any:
    """A client of a fresh emulator."""
    emulator = InteractionsEmulator(require_key=False)
    with httpx.Client(transport=emulator.transport, base_url="http://x.test/v1beta") as client:
        yield client


def test_good_values(client: httpx.Client) -> None:
    """Responses, bodies, streams as bytes and as events conform."""
    answer = client.post("/interactions", json=BODY)
    streamed = client.post("/interactions", json={**BODY, "stream": True})
    events = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
    missing = client.get("/interactions/v1_x")
    for value in (
        answer,
        answer.json(),
        answer.content,
        streamed,
        streamed.content,
        events,
        iter(events),
        missing,
    ):
        assert_conforms(value)
    assert_conforms(missing.json())


def test_a_broken_interaction(client: httpx.Client) -> None:
    """The message has the rule, the place, what was expected, and the source."""
    body = client.post("/interactions", json=BODY).json()
    body["status"] = 7
    with pytest.raises(
        AssertionError, match=r"(?s)findings? against the contract.*create\.status.*\$\.status.*\["
    ) as told:
        assert_conforms(body)
    assert "expected" in str(told.value)


def test_a_broken_stream(client: httpx.Client) -> None:
    """An event out of order is found both in bytes and in a list of events."""
    data = client.post("/interactions", json={**BODY, "stream": True}).content
    frames = data.split(b"\n\n")
    frames[0], frames[2] = frames[2], frames[0]
    with pytest.raises(AssertionError, match=r"stream\."):
        assert_conforms(b"\n\n".join(frames))


@pytest.mark.parametrize(("status", "rule"), [(200, "create.schema"), (502, "err.shape")])
def test_a_body_that_is_no_json(status: int, rule: str) -> None:
    """It is said so, with what came, and not what is missing in it."""
    with pytest.raises(
        AssertionError, match=rf"1 finding against(?s:.*){rule}: the body is not JSON(?s:.*)<html>"
    ):
        assert_conforms(httpx.Response(status, text="<html>Sorry.</html>"))


def test_level(client: httpx.Client) -> None:
    """A rule weaker than `level` is ignored."""
    body = client.post("/interactions", json=BODY).json()
    del body["created"], body["object"]
    assert_conforms(body, level="must")
    with pytest.raises(UsageFault, match="MUST, SHOULD, MAY"):
        assert_conforms(body, level="sometimes")


def test_what_cannot_be_read() -> None:
    """Any other value is refused with a message."""
    with pytest.raises(UsageFault, match="cannot read a int"):
        assert_conforms(7)


def test_another_revision(client: httpx.Client, tmp_path: Path) -> None:
    """A value is judged by the revision that is named; an unknown one is named with those that there are."""
    folder = tmp_path / "2027-01-01"
    folder.mkdir()
    (folder / "revision.json").write_text(json.dumps({"base": CURRENT}))
    interaction = dict(load_schemas(CURRENT).document("interaction"))
    interaction["required"] = [*interaction.get("required", []), "robot"]
    (folder / "interaction.json").write_text(json.dumps(interaction))
    answer = client.post("/interactions", json=BODY)
    for value in (answer, answer.content, answer.json()):
        assert_conforms(value)
        with pytest.raises(AssertionError, match="robot"):
            assert_conforms(value, revision=str(folder))
    with pytest.raises(UsageFault, match=f"2031-01-01.*{CURRENT}"):
        assert_conforms(answer, revision="2031-01-01")
