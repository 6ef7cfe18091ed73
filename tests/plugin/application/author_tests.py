"""The tests that the author of the assistant would write, with docs/pytest.md open. Runs as a test module."""

import assistant
import pytest

# Chat


def test_chat_remembers(interactions_emulator, interactions_client):
    chat = assistant.Chat(interactions_client)
    for word in ("One", "Two", "Three"):
        chat.say(word)
    first, second, _ = (request.interaction for request in interactions_emulator.requests)
    interactions_emulator.requests.assert_created(
        {"input": "One", "system_instruction": assistant.MANNERS},
        {"input": "Two", "system_instruction": assistant.MANNERS, "previous_interaction_id": first["id"]},
        {"input": "Three", "system_instruction": assistant.MANNERS, "previous_interaction_id": second["id"]},
    )


# Jobs


@pytest.mark.interactions_lifecycle("all")
def test_job_ends(interactions_lifecycle, interactions_client, interactions_no_sleep):
    try:
        result = assistant.wait_for_job(interactions_client, interactions_lifecycle.id)
    except Exception as error:
        result = error
    interactions_lifecycle.assert_outcome(result)
    interactions_no_sleep.assert_total(at_least=5 if len(interactions_lifecycle.emulator.requests) > 1 else 0)


@pytest.mark.interactions_lifecycle("completed", "failed", "cancelled", "incomplete", "deleted")
def test_job_result(interactions_lifecycle, interactions_client, interactions_no_sleep):
    try:
        result = assistant.result_of_job(interactions_client, interactions_lifecycle.id)
    except assistant.JobFailed as error:
        result = error
    failed = dict.fromkeys(("failed", "cancelled", "deleted"), assistant.JobFailed)
    interactions_lifecycle.assert_outcome(result, raised=failed)


@pytest.mark.interactions_emulator(max_requests=200)
def test_job_that_never_ends(interactions_emulator, interactions_client, interactions_no_sleep):
    interactions_emulator.hold()
    job = assistant.start_job(interactions_client, "Think.")
    with pytest.raises(TimeoutError):
        assistant.wait_for_job(interactions_client, job)
    interactions_no_sleep.assert_total(at_least=300, at_most=610)  # real time counts, too


def test_job_cancelled_late(interactions_emulator, interactions_client, interactions_no_sleep):
    interactions_emulator.reply("Never said.", cancel_lag=3, ticks=9)
    job = assistant.start_job(interactions_client, "Think.")
    assert assistant.cancel_job(interactions_client, job).status == "cancelled"


# Streams


@pytest.mark.interactions_dropped_stream(cuts="every-event")
def test_stream_dropped(interactions_dropped_stream, interactions_client, interactions_no_sleep):
    text = assistant.read_stream(interactions_client, interactions_dropped_stream.id)
    interactions_dropped_stream.assert_seen_once(text)


@pytest.mark.interactions_dropped_stream(cuts=["event:8,rst"], resume="inclusive", event_ids=["all", "sparse"])
def test_stream_repeats_the_cursor(interactions_dropped_stream, interactions_client, interactions_no_sleep):
    text = assistant.read_stream(interactions_client, interactions_dropped_stream.id)
    interactions_dropped_stream.assert_seen_once(text)


@pytest.mark.interactions_dropped_stream(
    cuts=["event:6,rst"], script={"thought": "Let me think of the answer.", "text": "Here it is."}
)
def test_stream_with_thoughts(interactions_dropped_stream, interactions_client, interactions_no_sleep):
    text = assistant.read_stream(interactions_client, interactions_dropped_stream.id)
    interactions_dropped_stream.assert_seen_once(text)


@pytest.mark.interactions_dropped_stream(cuts="outage")
def test_stream_outage(interactions_dropped_stream, interactions_client, interactions_no_sleep):
    text = assistant.read_stream(interactions_client, interactions_dropped_stream.id)
    interactions_dropped_stream.assert_seen_once(text)
    interactions_dropped_stream.assert_patient(interactions_no_sleep)


# Tools


def call(number, city):
    return {"type": "function_call", "id": f"call-{number}", "name": "get_weather", "arguments": {"city": city}}


def test_tools(interactions_emulator, interactions_client):
    interactions_emulator.reply(steps=[call(1, "Oslo"), call(2, "Rome")]).reply("Sunny in both.")
    assert assistant.ask_with_tools(interactions_client, "Oslo and Rome?") == "Sunny in both."
    first = interactions_emulator.requests[0].interaction
    interactions_emulator.requests.assert_created(
        {"tools": [{"name": "get_weather"}]},
        {
            "previous_interaction_id": first["id"],
            "tools": [{"name": "get_weather"}],
            "input": [
                {"type": "function_result", "call_id": "call-1", "result": "Sunny in Oslo."},
                {"type": "function_result", "call_id": "call-2", "result": "Sunny in Rome."},
            ],
        },
    )


@pytest.mark.interactions_emulator(max_requests=100)
def test_tools_without_end(interactions_emulator, interactions_client):
    interactions_emulator.reply(steps=[call(1, "Oslo")], times=0)
    with pytest.raises(RuntimeError, match="no answer after 5 rounds"):
        assistant.ask_with_tools(interactions_client, "Oslo?")
    interactions_emulator.requests.assert_count("create", at_most=6)


# The agent


def test_agent_keeps_its_sandbox(interactions_emulator, interactions_client, interactions_no_sleep):
    workshop = assistant.Workshop(interactions_client)
    workshop.work("Write a program.")
    workshop.work("Run it.")
    first, _ = (request for request in interactions_emulator.requests if request.call == "create")
    interactions_emulator.requests.assert_created(
        {"agent": assistant.AGENT, "environment": "remote"},
        {
            "previous_interaction_id": first.interaction["id"],
            "environment": first.interaction["environment_id"],
        },
    )


# The webhook


def test_webhook(interactions_emulator, interactions_client, interactions_no_sleep):
    interactions_emulator.reply("Done.")
    job = assistant.start_reporting_job(interactions_client, "Think.", "https://assistant.example.org/done")
    event = {"type": "interaction.completed", "data": {"id": job}}
    assert assistant.handle_webhook(interactions_client, event) == "Done."
    interactions_emulator.requests.assert_created(
        {"background": True, "webhook_config": {"uris": ["https://assistant.example.org/done"]}}
    )
