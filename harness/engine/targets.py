"""Turns what the user typed into something that requests can be sent to: a URL, or the emulator in this process.

Knows how a target is named; must not know what is asked of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

from msgspec import Struct
from msgspec.structs import replace

from harness.engine.events import Capabilities, CapabilityOrigin, TargetInfo
from harness.kit.api import OTHER_KEY, PRIMARY_KEY, ApiRequests, EmbeddedService, ServerApi, TargetApi
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean
from harness.wire import Driver
from harness.wire.addresses import is_readable_on_the_way, split_url
from harness.wire.secrets import is_personal_header, may_hold_secret, name_secret_variable, secrets_in_header

if TYPE_CHECKING:
    from harness.transport.client.stream import StreamEnds
    from harness.wire.mask import Mask

EMULATOR = "emulator"

VERSION_PATTERN = r"v\d+(?:(?:alpha|beta)\d*)?"


class TargetOptions(Struct, frozen=True, kw_only=True):
    """The options of a target from command line, environment and configuration.

    `api_version` overrides the version in the URL. `timeout` is in seconds and bounds one request as well as the
    settling of one background run. `ca_file` holds PEM certificates to trust in addition to the system's.
    `revision` is the one to judge by, "" the one that is current. With `plain_http`, a key or a header also goes
    over plain HTTP to another machine.
    """

    api_version: str = ""
    api_key: str = ""
    other_api_key: str = ""
    model: str = ""
    agent: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    timeout: float = 60.0
    ca_file: str | None = None
    revision: str = ""
    plain_http: bool = False


class Connect(Protocol):
    """Opens one more driver to the same target."""

    def __call__(self, session: str = "") -> Driver: ...


class ResolvedTarget(Struct, frozen=True, kw_only=True):
    """A target that requests can be sent to.

    `connect` returns a new driver, which its caller closes; its argument is the path prefix of a session, if the
    target has sessions. `throwaway`: each driver has its own fresh service, so there is nothing to clean up and
    nothing that two workers could share.
    """

    api: TargetApi
    info: TargetInfo
    target: ApiRequests
    connect: Connect
    throwaway: bool = False

    def make_mask(self) -> Mask:
        """The mask for the target's secrets in all that is shown or stored."""
        from harness.wire.mask import Mask

        return Mask(self.info.secrets, self.api.load_protocol().secret_fields)

    def with_drivers(self, wrap: Callable[[Driver], Driver]) -> Self:
        """The same target, with each driver to it wrapped."""
        return replace(self, connect=lambda session="": wrap(self.connect(session)))


class ServerTarget(ResolvedTarget, frozen=True, kw_only=True):
    """A target whose checks, capabilities and reference service are known, too."""

    api: ServerApi

    def able(self, capabilities: Capabilities, says: Mapping[str, Any] | None = None) -> ServerTarget:
        """The same target, with the findings of the probe for its exercises; `says` as in `Probing`."""
        present = frozenset(item.name for item in capabilities if item.present)
        known = frozenset(item.name for item in capabilities if item.how is not CapabilityOrigin.ASSUMED)
        return replace(self, target=self.target.with_capabilities(present, known, says or {}))


def resolve_target(api: ServerApi, text: str | None, options: TargetOptions) -> ServerTarget:
    """Return the target that `text` names. Raises UsageFault if it is neither a usable URL nor `emulator`."""
    name = (text or "").strip()
    if not name:
        raise UsageFault(
            "no target was given (is a variable unset?): name a root URL such as http://127.0.0.1:8000 "
            "(for a first run without a server, write `emulator`)"
        )
    if name == EMULATOR:
        return embed_emulator(api, options)
    found = resolve_url(api, name, options)
    return ServerTarget(api=api, info=found.info, target=found.target, connect=found.connect)


def embed_emulator(
    api: ServerApi, options: TargetOptions, build: Callable[[], EmbeddedService] | None = None
) -> ServerTarget:
    """The reference service in this process, reached without sockets; `build` may return a mutant instead."""
    version = options.api_version or api.default_version
    target = _build_requests(api, options, version, PRIMARY_KEY, OTHER_KEY)

    def connect(session: str = "") -> Driver:
        from harness.transport import ServiceDriver

        service = build() if build is not None else api.new_service(target.contract)
        return ServiceDriver(service, service.clock, ends=_new_ends(api))

    info = _describe(api, target, EMULATOR, "", version)
    return ServerTarget(api=api, info=info, target=target, connect=connect, throwaway=True)


