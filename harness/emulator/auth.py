"""Authentication: the API key of a request (header, bearer token or query) and the project it belongs to.

Sources: the OpenAPI security scheme and the migration guide for the three places, the errors page for 401
`authentication`; answers that users of the Gemini API recorded for the front end's 400.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.emulator.values.call import Refusal, RpcRefusal
from harness.emulator.values.settings import PLATFORMS, Settings
from harness.wire import Headers, Request

KEY_HEADER = "x-goog-api-key"
AUTHENTICATION = "authentication"


class Auth:
    """Resolves the project of a request. Mutants override where a key may be, or which project it belongs to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._callers: dict[int, tuple[Headers, Mapping[str, str], str]] = {}

    def project(self, request: Request, query: Mapping[str, str]) -> str:
        """Return the caller's project. Raises Refusal 401 for an unknown key, or for a missing one if required."""
        # Hot: the requests of a connection share their fields, and those of one target its query.
        known = self._callers.get(id(request.headers))
        if known is not None and known[0] is request.headers and known[1] is query:
            return known[2]
        key = self.key(request, query)
        if key:
            project = self.owner(key)
            if len(self._callers) >= 64:
                self._callers.clear()
            self._callers[id(request.headers)] = request.headers, query, project
            return project
        if not self._settings.require_key:
            return "default"
        message = (
            f"The call carries no API key: send it in the header {KEY_HEADER}, as a bearer token in "
            "Authorization, or as the query parameter 'key'."
        )
        if "/projects/" in request.target:
            message += (
                " The path names a project, as on Vertex AI: unset GOOGLE_GENAI_USE_VERTEXAI to call the Gemini "
                "API, or give this client credentials."
            )
        raise Refusal(401, AUTHENTICATION, message)

    def key(self, request: Request, query: Mapping[str, str]) -> str:
        """Return the first key found, or `""`."""
        headers = request.headers
        if key := headers.get(KEY_HEADER):
            return key
        scheme, _, token = headers.get("authorization").partition(" ")
        return (token.strip() if scheme.lower() == "bearer" else "") or query.get("key", "")

    def owner(self, key: str) -> str:
        """Return the project of `key`. Raises Refusal if there is none: 400 or 401, as the platform does."""
        keys = self._settings.keys
        if keys is None:
            return "default"
        project = keys.get(key)
        if project is None:
            if PLATFORMS[self._settings.platform].gemini:  # its front end refuses them; documented is 401
                refusal = RpcRefusal(400, AUTHENTICATION, "API key not valid. Please pass a valid API key.")
                reason = {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "API_KEY_INVALID",
                    "domain": "googleapis.com",
                    "metadata": {"service": "generativelanguage.googleapis.com"},
                }
                refusal.details = (reason,)
                raise refusal
            raise Refusal(401, AUTHENTICATION, "The API key is not valid: no project knows it.")
        return project
