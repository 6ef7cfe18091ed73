"""Reads tasks with the mended loop of the documentation."""

from google import genai
from safe_loop import follow
from tasks import answer_tasks, genai_options


def read(task):
    """Do one task."""
    client = genai.Client(api_key="any", http_options=genai_options(task))
    text, status = follow(client, task["interaction"])
    return {"text": text, "status": status}


answer_tasks(read)
