"""Streams that drop where told, and the judgement of a client that read one; used by the plugin and `torture`.

Layer 4. A `Case` says what happens to a stream, a `Source` serves the stream, a `Drop` is one client's attempt.
"""

from harness.runner.drops.case import EVENT_IDS, Case
from harness.runner.drops.cases import cases_of
from harness.runner.drops.drop import Drop
from harness.runner.drops.source import Source, whole_stream

__all__ = ["Case", "cases_of", "whole_stream", "EVENT_IDS", "Source", "Drop"]
