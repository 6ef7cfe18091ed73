"""Reads tasks with the lines for Agno."""

import logging

from agno.agent import Agent
from agno.models.google import GeminiInteractions
from google import genai
from safe_agno import ask
from tasks import answer_tasks, genai_options

logging.disable(logging.CRITICAL)


def read(task):
    """Do one task."""
    options = genai_options(task)
    model = GeminiInteractions(id="gemini-3.8-flash", api_key="any", client_params={"http_options": options})
    client = genai.Client(api_key="any", http_options=options)
    found = ask(Agent(model=model, telemetry=False), client, "Go.")
    return {"text": found.output_text or "", "status": found.status}


answer_tasks(read)
