"""Reads tasks with the lines for google-genai."""

from google import genai
from safe_genai import ask
from tasks import CREATE, answer_tasks, genai_access


def read(task):
    """Do one task."""
    client = genai.Client(**genai_access(), http_options={"base_url": task["base_url"], "timeout": 4000})
    found = ask(client, **CREATE)
    return {"text": found.output_text or "", "status": found.status}


answer_tasks(read)
