"""A correct client on asyncio and httpx, for `harness torture --loop`. It creates its own interaction."""

import asyncio
import json
import sys

import httpx
from heard import BrokenOff, Heard, Patience, check, silence_of

KEY = {"x-goog-api-key": "any"}
CREATE = {"model": "gemini-3.8-flash", "input": "Go.", "background": True, "stream": True}


async def follow(client):
    """Create an interaction, streamed, and read it to its end."""
    heard, patience = Heard(None), Patience()
    while True:
        before = heard.news
        try:
            if heard.id is None:
                await stream(client.stream("POST", "/v1beta/interactions", json=CREATE), heard)
            else:
                if patience.failures or not patience.streams:
                    heard.polled(await get(client, heard.id))
                if heard.final is None and patience.streams:
                    await stream(resume(client, heard), heard)
            problem = BrokenOff("the stream ended without interaction.completed")
        except httpx.HTTPError as error:
            problem = BrokenOff(f"{type(error).__name__}: {error}")
        except BrokenOff as error:
            problem = error
        if heard.final is not None:
            return heard
        await asyncio.sleep(patience.note(heard, before, problem))


async def get(client, interaction):
    """The interaction as it is now."""
    answer = await client.get(f"/v1beta/interactions/{interaction}")
    check(answer.status_code, answer.headers, answer.text, stream=False)
    return answer.json()


def resume(client, heard):
    """Ask for the rest of the stream."""
    query = {"stream": "true"}
    if heard.cursor is not None:
        query["last_event_id"] = heard.cursor
    return client.stream("GET", f"/v1beta/interactions/{heard.id}", params=query)


async def stream(request, heard):
    """Read one connection."""
    async with request as answer:
        text = "" if answer.status_code < 400 else await answer.aread()
        check(answer.status_code, answer.headers, text, stream=True)
        heard.connect()
        async for data in answer.aiter_bytes():
            if not heard.feed(data):
                return


async def read(task):
    """Do one task."""
    try:
        timeout = silence_of(task)
        async with httpx.AsyncClient(
            base_url=task["base_url"], headers=KEY, timeout=timeout, verify=False
        ) as client:
            heard = await follow(client)
        return {"text": heard.text, "status": heard.final["status"]}
    except BrokenOff as error:
        return {"error": str(error)}


def main():
    """Answer one task after another."""
    for line in sys.stdin:
        task = json.loads(line)
        print(json.dumps({"case": task["case"], **asyncio.run(read(task))}), flush=True)


main()
