"""The pytest plugin: options, markers and fixtures over `harness.plugin`. No logic; see `docs/pytest.md`.

Layer 8. Loaded in every pytest session where the package is installed, so nothing heavy is imported at the top:
the modules behind a fixture are imported by the first test that requests it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.plugin.environment_variables import BASE_URL_VARIABLES, EnvironmentVariables

if TYPE_CHECKING:
    from harness.plugin.cassette_fixture import CassetteFixture
    from harness.plugin.final_checks import Complaining
    from harness.plugin.interactions.chain import Chain
    from harness.plugin.interactions.dropped_stream import DroppedStream
    from harness.plugin.interactions.emulator import InteractionsEmulator
    from harness.plugin.interactions.incidents import PlayedIncident
    from harness.plugin.interactions.lifecycle import Lifecycle
    from harness.plugin.interactions.webhooks import WebhooksFixture
    from harness.plugin.observed_service import ObservedService
    from harness.plugin.session_server import SessionServer
    from harness.plugin.unused_result import Promise
    from harness.plugin.virtual_time.sleep_skipping import Sleeps

_ENVIRONMENT = pytest.StashKey[EnvironmentVariables]()
_SESSION = pytest.StashKey["SessionServer"]()
_TOLD = pytest.StashKey[Callable[[], str]]()
_PROMISES = pytest.StashKey[dict[str, "Promise"]]()
_MISTAKES = pytest.StashKey[dict[str, str]]()
_SERVICES = pytest.StashKey[list["Complaining"]]()

_CASSETTE = "interactions_cassette"
_OURS = frozenset({
    "interactions_emulator", "interactions_client", "interactions_async_client", "interactions_lifecycle",
    "interactions_chain", "interactions_dropped_stream", "interactions_incident", "interactions_module_emulator",
    "interactions_session_emulator", "interactions_webhooks", _CASSETTE,
})  # fmt: skip
_SHARED = ("interactions_module_emulator", "interactions_session_emulator")
_IN_TEST = "_interactions_shared"
_FIXTURES = _OURS | {"interactions_no_sleep", *_SHARED}

_PARAMETRIZED = frozenset({"interactions_lifecycle", "interactions_dropped_stream", "interactions_incident"})

_MARKERS = (
    "interactions_emulator(**settings): settings of the test's emulator, such as event_ids='sparse'",
    "interactions_lifecycle(*routes): the routes to take; 'all' for every one",
    "interactions_dropped_stream(cuts, first, endings, script, cassette, event_ids, resume, mode): where it drops",
    "interactions_incident(*names): the incidents to play, of those that `harness incidents` lists",
    "interactions_cassette(path, record_mode, mode, upstream): the recording that interactions_cassette plays",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and settings, all beginning with `interactions`."""
    group = parser.getgroup("interactions", "Interactions API (interactions-harness)")
    group.addoption("--interactions-seed", type=int, default=0, metavar="N", help="seed of every emulator (0)")
    group.addoption("--interactions-max-age", metavar="DAYS", type=float, help="report recordings that are older")
    group.addoption("--interactions-url", metavar="URL", help="judge this server: with --pyargs harness.suite")
    group.addoption("--interactions-profile", metavar="NAMES", help="only checks of these profiles")
    group.addoption("--interactions-level", metavar="LEVEL", help="weakest level to judge (may)")
    group.addoption("--interactions-baseline", metavar="FILE", help="failures that are known: they become xfail")
    parser.addini(
        "interactions_environment",
        "variables that get the URL of the test's emulator; empty: none, and no request is redirected",
        type="args",
        default=list(BASE_URL_VARIABLES),
    )
    parser.addini(
        "interactions_allowed_hosts",
        "hosts beside this machine that tests with our fixtures may reach, such as db.internal or *.internal",
        type="args",
        default=[],
    )
    parser.addini(
        "interactions_early",
        "set these variables, and a key if there is none, before pytest imports anything of yours",
        type="bool",
        default=False,
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Redirect clients that are built while conftest files are imported, if the configuration asks for it."""
    if early_config.getini("interactions_early"):
        _session(early_config).listen()


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers. Nothing else happens in a session that does not use the fixtures."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server and restore the environment."""
    if (session := config.stash.get(_SESSION, None)) is not None:
        session.close()
    if (environment := config.stash.get(_ENVIRONMENT, None)) is not None:
        environment.uninstall()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Set the environment for tests with our fixtures only; the cassette marker adds the cassette fixture.

    Fail a test whose markers are wrong.
    """
    if (mistakes := item.config.stash.get(_MISTAKES, None)) is not None:
        name = item.nodeid.removesuffix(item.name) + getattr(item, "originalname", item.name)
        if name in mistakes:
            pytest.fail(mistakes[name], pytrace=False)
    if (
        isinstance(item, pytest.Function)
        and item.get_closest_marker(_CASSETTE)
        and _CASSETTE not in item.fixturenames
    ):
        item.fixturenames.append(_CASSETTE)
    names = getattr(item, "fixturenames", [])
    if not set(_SHARED).isdisjoint(names) and _IN_TEST not in names:
        names.insert(0, _IN_TEST)
    if not _OURS.isdisjoint(names):
        _session(item.config).environment.route(True)
    elif (environment := item.config.stash.get(_ENVIRONMENT, None)) is not None:
        environment.route(False)
    if item.get_closest_marker("vcr") is not None:
        from harness.plugin.vcr_compat import refuse_plain_replay

        refuse_plain_replay(item)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_recording_configure(vcr: Any) -> None:
    """Let pytest-recording play our cassettes too. This is pytest-recording's own hook."""
    from harness.plugin.vcr_compat import bear_metadata

    bear_metadata(vcr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed although a plan of its own was never met, or a request was not recorded."""
    result = yield
    if (services := item.stash.get(_SERVICES, None)) is not None:
        from harness.plugin.final_checks import check_services

        check_services(services)
    return result


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Restore the environment, or point it to our server for modules that are imported between tests."""
    if (environment := item.config.stash.get(_ENVIRONMENT, None)) is not None:
        environment.route(environment.early)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Propose a marker where pytest refuses an unknown one, and a setting where a client has no key."""
    report = yield
    if report.failed:
        from harness.plugin.names import explain_missing_key, explain_missing_marker

        explain_missing_marker(report, collector.config, _FIXTURES)
        explain_missing_key(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add requests and answers to the report of a failing test; reduce a wrong call to its message.

    Propose a fixture for one that does not exist.
    Warn about a test that passes without checking the expected outcome.
    """
    if call.excinfo is not None and call.excinfo.type.__module__.startswith("harness."):
        from harness.plugin.traceback_trim import reword

        reword(call)
    report = yield
    if report.when == "call" and _SERVICES in item.stash:
        from harness.plugin.final_checks import CALL_PASSED

        item.stash[CALL_PASSED] = report.passed
    if report.failed and (told := item.stash.get(_TOLD, None)) is not None and (text := told()):
        report.sections.append(("interactions", text))
    if call.excinfo is not None and call.excinfo.errisinstance(pytest.FixtureLookupError):
        from harness.plugin.names import explain_missing_fixture

        explain_missing_fixture(report, call.excinfo.value, _FIXTURES)
    if (promises := item.stash.get(_PROMISES, None)) is not None:
        from harness.plugin.unused_result import follow

        follow(item, report, promises)
    if report.when == "teardown":
        _release(item)
    return report


def _release(item: pytest.Item) -> None:
    """Let go of the test's services: pytest keeps every item until the session ends."""
    if _TOLD in item.stash:
        del item.stash[_TOLD]
    if _PROMISES in item.stash:
        del item.stash[_PROMISES]
    if _SERVICES in item.stash:
        del item.stash[_SERVICES]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test for each route, and for each known cut."""
    marked = any(marker.name.startswith("interaction") for marker in metafunc.definition.iter_markers())
    if marked or not _PARAMETRIZED.isdisjoint(metafunc.fixturenames):
        from harness.plugin.interactions.parametrize import parametrize

        if mistakes := parametrize(metafunc, _FIXTURES):
            metafunc.config.stash.setdefault(_MISTAKES, {})[metafunc.definition.nodeid] = mistakes


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List recordings that were not played or are old, and SHOULD rules that a judged server breaks."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    if not any(getattr(report, "user_properties", ()) for report in reports):
        return
    from harness.plugin.terminal_summary import sections

    for title, lines in sections(reports):
        terminalreporter.section(title)
        terminalreporter.write_line(lines)


def _session(config: pytest.Config) -> SessionServer:
    if _SESSION not in config.stash:
        from harness.interactions import INTERACTIONS
        from harness.plugin.session_server import SessionServer

        names, early = config.getini("interactions_environment"), config.getini("interactions_early")
        config.stash[_ENVIRONMENT] = environment = EnvironmentVariables(names, early=early)
        environment.install()
        config.stash[_SESSION] = SessionServer(environment, INTERACTIONS)
    return config.stash[_SESSION]


@pytest.fixture
def interactions_emulator(request: pytest.FixtureRequest) -> Iterator[InteractionsEmulator]:
    """A fresh emulator of the API, on a socket (`.base_url`) and in-process (`.transport`)."""
    from harness.plugin.interactions.emulator import InteractionsEmulator
    from harness.plugin.vcr_compat import guard_beside

    settings: dict[str, Any] = {}
    for marker in request.node.iter_markers("interactions_emulator"):
        settings = {**marker.kwargs, **settings}
    emulator = InteractionsEmulator(seed=request.config.getoption("--interactions-seed"), **settings)
    session = _session(request.config)
    request.node.stash[_TOLD] = emulator.format_context
    request.node.stash.setdefault(_SERVICES, []).append(emulator)
    with emulator.open(session), guard_beside(request, session.environment.url, emulator):
        yield emulator


def _open_shared(request: pytest.FixtureRequest) -> Iterator[InteractionsEmulator]:
    from harness.plugin.final_checks import check_services
    from harness.plugin.interactions.emulator import InteractionsEmulator

    emulator = InteractionsEmulator(seed=request.config.getoption("--interactions-seed"))
    with emulator.open(_session(request.config), redirects=False):
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
    session = _session(request.config)
    request.node.stash[_TOLD] = emulator.format_context
    with emulator.in_use(), guard_beside(request, session.environment.url, emulator):
        yield


def _find_service(request: pytest.FixtureRequest) -> ObservedService:
    """The service behind this test's clients: its recording if it has one, otherwise its emulator."""
    names = (_CASSETTE, "interactions_emulator", *_SHARED)
    chosen = next((name for name in names if name in request.fixturenames), "interactions_emulator")
    return cast("ObservedService", request.getfixturevalue(chosen))


@pytest.fixture
def interactions_client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A `google.genai.Client` of the test's emulator or recording; a plain `httpx.Client` without google-genai."""
    from harness.plugin.interactions.clients import client

    with client(_find_service(request)) as made:
        yield made


@pytest.fixture
def interactions_async_client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The async client: `google.genai.Client().aio`, or an `httpx.AsyncClient` without google-genai."""
    from harness.plugin.interactions.clients import async_client

    with async_client(_find_service(request)) as made:
        yield made


@pytest.fixture
def interactions_no_sleep() -> Iterator[Sleeps]:
    """Skips and counts the sleeps of the code under test."""
    from harness.plugin.virtual_time.sleep_skipping import no_sleep

    with no_sleep() as sleeps:
        yield sleeps


@pytest.fixture
def interactions_incident(
    request: pytest.FixtureRequest, interactions_emulator: InteractionsEmulator
) -> PlayedIncident:
    """An incident that really happened, which the test's emulator plays; see docs/incidents.md."""
    from harness.plugin.interactions.incidents import PlayedIncident
    from harness.plugin.interactions.parametrize import parameter_of

    played = PlayedIncident(interactions_emulator, parameter_of(request))
    request.node.stash.setdefault(_PROMISES, {})["interactions_incident"] = played
    return played


@pytest.fixture
def interactions_lifecycle(
    request: pytest.FixtureRequest, interactions_emulator: InteractionsEmulator
) -> Lifecycle:
    """An interaction that will take one of the routes, and its expected outcome."""
    from harness.plugin.interactions.lifecycle import Lifecycle
    from harness.plugin.interactions.parametrize import parameter_of

    lifecycle = Lifecycle(interactions_emulator, parameter_of(request))
    request.node.stash.setdefault(_PROMISES, {})["interactions_lifecycle"] = lifecycle
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
    """An interaction whose stream drops where the test's parameter says."""
    from harness.plugin.interactions.dropped_stream import DroppedStream
    from harness.plugin.interactions.parametrize import parameter_of

    marker = request.node.get_closest_marker("interactions_dropped_stream")
    given = marker is not None and not isinstance(marker.kwargs.get("cuts", ""), str)
    stream = DroppedStream(interactions_emulator, parameter_of(request), request.node.nodeid, given=given)
    request.node.stash[_TOLD] = stream.format_context
    request.node.stash.setdefault(_PROMISES, {})["interactions_dropped_stream"] = stream
    return stream


@pytest.fixture
def interactions_cassette(request: pytest.FixtureRequest) -> Iterator[CassetteFixture]:
    """The test's recording, played without a network or recorded from a service."""
    from harness.interactions import INTERACTIONS
    from harness.plugin.cassette_fixture import cassette_of, guard_of

    session = _session(request.config)
    with cassette_of(request, INTERACTIONS) as cassette, cassette.open(session):
        request.node.stash[_TOLD] = cassette.format_context
        request.node.stash.setdefault(_SERVICES, []).append(cassette)
        with guard_of(request, INTERACTIONS, session.environment.url, cassette):
            yield cassette
