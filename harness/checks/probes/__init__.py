"""The questions that tell what a target can do. Layer 2."""

from __future__ import annotations

from collections.abc import Callable

from harness.checks.capabilities import REMEDIES
from harness.checks.probes.handshake import shake_hands
from harness.checks.probes.questions import QUESTIONS, UNDISCOVERABLE
from harness.contract.requests import RequestBuilder
from harness.kit.api import Greeting, Probes
from harness.wire import Exchange, Request


def _greet(target: RequestBuilder, send: Callable[[Request], Exchange], *, insist: bool = False) -> Greeting:
    hands = shake_hands(target, send, insist=insist)
    return Greeting(hands.answer, hands.form.says, tuple(hands.notes))


PROBES = Probes(greet=_greet, questions=QUESTIONS, undiscoverable=UNDISCOVERABLE, remedies=REMEDIES)
