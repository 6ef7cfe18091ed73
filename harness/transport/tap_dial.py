"""How the tap reaches the server it listens to: asynchronously, through the environment's proxy where one applies.

Layer 3. Knows connections that are to come; must not know what is said on them. Proxies are found and asked for a
tunnel by `dial`, whose blocking connect this cannot use because TLS is asyncio's here.
"""

from __future__ import annotations

import asyncio
import ssl

from harness.outcome import UsageFault
from harness.transport.dial import NoConnection, Origin, tunnelled
from harness.transport.limits import Limits
from harness.wire import By, How


def upstream_origin(target: str) -> Origin:
    """The origin that `target` names; raises `UsageFault` where it holds more than scheme, host and port."""
    origin = Origin.parse(target)
    if origin.prefix or "?" in target or "#" in target or "@" in target:
        raise UsageFault(
            f"--target {target!r} names more than a server: paths are forwarded as clients send them, "
            f"so write {origin.scheme}://{origin.authority}"
        )
    return origin


def upstream_tls(ca_file: str | None) -> ssl.SSLContext:
    """TLS that trusts the system and `ca_file`, and speaks HTTP/1.1 only; raises `UsageFault`."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageFault(f"{ca_file!r} cannot be trusted ({error}): name a file of PEM certificates") from None
    return context


async def dial_upstream(
    protocol: asyncio.Protocol, origin: Origin, tls: ssl.SSLContext | None, limits: Limits
) -> None:
    """Connect `protocol` to `origin`; raises NoConnection, whose ending is what a direct client would see."""
    loop = asyncio.get_running_loop()
    name = origin.host if tls is not None else None
    place = f"{origin.host}:{origin.port}"
    try:
        async with asyncio.timeout(limits.connect_seconds):
            sock = await asyncio.to_thread(tunnelled, origin, limits) if tls is not None else None
            if sock is not None:
                await loop.create_connection(lambda: protocol, sock=sock, ssl=tls, server_hostname=name)
            else:
                await loop.create_connection(
                    lambda: protocol, origin.host, origin.port, ssl=tls, server_hostname=name
                )
    except TimeoutError:
        detail = f"no connection to {place} in {limits.connect_seconds} s (Limits.connect_seconds)"
        raise NoConnection(By.LIMIT, How.TIMEOUT, detail) from None
    except ssl.SSLError as error:
        raise NoConnection(By.SERVER, How.TLS, f"TLS with {origin.host}: {error.reason or error}") from None
    except OSError as error:
        raise NoConnection(By.SERVER, How.REFUSED, f"{place}: {error.strerror or error}") from None
