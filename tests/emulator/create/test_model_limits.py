"""What a model refuses although others accept it, and what each model's answers look like."""

from __future__ import annotations

import json

import pytest

from harness import resources
from harness.contract import CURRENT
from harness.contract.models.profiles import find_profile
from tests.emulator.client import Api

ASKED = {"type": "user_input", "content": [{"type": "text", "text": "Hello"}]}
SAID = {"type": "model_output", "content": [{"type": "text", "text": "Hi."}]}
CALL = {"type": "function_call", "id": "c1", "name": "f", "arguments": {}}
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def document(mime):
    """A step with a document of this type."""
    return [{"type": "user_input", "content": [{"type": "document", "data": "aGVsbG8=", "mime_type": mime}]}]


@pytest.mark.parametrize(("model", "level", "allowed"), [
    ("gemini-3.7-flash", "minimal", "medium, low, high"),
    ("gemini-3.1-pro-preview", "minimal", "high, low, medium"),
    ("gemini-3.8-flash", "xhigh", "medium, low, high"),
    ("gemini-4-carbon", "xhigh", "medium, low, high"),
    ("gemini-4-neon", "minimal", "high, low, medium, xhigh"),
    ("gemini-3.5-flash", "xhigh", "medium, minimal, low, high"),
    ("gemini-2.5-flash", "xhigh", "minimal, low, medium, high"),
    ("gemini-3.1-flash-image", "xhigh", "minimal, low, medium, high"),
])  # fmt: skip
def test_a_level_that_a_model_lacks_is_refused(api, model, level, allowed):
    """The message is the service's: it names the level, and those that the model has, the default first."""
    answer = api.create(model=model, generation_config={"thinking_level": level})
    assert answer.error == (400, "invalid_request")
    assert answer.message == (
        f"'{level}' is not a supported thinking level for this model. Allowed values are: {allowed}."
    )


@pytest.mark.parametrize(("model", "level"), [
    ("gemini-4-neon", "xhigh"), ("gemini-4-hydrogen", "xhigh"), ("gemini-3.5-flash", "minimal"),
    ("gemini-2.5-flash", "high"), ("gemini-5-helium", "high"),
])  # fmt: skip
def test_a_level_that_a_model_has_is_taken(api, model, level):
    """Each model takes its own levels; one whose levels are unknown takes those that most have."""
    assert api.create(model=model, generation_config={"thinking_level": level}).status == 200


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3.8-flash", "gemini-4-neon"])
def test_top_k_is_taken(api, model):
    """No type lists `top_k`, and the service takes it; penalties are no parameters."""
    assert api.create(model=model, generation_config={"top_k": 10}).status == 200
    refused = api.create(model=model, generation_config={"presence_penalty": 1})
    assert refused.message.startswith("Unknown parameter 'presence_penalty'")


@pytest.mark.parametrize(("model", "status"), [
    ("gemini-3.6-flash", 400), ("gemini-3.5-flash-lite", 400), ("gemini-3.8-flash", 400), ("gemini-4-carbon", 400),
    ("gemini-3.5-flash", 200), ("gemini-2.5-flash", 200), ("gemini-3-flash-preview", 200),
])  # fmt: skip
@pytest.mark.parametrize("last", [SAID, CALL], ids=["output", "call"])
def test_history_ends_on_the_users_turn(api, model, status, last):
    """From 3.6 Flash and 3.5 Flash-Lite on a history must end with the user's turn; the message says with what."""
    signed = {"type": "thought", "signature": "c2ln"}
    answer = api.create([ASKED, signed, last], model=model)
    assert answer.status == status
    if status == 400:
        assert answer.message.startswith("Requests ending with a model turn are not supported.")
        assert "user_input" in answer.message
    assert api.create([ASKED, signed, SAID, ASKED], model=model).status == 200


@pytest.mark.parametrize("mime", [
    "audio/x-aac", "audio/mp4", "audio/mpga", "audio/pcm", "video/quicktime", "video/mpegs",
])  # fmt: skip
def test_media_types_of_a_model_page_are_read(api, mime):
    """What the page of a model lists is taken, also where the types of the SDK do not."""
    content = {"type": mime.partition("/")[0], "mime_type": mime, "data": "eA=="}
    assert api.create([content]).status == 200
    wrong = api.create([{**content, "mime_type": "audio/x-wav"}])
    assert wrong.error == (400, "invalid_request")  # one project's uploads met this refusal


def test_jpg_is_refused_with_its_right_name(api):
    """The service refuses image/jpg on its other interface (four projects); the message names image/jpeg."""
    refused = api.create([{"type": "image", "mime_type": "image/jpg", "data": "eA=="}])
    assert refused.error == (400, "invalid_request")
    assert 'did you mean "image/jpeg"' in refused.message


