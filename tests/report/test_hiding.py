"""Reports hide an API key that the target repeats, in an ending or in a comment, too."""

from __future__ import annotations

import json
from pathlib import Path

from msgspec.structs import replace

from harness.contract import PROTOCOL
from harness.engine.decide import Policy, decide
from harness.engine.events import CheckFinished, RunFinished, RunStarted, TargetInfo
from harness.interactions.servers import SERVERS
from harness.outcome import Exit, Finding, Observation
from harness.report.commands.fuzz import write_all
from harness.report.evidence.curl import EMBEDDED_ROOT, Display
from harness.report.evidence.evidence_text import MASKED, begin_body, body_lines, ending_line
from harness.report.evidence.evidence_text import SHOWN as SHOWN_UNCUT
from harness.report.presented_run import PresentedRun
from harness.wire import At, Ending, How, Request
from harness.wire.mask import HIDDEN, Mask
from tests.contract.exchanges import exchange
from tests.engine import toys

KEY = "zq4canary0123456789abcdef"
MASK = Mask({"GEMINI_API_KEY": KEY}, PROTOCOL.secret_fields)
SHOWN = Display(SERVERS, EMBEDDED_ROOT, MASK)
GET = Request("GET", "/v1beta/interactions/v1_a?stream=true")


def test_an_ending_that_quotes_the_target() -> None:
    """An ending that quotes invalid HTTP hides the key and escapes control characters."""
    detail = f"'X-Echo {KEY}\x1b[2J' is not a header field"
    broken = replace(exchange(), ending=Ending(how=How.FIN, at=At.IN_HEADERS, detail=detail))
    line = ending_line(broken, MASK)
    assert KEY not in line
    assert HIDDEN in line
    assert "\x1b" not in line


def test_each_result_is_looked_through_once() -> None:
    """All listeners get the same hidden result, as it comes and at the end of the run."""
    finding = Finding("get.ok", f"the server echoes {KEY}")
    result = decide(toys.rule("get.ok"), Observation.of([finding]), Policy())
    state = PresentedRun(SERVERS)
    state.handle(RunStarted(TargetInfo(name="toy", secrets={"GEMINI_API_KEY": KEY})))
    state.handle(CheckFinished(result))
    shown = state.hide(CheckFinished(result))
    end = RunFinished((result,), 1.0, Exit.FAILED, halted=f"the server sent {KEY}")
    state.handle(end)
    last = state.hide(end)
    assert isinstance(shown, CheckFinished)
    assert isinstance(last, RunFinished)
    assert last.results[0] is shown.result is state.results[0]
    assert KEY not in repr((shown, last, state.finished))


class WatchfulMask(Mask):
    """Notes how long the texts are that it is given."""

    longest = 0

    def text(self, text: str, request: Request | None = None) -> str:
        """Mask as ever."""
        self.longest = max(self.longest, len(text))
        return super().text(text, request)


def test_of_a_huge_body_only_the_beginning_is_searched() -> None:
    """To search a million values takes seconds, and the page of a run may show dozens of such bodies."""
    mask = WatchfulMask({"GEMINI_API_KEY": KEY}, PROTOCOL.secret_fields)
    body = json.dumps({"key": KEY, "steps": [0] * 500_000}).encode()
    lines = body_lines(body, GET, Display(SERVERS, EMBEDDED_ROOT, mask))
    assert (len("".join(lines)) < 2 * SHOWN_UNCUT, KEY in str(lines)) == (True, False)
    assert lines[-1] == f"[… the beginning of {len(body):,} bytes …]"
    assert begin_body(body, mask, 30) == '{"key": "***", "steps": [0, …'
    assert mask.longest <= MASKED


def test_a_script_that_reproduces(tmp_path: Path) -> None:
    """In a reproduction script the target's text is a comment without the key, and no line of it is executed."""
    found = Finding("create.ok", f"it said {KEY}\ntouch owned\r\ntouch owned")
    trail = (exchange(),)
    failure = decide(toys.rule("create.ok"), Observation.of([found]), Policy(), show=lambda _: trail)
    target = TargetInfo(name="t", url="http://127.0.0.1:9", version="v1beta", model="m", agent="a")
    script = next(path for path in write_all(failure, target, SHOWN, tmp_path) if path.suffix == ".sh")
    text = script.read_text()
    assert KEY not in text
    assert [line for line in text.splitlines() if "touch" in line] == [
        f"# it said {HIDDEN} touch owned touch owned"
    ]
