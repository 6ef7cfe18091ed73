"""Rules of creating an interaction: what is accepted, what is refused, and what the response contains.

Layer 1. Data only. The rules for the steps and the usage of any interaction are in `content`.
"""

from __future__ import annotations

from harness.contract.rules.pages import (
    BACKGROUND,
    BREAKING_CHANGES,
    FUNCTION_CALLING,
    PRIORITY,
    PROBES,
    RECORDINGS,
    REFERENCE,
    SDK,
    STRUCTURED_OUTPUT,
    THINKING,
)
from harness.outcome import Basis, Level, Rule

_RESOURCE = REFERENCE.cite(Basis.SCHEMA, "Interaction")
_FIELDS = REFERENCE.cite(Basis.DOCUMENTED, "Interaction: output only fields")
_INPUT = REFERENCE.cite(Basis.SCHEMA, "CreateInteraction: input")
_EITHER = REFERENCE.cite(Basis.DOCUMENTED, "CreateInteraction: model and agent")
_CONFIGS = REFERENCE.cite(Basis.DOCUMENTED, "CreateInteraction: generation_config and agent_config")

_ANSWER = (
    Rule(
        id="create.ok",
        level=Level.MUST,
        statement="A model and a string input bring 200 and an interaction.",
        breaks="Nothing works.",
        source=BACKGROUND.cite(Basis.DOCUMENTED, "Create an interaction"),
    ),
    Rule(
        id="create.status",
        level=Level.MUST,
        statement="An interaction has a status, and writes the words of the reference as the reference does.",
        breaks="Clients compare it: poll loops end at once or never, and no run is ever seen to succeed.",
        source=_RESOURCE,
    ),
    Rule(
        id="create.status-listed",
        level=Level.SHOULD,
        statement="Wherever a status is shown, in a body or in a stream, it is one that the reference lists.",
        breaks="A client that waits for a word it knows waits for ever, or takes a run for what it is not.",
        source=_RESOURCE,
    ),
    Rule(
        id="create.generation",
        level=Level.MUST,
        statement="An interaction holds its output in `steps`, not in `outputs` as before May 2026.",
        breaks="Clients of today find no output in an answer that has been paid for.",
        source=BREAKING_CHANGES.cite(Basis.DOCUMENTED, "outputs became steps"),
    ),
    Rule(
        id="create.schema",
        level=Level.MUST,
        statement="An interaction fits its published schema, unknown additions apart.",
        breaks="Typed clients hand out empty fields or raise.",
        source=_RESOURCE,
    ),
    Rule(
        id="create.final",
        level=Level.SHOULD,
        statement="A foreground create answers with a settled status.",
        breaks="A client that asked for the result gets a promise it never polls.",
        source=REFERENCE.cite(Basis.INFERRED, "CreateInteraction: background"),
    ),
    Rule(
        id="create.id",
        level=Level.MUST,
        statement="A stored interaction has a non-empty string id.",
        breaks="It can be neither fetched nor chained nor deleted.",
        source=_FIELDS,
    ),
    Rule(
        id="create.id-unique",
        level=Level.MUST,
        statement="Every create brings another id, one that was deleted is not given again.",
        breaks="One conversation overwrites another.",
        source=SDK.cite(Basis.SCHEMA, "Interaction.id: a unique identifier"),
    ),
    Rule(
        id="create.object",
        level=Level.SHOULD,
        statement='`object` says "interaction".',
        breaks="Dispatchers that look at the field drop the answer.",
        source=RECORDINGS.cite(Basis.OBSERVED, "Every interaction carries it"),
    ),
    Rule(
        id="create.times",
        level=Level.SHOULD,
        statement="`created` and `updated` are ISO 8601 times, and the second is not before the first.",
        breaks="Clients that parse them raise; sorting and expiry go wrong.",
        source=_FIELDS,
    ),
    Rule(
        id="create.model-echo",
        level=Level.SHOULD,
        statement="`model` names what ran.",
        breaks="Nobody can tell what an alias resolved to, or what was paid for.",
        source=RECORDINGS.cite(Basis.OBSERVED, "Every model interaction carries it"),
    ),
    Rule(
        id="create.steps-output-only",
        level=Level.SHOULD,
        statement="The steps of a create's answer do not begin with the caller's own input.",
        breaks="A client that appends them to its history sends the input twice.",
        source=BREAKING_CHANGES.cite(Basis.DOCUMENTED, "Steps in POST and in GET"),
    ),
    Rule(
        id="create.completed-has-output",
        level=Level.SHOULD,
        statement="A completed answer holds at least one model_output step.",
        breaks="The result was paid for and is not there.",
        source=REFERENCE.cite(Basis.INFERRED, "Interaction: steps"),
    ),
    Rule(
        id="create.usage",
        level=Level.SHOULD,
        statement="An answer that is neither failed nor cancelled has usage.",
        breaks="Nobody can tell what a call cost.",
        source=RECORDINGS.cite(Basis.OBSERVED, "Every interaction carries it"),
    ),
    Rule(
        id="create.no-stream-json",
        level=Level.MUST,
        statement="With stream false or absent the answer is one JSON body, not a stream.",
        breaks="The SDK returns a stream object where the caller expects an interaction.",
        source=REFERENCE.cite(Basis.SCHEMA, "CreateInteraction: stream"),
    ),
)

