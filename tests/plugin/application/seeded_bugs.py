"""The bugs: each replaces a piece of `assistant.py`, and says which test catches it, with what words."""

from __future__ import annotations

from typing import NamedTuple


class SeededBug(NamedTuple):
    """One bug; `said` is the cause, as the message of a failing test names it."""

    name: str
    right: str
    wrong: str
    test: str
    said: str


BUGS = [
    SeededBug(
        "chat forgets",
        "        self._last = answer.id\n",
        "",
        "test_chat_remembers",
        '-     "previous_interaction_id":',
    ),
    SeededBug(
        "chat continues its first turn",
        "        self._last = answer.id\n",
        "        self._last = self._last or answer.id\n",
        "test_chat_remembers",
        '+     "previous_interaction_id":',
    ),
    SeededBug(
        "chat sends its instruction once",
        "            system_instruction=MANNERS,\n            **({",
        "            **({} if self._last else {'system_instruction': MANNERS}),\n            **({",
        "test_chat_remembers",
        '-     "system_instruction": "Be brief and polite."',
    ),
    SeededBug(
        "queued is an end",
        'RUNNING = ("queued", "in_progress")',
        'RUNNING = ("in_progress",)',
        "test_job_ends",
        "stopped waiting while the interaction was 'queued'",
    ),
    SeededBug(
        "only completed is an end",
        "        if found.status not in RUNNING:",
        '        if found.status == "completed":',
        "test_job_ends",
        "the interaction is 'failed' by now",
    ),
    SeededBug(
        "incomplete is a failure",
        '("completed", "incomplete")',
        '("completed",)',
        "test_job_result",
        "on the route 'incomplete' (it stops early, at a limit) the client raised JobFailed",
    ),
    SeededBug(
        "a failure is a result",
        "        raise JobFailed(found.status)\n    return str(found",
        "        return 'Sorry.'\n    return str(found",
        "test_job_result",
        "ended with 'Sorry.', but the test expects an exception for 'failed'",
    ),
    SeededBug(
        "a cancel is believed",
        "    client.interactions.cancel(job)\n    return wait_for_job(client, job)",
        "    return client.interactions.cancel(job)",
        "test_job_cancelled_late",
        "assert 'in_progress' == 'cancelled'",
    ),
    SeededBug(
        "no pause between polls",
        "            return found\n        time.sleep(5)\n",
        "            return found\n",
        "test_job_ends",
        "slept 0 s in 0 sleeps",
    ),
    SeededBug(
        "no deadline",
        "    while time.monotonic() < deadline:",
        "    while True:",
        "test_job_that_never_ends",
        "sent more than 200 requests in this test",
    ),
    SeededBug(
        "the first 404 is the end",
        "            if seen:\n                return",
        "            if True:\n                return",
        "test_job_ends",
        "took a 404 for the end, but the interaction is to end as 'completed'",
    ),
    SeededBug(
        "a drop is the end of the stream",
        "        except Exception:\n            pass\n        time.sleep(min",
        "        except Exception:\n            return ''.join(text)\n        time.sleep(min",
        "test_stream_dropped",
        "it did not resume after the drop",
    ),
    SeededBug(
        "a clean end is a completion",
        "        except Exception:\n            pass\n        time.sleep(min",
        "            return ''.join(text)\n        except Exception:\n            pass\n        time.sleep(min",
        "test_stream_dropped",
        "it did not resume after the drop",
    ),
    SeededBug(
        "no cursor, and all is kept",
        '{"last_event_id": cursor} if cursor else {}\n        del text[sure:]',
        "{}\n        seen.clear()",
        "test_stream_dropped",
        "it requested the stream from the start again, and kept its earlier output",
    ),
    SeededBug(
        "the repeated event is kept",
        "                if known in seen:",
        "                if False:",
        "test_stream_repeats_the_cursor",
        "the resumed stream began with the event of its cursor (inclusive), and it kept both",
    ),
    SeededBug(
        "thoughts are printed",
        '                if event.event_type == "step.delta" and event.delta.type == "text":\n'
        "                    text.append(event.delta.text)",
        '                if event.event_type == "step.delta":\n'
        "                    part = getattr(event.delta, 'content', None) or event.delta\n"
        "                    text.append(getattr(part, 'text', None) or '')",
        "test_stream_with_thoughts",
        "took the summaries of thoughts for text: they are mixed into its text.",
    ),
    SeededBug(
        "the stream is asked for at once again",
        "        time.sleep(min(2**attempt, 30))\n",
        "",
        "test_stream_outage",
        "in vain and slept 0 s in all: it needs a delay",
    ),
    SeededBug(
        "a new interaction after the drop",
        "        except Exception:\n            pass\n        time.sleep(min",
        "        except Exception:\n            interaction_id, cursor = start_job(client, 'Again.'), None\n"
        "            sure = seen.clear() or 0\n        time.sleep(min",
        "test_stream_dropped",
        "the client read an interaction by its id, then sent a create: a second interaction runs and costs money",
    ),
    SeededBug(
        "only the first call is answered",
        "            for call in calls\n",
        "            for call in calls[:1]\n",
        "test_tools",
        "The call(s) call-2 got no function_result: send all in one request",
    ),
    SeededBug(
        "tools are sent once",
        "            input=results,\n            tools=[WEATHER],\n",
        "            input=results,\n",
        "test_tools",
        '-     "tools": [',
    ),
    SeededBug(
        "a result for the wrong call",
        '"call_id": call.id',
        '"call_id": calls[0].id',
        "test_tools",
        "A function_result belongs to the call 'call-1', but pending are call-2",
    ),
    SeededBug(
        "tools without end",
        "    for _ in range(rounds):\n        if answer.status",
        "    while True:\n        if answer.status",
        "test_tools_without_end",
        "sent more than 100 requests in this test and seems to go on for ever",
    ),
    SeededBug(
        "the sandbox is lost",
        '"environment": self._last.environment_id}',
        '"environment": "remote"}',
        "test_agent_keeps_its_sandbox",
        '+     "environment": "remote"',
    ),
    SeededBug(
        "the next task comes too early",
        "        self._last = wait_for_job(self._client, begun.id)",
        "        self._last = begun",
        "test_agent_keeps_its_sandbox",
        "in_progress",
    ),
    SeededBug(
        "a webhook without a background run",
        "        model=MODEL, input=prompt, background=True, webhook_config=",
        "        model=MODEL, input=prompt, webhook_config=",
        "test_webhook",
        "'webhook_config' needs 'background': true",
    ),
]
