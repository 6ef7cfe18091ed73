"""google-genai, async: the events of its iterator, as its documentation shows it."""

import asyncio

from google import genai
from tasks import CREATE, LOOK, SETTLED, answer_of, answer_tasks, event_of, further_of, genai_options


async def read(task):
    """Do one task."""
    client = genai.Client(api_key="any", http_options=genai_options(task))
    interactions = client.aio.interactions
    match task["mode"]:
        case "poll":
            return await poll(interactions, await interactions.create(**CREATE, background=True))
        case "cancel":
            return await cancel(interactions, task["interaction"])
        case "chain" | "tools":
            return await take_turns(interactions, task)
        case "follow":
            stream = await interactions.get(task["interaction"], stream=True)
        case mode:
            stream = await interactions.create(**CREATE, stream=True, background=mode == "background")
    return answer_of([event_of(event) async for event in stream])


async def poll(interactions, found):
    """Ask until it has ended."""
    while found.status not in SETTLED:
        await asyncio.sleep(0.01)
        found = await interactions.get(found.id)
    return {"text": found.output_text or "", "status": found.status}


async def cancel(interactions, given):
    """Read three events, cancel, and ask until it has ended."""
    seen = 0
    async for _ in await interactions.get(given, stream=True):
        seen += 1
        if seen == 3:
            break
    return {"status": (await poll(interactions, await interactions.cancel(given)))["status"]}


async def take_turns(interactions, task):
    """Read a turn, then the one that continues it, or those that answer its calls."""
    first = {**CREATE, "tools": [LOOK]} if task["mode"] == "tools" else CREATE
    parts = [event_of(event) async for event in await interactions.create(**first, stream=True)]
    further = further_of(parts, task)
    while further:
        parts = [event_of(event) async for event in await interactions.create(**further, stream=True)]
        further = further_of(parts, task) if task["mode"] == "tools" else {}
    return answer_of(parts)


answer_tasks(lambda task: asyncio.run(read(task)))
