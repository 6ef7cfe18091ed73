"""Names that no published type lists and that the service was seen to take, and one word for all event ids."""

from __future__ import annotations

from harness.contract import CURRENT
from harness.generated_files import generate_files
from tests.emulator.client import AGENT, Api

ASKED = {"type": "user_input", "content": [{"type": "text", "text": "Go on."}]}


def test_a_citation_of_the_context_comes_back():
    """An annotation that the service wrote is taken as input, with any field; other unknown ones are not."""
    for kind, status in (("in_context_file_citation", 200), ("nonsense_citation", 400)):
        cited = {"type": "text", "text": "Hi.", "annotations": [{"type": kind, "start_index": 0, "file": "a.pdf"}]}
        history = [{"type": "model_output", "content": [cited]}, ASKED]
        assert Api().create(history).status == status


def test_an_agent_is_forked_with_env_id():
    """`env_id` is an older name of `environment_id`."""
    api = Api()
    found = api.create(agent=AGENT, environment="remote").json["environment_id"]
    agent = {"id": "fork", "base_agent": AGENT, "base_environment": {"env_id": found}}
    assert api.call("POST", "agents", agent).status == 200
    assert api.create(agent="fork", environment="remote").status == 200
    missing = api.call("POST", "agents", {**agent, "id": "none", "base_environment": {"env_id": 7}})
    assert missing.status == 400


def test_every_event_has_an_id():
    """`every` is what the streaming guide says: each event carries an id."""
    events = Api.with_settings(event_ids="every").create(stream=True).events[:-1]
    assert all(event.get("event_id") for event in events)
    assert not any("event_id" in event for event in Api().create(stream=True).events[:-1])


def test_strict_schemas_are_identified():
    """Each closed schema has an `$id` of its own."""
    texts = [text for path, text in generate_files().items() if path.parent.name == "strict"]
    names = [text.partition('"$id": "')[2].partition('"')[0] for text in texts]
    assert len(set(names)) == len(texts) > 10
    assert all(
        name.startswith(f"https://interactions-harness.invalid/schemas/{CURRENT}/strict/") for name in names
    )
