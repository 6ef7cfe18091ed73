"""`harness serve`: serve the emulator, or one of its mutants, on a port; with `-- CMD`, while CMD runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from harness.cli import serving
from harness.cli.arguments import read_options
from harness.cli.common_options import ExtensionOptions, contract_of, revision_option
from harness.cli.guarding import HostOptions, access
from harness.cli.inspecting import new_inspector, open_option, serve_with_page
from harness.cli.options import PATH, SERVED_BY, Page, Trust, flag, option
from harness.cli.output import hear, print_fault, say, say_masked
from harness.interactions.mutants import load_mutants
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean

if TYPE_CHECKING:
    from harness.benches.server.fault_control import Faulty
    from harness.emulator import Emulator
    from harness.incidents import Incident
    from harness.transport import ServerThread
    from harness.wire import Request, Response, Service


@dataclass(kw_only=True)
class ServeArguments(ExtensionOptions, serving.ListenOptions, HostOptions, serving.TlsOptions):
    """The options of `harness serve`."""

    revision: str | None = revision_option()
    mutant: str | None = option("serve this mutant instead (`harness mutants --list`)", metavar="ID")
    scenario: str | None = option(
        "scripted responses (YAML, docs/emulator-reference.md)", PATH, trust=Trust.INSIDE
    )
    key: Sequence[str] | None = option(
        "accept only this key (repeatable), which belongs to a project",
        repeats=True, metavar="KEY[=PROJECT]", trust=Trust.CALL, shown="any key, for the project `default`",
    )  # fmt: skip
    setting: Sequence[str] | None = option(
        "a setting, such as event_ids=all or resume=inclusive (repeatable, docs/emulator-reference.md)",
        repeats=True,
        metavar="NAME=VALUE",
    )
    speed: float = option(
        "speed of the emulator's clock, as a factor of real time, such as 60x", serving.name_speed("60x", "N"), 1.0
    )
    fault: str | None = option("fault plan (docs/faults.md)", metavar="PLAN")
    incident: str | None = option("behave as in this incident (`harness incidents` lists them)", metavar="NAME")
    cors: bool = flag("let web pages of any origin call the API and read stored data (default: of this machine)")
    no_cors: bool = flag("reject all requests from web pages of other origins")
    deliver_webhooks: bool = flag(
        "deliver webhooks to this machine although --host lets other machines call the server", trust=Trust.CALL
    )
    open: bool = open_option()

    page = Page(
        "serve",
        ("harness serve --open", "harness serve --fault event:5,rst -- pytest"),
        usage="[options] [-- CMD …]",
        notes="docs/control.md describes the control API below /__harness__/.\n\n"
        "exit codes: that of CMD, else 0 (also after Ctrl-C or SIGTERM) · 2 usage",
    )


OPTIONS = ServeArguments


def run(words: Sequence[str]) -> int:
    """Run the command; with `-- CMD`, return CMD's exit code."""
    arguments = read_options(ServeArguments, words)
    incident = _choose_incident(arguments)
    met = "" if incident is None else f"\n{incident.name}: to meet it, {incident.meet.words}"
    emulator = _build_emulator(arguments)
    from harness.benches.server.fault_control import Faulty
    from harness.benches.server.page_guard import Pages, is_of_local_page
    from harness.cassette import Target
    from harness.contract.tables.protocol import PROTOCOL
    from harness.inspector import Actions
    from harness.inspector.inspector import describe_sessions
    from harness.transport import ServerThread
    from harness.wire.addresses import is_for_service, is_loopback

    if arguments.cors and arguments.no_cors:
        raise UsageFault("--cors lets pages of any origin call, and --no-cors none: leave one of them out")
    pages = Pages.NONE if arguments.no_cors else None
    granted = access(arguments.host, arguments.allow_host, cors=arguments.cors, pages=pages)
    service = Faulty(emulator, PROTOCOL, plan=arguments.fault, control=emulator)
    service.front = _add_judged_sessions(emulator, service)
    if incident is not None:
        incident.apply_to(emulator)
    inspector = new_inspector(
        arguments,
        granted,
        emulator.contract,
        command="serve",
        target=lambda: Target.EMULATOR,
        actions=Actions(
            drop=True,
            script=True,
            state=lambda: describe_sessions(service, emulator.state, emulator.session_states),
        ),
        facts={"mutant": arguments.mutant or ""},
        sees_all=True,
        secure=arguments.tls_cert is not None,
    )
    emulator.set_time(time.time(), everywhere=True)
    # Before CMD gets the response: the last line is CMD's, its verdict.
    emulator.on_note = lambda note: say_masked(f"note: {note}", to_errors=True)
    server = ServerThread(
        inspector.around(granted.guard.around(service)),
        hear=hear,
        on_fault=print_fault,
        host=arguments.host,
        port=serving.port_to_take(arguments),
        clock=emulator.clock,
        tls=serving.tls_context(arguments),
        cors=() if arguments.no_cors else serving.PAGE_FIELDS,
        cors_for=lambda request: is_for_service(request) and (arguments.cors or is_of_local_page(request)),
    )
    keys = "send one of the given keys" if emulator.settings.keys else "send a key; any will do"

    given = list(_read_keys(arguments))
    code = serve_with_page(
        _delivering(server, emulator, is_allowed=is_loopback(arguments.host) or arguments.deliver_webhooks),
        arguments,
        granted,
        inspector,
        welcome=lambda url: f"serving the Interactions API at {url}/v1beta ({keys}){granted.note}{met}",
        environment=lambda url: (
            serving.command_environment(url, os.environ, given)
            | granted.environment
            | {SERVED_BY: arguments.repeat(child=())}
        ),
        facts={**granted.facts, "bounds": emulator.settings.bounds},
    )
    for line in service.story():
        say_masked(line, to_errors=arguments.json)
    if arguments.fault and not service.describe_state()["counted"]:
        say(serving.ask_for_client(server.url, arguments), to_errors=arguments.json)
    return code


