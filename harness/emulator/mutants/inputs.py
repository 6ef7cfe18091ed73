"""Mutants: media in the input of a create, and levels of thinking."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import assign, crash, drop, inside, refuse, when, with_contents, with_data
from harness.emulator.mutants.hooks import admit, create, request, row
from harness.emulator.values.call import Call
from harness.kit.mutant import table


def _replace_sent(pattern: bytes, text: bytes) -> Callable[[Call, Engine], Call]:
    return lambda call, _: with_data(call, re.sub(pattern, text, call.request.body))


MUTANTS = table(
    "inputs",
    row("fields-refused", "A create with `service_tier` standard is refused.",
        admit("between_fields", when(
            lambda body: body.get("service_tier") == "standard",
            refuse("'service_tier' is not supported.")))),
    row("input-image-dropped", "An image in the input is dropped.",
        create(assign(given=lambda order, _: with_contents(
            order, lambda parts: [part for part in parts if part.get("type") != "image"])))),
    row("input-audio-crashes", "A create with audio in its input returns 500.",
        create(when(lambda order, _: any(
            part.get("type") == "audio" for step in order.given for part in step.get("content", ())
            if isinstance(part, dict)), crash))),
    row("input-video-as-document", "A video in the input is stored as a document.",
        create(assign(given=lambda order, _: with_contents(
            order, lambda parts: [{**part, "type": "document"} if part.get("type") == "video" else part
                                  for part in parts])))),
    row("part-backwards", "A part of a film may end before it starts.",
        request("POST interactions", _replace_sent(rb'"start_offset": ?"[^"]*"', b'"start_offset":"0s"'))),
    row("input-document-emptied", "A document in the input is stored without its bytes.",
        create(assign(given=lambda order, _: with_contents(
            order, lambda parts: [{**part, "data": ""} if part.get("type") == "document" else part
                                  for part in parts])))),
    row("input-kinds-sorted", "The contents of an input are stored by kind, not as they were sent.",
        create(assign(given=lambda order, _: with_contents(
            order, lambda parts: sorted(parts, key=lambda part: str(part.get("type"))))))),
    row("levels-refused", "No thinking level is accepted.",
        admit("between_fields", when(
            lambda body: "thinking_level" in (body.get("generation_config") or {}),
            refuse("'thinking_level' is not supported.")))),
    row("levels-ignored", "A thinking level that a model lacks is accepted.",
        admit("shape", when(
            lambda body: isinstance(body.get("generation_config"), dict),
            inside("generation_config", drop("thinking_level"))))),
    row("pages-backwards", "A part of a document may end before it starts.",
        request("POST interactions", _replace_sent(rb', ?"end_page": ?1', b""))),
)  # fmt: skip
