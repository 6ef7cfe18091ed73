"""`harness proxy --target URL --fault PLAN`: any server, with connections that drop on order.

Layer 6.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from harness.cli.arguments import Parser
from harness.cli.reporting import say
from harness.cli.standing import add_listen_arguments, announce, local_environment, split_command, stand
from harness.outcome import UsageFault


def run(words: Sequence[str]) -> int:
    """The command; with `-- CMD` its exit code is the command's."""
    own, command = split_command(words, "proxy")
    arguments = _parser().parse(own)
    if not arguments.target:
        raise UsageFault("name the server to stand in front of: --target http://127.0.0.1:8000")
    from harness.contract.protocol import PROTOCOL
    from harness.runner.faulty import Faulty
    from harness.transport.in_thread import InThread
    from harness.transport.proxy import WaitingServer
    from harness.transport.proxy_upstream import Upstream

    faulty = Faulty(Upstream(arguments.target, ca_file=arguments.ca_file), PROTOCOL, plan=arguments.fault)
    server = WaitingServer(faulty, host=arguments.host, port=arguments.port)
    welcome = f"in front of {arguments.target}, faults: {faulty.plan() or 'none yet (POST /__harness__/faults)'}"
    code = stand(
        InThread(server),
        lambda: announce(server.url, welcome, as_json=arguments.json),
        command,
        lambda: local_environment(server.url, os.environ),
    )
    for line in faulty.story():
        say(line, to_errors=arguments.json)
    return code


def _parser() -> Parser:
    parser = Parser(
        "proxy",
        "Stand in front of any server and let connections suffer by a plan (docs/faults.md).",
        usage="harness proxy --target URL --fault PLAN [options] [-- CMD …]",
    )
    parser.add_argument("--target", metavar="URL", help="the server: http[s]://host[:port]")
    parser.add_argument("--fault", metavar="PLAN", help="what happens to which connection, `event:5+60,rst` say")
    add_listen_arguments(parser)
    parser.add_argument("--ca-file", metavar="FILE", help="PEM certificates to trust besides the system's")
    return parser
