"""Mutants: servers that crash on one feature of a create and answer everything else."""

from __future__ import annotations

from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, plain_error, sent
from harness.emulator.values.call import Call
from harness.wire import Response

CRASHES = Area("crashes")


class _Crash(Engine):
    """A create for which `asks` is true is answered with 500."""

    def create(self, call: Call) -> Response:
        return plain_error(500) if self.asks(sent(call)) else super().create(call)

    def asks(self, body: Json) -> bool:
        """Whether this create is answered with 500."""
        raise NotImplementedError


@CRASHES.mutant("unstored-crashes")
class _UnstoredCrashes(_Crash):
    """A create with store=false is answered with 500."""

    def asks(self, body: Json) -> bool:
        return body.get("store") is False


@CRASHES.mutant("stream-crashes")
class _StreamCrashes(_Crash):
    """A create with stream=true is answered with 500."""

    def asks(self, body: Json) -> bool:
        return body.get("stream") is True


@CRASHES.mutant("streamed-tools-crash")
class _StreamedToolsCrash(_Crash):
    """A streaming create with tools is answered with 500."""

    def asks(self, body: Json) -> bool:
        return body.get("stream") is True and "tools" in body


@CRASHES.mutant("unicode-crashes")
class _UnicodeCrashes(_Crash):
    """A create whose input is not plain ASCII is answered with 500."""

    def asks(self, body: Json) -> bool:
        text = body.get("input")
        return isinstance(text, str) and not text.isascii()


@CRASHES.mutant("format-crashes")
class _FormatCrashes(_Crash):
    """A create with a response_format is answered with 500."""

    def asks(self, body: Json) -> bool:
        return "response_format" in body


@CRASHES.mutant("functions-crash")
class _FunctionsCrash(_Crash):
    """A create that declares a function is answered with 500."""

    def asks(self, body: Json) -> bool:
        return "function" in _kinds(body)


@CRASHES.mutant("search-crashes")
class _SearchCrashes(_Crash):
    """A create that declares the search tool is answered with 500."""

    def asks(self, body: Json) -> bool:
        return "google_search" in _kinds(body)


@CRASHES.mutant("choice-crashes")
class _ChoiceCrashes(_Crash):
    """A create whose tool_choice forbids calls is answered with 500."""

    def asks(self, body: Json) -> bool:
        config = body.get("generation_config")
        return isinstance(config, dict) and config.get("tool_choice") == "none"


@CRASHES.mutant("turns-crash")
class _TurnsCrash(_Crash):
    """A create whose input is a list of turns with a role is answered with 500."""

    def asks(self, body: Json) -> bool:
        items = body.get("input")
        return isinstance(items, list) and any(isinstance(item, dict) and "role" in item for item in items)


def _kinds(body: Json) -> set[str]:
    tools = body.get("tools")
    listed = tools if isinstance(tools, list) else []
    return {str(tool.get("type")) for tool in listed if isinstance(tool, dict)}
