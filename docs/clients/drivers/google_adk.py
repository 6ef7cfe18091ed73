"""Agent Development Kit: an agent whose model uses the Interactions API, streamed."""

import asyncio
import os

from google.adk.agents import Agent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.models.google_llm import Gemini
from google.adk.runners import InMemoryRunner
from google.genai import types
from tasks import Failed, answer_tasks

os.environ["GEMINI_API_KEY"] = os.environ["GOOGLE_API_KEY"] = "any"
STATUSES = {"STOP": "completed", "MAX_TOKENS": "incomplete"}


def look() -> dict[str, int]:
    """Look."""
    return {"found": 1}


async def read(task):
    """Do one task."""
    model = Gemini(model="gemini-3.8-flash", use_interactions_api=True, base_url=task["base_url"])
    tools = [look] if task["mode"] == "tools" else []
    runner = InMemoryRunner(agent=Agent(name="reader", model=model, tools=tools), app_name="reader")
    session = await runner.session_service.create_session(app_name="reader", user_id="user")
    answer = await take_turn(runner, session.id, "Go.")
    return await take_turn(runner, session.id, "Go on.") if task["mode"] == "chain" else answer


async def take_turn(runner, session, text):
    """Say something, and read the answer."""
    pieces, whole, reason = "", None, None
    async for event in runner.run_async(
        user_id="user",
        session_id=session,
        new_message=types.Content(role="user", parts=[types.Part(text=text)]),
        run_config=RunConfig(streaming_mode=StreamingMode.SSE),
    ):
        if event.error_code or event.error_message:
            raise Failed(f"{event.error_code}: {event.error_message}")
        if event.get_function_responses():
            pieces, whole, reason = "", None, None
        parts = event.content.parts if event.content else []
        text = "".join(part.text or "" for part in parts or [] if not part.thought)
        pieces += text if event.partial else ""
        whole = text if text and not event.partial else whole
        reason = event.finish_reason or reason
    status = STATUSES.get(getattr(reason, "name", ""))
    return {"text": pieces if whole is None else whole, **({"status": status} if status else {})}


answer_tasks(lambda task: asyncio.run(read(task)))
