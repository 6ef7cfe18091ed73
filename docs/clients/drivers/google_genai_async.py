"""google-genai, async: the events of its iterator, as its documentation shows it."""

import asyncio

from google import genai
from tasks import CREATE, SECONDS, SETTLED, answer_of, answer_tasks, event_of


async def read(task):
    """Do one task."""
    options = {"base_url": task["base_url"], "timeout": int(SECONDS * 1000)}
    client = genai.Client(api_key="any", http_options=options).aio
    if task["mode"] == "poll":
        return await poll(client.interactions)
    if task["mode"] == "follow":
        stream = await client.interactions.get(task["interaction"], stream=True)
    else:
        stream = await client.interactions.create(**CREATE, stream=True, background=task["mode"] == "background")
    return answer_of([event_of(event) async for event in stream])


async def poll(interactions):
    """Create in the background, and ask until it has ended."""
    found = await interactions.create(**CREATE, background=True)
    while found.status not in SETTLED:
        await asyncio.sleep(0.01)
        found = await interactions.get(found.id)
    return {"text": found.output_text or "", "status": found.status}


answer_tasks(lambda task: asyncio.run(read(task)))
