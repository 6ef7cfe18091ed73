"""The ready-made clients: they work, and they are closed when their test is over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.plugin import InteractionsEmulator, async_client, client
from harness.plugin.interactions import clients

BODY = {"model": "gemini-3.8-flash", "input": "Hi"}


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
        with pytest.raises(AttributeError, match="google-genai is not installed: pip install "):
            sync.interactions.create(**BODY)
    assert sync.is_closed
    assert asynchronous.is_closed


@pytest.mark.parametrize(("version", "library"), [("2.34.0", "httpx"), ("3.3.0", "httpx2")])
def test_with_google_genai(monkeypatch: pytest.MonkeyPatch, version: str, library: str) -> None:
    """The clients given to the SDK are of its own library, and closed, although the SDK does not close them."""
    genai = pytest.importorskip("google.genai")
    monkeypatch.setattr(genai, "__version__", version)
    with async_client(InteractionsEmulator()) as made:
        asyncio.run(asked(made))
        options = made._api_client._http_options
        assert isinstance(made, genai.client.AsyncClient)
    assert type(options.httpx_client).__module__ == library
    assert options.httpx_client.is_closed
    assert options.httpx_async_client.is_closed


@pytest.mark.parametrize("genai", [True, False])
def test_they_wait_as_long_as_the_sdks_own(monkeypatch: pytest.MonkeyPatch, genai: bool) -> None:
    """No client of ours has a read timeout: a pause of a minute is no error that a user of the SDK would see."""
    monkeypatch.setattr(clients, "has_genai", lambda: genai)
    options = {"base_url": "http://127.0.0.1:9"}
    own = http_clients(pytest.importorskip("google.genai").Client(api_key="k", http_options=options))
    with client(InteractionsEmulator()) as sync, async_client(InteractionsEmulator()) as asynchronous:
        ours = http_clients(sync)[:1] + http_clients(asynchronous)[-1:]
    assert [one.timeout.read for one in ours] == [one.timeout.read for one in own] == [None, None]
    assert [one.follow_redirects for one in ours] == [one.follow_redirects for one in own]


def http_clients(made: Any) -> list[Any]:
    """The HTTP clients in a client of the SDK, sync and async; a plain one is its own."""
    inner = getattr(made, "_api_client", None)
    return [made] if inner is None else [inner._httpx_client, inner._async_httpx_client]


def test_a_long_pause_ends_no_stream() -> None:
    """A stream of a run that takes an hour, with minutes between two events, arrives whole."""
    pytest.importorskip("google.genai")
    emulator = InteractionsEmulator()
    emulator.reply("One two three.", lasts=3600)
    with client(emulator) as made:
        seen = [event.event_type for event in made.interactions.create(**BODY, background=True, stream=True)]
    assert seen[-1] == "interaction.completed"
    assert emulator.clock.now > 3600
