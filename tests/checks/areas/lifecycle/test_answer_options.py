"""The judges of the checks on formats, summaries, tiers and limits, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import answer, case, interaction, refusal
from tests.checks._streams import streamed, text_events

BAD = refusal(400)
OK = answer(body=interaction())
CRASH = refusal(500, "api_error")
TIER = "x-gemini-service-tier"


def saying(text, **fields):
    """An answer whose only output is `text`."""
    steps = [{"type": "model_output", "content": [{"type": "text", "text": text}]}]
    return answer(body=interaction(steps=steps, **fields))


def making(kind, **fields):
    """An answer whose output is a text and a medium."""
    contents = [{"type": "text", "text": "Here:"}, {"type": kind, **fields}]
    return answer(body=interaction(steps=[{"type": "model_output", "content": contents}]))


def thinking(**fields):
    """An answer with one thought."""
    return answer(body=interaction(steps=[{"type": "thought", **fields}]))


def tiered(header, **fields):
    """An answer with a header that names a tier."""
    return answer(body=interaction(**fields), headers={TIER: header})


CASES = [
    case("create.response-format", "met", "JSON", formatted=saying('{"word": "hi"}')),
    case("create.response-format", "untestable", "incomplete", formatted=saying('{"wo', status="incomplete")),
    case("create.response-format", "untestable", "refused", formatted=BAD),
    case("create.response-format", "untestable", "overloaded", formatted=refusal(503)),
    case("create.response-format", "not_met", "crash", formatted=CRASH),
    case("create.response-format", "not_met", "prose", formatted=saying("Here is your JSON: {}")),
    case("create.response-format", "not_met", "nothing", formatted=saying("")),
    case("create.max-tokens", "met", "incomplete without steps", limited=answer(
        body=interaction(status="incomplete", steps=None)
    )),
    case("create.max-tokens", "met", "completed", limited=OK),
    case("create.max-tokens", "non_strict", "below the least", limited=BAD),
    case("create.max-tokens", "not_met", "failed", limited=answer(body=interaction(status="failed"))),
    case("create.max-tokens", "not_met", "crash", limited=CRASH),
    case("create.format-image", "met", "as data", drawn=making("image", data="aGk=", mime_type="image/jpeg")),
    case("create.format-image", "met", "as a file, beside a text", drawn=making("image", uri="https://f.example/1")),
    case("create.format-image", "untestable", "blocked", drawn=answer(body=interaction(status="failed"))),
    case("create.format-image", "not_met", "a text", drawn=saying("Imagine a circle.")),
    case("create.format-image", "not_met", "nothing in it", drawn=making("image", data="")),
    case("create.format-image", "not_met", "refused", drawn=BAD),
    case("create.format-audio", "met", "as data", spoken=making("audio", data="aGk=", mime_type="audio/l16")),
    case("create.format-audio", "not_met", "an image", spoken=making("image", data="aGk=")),
    case("create.format-audio", "not_met", "no output", spoken=thinking(signature="c2ln")),
    case("create.format-streamed", "met", "JSON", streamed=streamed(text_events('{"word": ', '"hi"}'))),
    case("create.format-streamed", "not_met", "prose", streamed=streamed(text_events("Here: ", "{}"))),
    case("create.format-streamed", "not_met", "fenced", streamed=streamed(text_events("```json\n", "{}"))),
    case("create.format-streamed", "untestable", "cut", streamed=streamed(text_events("{", status="incomplete"))),
    case("create.format-streamed", "untestable", "refused", streamed=BAD),
    case("create.format-streamed", "not_met", "crash", streamed=CRASH),
    case("create.format-streamed", "not_met", "no stream", streamed=OK),
    case("create.no-summaries", "met", "a signature", thought=thinking(signature="c2ln")),
    case("create.no-summaries", "met", "an empty one", thought=thinking(summary=[])),
    case("create.no-summaries", "untestable", "no thought", thought=saying("391")),
    case("create.no-summaries", "untestable", "refused", thought=BAD),
    case("create.no-summaries", "not_met", "a summary", thought=thinking(summary=[{"type": "text", "text": "x"}])),
    case("create.no-summaries", "not_met", "crash", thought=CRASH),
    case("tier.echo", "met", "shown", created=answer(body=interaction(service_tier="standard"))),
    case("tier.echo", "met", "a newer one", created=answer(body=interaction(service_tier="batch"))),
    case("tier.echo", "untestable", "refused", created=BAD),
    case("tier.echo", "not_met", "not shown", created=OK),
    case("tier.echo", "not_met", "a number", created=answer(body=interaction(service_tier=1))),
    case("tier.header", "met", "as in the body", created=tiered("flex", service_tier="flex")),
    case("tier.header", "met", "in the header only", created=tiered("priority")),
    case("tier.header", "untestable", "no header", created=OK),
    case("tier.header", "not_met", "another", created=tiered("priority", service_tier="standard")),
    case("tier.header", "not_met", "no tier", created=tiered("gold")),
]  # fmt: skip
