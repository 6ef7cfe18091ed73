"""Rules of long decoding: an answer beyond 65,536 tokens, which the service makes in several hops.

Layer 1. Data only. Whether an answer is that long is the model's decision, so both rules are about answers that
have several outputs.
"""

from __future__ import annotations

from harness.contract.rules.pages import LONG_DECODE
from harness.outcome import Basis, Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        id="long.same-id",
        level=Level.SHOULD,
        statement="A long answer is one interaction: each hop adds an output under the id of its create.",
        breaks="A client that polls the id it was given gets a part of the answer, and takes it for the whole.",
        source=LONG_DECODE.cite(Basis.DOCUMENTED, "The server decodes in hops"),
    ),
    Rule(
        id="long.join",
        level=Level.SHOULD,
        statement="The outputs of a long answer join to its text: nothing is lost or said twice between two hops.",
        breaks="At each seam words are missing or doubled, and JSON or code that crosses one does not parse.",
        source=LONG_DECODE.cite(Basis.DOCUMENTED, "Join the model_output steps"),
    ),
)
