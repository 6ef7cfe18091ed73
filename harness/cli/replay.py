"""`harness replay FILE`: a cassette as a server on a port, to the byte, with faults on request.

Layer 6.
"""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import Parser
from harness.cli.reporting import say, write_json
from harness.cli.standing import add_listen_arguments, announce, split_command, stand
from harness.outcome import Exit

if TYPE_CHECKING:
    from harness.cassette import Player

_SPEED = re.compile(r"(\d+(?:\.\d+)?)x?")


def run(words: Sequence[str]) -> int:
    """The command: a command's exit code where there is one; 1 when a request was not recorded."""
    own, command = split_command(words, "replay")
    arguments = _parser().parse(own)
    from harness.cassette import Player, load
    from harness.cli.serve import command_environment
    from harness.contract.protocol import PROTOCOL
    from harness.runner.faulty import Faulty
    from harness.runner.record_hang_ups import presented
    from harness.transport import ServerThread

    cassette = load(arguments.cassette)
    recordings = presented(cassette.recordings, arguments.hang_ups)
    player = Player(
        recordings, PROTOCOL, mode=arguments.mode, speed=arguments.speed, assign_ids=arguments.assign_ids
    )
    server = ServerThread(
        Faulty(player, PROTOCOL, plan=arguments.fault), host=arguments.host, port=arguments.port, cors=True
    )
    welcome = f"replaying {len(cassette.recordings)} recordings of {arguments.cassette} ({arguments.mode})"
    code = stand(
        server,
        lambda: announce(server.url, welcome, as_json=arguments.json),
        command,
        lambda: command_environment(server.url, os.environ),
    )
    if arguments.json:
        write_json(replay_record(arguments.cassette, player))
    else:
        _print(player)
    return code or int(Exit.FAILED if player.misses else Exit.OK)


def _parser() -> Parser:
    parser = Parser(
        "replay",
        "Serve a cassette. Nothing reaches the network; what was not recorded is an error that names the nearest.",
        usage="harness replay FILE [options] [-- CMD …]",
    )
    parser.add_argument("cassette", metavar="FILE", help="the cassette")
    add_listen_arguments(parser)
    parser.add_argument(
        "--mode",
        choices=("strict", "resume"),
        default="strict",
        help="strict: only what was recorded, in order; resume: also the rest of a stream from any event (strict)",
    )
    parser.add_argument("--speed", type=speed, default=math.inf, help="as-recorded, fast, or 2x (fast)")
    parser.add_argument("--fault", metavar="PLAN", help="what happens to which connection (docs/faults.md)")
    parser.add_argument(
        "--hang-ups",
        choices=("stall", "fin", "rst"),
        default="stall",
        help="how to present what a client ended: nothing more comes, or a synthetic drop by the server (stall)",
    )
    parser.add_argument("--assign-ids", action="store_true", help="give events without an id a stable one")
    return parser


def speed(text: str) -> float:
    """By what recorded pauses are divided."""
    named = {"fast": math.inf, "as-recorded": 1.0}
    if text in named:
        return named[text]
    match = _SPEED.fullmatch(text)
    if match is None or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no speed: write as-recorded, fast, or a factor such as 2x")
    return float(match[1])


def replay_record(path: str, player: Player) -> dict[str, Any]:
    """What a replay came to, as `schemas/output/replay.schema.json` describes it."""
    return {
        "cassette": path,
        "recordings": len(player.recordings),
        "unused": [
            {"number": number + 1, "request": f"{recording.request.method} {recording.request.target}"}
            for number, recording in player.unused()
        ],
        "misses": [str(miss) for miss in player.misses],
    }


def _print(player: Player) -> None:
    for miss in player.misses:
        say(f"miss: {miss}")
    unused = player.unused()
    for number, recording in unused:
        say(f"unused: recording {number + 1}, {recording.request.method} {recording.request.target}")
    used = len(player.recordings) - len(unused)
    say(f"{used} of {len(player.recordings)} recordings used, {len(player.misses)} requests without one")
