"""LiteLLM's client: `litellm.interactions`, streamed, or created in the background and polled."""

import os
import time

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm.interactions
from tasks import CREATE, LOOK, ON_VERTEX, SECONDS, SETTLED, Failed, answer_of, answer_tasks, further_of

ACCESS, PROVIDER = {"api_key": "any"}, "gemini"
if ON_VERTEX:  # LiteLLM takes no token, and would get one from Google
    from litellm.llms.vertex_ai.vertex_llm_base import VertexBase

    VertexBase._ensure_access_token = lambda *_, **__: ("any", "any")
    PROVIDER = "vertex_ai"
    ACCESS = {"custom_llm_provider": PROVIDER, "vertex_project": "any", "vertex_location": "global"}
litellm.suppress_debug_info = True  # its hints go to standard output


def read(task):
    """Do one task."""
    where = {**ACCESS, "api_base": task["base_url"], "timeout": SECONDS}
    more = {**CREATE, "model": f"{PROVIDER}/gemini-3.8-flash", **where}
    if task["mode"] == "poll":
        found = litellm.interactions.create(**more, background=True)
        while found.status not in SETTLED:
            time.sleep(0.01)
            found = litellm.interactions.get(found.id, **where)
        outputs = [step for step in found.steps or [] if step["type"] == "model_output"]
        texts = (part.get("text", "") for step in outputs for part in step["content"])
        return {"text": "".join(texts), "status": found.status}
    if task["mode"] == "tools":
        more["tools"] = [LOOK]
    parts = stream({**more, "background": True} if task["mode"] == "background" else more)
    further = further_of(parts, task) if task["mode"] in ("chain", "tools") else {}
    while further:
        parts = stream({**more, **further, "model": more["model"]})
        further = further_of(parts, task) if task["mode"] == "tools" else {}
    return answer_of(parts)


def stream(create):
    """Read a turn to its end."""
    parts = []
    for event in litellm.interactions.create(**create, stream=True):
        if event.event_type == "error":
            raise Failed(f"error event: {event}"[:300])
        if event.event_type == "interaction.created":
            parts.append({"id": event.interaction["id"]})
        if event.event_type == "step.start" and event.step["type"] == "function_call":
            parts.append({"call": {"call_id": event.step["id"], "name": event.step["name"]}})
        if event.event_type == "step.delta" and event.delta["type"] == "text":
            parts.append({"text": event.delta["text"]})
        if event.event_type == "interaction.completed":
            parts.append({"status": event.interaction["status"]})
    return parts


answer_tasks(read)
