"""Reads tasks with the lines for google-genai."""

from google import genai
from safe_genai import ask
from tasks import CREATE, answer_tasks, genai_access, genai_options


def read(task):
    """Do one task."""
    client = genai.Client(**genai_access(), http_options=genai_options(task))
    found = ask(client, **CREATE)
    return {"text": found.output_text or "", "status": found.status}


answer_tasks(read)
