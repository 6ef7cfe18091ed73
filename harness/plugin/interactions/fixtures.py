"""The fixtures of the pytest plugin: each opens a part of `harness.plugin` and registers it with the hooks.

Loaded in every pytest session, so the modules behind a fixture are imported by the first test that requests it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

import pytest

from harness.plugin.interactions import CASSETTE

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.client import AsyncClient

    from harness.plugin.after_test import Complaining, Promise
    from harness.plugin.cassette_fixture import CassetteFixture
    from harness.plugin.environment_variables import EnvironmentVariables
    from harness.plugin.interactions.chain import Chain
    from harness.plugin.interactions.dropped_stream import DroppedStream
    from harness.plugin.interactions.emulator import InteractionsEmulator
    from harness.plugin.interactions.incidents import PlayedIncident
    from harness.plugin.interactions.lifecycle import Lifecycle
    from harness.plugin.interactions.torture import Torture
    from harness.plugin.interactions.webhooks import WebhooksFixture
    from harness.plugin.observed_service import ObservedService
    from harness.plugin.schedule import TaskSchedule
    from harness.plugin.session_server import SessionServer
    from harness.plugin.virtual_time import Sleeps

# --- what hooks and fixtures share, in pytest's stashes; an annotation costs no session anything, a subscript does

ENVIRONMENT: pytest.StashKey[EnvironmentVariables] = pytest.StashKey()
SESSION: pytest.StashKey[SessionServer] = pytest.StashKey()

TOLD: pytest.StashKey[Callable[[], str]] = pytest.StashKey()
"""What a failing test's report tells of its service."""

DRAWN: pytest.StashKey[Callable[[], str]] = pytest.StashKey()
"""How to repeat the order of tasks in which a test failed."""

PROMISES: pytest.StashKey[dict[str, Promise]] = pytest.StashKey()
"""The fixtures whose outcome a test has to check."""

SERVICES: pytest.StashKey[list[Complaining]] = pytest.StashKey()
"""What complains at the end of a test about plans that were never met."""

NOTED: pytest.StashKey[set[str]] = pytest.StashKey()
"""The notes on models that the session's summary has already."""

SHARED = ("interactions_module_emulator", "interactions_session_emulator")


def find_session(config: pytest.Config) -> SessionServer:
    """The server of this pytest session, begun by its first use."""
    if SESSION not in config.stash:
        from harness.interactions import INTERACTIONS
        from harness.plugin.environment_variables import EnvironmentVariables
        from harness.plugin.session_server import SessionServer

        names, early = config.getini("interactions_environment"), config.getini("interactions_early")
        config.stash[ENVIRONMENT] = environment = EnvironmentVariables(names, early=early)
        environment.install()
        config.stash[SESSION] = SessionServer(environment, INTERACTIONS)
    return config.stash[SESSION]


@pytest.fixture
def interactions_emulator(request: pytest.FixtureRequest) -> Iterator[InteractionsEmulator]:
    """A fresh emulator of the API, on a socket (`.base_url`) and in-process (`.transport`)."""
    from harness.plugin.interactions.emulator import InteractionsEmulator
    from harness.plugin.interactions.parametrize import settings_of
    from harness.plugin.vcr_compat import guard_beside

    settings = settings_of(request.node)
    emulator = InteractionsEmulator(seed=request.config.getoption("--interactions-seed"), **settings)
    session = find_session(request.config)
    request.node.stash[TOLD] = emulator.format_context
    request.node.stash.setdefault(SERVICES, []).append(emulator)
    with emulator.open(session), guard_beside(request, session.environment.url, emulator):
        if _is_of_hypothesis(request):
            emulator.create()
            emulator.reset()
        yield emulator
    _pass_on_notes(request, emulator)


def _is_of_hypothesis(request: pytest.FixtureRequest) -> bool:
    """Whether a test has examples with a deadline: then no example may pay for what the first call imports."""
    return bool(getattr(request.function, "is_hypothesis_test", False))


def _pass_on_notes(request: pytest.FixtureRequest, emulator: InteractionsEmulator) -> None:
    """Give the summary of the session each note on a model, once."""
    noted = request.config.stash.setdefault(NOTED, set())
    for note in emulator.emulator.notes:
        if note not in noted:
            noted.add(note)
            request.node.user_properties.append(("interactions_note", f"note: {note}"))


def _open_shared(request: pytest.FixtureRequest) -> Iterator[InteractionsEmulator]:
    from harness.plugin.after_test import check_services
    from harness.plugin.interactions.emulator import InteractionsEmulator

    emulator = InteractionsEmulator(seed=request.config.getoption("--interactions-seed"))
    emulator.shared_as = str(request.fixturename)
    with emulator.open(find_session(request.config), redirects=False):
        yield emulator
    check_services([emulator])


@pytest.fixture(scope="module")
def interactions_module_emulator(request: pytest.FixtureRequest) -> Iterator[InteractionsEmulator]:
    """One emulator for all tests of a module that use it."""
    yield from _open_shared(request)


@pytest.fixture(scope="session")
def interactions_session_emulator(request: pytest.FixtureRequest) -> Iterator[InteractionsEmulator]:
    """One emulator for all tests of a session that use it."""
    yield from _open_shared(request)


@pytest.fixture
def _interactions_shared(request: pytest.FixtureRequest) -> Iterator[None]:
    """Added to every test with a shared emulator: reports, redirects and guards as for one of its own."""
    from harness.plugin.vcr_compat import guard_beside

    emulator = _find_service(request)
    session = find_session(request.config)
    request.node.stash[TOLD] = emulator.format_context
    with emulator.in_use(), guard_beside(request, session.environment.url, emulator):
        yield
    for name in set(SHARED).intersection(request.fixturenames):
        _pass_on_notes(request, request.getfixturevalue(name))


