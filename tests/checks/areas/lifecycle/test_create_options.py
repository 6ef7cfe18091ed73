"""The judges of the checks on contradictory requests and on options, on hand-made exchanges."""

from __future__ import annotations

from unicodedata import normalize

from harness.checks.areas.lifecycle.create_options import UNUSUAL_TEXT
from tests.checks._play import answer, case, holding, interaction, refusal

BAD = refusal(400)
OK = answer(body=interaction())
CRASH = refusal(500, "api_error")
DEAD = answer(None)
ASCII_ONLY = UNUSUAL_TEXT.encode("ascii", "replace").decode()


CASES = [
    case("create.model-xor-agent", "met", "400", neither=BAD),
    case("create.model-xor-agent", "non_strict", "404", neither=refusal(404, "model_not_found")),
    case("create.model-xor-agent", "not_met", "a default model", neither=OK),
    case("create.model-xor-agent", "not_met", "crash", neither=CRASH),
    case("create.both", "met", "400", both=BAD),
    case("create.both", "not_met", "one dropped", both=OK),
    case("create.input-missing", "met", "400", no_input=BAD, empty_input=BAD),
    case("create.input-missing", "not_met", "nothing answered", no_input=OK, empty_input=BAD),
    case("create.input-missing", "not_met", "an empty list answered", no_input=BAD, empty_input=OK),
    case("create.config-mismatch", "met", "400", agent_config=BAD),
    case("create.config-mismatch", "not_met", "dropped", agent_config=OK),
    case("create.webhook-bg", "met", "400", hook=BAD),
    case("create.webhook-bg", "met", "accepted", hook=OK),
    case("create.webhook-bg", "not_met", "crash", hook=CRASH),
    case("create.config-agent", "met", "400", refused=BAD),
    case("create.config-agent", "not_met", "dropped", refused=OK),
    case("create.labels", "met", "by the rules", labelled=OK, mislabelled=BAD),
    case("create.labels", "met", "none taken", labelled=BAD, mislabelled=BAD),
    case("create.labels", "not_met", "good ones crash it", labelled=refusal(500), mislabelled=BAD),
    case("create.labels", "not_met", "bad ones accepted", labelled=OK, mislabelled=OK),
    case("create.unicode", "met", "kept", created=OK, got=[holding(UNUSUAL_TEXT)]),
    case("create.unicode", "met", "kept, shown as input", created=OK, got=[
        answer(body=interaction(input=UNUSUAL_TEXT))
    ]),
    case("create.unicode", "non_strict", "composed", created=OK, got=[holding(normalize("NFC", UNUSUAL_TEXT))]),
    case("create.unicode", "untestable", "not shown", created=OK, got=[OK]),
    case("create.unicode", "not_met", "question marks", created=OK, got=[holding(ASCII_ONLY)]),
    case("create.unicode", "not_met", "trimmed", created=OK, got=[holding(UNUSUAL_TEXT.replace("\n", ""))]),
    case("create.unicode", "untestable", "no id", created=OK, got=[]),
    case("create.unicode", "not_met", "refused", created=BAD, got=[]),
    case("create.unicode", "not_met", "cannot be read", created=OK, got=[CRASH]),
    case("create.large", "met", "refused", large=answer(413)),
    case("create.large", "met", "accepted", large=OK),
    case("create.large", "not_met", "crash", large=CRASH),
    case("create.large", "not_met", "dead", large=DEAD),
]  # fmt: skip
