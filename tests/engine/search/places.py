"""Targets for the fuzzing tests: the reference emulator, and mutants of it, in this process."""

from __future__ import annotations

from harness.checks.capabilities import CAPABILITIES
from harness.emulator.mutants import MUTANTS
from harness.engine.search.search_target import SearchTarget
from harness.engine.targets import TargetOptions, embed_emulator
from harness.interactions.search import load_search
from harness.interactions.servers import SERVERS, embedded_settings
from harness.strategies.operations import KINDS, ClientCommand


def reference() -> SearchTarget:
    """The unchanged emulator."""
    return SearchTarget(embed_emulator(SERVERS, TargetOptions()), load_search(), frozenset(CAPABILITIES))


def mutant(name: str) -> SearchTarget:
    """The emulator with one mutant applied."""
    build = MUTANTS[name].build
    return SearchTarget(
        embed_emulator(SERVERS, TargetOptions(), lambda: build(embedded_settings())),
        load_search(),
        frozenset(CAPABILITIES),
    )


def history(text: str) -> list[ClientCommand]:
    """Parse `create background; open 0 x3; drop; resume 0 x2`: each kind, then any mode, subject and count."""
    return [_operation(words.split()) for words in text.split(";")]


def _operation(words: list[str]) -> ClientCommand:
    kind, *rest = words
    mode, subject, count = "plain" if kind in ("create", "chain", "answer") else "", 0, 0
    for word in rest:
        if word.isdecimal():
            subject = int(word)
        elif word[0] == "x" and word[1:].isdecimal():
            count = int(word[1:])
        else:
            assert word in KINDS[kind], f"{word} is not a mode of {kind}"
            mode = word
    return ClientCommand(kind, subject, mode, count)
