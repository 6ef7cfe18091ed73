"""The judges of the checks on credentials, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.credentials import OWN, SECRETS
from tests.checks._play import EMPTY, MISSING, answer, case, page_cases, refusal


def credential(**fields):
    """A credential as GET returns it."""
    return answer(body={"id": OWN, "type": "bearer_token", **fields}, target=f"/v1beta/credentials/{OWN}")


READ = credential()
PAGE = answer(body={"credentials": [{"id": OWN}]}, target="/v1beta/credentials")
LIFE = {
    "made": READ,
    "fetched": READ,
    "listed": PAGE,
    "patched": READ,
    "deleted": EMPTY,
    "unlisted": None,
    "gone": MISSING,
}
SHOWN = {"made": READ, "fetched": READ, "listed": PAGE, "patched": READ}
REFUSED = {"misspelt": refusal(400), "twice": refusal(409, "aborted"), "untyped": refusal(400)}

CASES = [
    case("cred.crud", "not_met", "not listed", **{**LIFE, "listed": EMPTY}),
    case("cred.crud", "not_met", "cannot be changed", **{**LIFE, "patched": refusal(405)}),
    case("cred.secret-hidden", "not_met", "in a refusal",
         **{**SHOWN, **REFUSED, "twice": refusal(409, message=f"No {SECRETS[0]}")}),
    case("cred.patch-type", "non_strict", "refused otherwise", untyped=refusal(422)),
    case("cred.dup", "non_strict", "refused otherwise", twice=refusal(400)),
    *page_cases("page.credentials", "credentials"),
    case("cred.in-allowlist", "not_met", "refused", sandbox=refusal(400)),
    case("cred.in-allowlist", "untestable", "no environments", sandbox=None),
]  # fmt: skip
