"""The Vertex form of paths: the same service, plus the list that only Vertex has (Vertex reference)."""

from __future__ import annotations

from harness.emulator import Emulator, Settings
from tests.emulator.client import Api

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
