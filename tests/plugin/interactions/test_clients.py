"""The ready-made clients: they work, and they are closed when their test is over."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from harness.plugin import InteractionsEmulator, async_client, client
from harness.plugin.interactions import clients

BODY = {"model": "gemini-3.5-flash", "input": "Hi"}


async def asked(client: Any) -> None:
    """Send one create, with either library."""
    if hasattr(client, "interactions"):
        assert (await client.interactions.create(**BODY)).status == "completed"
    else:
        assert (await client.post("/v1beta/interactions", json=BODY)).json()["status"] == "completed"


@pytest.mark.parametrize("used", [True, False])
def test_without_google_genai(monkeypatch: pytest.MonkeyPatch, used: bool) -> None:
    """The httpx clients, sync and async, are closed after the test, whether they were used or not."""
    monkeypatch.setattr(clients, "has_genai", lambda: False)
    with client(InteractionsEmulator()) as sync, async_client(InteractionsEmulator()) as asynchronous:
        if used:
            assert sync.post("/v1beta/interactions", json=BODY).status_code == 200
            asyncio.run(asked(asynchronous))
    assert sync.is_closed
    assert asynchronous.is_closed


def test_with_google_genai() -> None:
    """The clients given to the SDK are closed too, although the SDK does not close them."""
    genai = pytest.importorskip("google.genai")
    with async_client(InteractionsEmulator()) as made:
        asyncio.run(asked(made))
        options = made._api_client._http_options
        assert isinstance(made, genai.client.AsyncClient)
    assert options.httpx_client.is_closed
    assert options.httpx_async_client.is_closed


@pytest.mark.parametrize("made", [client, async_client])
@pytest.mark.parametrize("genai", [True, False])
def test_no_client_has_a_tls_context_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
    made: Callable[[InteractionsEmulator], AbstractContextManager[Any]],
    genai: bool,
) -> None:
    """All in-process clients together make one TLS context at most, and none loads the certificate authorities."""
    if genai:
        pytest.importorskip("google.genai")
    contexts: list[ssl.SSLContext] = []
    loads: list[str] = []
    new = ssl.SSLContext.__new__

    def count(*args: Any, **options: Any) -> ssl.SSLContext:
        contexts.append(new(*args, **options))
        return contexts[-1]

    monkeypatch.setattr(clients, "has_genai", lambda: genai)
    monkeypatch.setattr(ssl.SSLContext, "__new__", count)
    for name in ("load_verify_locations", "load_default_certs"):
        monkeypatch.setattr(ssl.SSLContext, name, lambda *_, name=name, **__: loads.append(name))
    for _ in range(3):
        with made(InteractionsEmulator()):
            pass
    assert loads == []
    assert len(contexts) <= 1