def answer_with(api, part, **fields):
    """Answer a function call with this part."""
    call = api.create(tools=[{"type": "function", "name": "f"}], **fields).json
    (pending,) = [step for step in call["steps"] if step["type"] == "function_call"]
    result = {"type": "function_result", "name": "f", "call_id": pending["id"], "result": part}
    return api.create([result], previous_interaction_id=call["id"], **fields)


@pytest.mark.parametrize("mime", [
    "text/plain", "text/html", "text/css", "text/xml", "text/javascript", "text/markdown", "text/rtf", "text/csv",
    "text/x-anything", "text/plain; charset=utf-8", "application/json", "application/pdf", DOCX,
    "application/vnd.oasis.opendocument.text", "application/msword",
])  # fmt: skip
def test_documents_of_every_text_type_are_read(api, mime):
    """Each text/* type, Office and OpenDocument are taken, in the input and in the result of a function."""
    given = document(mime)
    assert api.create(given).status == 200
    assert answer_with(api, given[0]["content"]).status == 200


def test_another_document_is_refused_with_what_is_read(api):
    """A type that no model reads is refused, in the input and in the result of a function."""
    refused = api.create(document("application/zip"))
    assert refused.error == (400, "invalid_request")
    assert "application/zip" in refused.message
    assert "application/pdf" in refused.message
    assert answer_with(api, document("application/zip")[0]["content"]).status == 400


FLASH_3 = {
    "image": "image/png image/jpeg image/webp image/heic image/heif",
    "audio": "audio/x-aac audio/flac audio/mp3 audio/m4a audio/mpeg audio/mpga audio/mp4 audio/ogg audio/pcm"
    " audio/wav audio/webm",
    "video": "video/x-flv video/quicktime video/mpeg video/mpegs video/mpg video/mp4 video/webm video/wmv"
    " video/3gpp",
}
"""What the page of Gemini 3 Flash lists."""


@pytest.mark.parametrize("kind", ["image", "audio", "video"])
def test_a_model_reads_the_types_of_its_page(api, kind):
    """A model with a list of its own reads those types alone; one without reads all that some model does."""
    known = {mime.partition(";")[0].lower() for mime in media_types(kind)}
    own = set(FLASH_3[kind].split())
    assert own < known
    for mime in known:
        part = {"type": kind, "mime_type": mime, "data": "eA=="}
        answered = api.create([part], model="gemini-3-flash-preview")
        assert answered.status == (200 if mime in own else 400), mime
        assert answered.status == 200 or "Unsupported MIME type: " + mime in answered.message
        assert api.create([part], model="gemini-3.8-flash").status == 200
        made = Api.with_settings(platform="any").create([part], model="gemini-3-flash-preview")
        assert made.status == 200


def test_omni_reads_five_types_of_images(api):
    """Its page lists five; the three others that the schemas know are refused."""
    own = set(FLASH_3["image"].split())
    for mime in media_types("image"):
        part = {"type": "image", "mime_type": mime, "data": "eA=="}
        for model in ("gemini-omni-flash-preview", "gemini-omni-1.1-flash"):
            assert api.create([part], model=model).status == (200 if mime in own else 400)


def media_types(kind):
    """The media types that the schemas know."""
    path = resources.folder("schemas") / CURRENT / "media.json"
    return json.loads(path.read_text("utf-8"))["$defs"][f"{kind}_mime"]["x-known-values"]


def test_types_of_a_function_result_are_judged_too(api):
    """A result with a type that the model does not read is refused; the parameters of a type do not matter."""
    for mime, status in (("image/gif", 400), ("image/png", 200)):
        part = [{"type": "image", "mime_type": mime, "data": "eA=="}]
        assert answer_with(api, part, model="gemini-3-flash-preview").status == status
    raw = {"type": "audio", "mime_type": "audio/l16; rate=24000; channels=1", "data": "eA=="}
    assert api.create([raw], model="gemini-3.8-flash").status == 200
    assert api.create([raw], model="gemini-3-flash-preview").status == 400


def test_a_newer_type_is_the_users_choice():
    """With unknown=accept a type that no table knows is taken; one that other models read stays refused."""
    api = Api.with_settings(unknown="accept")
    for mime, status in (("image/avif", 200), ("image/gif", 400)):
        part = {"type": "image", "mime_type": mime, "data": "eA=="}
        assert api.create([part], model="gemini-3-flash-preview").status == status