_INPUTS = (
    Rule(
        id="create.input-content",
        level=Level.MUST,
        statement="Input may be one content object.",
        breaks="Documented calls are refused.",
        source=_INPUT,
    ),
    Rule(
        id="create.input-contents",
        level=Level.MUST,
        statement="Input may be a list of content objects.",
        breaks="Multimodal calls are refused.",
        source=_INPUT,
    ),
    Rule(
        id="create.input-steps",
        level=Level.MUST,
        statement="Input may be a list of steps.",
        breaks="Stateless conversations and tool results are refused.",
        source=_INPUT,
    ),
    Rule(
        id="create.input-bare-step",
        level=Level.MAY,
        statement="The content of a user_input step may be a bare string.",
        breaks="Calls copied from the function calling guide are refused.",
        source=FUNCTION_CALLING.cite(Basis.DOCUMENTED, "user_input in the examples"),
    ),
    Rule(
        id="create.input-turns",
        level=Level.MAY,
        statement="A list of turns with a role is accepted, or answered 400 as the form of the old schema.",
        breaks="A client that still sends turns cannot tell its own mistake from an outage.",
        source=REFERENCE.cite(Basis.DOCUMENTED, "CreateInteraction: input, Turn[]"),
    ),
    Rule(
        id="create.input-missing",
        level=Level.SHOULD,
        statement="No input, or an empty list, is answered 400 unless a continuation_token is given.",
        breaks="A lost prompt is paid for and answered with something made up.",
        source=PROBES.cite(Basis.OBSERVED, "Missing and empty input"),
    ),
    Rule(
        id="create.model-xor-agent",
        level=Level.MUST,
        statement="A create that names neither model nor agent is answered 400.",
        breaks="Something the caller never chose runs on the caller's account.",
        source=_EITHER,
    ),
    Rule(
        id="create.both",
        level=Level.SHOULD,
        statement="A create that names both model and agent is answered 400.",
        breaks="One of the two is dropped without a word.",
        source=_EITHER,
    ),
    Rule(
        id="create.config-mismatch",
        level=Level.SHOULD,
        statement="agent_config beside a model is answered 400.",
        breaks="The configuration is dropped without a word.",
        source=_CONFIGS,
    ),
    Rule(
        id="create.config-agent",
        level=Level.SHOULD,
        statement="generation_config beside an agent is answered 400.",
        breaks="The configuration is dropped without a word.",
        source=_CONFIGS,
    ),
    Rule(
        id="create.labels",
        level=Level.MAY,
        statement="Labels within the published rules are accepted, or all are refused; a wrong key answers 400.",
        breaks="Costs cannot be split by label, or labels vanish. (The Gemini API refuses all labels.)",
        source=SDK.cite(Basis.SCHEMA, "CreateInteraction: labels"),
    ),
    Rule(
        id="create.webhook-bg",
        level=Level.MAY,
        statement="webhook_config without background is refused with 400 or accepted.",
        breaks="A notification that will never come is answered with a server error.",
        source=PROBES.cite(Basis.OBSERVED, "webhook_config needs background"),
    ),
)

