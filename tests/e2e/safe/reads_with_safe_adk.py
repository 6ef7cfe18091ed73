"""Reads tasks with the lines for the Agent Development Kit."""

import asyncio
import os

from google import genai
from google.adk.agents import Agent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.models.google_llm import Gemini
from google.adk.runners import InMemoryRunner
from google.genai import types
from safe_adk import ask
from tasks import answer_tasks

os.environ["GEMINI_API_KEY"] = os.environ["GOOGLE_API_KEY"] = "any"


async def read(task):
    """Do one task."""
    model = Gemini(model="gemini-3.8-flash", use_interactions_api=True, base_url=task["base_url"])
    runner = InMemoryRunner(agent=Agent(name="reader", model=model), app_name="reader")
    session = await runner.session_service.create_session(app_name="reader", user_id="user")
    found = await ask(
        runner,
        genai.Client(http_options={"base_url": task["base_url"], "timeout": 4000}),
        limit=60,
        user_id="user",
        session_id=session.id,
        new_message=types.Content(role="user", parts=[types.Part(text="Go.")]),
        run_config=RunConfig(streaming_mode=StreamingMode.SSE),
    )
    return {"text": found.output_text or "", "status": found.status}


answer_tasks(lambda task: asyncio.run(read(task)))