def resolve_url(api: TargetApi, text: str, options: TargetOptions) -> ResolvedTarget:
    """Return the target at a URL. Raises UsageFault if it is none, or a key would be sent in plain text."""
    root, found = split_version(_check_url(text, api), api.collection, api.scope)
    _refuse_plain_text(api, root, options)
    version = options.api_version.strip("/") or found or api.default_version
    target = _build_requests(api, options, version, options.api_key, options.other_api_key)

    ends = _new_ends(api)  # what one connection learns, all know

    def connect(session: str = "") -> Driver:
        from harness.transport import Limits, UrlDriver

        limits = Limits(option="--timeout").within(options.timeout)
        return UrlDriver(root + session, limits, ca_file=options.ca_file, ends=ends)

    info = _describe(api, target, root, root, version)
    return ResolvedTarget(api=api, info=info, target=target, connect=connect)


def _describe(api: TargetApi, target: ApiRequests, name: str, url: str, version: str) -> TargetInfo:
    secrets = _list_secrets(api, target)
    return TargetInfo(name=name, url=url, version=version, model=target.model, agent=target.agent, secrets=secrets)


def _new_ends(api: TargetApi) -> StreamEnds:
    from harness.transport.client.stream import StreamEnds

    protocol = api.load_protocol()
    return StreamEnds(protocol.sentinel, protocol.ends)


def _refuse_plain_text(api: TargetApi, root: str, options: TargetOptions) -> None:
    """Raise UsageFault if others could read a key on its way: any header may be one, whatever its name."""
    if options.plain_http or not is_readable_on_the_way(root):
        return
    if options.api_key or options.other_api_key:
        what = "the key"
        leave = f"unset the key ({api.key_variable}, {api.other_key_variable} or --api-key)"
    elif name := next((name for name, _ in options.headers if may_hold_secret(name)), ""):
        what, leave = f"the header {name!r}", "leave that header out"
    else:
        return
    raise UsageFault(
        f"{what} would be sent in plain text to {root}: use https, {leave}, or add --plain-http if the network is "
        "yours"
    )


def _list_secrets(api: TargetApi, target: ApiRequests) -> dict[str, str]:
    """The user's keys and secret headers, by the variable that replaces each in a `curl` line.

    Only the `x` in `Bearer x` is the secret. Other secrets in a header, such as each cookie, get a variable that
    no line uses, because they only have to be hidden.
    """
    secrets = {api.key_variable: target.key, api.other_key_variable: target.other_key}
    for name, value in target.headers:
        if is_personal_header(name, value):
            variable = name_secret_variable(name)
            for number, secret in enumerate(secrets_in_header(name, value)):
                if secret and secret not in secrets.values():
                    free = variable if not number and variable not in secrets else f"{variable}_{len(secrets)}"
                    secrets[free] = secret
    return {variable: value for variable, value in secrets.items() if value}


def split_version(url: str, collection: str, scope: str = "") -> tuple[str, str]:
    """Split a URL into the root without its trailing API version, and that version or `""`.

    A path that continues to the `collection`, such as `…/v1/things`, is cut before the version too. Segments that
    match `scope` belong to the version before them, such as `v1/shelves/one`.
    """
    parts = split_url(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    if segments and segments[-1] == collection:
        segments.pop()
    below = f"(?:/{scope})?" if scope else ""
    found = re.search(rf"(?:^|/)({VERSION_PATTERN}{below})$", "/".join(segments), re.ASCII)
    version = found[1] if found else ""
    above = segments[: len(segments) - (version.count("/") + 1 if version else 0)]
    path = "/" + "/".join(above) if above else ""
    return f"{parts.scheme}://{parts.netloc}{path}", version


def _check_url(text: str, api: TargetApi) -> str:
    try:
        parts = split_url(text)
    except ValueError as wrong:  # an invalid address in brackets
        raise UsageFault(f"{text!r} is not a URL ({wrong}): write it like http://127.0.0.1:8000") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        address = f": write it like http://127.0.0.1:8000 or https://host/{api.default_version}"
        hint = did_you_mean(text, (EMULATOR,), otherwise=address)
        raise UsageFault(f"{text!r} is neither a URL nor `emulator`{hint}")
    if parts.query or parts.fragment:
        raise UsageFault(
            f"{text!r} has a query or a fragment: give only the root of the API (keys belong in --api-key)"
        )
    if parts.username or parts.password:
        raise UsageFault("the URL contains a user name or password: use -H 'Authorization: …' instead")
    try:
        fault = "port 0 cannot accept connections" if parts.port == 0 else ""
    except ValueError as error:
        fault = str(error)
    if fault:
        raise UsageFault(f"{text!r} has no valid port ({fault}): write it like http://127.0.0.1:8000")
    return text


def _build_requests(api: TargetApi, options: TargetOptions, version: str, key: str, other: str) -> ApiRequests:
    named = {"version": version, "model": options.model, "agent": options.agent}
    requests: ApiRequests = api.new_requests(
        **{name: value for name, value in named.items() if value},
        key=key,
        other_key=other,
        headers=options.headers,
        wait=options.timeout,
        contract=api.load_contract(options.revision),
    )
    return requests