def _find_service(request: pytest.FixtureRequest) -> ObservedService:
    """The service behind this test's clients: its recording if it has one, otherwise its emulator."""
    names = (CASSETTE, "interactions_emulator", *SHARED)
    chosen = next((name for name in names if name in request.fixturenames), "interactions_emulator")
    return cast("ObservedService", request.getfixturevalue(chosen))


@pytest.fixture
def interactions_client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A `google.genai.Client` of the test's emulator or recording; a plain `httpx.Client` without google-genai."""
    from harness.plugin.interactions.clients import client
    from harness.plugin.interactions.emulator import InteractionsEmulator

    service = _find_service(request)
    with client(service) as made:
        if (
            _is_of_hypothesis(request)
            and isinstance(service, InteractionsEmulator)
            and hasattr(made, "interactions")
        ):
            made.interactions.create(model="gemini-3.8-flash", input="Go.")
            service.reset()
        yield made


@pytest.fixture
def interactions_async_client(request: pytest.FixtureRequest) -> Iterator[AsyncClient]:
    """The async client: `google.genai.Client().aio`, or an `httpx.AsyncClient` without google-genai."""
    from harness.plugin.interactions.clients import async_client

    with async_client(_find_service(request)) as made:
        yield made


@pytest.fixture
def interactions_no_sleep() -> Iterator[Sleeps]:
    """Skips and counts the sleeps of the code under test."""
    from harness.plugin.virtual_time import no_sleep

    with no_sleep() as sleeps:
        yield sleeps


@pytest.fixture
def interactions_schedule(request: pytest.FixtureRequest, interactions_no_sleep: Sleeps) -> Iterator[TaskSchedule]:
    """Draws the order in which tasks go on, by the seed of the test; sleeps are skipped."""
    from harness.plugin.interactions.parametrize import parameter_of
    from harness.plugin.schedule import TaskSchedule

    schedule = TaskSchedule(parameter_of(request).number, request.node.nodeid)
    request.node.stash[DRAWN] = schedule.format_context
    request.node.stash.setdefault(SERVICES, []).append(schedule)
    with schedule.draw():
        yield schedule


@pytest.fixture
def interactions_incident(
    request: pytest.FixtureRequest, interactions_emulator: InteractionsEmulator
) -> PlayedIncident:
    """An incident that really happened, which the test's emulator plays; see docs/incidents.md."""
    from harness.plugin.interactions.incidents import PlayedIncident
    from harness.plugin.interactions.parametrize import parameter_of

    played = PlayedIncident(interactions_emulator, parameter_of(request))
    request.node.stash.setdefault(PROMISES, {})["interactions_incident"] = played
    return played


@pytest.fixture
def interactions_lifecycle(
    request: pytest.FixtureRequest, interactions_emulator: InteractionsEmulator
) -> Lifecycle:
    """An interaction that will take one of the routes, and its expected outcome."""
    from harness.plugin.interactions.lifecycle import Lifecycle
    from harness.plugin.interactions.parametrize import parameter_of

    lifecycle = Lifecycle(interactions_emulator, parameter_of(request))
    request.node.stash.setdefault(PROMISES, {})["interactions_lifecycle"] = lifecycle
    return lifecycle


@pytest.fixture
def interactions_chain(interactions_emulator: InteractionsEmulator) -> Chain:
    """Builds chains of interactions and checks what each turn has seen."""
    from harness.plugin.interactions.chain import Chain

    return Chain(interactions_emulator)


@pytest.fixture
def interactions_webhooks(interactions_emulator: InteractionsEmulator) -> WebhooksFixture:
    """Receives what the emulator delivers to webhooks, and makes deliveries for a receiver of the test's own."""
    from harness.plugin.interactions.webhooks import WebhooksFixture

    return WebhooksFixture(interactions_emulator)


@pytest.fixture
def interactions_dropped_stream(
    request: pytest.FixtureRequest, interactions_emulator: InteractionsEmulator
) -> DroppedStream:
    """An interaction whose stream drops at the place of the test's parameter."""
    from harness.plugin.interactions.dropped_stream import DroppedStream
    from harness.plugin.interactions.parametrize import parameter_of

    marker = request.node.get_closest_marker("interactions_dropped_stream")
    given = marker is not None and not isinstance(marker.kwargs.get("cuts", ""), str)
    stream = DroppedStream(interactions_emulator, parameter_of(request), request.node.nodeid, given=given)
    request.node.stash[TOLD] = stream.format_context
    request.node.stash.setdefault(PROMISES, {})["interactions_dropped_stream"] = stream
    return stream


@pytest.fixture
def interactions_torture(request: pytest.FixtureRequest, interactions_emulator: InteractionsEmulator) -> Torture:
    """Puts a function through every class of fault, or the one of the test's parameter."""
    from harness.plugin.interactions.torture import Torture

    torture = Torture(interactions_emulator, getattr(request, "param", None), request.node.nodeid)
    request.node.stash.setdefault(PROMISES, {})["interactions_torture"] = torture
    del request.node.stash[TOLD]  # its message has what went over the wire, case by case
    return torture


@pytest.fixture
def interactions_cassette(request: pytest.FixtureRequest) -> Iterator[CassetteFixture]:
    """The test's recording, replayed without a network or recorded from a service."""
    from harness.interactions.clients import CLIENTS
    from harness.plugin.cassette_fixture import cassette_of
    from harness.plugin.vcr_compat import guard_beside

    session = find_session(request.config)
    with cassette_of(request, CLIENTS) as cassette, cassette.open(session):
        request.node.stash[TOLD] = cassette.format_context
        request.node.stash.setdefault(SERVICES, []).append(cassette)
        with guard_beside(request, session.environment.url, cassette, cassette.outside):
            yield cassette
