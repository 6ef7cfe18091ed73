"""Requests, responses, pieces, endings, exchanges, clocks and server-sent events, as values."""

from harness.wire.driver import (
    Collect,
    Driver,
    DriverAction,
    Interrupt,
    Listen,
    LiveStream,
    Open,
    Send,
    Together,
    Wait,
)
from harness.wire.message import (
    COMPLETE,
    KEPT_BYTES,
    TICK,
    Arrivals,
    At,
    Body,
    By,
    Chunk,
    Chunked,
    Clock,
    Ending,
    Exchange,
    ExchangeBuilder,
    Framing,
    Headers,
    How,
    Length,
    LogicalClock,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
    Service,
    UntilClose,
)
from harness.wire.protocol import StreamProtocol
from harness.wire.sse import CutFrame, Decoder, Frame, encode

__all__ = [
    "Request", "Response", "Headers", "Body", "PieceBody", "Service",
    "Framing", "Chunked", "Length", "UntilClose",
    "Piece", "Chunk", "Pause", "Ending", "COMPLETE", "By", "How", "At",
    "Exchange", "ExchangeBuilder", "Arrivals", "KEPT_BYTES",
    "Clock", "LogicalClock", "TICK",
    "Frame", "CutFrame", "Decoder", "encode",
    "Driver", "DriverAction", "LiveStream", "Send", "Open", "Together", "Wait", "Listen", "Collect", "Interrupt",
    "StreamProtocol",
]  # fmt: skip
