"""Keeps web pages away from a server that runs on a developer's machine.

A page that a developer visits can send requests to 127.0.0.1. If its own name points at 127.0.0.1 (DNS rebinding),
it can even read the answers. Browsers set `Origin`, `Sec-Fetch-*` and `Host` themselves, and no page can forge
them, so these decide. Requests from outside a browser have the right ones, or none. Some requests of a page have
no `Origin`, and `Sec-Fetch-*` only if the address is known to be of this machine: so a server that only this
machine reaches is called by such an address, not by another name that leads here.

Layer 5. Knows which requests are control calls. Must not know sockets, nor what is served.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import lru_cache

from harness.outcome.words import shorten
from harness.wire import Headers, Request, Response, Service, StreamProtocol
from harness.wire.addresses import (
    CONTROL,
    is_control,
    is_fetched_ahead,
    is_loopback,
    is_of_browser,
    keep_for_browsers,
    read_address,
    read_authority,
)

TOKEN_HEADER = "x-harness-token"

_OTHER_SITES = frozenset({"cross-site", "same-site"})
"""Values of Sec-Fetch-Site for requests of pages of another origin; another port is another origin."""

_OF_CONTAINERS = frozenset(
    f"host.{engine}.internal" for engine in ("docker", "containers", "lima", "orb", "minikube", "rancher-desktop")
)
"""Names of this machine in a container; another one with this ending may be a machine of a company."""

_OF_PAGES = frozenset({"origin", "sec-fetch-site", "sec-purpose"})
"""The fields by which `_refuse_page` knows a page; a program sends none."""

_SHOWN = 100
_MOST_PASSED = 256

_FOR_LOCAL_PAGES = "open to pages of this machine alone (such as http://localhost:3000)"


class Pages(StrEnum):
    """The pages of other origins that may call what is served."""

    ANY = "any"
    LOCAL = "local"
    """Those that this machine serves, such as the page that a developer works on."""
    NONE = "none"


class PageGuard:
    """Refuses what a web page of another origin may not ask.

    `host` is the address that the server listens on, `allowed_hosts` are further names it may be called by, and
    `program_hosts` such that a stranger may own: by one, only programs call, and none sends a control call without
    a token. With a `token`, control calls need it. `pages` may call the service; none of another origin may send
    a control call.
    `reaches_out` names the calls that let the server send requests of its own, which pages may not make either.
    Refusals have the form that `protocol` gives to errors; `opened_by` is the option that lets pages call, if any.
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
        reaches_out: Callable[[Request], bool] | None = None,
        opened_by: str = "--cors",
    ) -> None:
        self._protocol = protocol
        self._reaches_out = reaches_out
        self._own = frozenset(name.lower() for name in (host, *allowed_hosts) if name)
        self._token = token.encode()
        self._pages = pages
        self._opened_by = opened_by
        self._is_local = is_loopback(host)
        named = {name.lower() for name in program_hosts}
        self._of_programs = {
            name for name in named if not _is_no_public_name(name, local=self._is_local)
        } - self._own
        self._is_ours = lru_cache(maxsize=256)(self._know_name)
        self._passed: dict[int, Headers] = {}
        """Fields with which a program may call. Those of equal heads are one object: a request is passed by it."""

    @property
    def wants_token(self) -> bool:
        """Whether control calls need a token."""
        return bool(self._token)

    def around(self, service: Service) -> Service:
        """The service behind this guard."""

        # Hot: requests of a program by a known name pass for their fields, which those of a connection share.
        passed: dict[int, Headers] = {}

        def guard(request: Request) -> Response:
            headers, target = request.headers, request.target
            plain = CONTROL not in target and "%" not in target
            if plain and passed.get(id(headers)) is headers:
                return service(request)
            if (refusal := self.refusal(request)) is not None:
                return refusal
            is_shown = is_of_browser(headers)
            if plain and not is_shown and headers.names.isdisjoint(_OF_PAGES):
                if len(passed) >= _MOST_PASSED:
                    passed.clear()
                passed[id(headers)] = headers
            response = service(request)
            if is_shown:
                response.headers = keep_for_browsers(response.headers)
            return response

        return guard

    def refusal(self, request: Request) -> Response | None:
        """The answer to a request that must not reach the service, None for any other."""
        target = request.target
        if (CONTROL in target or "%" in target) and is_control(request):
            return self.refusal_of_control(request)
        refusal = self.refusal_of_caller(request)
        if refusal is not None or self._reaches_out is None or request.headers.names.isdisjoint(_OF_PAGES):
            return refusal
        about = "one that would deliver to that address: register receivers from a program"
        refusal = self._refuse_page(request, about)
        # The question is put last, because its answer reads the body.
        return refusal if refusal is not None and self._reaches_out(request) else None

    def refusal_of_control(self, request: Request) -> Response | None:
        """The same for a control call; None for any other request, too."""
        if not is_control(request):
            return None
        return (
            self._refuse_host(request, strict=not self._token)
            or self._refuse_page(
                request, "steered only by programs: send control calls from one, without these headers"
            )
            or self._refuse_token(request)
            or self._refuse_body(request)
        )

    def refusal_of_caller(self, request: Request) -> Response | None:
        """The same for a request, whatever for, that came from a page that may not call."""
        headers = request.headers
        if self._passed.get(id(headers)) is headers:
            return None
        refusal = self._refuse_host(request, strict=False)
        if refusal is not None:
            return refusal
        if headers.names.isdisjoint(_OF_PAGES):  # programs send none
            if len(self._passed) >= _MOST_PASSED:
                self._passed.clear()
            self._passed[id(headers)] = headers
            return None
        if "service-worker" in request.headers.names:  # it would control all pages of this server, also later
            return self._refuse(403, "permission_denied", "The request came for a service worker: none is served.")
        if self._pages is Pages.ANY or self._may_call(request):
            return None
        if self._pages is Pages.NONE:
            why = "started with --no-cors: leave that out to let pages call the API"
        else:
            how = f": start it with {self._opened_by} to let pages call the API" if self._opened_by else ""
            why = _FOR_LOCAL_PAGES + how
        return self._refuse_page(request, why) or self._refuse_opened(request, why)

    def refusal_of_host(self, request: Request) -> Response | None:
        """The refusal of a request, whatever for, that came by a name that a page may own; None for others."""
        return self._refuse_host(request, strict=False)

    def _refuse_host(self, request: Request, *, strict: bool) -> Response | None:
        """The refusal of a name that is not known to mean this server. Only programs send no Host at all."""
        named = request.headers.all("host")
        if not named:
            return None
        if len(named) == 1 and self._is_ours(named[0], strict):
            return self._refuse_unmarked(request)
        return self._refuse(
            403,
            "permission_denied",
            f"The request came for Host {shorten(', '.join(named), _SHOWN)}. A page could point its own name "
            "at this server, so only known names are served: call it by 127.0.0.1 or localhost, or start it with "
            "--allow-host NAME.",
        )

    def _refuse_unmarked(self, request: Request) -> Response | None:
        """The refusal of a browser by a name of programs, or by one for which it marks no page."""
        name = _name_in(request.headers.get("host"))
        if not name or _is_local_name(name) or name in self._own:
            return None
        if name not in self._of_programs and (not self._is_local or self._pages is Pages.ANY):
            return None
        if not is_of_browser(request.headers):
            return None
        return self._refuse(
            403,
            "permission_denied",
            f"A browser came for Host {shorten(name, _SHOWN)}, so any web page may have sent it here: call the "
            "server by 127.0.0.1 or localhost, or start it with --allow-host NAME.",
        )

    def _know_name(self, authority: str, strict: bool) -> bool:
        name = _name_in(authority)
        if name in self._own:
            return True
        if strict:
            return is_loopback(name)
        return name in self._of_programs or _is_no_public_name(name, local=self._is_local)

    def _may_call(self, request: Request) -> bool:
        """Whether a page of this machine asks."""
        if self._pages is Pages.NONE:
            return False
        if request.headers.get("origin"):
            return is_of_local_page(request)
        headers = request.headers
        # Every site below `localhost` is of this machine; below another name, it may be a stranger's.
        return headers.get("sec-fetch-site") == "same-site" and _is_local_name(_name_in(headers.get("host")))

    def _refuse_token(self, request: Request) -> Response | None:
        sent = request.headers.get(TOKEN_HEADER).encode("utf-8", "surrogateescape")
        if not self._token or hmac.compare_digest(sent, self._token):
            return None
        came = "another token" if sent else "no token"
        return self._refuse(
            401,
            "authentication",
            f"The control call has {came}, and this server wants its own in each. Send the header {TOKEN_HEADER} "
            "with the token that the server printed when it started.",
        )

    def _refuse_page(self, request: Request, why: str) -> Response | None:
        """The refusal of a page of another origin; `why` describes this server."""
        host, site = request.headers.get("host"), request.headers.get("sec-fetch-site").lower()
        foreign = [origin for origin in request.headers.all("origin") if not _is_own_origin(origin, host)]
        if foreign:
            came = f"Origin {shorten(foreign[0], _SHOWN)}"
        elif site in _OTHER_SITES:
            came = f"Sec-Fetch-Site {site}"
        elif site != "same-origin" and is_fetched_ahead(request.headers):
            # Chromium marks what the speculation rules of any page name as if the user had typed the address.
            came = "a prefetch, which any page can cause"
        else:
            return None
        message = f"The request came from a web page of another origin ({came}), but this server is {why}."
        return self._refuse(403, "permission_denied", message)

    def _refuse_opened(self, request: Request, why: str) -> Response | None:
        """The refusal of an address that a browser opens, as if the user had typed it.

        A page that the user did open may redirect there, at once or when it goes back by itself.
        """
        headers = request.headers
        if headers.get("sec-fetch-site").lower() != "none" or headers.get("sec-fetch-mode").lower() != "navigate":
            return None
        message = (
            "A browser opened this address as a page, where any web page may have led it, but this server is "
            f"{why}. Send the request from a program, such as curl."
        )
        return self._refuse(403, "permission_denied", message)

    def _refuse_body(self, request: Request) -> Response | None:
        """The refusal of a body that a page can send without a preflight."""
        if not request.body or request.headers.media_type() == "application/json":
            return None
        came = shorten(request.headers.get("content-type"), _SHOWN) or "missing"
        return self._refuse(
            415,
            "invalid_request",
            f"The Content-Type of the control call is {came}, which any web page may send. Send JSON, with the "
            "header Content-Type: application/json.",
        )

    def _refuse(self, status: int, code: str, message: str) -> Response:
        return Response.json(status, self._protocol.error_body(status, code, message))


