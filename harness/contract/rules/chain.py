"""Rules of chains: a new interaction that continues an older one through previous_interaction_id.

Layer 1. Data only.
"""

from __future__ import annotations

from harness.contract.rules.pages import BACKGROUND, BREAKING_CHANGES, ERRORS, OVERVIEW, REFERENCE
from harness.outcome import Basis, Level, Rule

_CHAIN = BACKGROUND.cite(Basis.DOCUMENTED, "Chain interactions")
_STATE = OVERVIEW.cite(Basis.DOCUMENTED, "Stateful conversations: previous_interaction_id")
_STATE_INFERRED = OVERVIEW.cite(Basis.INFERRED, "Stateful conversations: previous_interaction_id")

RULES: tuple[Rule, ...] = (
    Rule(
        id="chain.ok",
        level=Level.MUST,
        statement="A create that names a completed interaction as its previous one gets an id of its own.",
        breaks="Conversations of more than one turn are impossible.",
        source=_CHAIN,
    ),
    Rule(
        id="chain.takes-effect",
        level=Level.MUST,
        statement="A create with previous_interaction_id continues that interaction, or is refused.",
        breaks="Every turn begins a new conversation, and nothing says so.",
        source=_STATE,
    ),
    Rule(
        id="chain.stored",
        level=Level.SHOULD,
        statement="A chained interaction can be read under its id, with its output.",
        breaks="A conversation can be continued once and then breaks off.",
        source=_STATE_INFERRED,
    ),
    Rule(
        id="chain.echo",
        level=Level.MAY,
        statement="The answer repeats the previous_interaction_id it was given.",
        breaks="A stored conversation cannot be walked back from its last turn. (The live service leaves it out.)",
        source=REFERENCE.cite(Basis.SCHEMA, "Interaction: previous_interaction_id"),
    ),
    Rule(
        id="chain.history",
        level=Level.SHOULD,
        statement="The same input costs more input tokens in a chain than alone: the history is carried over.",
        breaks="The model answers without knowing what was said before.",
        source=_STATE,
    ),
    Rule(
        id="chain.whole-history",
        level=Level.SHOULD,
        statement="A third turn carries over the first one, not only the second.",
        breaks="The model forgets the beginning of a conversation after one more turn, and nothing says so.",
        source=_STATE_INFERRED,
    ),
    Rule(
        id="chain.streamed",
        level=Level.SHOULD,
        statement="A turn that is streamed carries over the history that a plain turn carries over.",
        breaks="Every streamed turn begins a new conversation, and nothing says so.",
        source=_STATE_INFERRED,
    ),
    Rule(
        id="chain.own-steps",
        level=Level.SHOULD,
        statement="The answer to a chained create holds its own output, not the steps of its parent.",
        breaks="Clients that append what they receive show every earlier answer again.",
        source=BREAKING_CHANGES.cite(Basis.DOCUMENTED, "steps of POST are output only"),
    ),
    Rule(
        id="chain.parent-unchanged",
        level=Level.SHOULD,
        statement="Chaining leaves the parent as it was.",
        breaks="A second branch starts from a conversation that is no longer the one the user saw.",
        source=_STATE_INFERRED,
    ),
    Rule(
        id="chain.branch",
        level=Level.MAY,
        statement="Two interactions may continue the same parent.",
        breaks="Editing a question or trying a second answer is impossible.",
        source=_STATE_INFERRED,
    ),
    Rule(
        id="chain.siblings-apart",
        level=Level.SHOULD,
        statement="Interactions that continue the same parent know nothing of each other.",
        breaks="A second try at an answer is made of the first one, and one user's branch shows up in another's.",
        source=_STATE_INFERRED,
    ),
    Rule(
        id="chain.running",
        level=Level.MUST,
        statement="Naming an interaction that is still in progress as the previous one answers 400.",
        breaks="The next turn runs on half a history, and nobody is told.",
        source=_CHAIN,
    ),
    Rule(
        id="chain.after-settled",
        level=Level.MUST,
        statement="A background run that could not be chained while running can be once it is completed.",
        breaks="The documented flow, poll and then chain, fails.",
        source=_CHAIN,
    ),
    Rule(
        id="chain.unknown",
        level=Level.SHOULD,
        statement="A previous_interaction_id that does not exist is refused.",
        breaks="A conversation loses its history without a word.",
        source=ERRORS.cite(Basis.DOCUMENTED, "not_found"),
    ),
    Rule(
        id="chain.stateless",
        level=Level.SHOULD,
        statement="With store=false, the steps of an answer can be sent back unchanged, with a new question.",
        breaks="Conversations are impossible for whoever may not store data.",
        source=BREAKING_CHANGES.cite(Basis.DOCUMENTED, "Stateless conversations: resend the steps"),
    ),
    Rule(
        id="chain.no-tools",
        level=Level.MAY,
        statement="Tools are not inherited: a chained turn that declares none gets no function call.",
        breaks="A client receives calls for a function it did not offer in this turn.",
        source=OVERVIEW.cite(Basis.DOCUMENTED, "What a chain carries over"),
    ),
)
