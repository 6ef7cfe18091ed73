"""Decides which requests may reach a server of ours: no web page of another origin reads or controls it.

A page that the user visits can send requests to 127.0.0.1, and its own name may be made to lead here, so that it
also reads the responses. Browsers set `Origin`, `Sec-Fetch-Site` and `Host`, and no page can forge them, so these
decide. Requests from outside a browser have the right ones, or none.

Knows which requests are control calls. Must not know sockets, nor what is served.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

from harness.outcome.words import shorten
from harness.wire import Headers, Request, Response, Service, StreamProtocol
from harness.wire.addresses import CONTROL, is_control, is_loopback, read_address, read_authority

TOKEN_HEADER = "x-harness-token"

_OTHER_SITES = frozenset({"cross-site", "same-site"})
"""Values of Sec-Fetch-Site for requests of pages of another origin; another port is another origin."""

_OF_PAGES = frozenset({"origin", "sec-fetch-site"})
"""The fields by which a page is known; a program sends none."""


class Pages(StrEnum):
    """The pages of other origins that may call what is served."""

    ANY = "any"
    LOCAL = "local"
    """Those that this machine serves, such as the page that a developer works on."""
    NONE = "none"


class PageGuard:
    """Refuses what a web page of another origin may not ask.

    `host` is the address that the server listens on, `allowed_hosts` are further names it may be called by, and
    `program_hosts` such by which only programs call what is served. With a `token`, control calls need it. `pages`
    may call the service; none of another origin may send a control call. Refusals have the form that `protocol`
    gives to errors; `opened_by` is the option that lets pages call, if any.
    """

    def __init__(
        self,
        protocol: StreamProtocol,
        *,
        host: str = "127.0.0.1",
        allowed_hosts: Iterable[str] = (),
        program_hosts: Iterable[str] = (),
        token: str = "",
        pages: Pages = Pages.ANY,
        opened_by: str = "--cors",
    ) -> None:
        self._protocol = protocol
        self._own = frozenset(name.lower() for name in (host, *allowed_hosts) if name)
        self._of_programs = frozenset(name.lower() for name in program_hosts) - self._own
        self._token = token.encode()
        self._pages = pages
        self._opened_by = opened_by
        self._is_ours = lru_cache(maxsize=256)(self._know_name)
        self._passed: dict[int, Headers] = {}
        """Fields with which a program may call: the equal heads of a connection share one object."""

    @property
    def wants_token(self) -> bool:
        """Whether control calls need a token."""
        return bool(self._token)

    def around(self, service: Service) -> Service:
        passed = self._passed

        def guard(request: Request) -> Response:
            headers, target = request.headers, request.target
            if passed.get(id(headers)) is headers and CONTROL not in target and "%" not in target:  # hot
                return service(request)
            return self.refusal_of_control(request) or self.refusal_of_caller(request) or service(request)

        return guard

    def refusal_of_control(self, request: Request) -> Response | None:
        """The answer to a control call that must not reach the server; None for any other request."""
        if not is_control(request):
            return None
        return (
            self.refusal_of_host(request, is_control=True)
            or self._refuse_page(request, "controlled only by programs: send control calls from one")
            or self._refuse_token(request)
        )

    def refusal_of_caller(self, request: Request) -> Response | None:
        """The answer to a request, whatever for, that came from a page that may not call."""
        headers = request.headers
        if self._passed.get(id(headers)) is headers:
            return None
        if (refusal := self.refusal_of_host(request)) is not None:
            return refusal
        if headers.names.isdisjoint(_OF_PAGES):
            if len(self._passed) >= 256:
                self._passed.clear()
            self._passed[id(headers)] = headers
            return None
        if self._pages is Pages.ANY:
            return None
        if self._pages is Pages.NONE:
            return self._refuse_page(request, "started with --no-cors: leave that out to let pages call the API")
        if is_of_local_page(request):
            return None
        how = f": start it with {self._opened_by} to let pages call the API" if self._opened_by else ""
        return self._refuse_page(
            request, f"open to pages of this machine alone (such as http://localhost:3000){how}"
        )

    def refusal_of_host(self, request: Request, *, is_control: bool = False) -> Response | None:
        """The answer to a request that came by a name that a page may own. Only programs send no Host at all."""
        headers = request.headers
        named = headers.all("host")
        if not named:
            return None
        name = _name_in(named[0]) if len(named) == 1 else ""
        if self._is_ours(name, is_control and not self._token):
            return None
        if not is_control and name in self._of_programs and headers.names.isdisjoint(_OF_PAGES):
            return None
        return self._protocol.refuse(
            403,
            "permission_denied",
            f"The request came for Host {shorten(', '.join(named), 100)}. A page could point its own name "
            "at this server, so only known names are served: call it by 127.0.0.1 or localhost, or start it with "
            "--allow-host NAME.",
        )

    def _know_name(self, name: str, is_strict: bool) -> bool:
        """Whether a name is known to mean this server. No page can have one as its own that is no public name."""
        if name in self._own or _is_local_name(name):
            return True
        if is_strict or not name:
            return False
        return read_address(name) is not None or "." not in name or name.endswith(".internal")

    def _refuse_token(self, request: Request) -> Response | None:
        sent = request.headers.get(TOKEN_HEADER).encode("utf-8", "surrogateescape")
        if not self._token or hmac.compare_digest(sent, self._token):
            return None
        came = "another token" if sent else "no token"
        return self._protocol.refuse(
            401,
            "authentication",
            f"The control call has {came}, and this server wants its own in each. Send the header {TOKEN_HEADER} "
            "with the token that the server printed when it started.",
        )

    def _refuse_page(self, request: Request, why: str) -> Response | None:
        """The refusal of a page of another origin; `why` describes this server."""
        host, site = request.headers.get("host"), request.headers.get("sec-fetch-site").lower()
        foreign = [
            origin
            for origin in request.headers.all("origin")
            if not host or origin.partition("://")[2].lower() != host.lower()
        ]
        if foreign:
            came = f"Origin {shorten(foreign[0], 100)}"
        elif site in _OTHER_SITES:
            came = f"Sec-Fetch-Site {site}"
        else:
            return None
        message = f"The request came from a web page of another origin ({came}), but this server is {why}."
        return self._protocol.refuse(403, "permission_denied", message)


def is_of_local_page(request: Request) -> bool:
    """Whether the Origin of a request is a page that this machine serves: localhost or a loopback address."""
    origins = [origin.partition("://") for origin in request.headers.all("origin")]
    return bool(origins) and all(
        scheme.lower() in ("http", "https") and _is_local_name(_name_in(authority))
        for scheme, _, authority in origins
    )


def _is_local_name(name: str) -> bool:
    return is_loopback(name) or name.endswith(".localhost")


def _name_in(authority: str) -> str:
    """The host in a Host header, in lower case and without brackets; `""` if it is none."""
    return "" if "@" in authority else read_authority(authority).removesuffix(".")
