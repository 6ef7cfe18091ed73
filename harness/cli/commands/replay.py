"""`harness replay FILE`: serve a cassette on a port, byte for byte, with faults on request."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import read_options
from harness.cli.common_options import own_api
from harness.cli.guarding import HostOptions, access, cors_option
from harness.cli.inspecting import new_inspector, open_option, serve_with_page
from harness.cli.options import PATH, Page, Trust, argument, flag, option
from harness.cli.output import hear, mask_tree, print_fault, say, say_masked, telling, write_json
from harness.cli.serving import ListenOptions, ask_for_client, name_speed, port_to_take
from harness.interactions import INTERACTIONS
from harness.outcome import Exit, UsageFault
from harness.outcome.words import format_count, list_some

if TYPE_CHECKING:
    from harness.cassette import Player

_SPEED = name_speed("2x", "SPEED", {"as-recorded": 1.0, "fast": math.inf})
"""The factor that recorded pauses are divided by."""


@dataclass(kw_only=True)
class ReplayArguments(ListenOptions, HostOptions):
    """The options of `harness replay`."""

    cassette: str = argument("cassette to serve", PATH, trust=Trust.CALL)
    mode: str = option(
        "strict: only what was recorded, in order; resume: also the rest of a stream from any event",
        default="strict", choices=("strict", "resume"),
    )  # fmt: skip
    speed: float = option(_SPEED.words, _SPEED, math.inf, shown="fast")
    fault: str | None = option("fault plan (docs/faults.md)", metavar="PLAN")
    cors: bool = cors_option()
    open: bool = open_option()
    assign_ids: bool = flag("add stable ids to events that have none")

    page = Page(
        "replay",
        ("harness replay chat.yaml -- pytest", "harness replay chat.yaml --mode resume --fault event:5,rst"),
        usage="FILE [options] [-- CMD …]",
        notes="No request reaches the network. An unrecorded request returns an error.\n\n"
        "exit codes: that of CMD if it failed, else 0 · 1 an unrecorded request · 2 usage · 3 no requests",
    )


OPTIONS = ReplayArguments


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: CMD's if it failed; else 1 if a request was not recorded, 3 if none came."""
    arguments = read_options(ReplayArguments, words)
    from harness.benches.server.fault_control import Faulty
    from harness.cassette import Player, load
    from harness.cassette.layout import mention_part
    from harness.cli.serving import PAGE_FIELDS, command_environment
    from harness.contract import CURRENT, PROTOCOL, Contract
    from harness.inspector import Actions
    from harness.transport import ServerThread
    from harness.wire import By
    from harness.wire.addresses import is_for_service

    with telling(f"reading {arguments.cassette}"):
        cassette = load(arguments.cassette)
    if not cassette.recordings:
        raise UsageFault(f"{arguments.cassette} contains no recordings: name a cassette of `harness record`")
    for recording in cassette.recordings:
        hear(recording.request)
    player = Player(
        cassette.recordings,
        own_api().load_protocol(),
        mode=arguments.mode,
        speed=arguments.speed,
        assign_ids=arguments.assign_ids,
    )
    faulty = Faulty(player, PROTOCOL, plan=arguments.fault)
    stated = cassette.provenance.revision if cassette.provenance is not None else ""
    contract: Contract = INTERACTIONS.load_stated_contract(stated, INTERACTIONS.load_contract(CURRENT))
    if stated and stated != contract.revision:
        say_masked(
            f"note: the cassette states revision {stated}, which is unknown: "
            f"its streams are read by {contract.revision}, and replayed unchanged",
            to_errors=True,
        )
    if stopped := [str(n) for n, one in enumerate(cassette.recordings, 1) if one.ending.by is not By.SERVER]:
        end = f"the end of recording {list_some(stopped, 6)} was not recorded: its client or the recorder stopped"
        say_masked(f"note: {end} first, and a client that reads on waits there", to_errors=True)
    granted = access(arguments.host, arguments.allow_host, cors=arguments.cors)
    inspector = new_inspector(
        arguments,
        granted,
        contract,
        command="replay",
        target=None,
        actions=Actions(drop=True, state=faulty.describe_state),
        facts={"words": f"It replays {arguments.cassette}: run the recorded client."},
    )
    server = ServerThread(
        inspector.around(granted.guard.around(faulty)),
        hear=hear,
        on_fault=print_fault,
        host=arguments.host,
        port=port_to_take(arguments),
        cors=PAGE_FIELDS if arguments.cors else (),
        cors_for=is_for_service,
    )
    recorded = format_count(len(cassette.recordings), "recording")
    how = f"({arguments.mode}, revision {contract.revision})"
    welcome = f"replaying {recorded} of {arguments.cassette} {how}{granted.note}"

    code = serve_with_page(
        server,
        arguments,
        granted,
        inspector,
        welcome=lambda url: welcome,
        environment=lambda url: command_environment(url, os.environ) | granted.environment,
        facts=granted.facts,
    )
    if arguments.json:
        write_json(replay_record(arguments.cassette, player))
    else:
        _print(player, ask_for_client(server.url, arguments), mention_part(cassette.path))
    for line in faulty.story():
        say_masked(line, to_errors=arguments.json)
    if player.misses:
        return code or Exit.FAILED
    return code or (Exit.NOTHING_RAN if len(player.unused()) == len(player.recordings) else Exit.OK)


def replay_record(path: str, player: Player) -> dict[str, Any]:
    """The result of a replay as `schemas/output/replay.schema.json` describes it."""
    record = {
        "cassette": path,
        "recordings": len(player.recordings),
        "unused": [
            {"number": number + 1, "request": f"{recording.request.method} {recording.request.target}"}
            for number, recording in player.unused()
        ],
        "misses": [str(miss) for miss in player.misses],
        "elsewhere": [{"number": number + 1, "address": address} for number, address in player.elsewhere()],
        "in_bodies": [
            {"number": number + 1, "address": address} for address, number in player.in_bodies().items()
        ],
        "approximate": [number + 1 for number, _ in player.approximate()],
    }
    masked: dict[str, Any] = mask_tree(record)
    return masked


def _print(player: Player, question: str, part: str) -> None:
    for miss in player.misses:
        say_masked(f"miss: {miss}")
    if guessed := [str(number + 1) for number, _ in player.approximate()]:  # in a file of plain vcrpy, all of them
        entries = list_some(guessed, 6, hint="--json lists them")
        say(f"approximate: recording {entries}: edited, or recorded without chunks (guessed)")
    for number, address in player.elsewhere():
        say_masked(
            f"elsewhere: recording {number + 1} names another address ({address}): the replay returns its own "
            "address, and has no answer of the other one"
        )
    if addresses := player.in_bodies():
        number, named = next(iter(addresses.values())), list_some(list(addresses), 1, hint="--json lists them")
        say_masked(
            f"in a body: recording {number + 1} names the recorded server ({named}): bodies are "
            "replayed unchanged, so a client that follows that address leaves the replay"
        )
    unused = player.unused()
    for number, recording in () if player.misses else unused:
        say_masked(f"unused: recording {number + 1}, {recording.request.method} {recording.request.target}")
    used = len(player.recordings) - len(unused)
    missed = format_count(len(player.misses), "request")
    hint = "" if used else f"; no request arrived: {question}"
    if player.misses:
        hint = f"; `harness record --record-mode new_episodes` adds a request to a cassette{part}"
    say(f"{used} of {len(player.recordings)} recordings used, {missed} without a recording{hint}")
