"""The ready-made clients: they work, and they are closed when their test is over."""

from __future__ import annotations

import asyncio
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