@pytest.mark.parametrize("fields", [
    {"response_modalities": ["video"]}, {"response_modalities": ["image"]},
    {"response_format": {"type": "video"}}, {"response_format": {"type": "audio"}},
], ids=str)  # fmt: skip
def test_a_text_model_makes_no_media(api, fields):
    """A kind of output that the model does not make is refused, with what it makes; `any` makes everything."""
    refused = api.create(model="gemini-3.7-flash", **fields)
    assert refused.error == (400, "invalid_request")
    assert "'gemini-3.7-flash' makes text, not " in refused.message
    assert Api.with_settings(platform="any").create(model="gemini-3.7-flash", **fields).status == 200


def test_an_image_beside_text_is_left_out(api):
    """A model that makes text alone answers text where text and an image were asked for, as one witness saw."""
    body = api.create(response_modalities=["text", "image"]).json
    assert [content["type"] for content in body["steps"][-1]["content"]] == ["text"]


@pytest.mark.parametrize(("model", "where"), [
    ("gemini-embedding-2", "embedContent"), ("gemini-decision-1", "/v1beta/decisions"),
    ("gemini-3.8-live", "Live"), ("imagen-4.0-generate-001", "predict"), ("gemini-3-pro-preview", "not found"),
])  # fmt: skip
def test_models_of_other_operations_are_refused(api, model, where):
    """A model that does not run here is not found, and the refusal says where it runs."""
    refused = api.create(model=model)
    assert refused.error == (404, "not_found")
    assert f"Model '{model}' not found." in refused.message
    assert where in refused.message


def test_more_output_than_a_model_can_write_is_refused(api):
    """Gemini 4 refuses a limit above its window; its window itself asks for a long answer."""
    for most, status in ((1_048_577, 400), (1_048_576, 200)):
        answer = api.create(model="gemini-4-carbon", generation_config={"max_output_tokens": most})
        assert answer.status == status


@pytest.mark.parametrize("day", [None, "2026-11-30"])
def test_no_model_retires_by_itself(day):
    """Without the setting, and on a day before, a model answers as ever."""
    api = Api.with_settings(lifecycle=day)
    assert "raw_prompt_token" not in api.create(model="gemini-2.5-flash").json["usage"]
    assert api.create(model="deep-research-preview-04-2026", background=True).status == 200


def test_a_day_is_played():
    """From its last day on the successor answers under the old name; a model without one is not found."""
    api = Api.with_settings(lifecycle="2026-12-01")
    body = api.create(model="gemini-2.5-pro").json
    assert body["model"] == "gemini-2.5-pro"
    assert "raw_prompt_token" in body["usage"]
    refused = api.create(model="gemini-2.5-pro", generation_config={"thinking_level": "minimal"})
    assert "not a supported thinking level" in refused.message
    gone = api.create(model="gemini-3.1-flash-image")
    assert gone.error == (404, "not_found")
    assert "2026-10-29" in gone.message


@pytest.mark.parametrize(("day", "counted"), [("2026-08-08", False), ("2026-08-09", True)])
def test_usage_is_that_of_the_played_day(day, counted):
    """Recordings of August lack a field that later ones have; without a day the emulator has it."""
    usage = Api.with_settings(lifecycle=day).create(model="gemini-3-flash-preview").json["usage"]
    assert ("raw_prompt_token" in usage) is counted


def test_a_search_of_25_flash_comes_last(api):
    """Gemini 2.5 shows its search after the output, unsigned; it costs tokens and is not counted."""
    fields = {"model": "gemini-2.5-flash", "tools": [{"type": "google_search"}]}
    body = api.create(**fields).json
    kinds = ["thought", "model_output", "google_search_call", "google_search_result"]
    assert [step["type"] for step in body["steps"]] == kinds
    assert all("signature" not in step for step in body["steps"][2:])
    assert body["usage"]["total_tool_use_tokens"] > 0
    assert "grounding_tool_count" not in body["usage"]
    events = api.create(stream=True, **fields).events[:-1]
    starts = [event["step"] for event in events if event["event_type"] == "step.start"]
    assert [start.get("signature") for start in starts] == [None, None, "", ""]


def test_a_call_of_25_flash_starts_with_an_empty_signature(api):
    """Its stream shows `signature: ""` where a call begins; that of Gemini 3 does not."""
    for model, shown in (("gemini-2.5-flash", ""), ("gemini-3.8-flash", None)):
        events = api.create(model=model, stream=True, tools=[{"type": "function", "name": "f"}]).events[:-1]
        starts = [event["step"] for event in events if event["event_type"] == "step.start"]
        assert starts[-1]["type"] == "function_call"
        assert starts[-1].get("signature") == shown


