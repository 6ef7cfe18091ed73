"""The data that a page requests beyond the feed: an exchange or an event in full, and copies to run elsewhere.

Everything returned is masked.
"""

from __future__ import annotations

import json
import pprint
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from harness.inspector.seen_exchange import SeenExchange
from harness.inspector.traffic import SeenTraffic
from harness.kit.api import Api, ApiContract
from harness.outcome.words import escape_obeyed, write_docstring
from harness.wire import Headers, Request
from harness.wire.bodies import json_or_none, object_or_none
from harness.wire.mask import Mask

MOST_SHOWN = 256 * 1024
"""Bytes of a body that a page is shown."""

_WIDTH = 100


@dataclass(eq=False)
class Evidence:
    """Shows what was seen. `to_curl` writes a request as a command for the server at a root URL."""

    traffic: SeenTraffic
    mask: Mask
    api: Api
    contract: ApiContract
    to_curl: Callable[[Request, str], str]

    def exchange(self, seen: SeenExchange) -> dict[str, Any]:
        """Request and answer in full; the body of a stream is shown event by event."""
        request, recorder = seen.request, seen.recorder
        shown: dict[str, Any] = {
            "n": seen.number,
            "request": {
                "method": request.method,
                "target": self.mask.text(request.target),
                "headers": self._show_headers(request.headers),
                "body": self._show_body(request.body, request),
            },
            "answer": None,
        }
        if seen.status is not None:
            body = b"" if seen.is_stream else recorder.span(0, MOST_SHOWN)
            shown["answer"] = {
                "status": seen.status,
                "headers": self._show_headers(recorder.headers),
                "body": self._show_body(body, request),
                "size": recorder.size,
                "cut": recorder.size > MOST_SHOWN and not seen.is_stream,
            }
        return shown

    def event(self, seen: SeenExchange, number: int) -> dict[str, Any]:
        """The bytes of one event, and its payload if that is JSON."""
        event = seen.events[number]
        raw = seen.recorder.span(event.start, min(event.end, event.start + MOST_SHOWN))
        text = raw.decode("utf-8", "replace")
        data = "\n".join(line[5:].removeprefix(" ") for line in text.splitlines() if line.startswith("data:"))
        value = self._show_body(data.encode("utf-8", "surrogatepass"), seen.request)
        return {"text": self.mask.text(text, seen.request), "value": value if isinstance(value, dict) else None}

    def raw(self, seen: SeenExchange) -> dict[str, Any]:
        """The response as it came, head and frames, as text; `cut` if it was longer."""
        recorder = seen.recorder
        head = "".join(f"{name}: {value}\n" for name, value in self._show_headers(recorder.headers))
        body = recorder.span(0, MOST_SHOWN).decode("utf-8", "replace")
        return {
            "text": f"{seen.status}\n{head}\n{self.mask.text(body, seen.request)}",
            "cut": recorder.size > MOST_SHOWN,
        }

    def find_words(self, seen: SeenExchange, words: Sequence[str]) -> list[str]:
        """The words, in lower case, that a body contains as the page shows it.

        What is masked cannot be found, or a page could guess a key letter by letter. To mask is slow, so only
        bodies that have a word at all are masked.
        """
        request, answer = seen.request.body[:MOST_SHOWN], seen.recorder.span(0, MOST_SHOWN)
        raw = b"\n".join((request, answer)).lower()
        forms = {word: (word, json.dumps(word)[1:-1]) for word in words}  # as it is, and as JSON in ASCII has it
        likely = [word for word in words if any(form.encode() in raw for form in forms[word])]
        if not likely:
            return []
        shown = [self._show_body(body, seen.request) for body in (request, b"" if seen.is_stream else answer)]
        text = "\n".join(json.dumps(body, ensure_ascii=False) for body in shown if body is not None)
        if seen.is_stream:
            text += self.mask.stream(answer.decode("utf-8", "replace"), self.api.load_protocol())
        text = text.lower()
        return [word for word in likely if any(form in text for form in forms[word])]

    def copy(self, seen: SeenExchange, form: str, root: str) -> str | None:
        """The exchange as `curl`, `pytest` or `scenario`; None if it cannot be had in this form."""
        if form == "curl":
            return self.to_curl(seen.request, root)
        script = self._write_script(seen)
        if script is None:
            return None
        return self._write_pytest(seen, script) if form == "pytest" else self._write_scenario(seen, script)

    def _show_headers(self, headers: Headers) -> list[list[str]]:
        return [[self.mask.text(name), self.mask.header(name, value)] for name, value in headers.items()]

    def _show_body(self, data: bytes, request: Request) -> Any:
        """A JSON body as a value, any other as text; None if there is none."""
        if not data:
            return None
        value = json_or_none(data)
        if isinstance(value, dict | list):
            with suppress(RecursionError):  # nested too deeply to be walked: shown as text
                return self.mask.body(value, request)
        return self.mask.text(data[:MOST_SHOWN].decode("utf-8", "replace"), request)

    # Copies

    def _of_the_run(self, seen: SeenExchange) -> list[SeenExchange]:
        """The exchange itself, and then the others about its run, latest first."""
        others = [
            other for other in self.traffic.all() if other.run and other.run == seen.run and other is not seen
        ]
        return [seen, *reversed(others)]

    def _write_script(self, seen: SeenExchange) -> dict[str, Any] | None:
        """The script with which the reference service returns the same response, or the result of its run."""
        known = self._of_the_run(seen)
        for other in sorted(known, key=lambda other: other.exchange is None or not other.exchange.complete):
            if other.exchange is None or other.exchange.truncated:
                continue
            script = self.api.new_script(other.exchange, self.contract)
            if script is not None:
                return self.mask.tree(script)  # type: ignore[no-any-return]
        return None

    def _write_pytest(self, seen: SeenExchange, script: dict[str, Any]) -> str:
        creator = next((other for other in self._of_the_run(seen) if other.order is not None), None)
        body = None if creator is None else object_or_none(creator.request.body)
        request = self.mask.text(f"{seen.request.method} {seen.request.raw_path}")
        lines = [
            "def test_recorded_response(interactions_emulator, interactions_client):",
            f"    {write_docstring(f'The recorded response to {request}.')}",
            *_assign("interactions_emulator.script(", script, ")"),
        ]
        if _format_plan(seen):
            lines.append(f"    # The connection was dropped by the fault plan {_format_plan(seen)}")
        if body is None or creator is None or "refuse" in script:
            lines.append("    ...  # call your code here, with interactions_client")
        else:
            lines.append("    # Call your code here instead:")
            lines += _assign("create = ", self.mask.body(body, creator.request), "")
            call = "interactions_client.interactions.create(**create)"
            lines.append(f"    response = {f'list({call})' if body.get('stream') is True else call}")
            lines.append("    assert response")
        return "\n".join([*lines, ""])

    def _write_scenario(self, seen: SeenExchange, script: dict[str, Any]) -> str:
        import yaml

        replies: dict[str, Any] = {"replies": [script]}
        text: str = yaml.safe_dump(replies, sort_keys=False, allow_unicode=True, width=_WIDTH)
        if escape_obeyed(text) != text:
            text = yaml.safe_dump(replies, sort_keys=False, width=_WIDTH)
        if planned := _format_plan(seen):
            text += f"# harness serve --scenario FILE --fault {shlex.quote(planned)}\n"
        return text


def _format_plan(seen: SeenExchange) -> str:
    """The effect of a fault plan on the response, as a plan."""
    plan = ",".join(str(fault) for fault in seen.suffered.fired) if seen.suffered is not None else ""
    return " ".join(plan.split())  # it stands in a comment


def _assign(before: str, value: Any, after: str) -> list[str]:
    """Lines of code, inside a function, with a value written out between two texts."""
    first, *rest = pprint.pformat(value, width=_WIDTH - 8, sort_dicts=False).split("\n")
    lines = [f"    {before}{first}", *(f"    {' ' * len(before)}{line}" for line in rest)]
    lines[-1] += after
    return lines
