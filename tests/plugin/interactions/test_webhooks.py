"""The webhook fixture: waiting without time, retries, routes, and receivers that are judged."""

from __future__ import annotations

import pytest

from harness.outcome import UsageFault
from harness.plugin.interactions.emulator import InteractionsEmulator
from harness.plugin.interactions.webhooks import WebhooksFixture


@pytest.fixture
def emulator() -> InteractionsEmulator:
    """An emulator without a socket."""
    return InteractionsEmulator()


@pytest.fixture
def hooks(emulator: InteractionsEmulator) -> WebhooksFixture:
    """Its webhooks."""
    return WebhooksFixture(emulator)


def test_wait_passes_over_what_was_not_asked_for(emulator: InteractionsEmulator, hooks: WebhooksFixture) -> None:
    """By event and by interaction; everything stays in `received`."""
    hooks.register()
    emulator.reply(status="failed")
    first, second = emulator.create()["id"], emulator.create()["id"]
    assert hooks.wait(interaction=second).type == "interaction.completed"
    assert {one.interaction_id for one in hooks.received} == {first, second}


def test_refused_deliveries_come_again(emulator: InteractionsEmulator, hooks: WebhooksFixture) -> None:
    """Statuses, a hang-up and a late answer are all no acknowledgement; the id stays."""
    hooks.register("interaction.completed")
    hooks.answer(500, hooks.HANG_UP, hooks.SLOW)
    emulator.create()
    came = [hooks.wait() for _ in range(4)]
    assert [one.attempt for one in came] == [1, 2, 3, 4]
    assert len({one.webhook_id for one in came}) == 1
    assert [round(later.moment - came[0].moment) for later in came] == [0, 1, 3, 17]
    with pytest.raises(AssertionError, match=r"no delivery arrived"):
        hooks.wait()


def test_silence_is_explained(emulator: InteractionsEmulator, hooks: WebhooksFixture) -> None:
    """What came instead, what was given up, or why perhaps nothing came."""
    with pytest.raises(AssertionError, match=r"Only a background run sends"):
        hooks.wait("interaction.failed")
    hooks.register(uri="https://example.com/hook")
    emulator.create()
    with pytest.raises(AssertionError, match=r"given up: https://example.com/hook: .*interactions_webhooks.route"):
        hooks.wait()
    with pytest.raises(UsageFault, match=r"did you mean 'interaction.completed'"):
        hooks.wait("interaction.complete")
    with pytest.raises(UsageFault, match=r"no event 'batch.failed'"):
        hooks.register("batch.failed")


def test_a_routed_receiver_gets_what_is_for_it(emulator: InteractionsEmulator, hooks: WebhooksFixture) -> None:
    """A function in place of a URL; if it refuses, the delivery comes again."""
    seen: list[str] = []

    def receive(headers: dict[str, str], body: bytes) -> int:
        seen.append(headers["webhook-id"])
        return 503 if len(seen) == 1 else 204

    hooks.route("https://example.com/hook", receive)
    hooks.register(uri="https://example.com/hook")
    emulator.create()
    hooks.deliver()
    assert len(seen) == 1
    hooks.deliver(seconds=60)
    assert len(seen) == 2
    assert len(set(seen)) == 1


def test_uris_of_a_create_are_served(emulator: InteractionsEmulator, hooks: WebhooksFixture) -> None:
    """A dynamic webhook carries a token instead of an HMAC."""
    emulator.create(webhook_config={"uris": [hooks.uri], "user_metadata": {"job": 7}})
    delivery = hooks.wait()
    assert delivery.headers["webhook-signature"].count(".") == 2
    assert delivery.data["user_metadata"] == {"job": 7}


def test_careless_receivers_are_named(hooks: WebhooksFixture) -> None:
    """One that looks at nothing, one that ignores time, one with another secret."""
    with pytest.raises(AssertionError, match=r"another body.*ten minutes ahead"):
        hooks.assert_guarded(lambda headers, body: 200)

    def careless(headers: dict[str, str], body: bytes) -> int:
        from harness.contract.judge.deliveries import find_signature_fault
        from harness.wire import Headers

        return 401 if find_signature_fault([hooks.secret], Headers(headers.items()), body) else 200

    with pytest.raises(AssertionError, match=r"accepted: ten minutes old, ten minutes ahead$"):
        hooks.assert_guarded(careless)
    with pytest.raises(AssertionError, match=r"a correct delivery returned 401"):
        hooks.assert_guarded(lambda headers, body: 401)
