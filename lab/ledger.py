"""`python -m lab ledger [GLOB…]`: the sentences of the documents, with the rules that judge each."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from harness.outcome import Exit, UsageFault
from harness.outcome.words import format_count
from harness.report.screen import align
from harness.rules.sentence_rows import Sentence, load_sentences

REASONS = {
    "client": "it obliges the client, and no response shows whether it was kept",
    "sdk": "it is behavior of an SDK",
    "hidden": "no field of a response shows it",
    "model": "the model decides whether it happens",
    "account": "it needs an account, a quota or a cost that a run does not have",
    "time": "it takes hours or days",
    "contradicted": "the service, or another document, contradicts it",
    "unsettled": "its form or wording is not known; a recording of the service would settle it",
    "open": "no check was written yet",
}
"""Why a sentence is not judged, by the word in its line."""


def run(words: Sequence[str]) -> int:
    """Print the sentences. Raises UsageFault if none matches."""
    parser = argparse.ArgumentParser(prog="python -m lab ledger", description=__doc__)
    parser.add_argument(
        "globs", nargs="*", metavar="GLOB", help="an id of a sentence, or of a rule that judges it"
    )
    parser.add_argument("--json", action="store_true", help="print full records as JSON")
    options = parser.parse_args(words)
    chosen = choose_sentences(options.globs)
    if options.json:
        print(json.dumps([sentence_record(sentence) for sentence in chosen], indent=2, ensure_ascii=False))
    else:
        print(*sentence_lines(chosen), sep="\n")
    return Exit.OK


def choose_sentences(globs: Sequence[str]) -> list[Sentence]:
    """The sentences whose id, or one of whose rules, matches; all without globs. Raises UsageFault for none."""
    chosen = [
        sentence
        for sentence in load_sentences()
        if not globs or any(fnmatchcase(name, glob) for glob in globs for name in (sentence.id, *sentence.rules))
    ]
    if not chosen:
        raise UsageFault(
            f"no sentence, and no rule of one, matches {' '.join(globs)}: `python -m lab ledger` prints all"
        )
    return chosen


def sentence_record(sentence: Sentence) -> dict[str, Any]:
    """One sentence as JSON has it; `ledger.schema.json` beside this module is the schema."""
    judged: dict[str, Any] = {"rules": list(sentence.rules), "mutants": list(sentence.mutants)}
    judged |= {name: told for name in ("partly", "false_on", "true_on") if (told := getattr(sentence, name))}
    return {
        "id": sentence.id,
        "says": sentence.words,
        "page": sentence.page,
        "section": sentence.section,
        "url": sentence.url,
        "read": sentence.read,
        **(judged if sentence.rules else {"not_judged": sentence.reason, "because": sentence.because}),
        "emulated": sentence.is_emulated,
        **({"test": sentence.test} if sentence.test else {}),
        **({"settled_by": list(sentence.scenarios)} if sentence.scenarios else {}),
    }


def sentence_lines(sentences: Sequence[Sentence]) -> Iterator[str]:
    """A line for each sentence, and the counts."""
    rows = []
    for sentence in sentences:
        judged = f"[{', '.join(sentence.rules)}]" if sentence.rules else f"(not judged, {sentence.reason})"
        judged += f" (partly: {sentence.partly})" if sentence.partly else ""
        rows.append((sentence.id, f"{sentence.words}  {judged}"))
    yield from align(rows)
    yield count_sentences(sentences)


def count_sentences(sentences: Sequence[Sentence]) -> str:
    """How many sentences of how many documents there are, and how many are judged and emulated."""
    judged = [sentence for sentence in sentences if sentence.rules]
    rules = {rule for sentence in judged for rule in sentence.rules}
    reasons = Counter(sentence.reason for sentence in sentences if sentence.reason)
    partly = sum(bool(sentence.partly) for sentence in judged)
    left = ", ".join(f"{reasons[word]} {word}" for word in REASONS if reasons[word])
    return (
        f"{format_count(len(sentences), 'sentence')} of "
        f"{format_count(len({sentence.page for sentence in sentences}), 'document')}: "
        f"{len(judged) - partly} judged in full and {partly} partly by {format_count(len(rules), 'rule')}, "
        f"{len(sentences) - len(judged)} not judged"
        f"{f' ({left})' if left else ''}; the emulator shows {sum(s.is_emulated for s in sentences)}"
    )
