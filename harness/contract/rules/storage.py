"""Rules of stored interactions: reading them again, not storing them, deleting them, and who may access them.

Layer 1. Data only.
"""

from __future__ import annotations

from harness.contract.rules.pages import BACKGROUND, BREAKING_CHANGES, ERRORS, HTTP, OVERVIEW, REFERENCE, SDK
from harness.outcome import Basis, Level, Rule

_GET = REFERENCE.cite(Basis.DOCUMENTED, "Get an interaction")
_GET_INFERRED = REFERENCE.cite(Basis.INFERRED, "Get an interaction")
_DELETE = REFERENCE.cite(Basis.DOCUMENTED, "Delete an interaction")
_DELETE_INFERRED = REFERENCE.cite(Basis.INFERRED, "Delete an interaction")
_NOT_FOUND = ERRORS.cite(Basis.DOCUMENTED, "Codes: not_found")
_RETENTION = OVERVIEW.cite(Basis.DOCUMENTED, "Data storage and retention")

_READING = (
    Rule(
        id="get.ok",
        level=Level.MUST,
        statement="A stored interaction is read with 200, under the id it was created with.",
        breaks="Results of background runs and earlier turns are lost.",
        source=_GET,
    ),
    Rule(
        id="get.schema",
        level=Level.MUST,
        statement="Every interaction that GET answers fits its published schema, unknown additions apart.",
        breaks="Typed clients hand out empty fields or raise, while the create looked well.",
        source=REFERENCE.cite(Basis.SCHEMA, "Get an interaction: Interaction"),
    ),
    Rule(
        id="get.same",
        level=Level.SHOULD,
        statement="Two reads of a settled interaction agree on status, steps and usage.",
        breaks="What was shown, billed or cached is no longer true.",
        source=_GET_INFERRED,
    ),
    Rule(
        id="get.matches-post",
        level=Level.SHOULD,
        statement="The output steps that GET shows equal those that POST brought.",
        breaks="A client that comes back later sees another answer than the one it got.",
        source=_GET_INFERRED,
    ),
    Rule(
        id="get.usage",
        level=Level.SHOULD,
        statement="The token counts that GET shows equal those that POST brought.",
        breaks="What an answer cost depends on where one looks, and sums of bills do not agree.",
        source=_GET_INFERRED,
    ),
    Rule(
        id="get.user-input",
        level=Level.MAY,
        statement="The steps that GET shows begin with the caller's input.",
        breaks="A conversation cannot be rebuilt from what is stored. (The reference's own example lacks it.)",
        source=BREAKING_CHANGES.cite(Basis.DOCUMENTED, "Steps in POST and in GET"),
    ),
    Rule(
        id="get.include-input",
        level=Level.MAY,
        statement="include_input=true brings the input with the interaction.",
        breaks="A conversation that is read back has answers and no questions.",
        source=REFERENCE.cite(Basis.SCHEMA, "Get an interaction: include_input"),
    ),
    Rule(
        id="get.stream-false",
        level=Level.MUST,
        statement="An explicit stream=false brings JSON.",
        breaks="The official SDKs, which always send it, cannot read anything.",
        source=SDK.cite(Basis.SCHEMA, "interactions.get sends stream=false"),
    ),
    Rule(
        id="get.unknown",
        level=Level.MUST,
        statement="An id that names nothing is answered 404.",
        breaks="Clients retry, or take the answer for a run that has not started. (A create that was "
        "refused in its stream leaves such an id, too.)",
        source=_NOT_FOUND,
    ),
    Rule(
        id="get.cursor-no-stream",
        level=Level.SHOULD,
        statement="last_event_id without stream=true is refused with 400 or ignored.",
        breaks="A client that left the cursor in its query gets events where it parses JSON.",
        source=REFERENCE.cite(Basis.DOCUMENTED, "Get an interaction: last_event_id"),
    ),
)

_STORING = (
    Rule(
        id="store.false-get",
        level=Level.MUST,
        statement="What was created with store=false cannot be read.",
        breaks="What a user asked not to keep is kept.",
        source=_RETENTION,
    ),
    Rule(
        id="store.false-chain",
        level=Level.SHOULD,
        statement="What was created with store=false cannot be continued by its id.",
        breaks="What a user asked not to keep is kept.",
        source=_RETENTION,
    ),
    Rule(
        id="store.false-bg",
        level=Level.SHOULD,
        statement="background=true with store=false is answered 400.",
        breaks="The run costs money and its result can never be read.",
        source=_RETENTION,
    ),
    Rule(
        id="store.isolation",
        level=Level.MUST,
        statement="The key of another project can neither read, nor continue, cancel or delete an interaction.",
        breaks="One customer sees and destroys the conversations of another.",
        source=ERRORS.cite(Basis.DOCUMENTED, "Codes: permission_denied, not_found"),
    ),
)

_DELETING = (
    Rule(
        id="del.ok",
        level=Level.MUST,
        statement="DELETE of a stored interaction succeeds, with an empty object or no body.",
        breaks="What a user wants gone stays.",
        source=_DELETE,
    ),
    Rule(
        id="del.gone",
        level=Level.MUST,
        statement="A deleted interaction is answered 404.",
        breaks="What a user was told is gone can still be read.",
        source=BACKGROUND.cite(Basis.DOCUMENTED, "Delete an interaction"),
    ),
    Rule(
        id="del.gone-stream",
        level=Level.SHOULD,
        statement="A deleted interaction cannot be streamed either.",
        breaks="What a user was told is gone can still be read.",
        source=_DELETE_INFERRED,
    ),
    Rule(
        id="del.twice",
        level=Level.MAY,
        statement="A second DELETE is answered 404 or succeeds again.",
        breaks="A retried clean-up fails for ever.",
        source=_DELETE_INFERRED,
    ),
    Rule(
        id="del.unknown",
        level=Level.SHOULD,
        statement="DELETE of an id that names nothing is answered 404.",
        breaks="A mistyped id looks like a successful erasure.",
        source=_NOT_FOUND,
    ),
    Rule(
        id="del.isolated",
        level=Level.SHOULD,
        statement="Deleting one interaction leaves others readable.",
        breaks="A clean-up destroys what nobody asked to delete.",
        source=_DELETE_INFERRED,
    ),
    Rule(
        id="del.running",
        level=Level.MAY,
        statement="Deleting a run in progress succeeds and it is gone, or is refused as the client's error.",
        breaks="The run goes on, costs money and comes back after it was deleted.",
        source=_DELETE_INFERRED,
    ),
    Rule(
        id="del.reader-ends",
        level=Level.SHOULD,
        statement="A stream that is open while its run is deleted comes to an end.",
        breaks="Whoever reads it waits for ever for what nobody will send.",
        source=HTTP.cite(Basis.GENERIC, "3.4 Messages"),
    ),
    Rule(
        id="del.chain-after",
        level=Level.SHOULD,
        statement="A deleted interaction cannot be continued.",
        breaks="Its content lives on in new answers after the user was told it is gone.",
        source=_DELETE_INFERRED,
    ),
)

RULES: tuple[Rule, ...] = (*_READING, *_STORING, *_DELETING)
