"""What a history has shown so far, and the judgement on its current exchange.

Layer 1. Holds the model of each interaction and what is certain about the target; the modules that judge creates,
looks, cancels and deletes share it. Must not judge anything itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.contract.contract import Contract
from harness.contract.judge.history.interaction_model import InteractionModel
from harness.contract.judge.replies import judge_reply
from harness.outcome import Finding, Judgement
from harness.wire import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What the caller meant with a request, where the exchange alone cannot tell.

    `refused_by` is the rule that says that the request must be refused. `foreign`: it was sent with the key of
    another project. `legal`: the caller knows that the create is right, so that a refusal breaks a rule.
    `final`: what the request asks about has had as much time to be visible as the rules allow. `awaited`: the
    caller has polled for as long as a run may take to settle.
    """

    refused_by: str = ""
    foreign: bool = False
    legal: bool = False
    final: bool = True
    awaited: bool = False


PLAIN = Intent()
"""A request that means no more than it says."""


@dataclass(slots=True)
class HistoryState:
    """All that one history has shown, judged by `contract`.

    `sole_client`: nobody else acts on these interactions, and exchanges come in the order in which they ended.
    `deterministic`: only the client's own requests advance a run. `stores`: the target keeps what it creates.
    `interactions` are in the order in which they were first seen; `given` holds the ids that creates brought.
    """

    contract: Contract
    sole_client: bool
    deterministic: bool
    stores: bool
    interactions: list[InteractionModel] = field(default_factory=list)
    given: set[str] = field(default_factory=set)
    judgement: Judgement = field(default_factory=Judgement)
    _by_id: dict[str, InteractionModel] = field(default_factory=dict)

    def find(self, identity: object) -> InteractionModel | None:
        """The interaction with this id that was seen last; None if there is none."""
        return self._by_id.get(identity) if isinstance(identity, str) else None

    def learn(self, model: InteractionModel) -> InteractionModel:
        """Add an interaction that was not seen before."""
        self.interactions.append(model)
        if model.id:
            self._by_id[model.id] = model
        return model

    def is_certain(self, model: InteractionModel) -> bool:
        """Whether the last status seen still holds: only we advance a run, and have not since that look."""
        return self.sole_client and self.deterministic and not model.read_on

    def decide(self, rule: str, findings: Iterable[Finding] = ()) -> bool:
        """Count a rule as judged and add what is wrong; return whether anything is."""
        return self.judgement.decide(rule, findings)

    def decide_reply(self, rule: str, exchange: Exchange) -> bool:
        """Judge the status of an answer by the row of a rule; return whether anything is wrong."""
        return self.decide(rule.partition("/")[0], judge_reply(rule, exchange))
