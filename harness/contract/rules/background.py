"""Rules of background runs: what create returns at once, what polling may show, and how cancel ends them.

Layer 1. Data only. The table of statuses and transitions itself is `harness.contract.tables.lifecycle`.
"""

from __future__ import annotations

from harness.contract.rules.pages import BACKGROUND, ERRORS, REFERENCE
from harness.outcome import Basis, Level, Rule

_CREATE = BACKGROUND.cite(Basis.DOCUMENTED, "Create a background interaction")
_POLL = BACKGROUND.cite(Basis.DOCUMENTED, "Poll for the result")
_CANCEL = BACKGROUND.cite(Basis.DOCUMENTED, "Cancel an interaction")
_POLL_INFERRED = BACKGROUND.cite(Basis.INFERRED, "Poll for the result")
_CANCEL_REFERENCE = REFERENCE.cite(Basis.DOCUMENTED, "Cancel an interaction: background runs in progress only")

RULES: tuple[Rule, ...] = (
    Rule(
        id="bg.create",
        level=Level.MUST,
        statement="background=true is answered at once with 200 and an interaction that has an id.",
        breaks="Without an id the result of a long run can never be fetched.",
        source=_CREATE,
    ),
    Rule(
        id="bg.at-once",
        level=Level.MUST,
        statement="The answer to a background create does not wait for the run to end.",
        breaks="A client that wanted to go on, or to cancel, waits for the whole run instead.",
        source=_CREATE,
    ),
    Rule(
        id="bg.fast",
        level=Level.SHOULD,
        statement="The answer to a background create comes well before the 60 seconds after which HTTP calls die.",
        breaks="The request is cut by proxies and load balancers, and the id is lost with it.",
        source=BACKGROUND.cite(Basis.DOCUMENTED, "Why background execution: timeouts"),
    ),
    Rule(
        id="bg.settles",
        level=Level.SHOULD,
        statement="Polling a background run leaves in_progress within the time the user allowed.",
        breaks="Poll loops spin for ever. (Users of the live service have seen runs in_progress for days.)",
        source=_POLL,
    ),
    Rule(
        id="bg.survives-hangup",
        level=Level.MUST,
        statement="A background run whose create is streamed goes on to its end when the client hangs up.",
        breaks="One lost connection loses the whole run, which background execution is there to prevent.",
        source=BACKGROUND.cite(Basis.DOCUMENTED, "Resume a stream"),
    ),
    Rule(
        id="bg.result",
        level=Level.MUST,
        statement="When a background run is completed, GET holds its output.",
        breaks="The work was done and paid for, and its result is nowhere.",
        source=_POLL,
    ),
    Rule(
        id="bg.same-id",
        level=Level.MUST,
        statement="Every poll answers for the interaction that was asked for.",
        breaks="A client shows one user the run of another.",
        source=REFERENCE.cite(Basis.SCHEMA, "Interaction: id"),
    ),
    Rule(
        id="bg.no-regress",
        level=Level.SHOULD,
        statement="Once a settled status was seen, no other status follows.",
        breaks="A client that stopped polling holds a result that is no longer true.",
        source=_POLL_INFERRED,
    ),
    Rule(
        id="bg.transition",
        level=Level.SHOULD,
        statement="A run moves only along the transitions of the lifecycle.",
        breaks="State machines built from the documentation reach states they have no name for.",
        source=_POLL_INFERRED,
    ),
    Rule(
        id="bg.updated",
        level=Level.SHOULD,
        statement="`updated` never goes back from one view of an interaction to the next.",
        breaks="Caches keyed by the time of the last change keep stale results.",
        source=REFERENCE.cite(Basis.INFERRED, "Interaction: updated"),
    ),
    Rule(
        id="bg.queued",
        level=Level.SHOULD,
        statement="A run that waits for capacity is visible as queued, then runs and settles.",
        breaks="A client takes a run that has not begun for one that failed or hangs.",
        source=REFERENCE.cite(Basis.SCHEMA, "Interaction: status"),
    ),
    Rule(
        id="bg.failed-diag",
        level=Level.MAY,
        statement="A failed run says why: in `errors` or in the error of a step.",
        breaks="A failure cannot be told from a fault of the user's own program.",
        source=REFERENCE.cite(Basis.SCHEMA, "Interaction: errors"),
    ),
    Rule(
        id="bg.failed-visible",
        level=Level.MUST,
        statement="A run that failed is shown as failed by GET and by the end of its stream.",
        breaks="A failure is taken for a success, or waited for without end.",
        source=_POLL,
    ),
    Rule(
        id="bg.incomplete-visible",
        level=Level.SHOULD,
        statement="A run that stopped early is shown as incomplete by GET and by the end of its stream.",
        breaks="A truncated answer is taken for the whole one.",
        source=REFERENCE.cite(Basis.SCHEMA, "Interaction: status"),
    ),
    Rule(
        id="cancel.ok",
        level=Level.MUST,
        statement="POST …/cancel, without a body, on a running background run answers 200 and the interaction.",
        breaks="A run nobody wants any more goes on and is paid for.",
        source=_CANCEL,
    ),
    Rule(
        id="cancel.schema",
        level=Level.MUST,
        statement="Every interaction that a cancel answers fits its published schema, unknown additions apart.",
        breaks="Typed clients raise on the answer, and nobody knows whether the run was cancelled.",
        source=REFERENCE.cite(Basis.SCHEMA, "Cancel an interaction: Interaction"),
    ),
    Rule(
        id="cancel.state",
        level=Level.MUST,
        statement="After a cancel, GET reaches the status cancelled, if with a short delay.",
        breaks="A client cannot know that its cancel took effect.",
        source=_CANCEL,
    ),
    Rule(
        id="cancel.shows-output",
        level=Level.SHOULD,
        statement="A cancel that answers a cancelled interaction shows the output and usage that GET shows.",
        breaks="A client that keeps the answer of its cancel loses what was produced, and paid for, until then.",
        source=REFERENCE.cite(Basis.INFERRED, "Cancel an interaction: Interaction"),
    ),
    Rule(
        id="cancel.stays",
        level=Level.SHOULD,
        statement="A cancelled run stays cancelled.",
        breaks="Work that was called off comes back with effects nobody expects.",
        source=BACKGROUND.cite(Basis.INFERRED, "Cancel an interaction"),
    ),
    Rule(
        id="cancel.result-stays",
        level=Level.SHOULD,
        statement="What a cancelled run has produced and cost does not change any more.",
        breaks="A run that was called off goes on in secret, and is paid for.",
        source=BACKGROUND.cite(Basis.INFERRED, "Cancel an interaction"),
    ),
    Rule(
        id="cancel.get-after",
        level=Level.SHOULD,
        statement="A cancelled interaction stays retrievable until it is deleted.",
        breaks="What was produced before the cancel is lost.",
        source=BACKGROUND.cite(Basis.INFERRED, "Cancel an interaction"),
    ),
    Rule(
        id="cancel.stream-ends",
        level=Level.SHOULD,
        statement="An open stream of a run that is cancelled ends, and says so.",
        breaks="A reader waits on a stream that will never bring anything.",
        source=REFERENCE.cite(Basis.SCHEMA, "interaction.completed: also sent on cancel"),
    ),
    Rule(
        id="cancel.twice",
        level=Level.MAY,
        statement="A second cancel is answered in kind or refused, and never fails the server.",
        breaks="Clients that retry a cancel see a server error for something that worked.",
        source=BACKGROUND.cite(Basis.INFERRED, "Cancel an interaction (a second cancel is not documented)"),
    ),
    Rule(
        id="cancel.settled",
        level=Level.MAY,
        statement="Cancelling a finished background run is refused, or changes nothing.",
        breaks="A cancel that came too late is reported as a success that it is not.",
        source=_CANCEL_REFERENCE,
    ),
    Rule(
        id="cancel.foreground",
        level=Level.MAY,
        statement="Cancelling a foreground interaction is refused, or changes nothing.",
        breaks="A cancel that cannot work is reported as a success that it is not.",
        source=_CANCEL_REFERENCE,
    ),
    Rule(
        id="cancel.keeps-result",
        level=Level.SHOULD,
        statement="A cancel of a foreground interaction leaves status and output as they were.",
        breaks="A finished, paid-for result is destroyed by a race.",
        source=_CANCEL_REFERENCE,
    ),
    Rule(
        id="cancel.keeps-background-result",
        level=Level.SHOULD,
        statement="A cancel of a background run that is over leaves status and output as they were.",
        breaks="A finished, paid-for result is destroyed by a race.",
        source=_CANCEL_REFERENCE,
    ),
    Rule(
        id="cancel.unknown",
        level=Level.SHOULD,
        statement="Cancelling an interaction that does not exist is refused.",
        breaks="A typing error in an id looks like a successful cancel.",
        source=ERRORS.cite(Basis.DOCUMENTED, "not_found"),
    ),
    Rule(
        id="cancel.colon",
        level=Level.MAY,
        statement="`{id}:cancel` is not the cancel route.",
        breaks="Clients written against such a server do not work with the documented path elsewhere.",
        source=REFERENCE.cite(Basis.INFERRED, "Cancel an interaction: path"),
    ),
)