@contextmanager
def _delivering(server: ServerThread, emulator: Emulator, *, is_allowed: bool) -> Iterator[ServerThread]:
    """Serve, and deliver webhooks to receivers on this machine meanwhile, if it `is_allowed`."""
    from harness.transport.client.courier import Courier

    with server, Courier(emulator.outbox, is_allowed=is_allowed):
        yield server


def _choose_incident(arguments: ServeArguments) -> Incident | None:
    """The incident to play, whose plan becomes that of the server. Raises UsageFault."""
    if arguments.incident is None:
        return None
    from harness.incidents import find_incident

    arguments.refuse(("fault", "scenario"), "and --incident exclude each other: use one of them")
    incident = find_incident(arguments.incident)
    arguments.fault = None if incident.plan is None else str(incident.plan)
    return incident


def _add_judged_sessions(emulator: Emulator, service: Faulty) -> Service:
    """The whole control API; the judges are imported when a client opens the first session with one."""
    from harness.incidents.incident import IncidentControl

    plain = IncidentControl(service.route)
    judged: list[Service] = []

    def answer(request: Request) -> Response:
        if not judged and b'"judged"' in request.body:
            from harness.plugin.interactions.judged_sessions import JudgedSessions

            judged.append(JudgedSessions(plain, lambda: asdict(emulator.settings)))
        return judged[0](request) if judged else plain(request)

    return answer


def _build_emulator(arguments: ServeArguments) -> Emulator:
    """Build the emulator on the machine's clock: `pace`, which may be set later, counts a client's real time."""
    from harness.emulator import Emulator, Settings
    from harness.transport import WallClock

    settings, clock = Settings().with_values(_read_settings(arguments)), WallClock(speed=arguments.speed)
    make: Callable[..., Emulator] = Emulator
    if arguments.mutant:
        mutants = load_mutants()
        if arguments.mutant not in mutants:
            hint = did_you_mean(arguments.mutant, mutants, otherwise=": `harness mutants --list` shows all")
            raise UsageFault(f"no mutant has the id {arguments.mutant!r}{hint}")
        make = mutants[arguments.mutant].build
    emulator = make(settings, clock=clock, contract=contract_of(arguments.revision))
    if arguments.scenario:
        emulator.load_scenario(arguments.scenario)
    return emulator


def _read_settings(arguments: ServeArguments) -> dict[str, Any]:
    import yaml

    from harness.files import load_yaml

    values: dict[str, Any] = {}
    for word in arguments.setting or ():
        name, equals, text = word.partition("=")
        if not equals:
            raise UsageFault(f"--setting {word!r} has no value: write NAME=VALUE")
        try:
            values[name.replace("-", "_")] = load_yaml(text)
        except (yaml.YAMLError, ValueError, RecursionError) as wrong:  # a ValueError is the day 2026-13-01
            reason = getattr(wrong, "problem", None) or str(wrong)
            raise UsageFault(f"--setting {name}: the value is not readable as YAML: {reason}") from None
    if keys := _read_keys(arguments):
        values["keys"] = keys
    return values


def _read_keys(arguments: ServeArguments) -> dict[str, str]:
    """Project by key, in the order given."""
    pairs = [word.partition("=") for word in arguments.key or ()]
    if not all(key for key, _, _ in pairs):
        raise UsageFault("--key is empty (is a variable unset?): write KEY or KEY=PROJECT, or leave it out")
    return {key: project or "default" for key, _, project in pairs}
