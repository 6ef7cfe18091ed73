"""Reads tasks with the lines for google-genai, async."""

import asyncio

from google import genai
from safe_genai_async import ask
from tasks import CREATE, answer_tasks


def read(task):
    """Do one task."""
    client = genai.Client(api_key="any", http_options={"base_url": task["base_url"], "timeout": 4000})
    found = asyncio.run(ask(client, **CREATE))
    return {"text": found.output_text or "", "status": found.status}


answer_tasks(read)
