"""The pytest plugin: its options, its markers, and its hooks in the order in which a session calls them.

Each pytest session loads this module, so a hook imports what it calls only once there is something to do.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import pytest

from harness.plugin.interactions import CASSETTE, PARAMETRIZED, TORTURE
from harness.plugin.interactions.fixtures import (  # noqa: F401 - pytest finds the fixtures here
    DRAWN,
    ENVIRONMENT,
    PROMISES,
    SERVICES,
    SESSION,
    SHARED,
    TOLD,
    _interactions_shared,
    find_session,
    interactions_async_client,
    interactions_cassette,
    interactions_chain,
    interactions_client,
    interactions_dropped_stream,
    interactions_emulator,
    interactions_incident,
    interactions_lifecycle,
    interactions_module_emulator,
    interactions_no_sleep,
    interactions_schedule,
    interactions_session_emulator,
    interactions_torture,
    interactions_webhooks,
)

_MISTAKES = pytest.StashKey[dict[str, str]]()  # why a test with wrong markers fails, by its name
_SHARED_FILES = pytest.StashKey[list[str]]()  # lines on cassettes that several tests share

_FIXTURES = frozenset({
    "interactions_emulator", "interactions_client", "interactions_async_client", "interactions_chain",
    "interactions_no_sleep", "interactions_torture", "interactions_webhooks", CASSETTE, *PARAMETRIZED, *SHARED,
})  # fmt: skip
_OF_CASES = frozenset({TORTURE, *PARAMETRIZED})
"""The fixtures that make a test of each case."""
_OURS = _FIXTURES - {"interactions_no_sleep", "interactions_schedule"}
"""The fixtures whose tests find our URL in the environment."""
_IN_TEST = "_interactions_shared"

_MARKERS = (
    "interactions_emulator(**settings): settings of the test's emulator, such as event_ids='sparse'",
    "interactions_lifecycle(*routes): the routes to take; 'all' for every one",
    "interactions_dropped_stream(cuts, first, endings, script, cassette, event_ids, resume, mode): where it drops",
    "interactions_torture(mode, cases, kinds, without, case, script, allow, timeout): one test for each case",
    "interactions_incident(*names): the incidents to play, of those that `harness incidents` lists",
    "interactions_schedule(seeds, seed): how many orders of tasks to try, or the seed of one",
    "interactions_cassette(path, record_mode, mode, upstream, allow_unused): the recording to play",
)

_KEYS = "keys come from the environment: set GEMINI_API_KEY and, for a second project, OTHER_GEMINI_API_KEY"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and settings, all beginning with `interactions`."""
    group = parser.getgroup("interactions", "Interactions API (interactions-harness)")
    group.addoption("--interactions-seed", type=int, default=0, metavar="N", help="seed of every emulator (0)")
    group.addoption("--interactions-max-age", metavar="DAYS", type=float, help="report recordings that are older")
    group.addoption("--interactions-url", metavar="URL", help="judge this server: with --pyargs harness.suite")
    group.addoption("--interactions-profile", metavar="NAMES", help="only checks of these profiles")
    group.addoption("--interactions-level", metavar="LEVEL", help="weakest level to judge (may)")
    group.addoption("--interactions-baseline", metavar="FILE", help="failures that are known: they become xfail")
    revision = "revision to judge by, or the folder of one (the current)"
    group.addoption("--interactions-revision", metavar="DATE", help=revision)
    parser.addini(
        "interactions_environment",
        "variables that get the URL of the test's emulator; empty: none, and no request is redirected",
        type="args",
        # google-genai and LiteLLM read them; before pytest 8, a default of None is an empty list
        default=["GOOGLE_GEMINI_BASE_URL", "GEMINI_API_BASE"],
    )
    parser.addini(
        "interactions_allowed_hosts",
        "hosts beside this machine that tests with these fixtures may reach, such as db.internal or *.internal",
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
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Redirect clients that are built while conftest files are imported, if the configuration asks for it.

    A key as an option, as `harness check` takes it, gets a hint if pytest then refuses it: a project may have one.
    """
    if any(word.startswith("--") and "api-key" in word for word in args):
        parser.extra_info["help"] = _KEYS
    if early_config.getini("interactions_early"):
        find_session(early_config).listen()


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers. Nothing else happens in a session that uses neither the fixtures nor the suite."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if config.getoption("--interactions-url") is not None:
        # By its name: a session with fixtures alone loads nothing that judges servers.
        config.pluginmanager.register(import_module("harness.suite.shared_run"))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Propose a setting where a client has no key."""
    __tracebackhide__ = True
    report = yield
    if report.failed:
        from harness.plugin.names import explain_missing_key

        explain_missing_key(report)
    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test for each route, and for each known cut."""
    marked = any(marker.name.startswith("interaction") for marker in metafunc.definition.iter_markers())
    if marked or not set(PARAMETRIZED).isdisjoint(metafunc.fixturenames):
        from harness.plugin.interactions.parametrize import parametrize

        if mistakes := parametrize(metafunc, _FIXTURES):
            metafunc.config.stash.setdefault(_MISTAKES, {})[metafunc.definition.nodeid] = mistakes


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Note the tests that share a cassette, before options deselect any."""
    users = [
        item
        for item in items
        if CASSETTE in getattr(item, "fixturenames", ()) or item.get_closest_marker(CASSETTE)
    ]
    if users:
        from harness.plugin.cassette_files import note_users

        session.config.stash[_SHARED_FILES] = note_users(session, users)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Name the tests that record into one cassette."""
    return config.stash.get(_SHARED_FILES, [])


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_recording_configure(vcr: Any) -> None:
    """Let pytest-recording play our cassettes too. This is pytest-recording's own hook."""
    from harness.plugin.vcr_compat import bear_metadata

    bear_metadata(vcr)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Set the environment for tests with our fixtures only; the cassette marker adds the cassette fixture.

    Fail a test whose markers are wrong.
    """
    if (mistakes := item.config.stash.get(_MISTAKES, None)) is not None:
        from harness.plugin.names import name_function

        if (name := name_function(item)) in mistakes:
            pytest.fail(mistakes[name], pytrace=False)
    if (
        isinstance(item, pytest.Function)
        and item.get_closest_marker(CASSETTE)
        and CASSETTE not in item.fixturenames
    ):
        item.fixturenames.append(CASSETTE)
    names = getattr(item, "fixturenames", [])
    if not set(SHARED).isdisjoint(names) and _IN_TEST not in names:
        names.insert(0, _IN_TEST)
    if not _OURS.isdisjoint(names):
        find_session(item.config).environment.route(True)
    elif (environment := item.config.stash.get(ENVIRONMENT, None)) is not None:
        environment.route(False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed although a plan of its own was never met, or a request was not recorded."""
    __tracebackhide__ = True  # a failure that another plugin raises must not seem to come from here
    result = yield
    if (services := item.stash.get(SERVICES, None)) is not None:
        from harness.plugin.after_test import check_services

        check_services(services, item, strict=DRAWN in item.stash)
    return result


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Restore the environment, or point it to our server for modules that are imported between tests."""
    if (environment := item.config.stash.get(ENVIRONMENT, None)) is not None:
        environment.route(environment.early)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add requests and answers to the report of a failing test; reduce a wrong call to its message.

    Propose a fixture for one that does not exist. Warn about a test that passes without checking the outcome.
    """
    __tracebackhide__ = True
    if call.excinfo is not None and call.excinfo.type.__module__.startswith("harness."):
        from harness.plugin.after_test import reword

        reword(call)
    report = yield
    if report.when == "call" and SERVICES in item.stash:
        from harness.plugin.after_test import CALL_PASSED

        item.stash[CALL_PASSED] = report.passed
    if report.failed:
        found = (item.stash.get(key, None) for key in (DRAWN, TOLD))
        from harness.outcome.words import write_harmless

        if text := "\n".join(filter(None, (tell() for tell in found if tell is not None))):
            report.sections.append(("interactions", write_harmless(text)))
        if "interactions_torture" in getattr(item, "fixturenames", ()):
            from harness.plugin.after_test import cut_captured

            cut_captured(report)
    if (report.longrepr or report.sections) and not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        from harness.plugin.after_test import hide_keys

        hide_keys(report)
    if call.excinfo is not None and call.excinfo.errisinstance(pytest.FixtureLookupError):
        from harness.plugin.names import explain_missing_fixture

        explain_missing_fixture(report, call.excinfo.value, _FIXTURES)
    if report.failed and not _OF_CASES.isdisjoint(getattr(getattr(item, "callspec", None), "params", ())):
        from harness.plugin.after_test import note_case

        note_case(report, item)
    if (promises := item.stash.get(PROMISES, None)) is not None:
        from harness.plugin.after_test import follow

        follow(item, report, promises)
    if report.when == "teardown":  # let go of the test's services: pytest keeps every item until the session ends
        keys: tuple[pytest.StashKey[Any], ...] = (TOLD, DRAWN, PROMISES, SERVICES)
        for key in keys:
            if key in item.stash:
                del item.stash[key]
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over how a worker of pytest-xdist used cassettes; one that crashed has no output."""
    if uses := getattr(node, "workeroutput", {}).get(CASSETTE):
        from harness.plugin.cassette_files import take_over

        take_over(node.config, uses)
        node.config.stash[_SHARED_FILES] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Finish the cassettes that several tests share."""
    if _SHARED_FILES in session.config.stash:
        from harness.plugin.cassette_files import finish_files

        session.config.stash[_SHARED_FILES] = finish_files(session.config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Generator[None]:
    """Show equal failures of the cases of one test once, and count them.

    List old and unplayed recordings, SHOULD rules that a judged server breaks, and notes on models.
    """
    __tracebackhide__ = True
    reports = [report for group in terminalreporter.stats.values() for report in group]
    shared = config.stash.get(_SHARED_FILES, [])
    noted = shared or any(getattr(report, "user_properties", ()) for report in reports)
    if noted:
        from harness.plugin.after_test import group_failures, sections

        grouped = "\n".join(group_failures(reports))
    yield
    for title, lines in [("interactions failures", grouped), *sections(reports, shared)] if noted else []:
        if lines:
            terminalreporter.section(title)
            terminalreporter.write_line(lines)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server and restore the environment."""
    if (session := config.stash.get(SESSION, None)) is not None:
        session.close()
    if (environment := config.stash.get(ENVIRONMENT, None)) is not None:
        environment.uninstall()


_FOLDER = str(Path(__file__).parent)


class _PlainImports:
    """Imports our modules as they were installed."""

    # pytest rewrites the assertions of every module of a package that has a plugin, and keeps the result apart
    # from the bytecode that an installer wrote. No assertion of ours is for a user, and the first emulator of a
    # new environment, which each run of a CI is, waited 0.4 s for 120 modules to be parsed.
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """A module of this folder; a user's own package may be called `harness`, too."""
        if not name.startswith("harness."):
            return None
        return PathFinder.find_spec(name, [entry for entry in path or () if entry.startswith(_FOLDER)])


sys.meta_path.insert(0, _PlainImports)