def is_of_local_page(request: Request) -> bool:
    """Whether the Origin of a request is a page that this machine serves: localhost or a loopback address."""
    origins = request.headers.all("origin")
    return bool(origins) and all(map(_is_local_origin, origins))


def _is_local_origin(origin: str) -> bool:
    scheme, _, authority = origin.partition("://")
    name = _name_in(authority)
    return scheme.lower() in ("http", "https") and _is_local_name(name)


def _is_local_name(name: str) -> bool:
    return is_loopback(name) or name.endswith(".localhost")


def _is_own_origin(origin: str, host: str) -> bool:
    return bool(host) and origin.partition("://")[2].lower() == host.lower()


def _name_in(authority: str) -> str:
    """The host in a Host header, in lower case and without brackets; `""` if it is none."""
    return "" if "@" in authority else read_authority(authority).removesuffix(".")


def _is_no_public_name(name: str, *, local: bool) -> bool:
    """Whether no public name server can answer for this name, so that no page can have it as its own.

    These are addresses, names of one label (such as a container's), `.localhost`, and `.internal`, which is
    reserved for private use. A `local` server, which listens on this machine alone, has fewer: an address such as
    0.0.0.0 and a name such as `localhost4` lead to it, too, and browsers do not mark what a page sends there. From
    a container it is `host.docker.internal` and the like.
    """
    if not name:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = read_address(name)
    if not local:
        return address is not None or "." not in name or name.endswith(".internal")
    if address is not None:
        return not address.is_unspecified and not name.startswith("::ffff:")
    return name in _OF_CONTAINERS
