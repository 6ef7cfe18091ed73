"""Answers that say that a target is called in the wrong way, in the words of the command line."""

from __future__ import annotations

import re

from harness.outcome.words import quote_body
from harness.wire import Exchange, Headers
from harness.wire.message import REDIRECTS

_REFUSALS = frozenset({401, 403})
_ABOUT_KEY = re.compile(rb"(?i)\bAPI.?key\b")
"""What Google says to a wrong or an expired key, with 400."""
_TLS_WANTED = re.compile(rb"(?i)plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server")
"""What nginx and Go say to plain HTTP where they expect TLS."""


def explain_wrong_call(answer: Exchange) -> str:
    """The right spelling of a wrong call, if a response names it; else ""."""
    asked = answer.headers.all("www-authenticate")
    sent = "authorization" in (name.lower() for name, _ in answer.request.headers)
    bearer_alone = bool(asked) and all(
        value.lower().startswith("bearer") for value in asked
    )  # RFC 6750, section 3
    if answer.status in _REFUSALS and bearer_alone and not sent:
        return "it requires a bearer token, not a key: -H 'Authorization: Bearer …'"
    return explain_wrong_url(answer)


def explain_wrong_url(answer: Exchange) -> str:
    """The right spelling of a wrong URL, if a response names it; else "". For clients with their own headers."""
    if answer.status == 400 and _TLS_WANTED.search(answer.body):
        return "it requires TLS: write https://"
    return explain_redirect(answer.status, answer.headers, answer.request.raw_path)


def explain_refusal(answer: Exchange) -> str:
    """The refusal that a replay repeats, if it is not about the request: a key, a limit, an outage; else ""."""
    status = answer.status or 0
    about_key = status in _REFUSALS or (status == 400 and _ABOUT_KEY.search(answer.body))
    if about_key or status == 429 or status >= 500:
        return f"{quote_body(answer.body, 100)}: a replay returns it, too, until `--record-mode all` records again"
    return ""


def explain_redirect(status: int | None, headers: Headers, path: str) -> str:
    """Where an answer to a request for `path` redirects, and what to do about it; "" if it does not.

    Redirects are not followed: the same request somewhere else is not what was to be judged or recorded.
    """
    location = headers.get("location")
    if status not in REDIRECTS or not location:
        return ""
    root = location.removesuffix(path)
    if root not in ("", location):
        return f"it redirects to {root}: name that URL"
    if location.partition("?")[0].endswith(f"{path}/"):
        return f"it redirects to {location} (trailing slash): clients request {path}, so serve that path"
    return f"it redirects to {location}: is this a login page, or is the URL not the root of the API?"
