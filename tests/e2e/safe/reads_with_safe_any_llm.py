"""Reads tasks with the lines for any-llm."""

import asyncio

from any_llm import AnyLLM
from google import genai
from safe_any_llm import ask
from tasks import SECONDS, answer_tasks


async def read(task):
    """Do one task."""
    llm = AnyLLM.create("gemini", api_key="any", api_base=task["base_url"])
    client = genai.Client(api_key="any", http_options={"base_url": task["base_url"], "timeout": 4000})
    found = await ask(llm, client, model="gemini-3.8-flash", input_data="Go.", timeout=SECONDS)
    return {"text": found.output_text or "", "status": found.status}


answer_tasks(lambda task: asyncio.run(read(task)))
