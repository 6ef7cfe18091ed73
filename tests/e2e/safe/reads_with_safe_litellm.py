"""Reads tasks with the lines for LiteLLM."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from safe_litellm import ask
from tasks import CREATE, SECONDS, answer_tasks

litellm.suppress_debug_info = True  # its hints go to standard output


def read(task):
    """Do one task."""
    where = {"api_key": "any", "api_base": task["base_url"], "timeout": SECONDS}
    found = ask(where, **{**CREATE, "model": "gemini/gemini-3.8-flash"})
    outputs = [step for step in found.steps or [] if step["type"] == "model_output"]
    text = "".join(part.get("text", "") for step in outputs for part in step["content"])
    return {"text": text, "status": found.status}


answer_tasks(read)
