"""The Vertex form of paths: the same service, plus the list that only Vertex has (Vertex reference)."""

from __future__ import annotations

import pytest

from harness.emulator import Emulator, Settings
from tests.emulator.client import AGENT, Api

ROOT = "/v1beta1/projects/p/locations/l"
LIST = f"{ROOT}/interactions"


def listed(api: Api, query: str = "") -> tuple[list[str], str]:
    """Return the ids on one page and the token of the next page."""
    body = api.call("GET", f"{LIST}{query}").json
    assert set(body) <= {"interaction_metadatas", "next_page_token"}
    return [found["id"] for found in body.get("interaction_metadatas", ())], body.get("next_page_token", "")


def test_stored_interactions_are_listed(api):
    """The list holds the stored interactions without the deleted ones, whichever form of path created them."""
    first, second, gone = api.created(), api.created(background=True), api.created()
    api.create(store=False)
    api.delete(gone)
    assert listed(api) == ([first, second], "")


def test_a_page_holds_500_at_most():
    """A page has at most 500 items, even if page_size is larger."""
    api = Api(Emulator(Settings(max_runs=600)))
    for _ in range(501):
        api.created()
    assert len(listed(api, "?page_size=501")[0]) == 500


def test_the_gemini_api_lists_nothing(api):
    """The Gemini API has no list of interactions; in both forms the refusal names the allowed methods."""
    assert "it takes POST." in api.call("GET", "/v1beta/interactions").message
    for platform in ("vertex", "any"):
        assert Api.with_settings(platform=platform).call("GET", "/v1beta/interactions").status == 200
    assert "POST and GET" in api.call("PUT", LIST).message


def test_uploads_below_the_vertex_form(api):
    """An upload path has `/upload` before the whole Vertex prefix; the file can be read by every form of path."""
    made = api.call("POST", f"{ROOT}/environments", {}).json["id"]
    assert api.call("PUT", f"/upload{ROOT}/environments/{made}/files/a.txt", b"hi").status == 200
    assert api.call("GET", f"environments/{made}/files/a.txt?alt=media").data == b"hi"


@pytest.mark.parametrize("root", ["/v1beta1", "/v1beta1/locations/global", "/v1/projects/p/locations/l"])
def test_a_key_names_the_project_in_express_mode(root):
    """SDKs leave project and location out, samples the project; all of them are Vertex, with its ids."""
    api = Api(root=root)
    made = api.created(labels={"team": "a"})
    assert made.startswith("Ch")
    assert api.get(made).json["labels"] == {"team": "a"}
    assert "must set background to true" in api.create(agent=AGENT, environment="remote").message


def test_turns_with_a_role_are_steps(api):
    """A turn of the user's is its input, one of the model's its output; other roles are none."""
    api.root = ROOT
    turns = [{"role": "user", "content": "One?"}, {"role": "model", "content": [{"type": "text", "text": "1."}]}]
    made = api.created([*turns, {"role": "user", "content": [{"type": "text", "text": "Two?"}]}])
    given = api.get(made, include_input=True).json["steps"][:3]
    assert [step["type"] for step in given] == ["user_input", "model_output", "user_input"]
    assert "Two?" in api.get(made).json["steps"][-1]["content"][0]["text"]
    assert "turn_list" in api.create([{"role": "tool", "content": "x"}]).message


def test_an_agent_has_its_full_name(api):
    """A saved one and a built-in one run by the name that the list of agents shows."""
    api.root = ROOT
    assert api.call("POST", "agents", {"id": "mine", "base_agent": AGENT}).status == 200
    for name in ("mine", AGENT):
        full = f"projects/p/locations/l/agents/{name}"
        assert api.create(agent=full, background=True, environment="remote").status == 200
        assert Api().create(agent=full, environment="remote").error == (404, "not_found")
