"""LiteLLM's client: `litellm.interactions`, streamed, or created in the background and polled."""

import os
import time

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm.interactions as interactions
from tasks import CREATE, SECONDS, SETTLED, answer_of, answer_tasks, event_of


def read(task):
    """Do one task."""
    where = {"api_key": "any", "api_base": task["base_url"]}
    more = {**CREATE, "model": "gemini/gemini-3.5-flash", "timeout": SECONDS, **where}
    if task["mode"] == "poll":
        found = interactions.create(**more, background=True)
        while found.status not in SETTLED:
            time.sleep(0.01)
            found = interactions.get(found.id, timeout=SECONDS, **where)
        outputs = [step for step in found.steps or [] if step["type"] == "model_output"]
        text = "".join(part.get("text", "") for step in outputs for part in step["content"])
        return {"text": text, "status": found.status}
    return answer_of([event_of(event) for event in interactions.create(**more, stream=True)])


answer_tasks(read)
