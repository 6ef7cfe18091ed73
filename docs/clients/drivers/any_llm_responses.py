"""any-llm: its Responses call, which its Gemini provider sends to the Interactions API."""

import asyncio

from any_llm import AnyLLM
from tasks import SECONDS, Failed, answer_tasks

ENDS = ("response.completed", "response.incomplete")


async def read(task):
    """Do one task."""
    llm = AnyLLM.create("gemini", api_key="any", api_base=task["base_url"])
    stream = await llm.aresponses(model="gemini-3.8-flash", input_data="Go.", stream=True, timeout=SECONDS)
    text, status = "", None
    async for event in stream:
        if event.type == "response.output_text.delta":
            text += event.delta
        if event.type in ("response.failed", "error"):
            raise Failed(str(event)[:300])
        if event.type in ENDS:
            status = event.response.status
    return {"text": text, **({"status": status} if status else {})}


answer_tasks(lambda task: asyncio.run(read(task)))
