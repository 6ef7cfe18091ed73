"""`harness proxy --target URL --fault PLAN`: forward to any server and drop connections by a fault plan."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.benches.server.reachability import report_silent_requests
from harness.cli.arguments import read_options
from harness.cli.common_options import ca_file_option
from harness.cli.guarding import HostOptions, access, cors_option
from harness.cli.inspecting import new_inspector, open_option, serve_with_page
from harness.cli.options import URL, Page, Trust, option
from harness.cli.output import hear, make_once_sayer, say_masked
from harness.cli.serving import ListenOptions, ask_for_client, local_environment, port_to_take
from harness.interactions import INTERACTIONS
from harness.kit.wrong_call import explain_redirect
from harness.outcome import Exit, UsageFault
from harness.wire.addresses import find_elsewhere, stand_in_url

if TYPE_CHECKING:
    from harness.wire import Ending, Request, Response, Service


@dataclass(kw_only=True)
class ProxyArguments(ListenOptions, HostOptions):
    """The options of `harness proxy`."""

    target: str | None = option("server to forward to: http[s]://host[:port]", URL, trust=Trust.SEND)
    fault: str | None = option("fault plan, e.g. `event:5+60,rst` (docs/faults.md)", metavar="PLAN")
    cors: bool = cors_option()
    open: bool = open_option()
    ca_file: str | None = ca_file_option()

    page = Page(
        "proxy",
        (
            "harness proxy --target http://127.0.0.1:8000 --fault event:5,rst",
            "harness proxy --target https://gateway.example \\\n    --fault event:5,rst -- node client.mjs",
        ),
        usage="--target URL [--fault PLAN] [options] [-- CMD …]",
        notes="exit codes: that of CMD if it failed, else 0 · 2 usage · 4 no response from the target",
    )


OPTIONS = ProxyArguments


def run(words: Sequence[str]) -> int:
    """Run the command. The exit code is CMD's if CMD failed; else 0, or 4 if the target returned no response."""
    arguments = read_options(ProxyArguments, words)
    if not arguments.target:
        raise UsageFault("name the server to forward to: --target http://127.0.0.1:8000")
    from harness.benches.record.provenance import target_class
    from harness.benches.server.fault_control import Faulty
    from harness.contract.tables.protocol import PROTOCOL
    from harness.inspector import Actions, is_for_page
    from harness.transport.client.origin import refuse_itself
    from harness.transport.proxy import UpstreamServer
    from harness.transport.server.server import InThread, WaitingServer

    aim, port = arguments.target, port_to_take(arguments)
    refuse_itself(aim, arguments.host, port)
    upstream = UpstreamServer(aim, ca_file=arguments.ca_file)
    notes = _Notes()
    faulty = Faulty(notes.taken_of(upstream), PROTOCOL, plan=arguments.fault, control=upstream)
    granted = access(arguments.host, arguments.allow_host, cors=arguments.cors)
    inspector = new_inspector(
        arguments,
        granted,
        INTERACTIONS.load_contract(""),
        command="proxy",
        target=lambda: target_class(aim, INTERACTIONS, ca_file=arguments.ca_file),
        actions=Actions(drop=True, state=faulty.describe_state),
        facts={"target": arguments.target},
    )
    server = WaitingServer(
        inspector.around(granted.guard.around(faulty)),
        hear=hear,
        host=arguments.host,
        port=port,
        waits=lambda request: not is_for_page(request),
    )
    faults = faulty.plan() or "none yet (POST /__harness__/faults)"
    welcome = f"forwarding to {arguments.target}, faults: {faults}{granted.note}"

    code = serve_with_page(
        InThread(server),
        arguments,
        granted,
        inspector,
        welcome=lambda url: welcome,
        environment=lambda url: local_environment(url, os.environ) | granted.environment,
        facts=granted.facts,
    )
    for line in faulty.story():
        say_masked(line, to_errors=arguments.json)
    for line in notes.totals():
        say_masked(line, to_errors=arguments.json)
    if not notes.asked:
        unused = f"no request arrived, and nothing was forwarded: {ask_for_client(server.url, arguments)}"
        say_masked(unused, to_errors=arguments.json)
    return code or int(notes.exit)


class _Notes:
    """Reports on standard error why the target did not respond, or where it redirects: each reason once."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()
        self._say_once = make_once_sayer("harness proxy: ")
        self.asked = 0
        """How many requests were forwarded."""
        self._lock = threading.Lock()

    def taken_of(self, upstream: Service) -> Service:
        """Wrap the service to count its requests and record those without an answer."""

        def count(request: Request) -> Response:
            with self._lock:
                self.asked += 1
            answer = upstream(request)
            for place in find_elsewhere(answer.headers, stand_in_url(request), answer.status):
                self._say_once(f"the response names another address ({place}): requests to it bypass the proxy")
            if wrong := explain_redirect(answer.status, answer.headers, request.raw_path):
                self._say_once(f"the target returned {answer.status}: {wrong}")
            return answer

        return report_silent_requests(count, self)

    @property
    def exit(self) -> Exit:
        """INCOMPLETE if there were requests and none got a response."""
        dead = self.asked and self._reasons.total() == self.asked
        return Exit.INCOMPLETE if dead else Exit.OK

    def totals(self) -> Iterator[str]:
        """How many requests the target did not answer, and why."""
        for reason, times in self._reasons.items():
            yield f"no response to {times} of {self.asked} requests: {reason} (check --target)"

    def __call__(self, request: Request, ending: Ending) -> None:
        reason = ending.detail or ending.words
        with self._lock:
            self._reasons[reason] += 1
            is_first = self._reasons[reason] == 1
        if is_first:
            self._say_once(f"no response to {request.method} {request.raw_path}: {reason}")