def test_a_model_that_films_shows_its_thought_in_bodies_only(api):
    """Omni's body has a thought with nothing but its type, its stream none."""
    steps = api.create(model="gemini-omni-1.1-flash").json["steps"]
    assert [list(step) for step in steps] == [["type"], ["content", "type"]]
    events = api.create(model="gemini-omni-1.1-flash", stream=True).events[:-1]
    starts = [event["step"]["type"] for event in events if event["event_type"] == "step.start"]
    assert starts == ["model_output"]


def test_a_retirement_is_noted_once():
    """A model or agent with a date of retirement is named once, however often it answers; others are not."""
    api = Api()
    for _ in range(2):
        api.create(model="gemini-2.5-flash")
        api.create(model="gemini-4-neon")
    api.create(agent="antigravity-preview-05-2026", environment="remote")
    assert [note.partition(" ")[0] for note in api.emulator.notes] == [
        "gemini-2.5-flash", "antigravity-preview-05-2026",
    ]  # fmt: skip
    assert "2026-12-01" in api.emulator.notes[0]


def test_a_note_is_passed_on_once():
    """The first session that names the model brings it: later ones, and those after a reset, do not."""
    api, notes = Api(), []
    api.emulator.on_note = notes.append
    api.create(model="gemini-2.5-flash")
    api.emulator.reset()
    prefix = api.control("POST", "sessions").json["base_url_path"]
    for root in ("/v1beta", f"{prefix}/v1beta"):
        Api(api.emulator, root=root).create(model="gemini-2.5-flash")
    assert notes == api.emulator.notes
    assert len(notes) == 1


def test_a_name_that_no_table_lists_is_noted():
    """A guessed profile is said to be one, unless the settings take any name."""
    api = Api()
    for _ in range(2):
        api.create(model="gemini-9-nope")
    assert api.emulator.notes == [
        "no table lists 'gemini-9-nope': it is treated as a model of the newest family, gemini-4"
    ]
    every = Api.with_settings(models="any")
    every.create(model="gemini-9-nope")
    assert every.emulator.notes == []


@pytest.mark.parametrize(("agent", "day", "gone"), [
    ("deep-research-pro-preview-12-2025", "2026-10-23", True),
    ("deep-research-pro-preview-12-2025", "2026-10-22", False),
    ("antigravity-preview-05-2026", "2026-10-05", True),
    ("antigravity-preview-09-2026", "2026-12-01", False),
])  # fmt: skip
def test_agents_retire_on_the_played_day(agent, day, gone):
    """The setting `lifecycle` ends agents, too; no other agent answers for them."""
    fields = {"background": True} if agent.startswith("deep") else {"environment": "remote"}
    answer = Api.with_settings(lifecycle=day).create(agent=agent, **fields)
    assert answer.status == (404 if gone else 200)
    if gone:
        retired = find_profile(agent).value("lifecycle")["retired"]
        assert answer.message == f"Agent '{agent}' not found. It was retired on {retired}."


def test_a_kind_of_input_that_a_model_excludes_is_refused(api):
    """Omni reads no audio, its page says; others do."""
    sound = [{"type": "user_input", "content": [{"type": "audio", "data": "aGVsbG8=", "mime_type": "audio/wav"}]}]
    for name in ("gemini-omni-flash-preview", "gemini-omni-1.1-flash"):
        page = api.create([{"type": "document", "data": "AAAA", "mime_type": "application/pdf"}], model=name)
        assert page.error == (400, "invalid_request")
        assert page.message.endswith(f"'{name}' reads text, image, video, not document.")
    refused = api.create(sound, model="gemini-omni-1.1-flash")
    assert refused.error == (400, "invalid_request")
    assert refused.message.endswith("'gemini-omni-1.1-flash' reads text, image, video, not audio.")
    assert api.create(sound, model="gemini-3.8-flash").status == 200


@pytest.mark.parametrize(("model", "wanted", "status"), [
    ("gemini-nano-banana-2.1", {"type": "image", "image_size": "512"}, 400),
    ("gemini-nano-banana-2.1", {"type": "image", "image_size": "4K"}, 200),
    ("gemini-3-pro-image", {"type": "image", "image_size": "512"}, 200),
    ("gemini-omni-1.2-flash", {"type": "video", "duration": "15s"}, 200),
    ("gemini-omni-1.2-flash", {"type": "video", "duration": "16s"}, 400),
])  # fmt: skip
def test_sizes_and_lengths_are_those_of_the_model(api, model, wanted, status):
    """What a table lists limits an image or a video; what it leaves open does not."""
    assert api.create(model=model, response_format=wanted).status == status
