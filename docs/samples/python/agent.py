"""An agent with a sandbox, whose files are listed; a second turn works in the same one."""

import time

from google import genai

AGENT = "antigravity-preview-09-2026"
client = genai.Client()


def run(**request):
    """Start a run and wait for its end."""
    found = client.interactions.create(agent=AGENT, background=True, **request)
    while found.status in ("queued", "in_progress"):
        time.sleep(2)
        found = client.interactions.get(found.id)
    return found


first = run(input="Write a Python script that prints 6 * 7, and run it.", environment="remote")
print(first.output_text)
try:
    for file in client.environments.files.list(environment=first.environment_id, path="").files or []:
        print("file:", file.path)
    second = run(
        input="Now let it print 7 * 8.",
        previous_interaction_id=first.id,
        environment=first.environment_id,  # the conversation and the sandbox are chosen apart
    )
    print(second.output_text)
finally:
    client.environments.delete(id=first.environment_id)