_OPTIONS = (
    Rule(
        id="create.response-format",
        level=Level.SHOULD,
        statement="A JSON response_format brings output text that parses as JSON.",
        breaks="Programs that parse the answer fail.",
        source=REFERENCE.cite(Basis.DOCUMENTED, "CreateInteraction: response_format"),
    ),
    Rule(
        id="create.format-streamed",
        level=Level.SHOULD,
        statement="The text deltas of an answer in a JSON response_format join to JSON.",
        breaks="Programs that parse the streamed answer fail, or show a Markdown fence to their users.",
        source=STRUCTURED_OUTPUT.cite(Basis.DOCUMENTED, "Streaming structured outputs"),
    ),
    Rule(
        id="create.format-image",
        level=Level.SHOULD,
        statement="A model that makes images answers an image to a response_format of that type.",
        breaks="Programs that ask for a picture get a text about one.",
        source=REFERENCE.cite(Basis.DOCUMENTED, "ResponseFormat: image"),
    ),
    Rule(
        id="create.format-audio",
        level=Level.SHOULD,
        statement="A model that speaks answers audio to a response_format of that type.",
        breaks="Programs that ask for speech get a text to read.",
        source=REFERENCE.cite(Basis.DOCUMENTED, "ResponseFormat: audio"),
    ),
    Rule(
        id="create.no-summaries",
        level=Level.SHOULD,
        statement="With thinking_summaries none, thoughts have no summary.",
        breaks="Users read what the model thought, although the program asked for the answer only.",
        source=THINKING.cite(Basis.DOCUMENTED, "thinking_summaries: none, which is the default"),
    ),
    Rule(
        id="tier.echo",
        level=Level.MAY,
        statement="An interaction shows the service tier that it was run in.",
        breaks="Nobody can tell from what is stored which price was paid.",
        source=PROBES.cite(Basis.OBSERVED, "service_tier in every interaction"),
    ),
    Rule(
        id="tier.header",
        level=Level.MAY,
        statement="Where a create is answered with x-gemini-service-tier, it names a tier, and the body no other.",
        breaks="A client that watches for requests that were downgraded to standard counts the wrong ones.",
        source=PRIORITY.cite(Basis.DOCUMENTED, "The header that tells the tier of a response"),
    ),
    Rule(
        id="create.max-tokens",
        level=Level.MAY,
        statement="A tiny max_output_tokens ends as incomplete or completed, with no more output than that.",
        breaks="A limit set to save money costs a retry loop.",
        source=REFERENCE.cite(Basis.SCHEMA, "GenerationConfig: max_output_tokens"),
    ),
    Rule(
        id="create.unicode",
        level=Level.SHOULD,
        statement="Text beyond ASCII survives in the stored input, character for character.",
        breaks="Names, emoji and whole languages come back damaged.",
        source=REFERENCE.cite(Basis.INFERRED, "TextContent: text"),
    ),
    Rule(
        id="create.large",
        level=Level.SHOULD,
        statement="A create of one megabyte is accepted or refused as the client's error, and answered in time.",
        breaks="A long document looks like an outage, and is retried.",
        source=REFERENCE.cite(Basis.INFERRED, "CreateInteraction: input has no published limit"),
    ),
)

RULES: tuple[Rule, ...] = (*_ANSWER, *_INPUTS, *_OPTIONS)
