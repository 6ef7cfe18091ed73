"""Agno: an agent whose model is `GeminiInteractions`, streamed."""

import logging
import os

os.environ["AGNO_TELEMETRY"] = "false"
from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.google import GeminiInteractions
from agno.run.agent import RunEvent
from tasks import Failed, answer_tasks, genai_options

logging.disable(logging.CRITICAL)


def look() -> str:
    """Look."""
    return '{"found": 1}'


def read(task):
    """Do one task."""
    model = GeminiInteractions(
        id="gemini-3.8-flash", api_key="any", client_params={"http_options": genai_options(task)}
    )
    chained = {"add_history_to_context": True, "db": InMemoryDb()} if task["mode"] == "chain" else {}
    agent = Agent(model=model, tools=[look] if task["mode"] == "tools" else [], telemetry=False, **chained)
    answer = take_turn(agent, "Go.")
    return take_turn(agent, "Go on.") if task["mode"] == "chain" else answer


def take_turn(agent, text):
    """Say something, and read the answer."""
    said, ended = "", False
    for event in agent.run(text, stream=True, stream_events=True, session_id="one"):
        if event.event == RunEvent.run_error:
            raise Failed(event.content)
        if event.event == RunEvent.tool_call_completed:
            said = ""
        if event.event == RunEvent.run_content:
            said += event.content or ""
        if event.event == RunEvent.run_completed:
            ended = True
    if not ended:
        raise Failed("the run did not complete")
    return {"text": said, "status": "completed"}


answer_tasks(read)
