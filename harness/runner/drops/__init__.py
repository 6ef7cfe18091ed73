"""Streams that drop on order, and the judgement on a client that read one: what the plugin and `torture` share.

Layer 4. A `Case` says what happens to a stream, a `Source` serves the stream, a `Drop` is one client's try at it.
"""

from harness.runner.drops.case import EVENT_IDS, Case
from harness.runner.drops.cases import cases_of
from harness.runner.drops.drop import Drop
from harness.runner.drops.source import Source, whole_stream

__all__ = ["Case", "cases_of", "whole_stream", "EVENT_IDS", "Source", "Drop"]
