"""The sentences of documents: what they state, one line each, and the rules that judge it.

`sentences/*.yaml` has the lines, by document. A sentence names its rules; what a rule is based on follows from
that (`sentences_of`). The mutant that proves a judge stands in the row of its rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.outcome.words import did_you_mean
from harness.rules import ROWS
from harness.rules.tables import FOLDER, RuleRow, load_sources, make_table_error, parse_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One line. `reason` and `because` say why no rule judges it; `test` is a test of the emulator.

    A recording of the service, made by one of the `scenarios`, would settle it. `partly` names the half that its
    rules do not judge. One of them has to notice a server like `false_on`, of which the sentence is false, and
    none a server like `true_on`, which does what it allows.
    """

    id: str
    page: str
    section: str
    url: str
    read: str
    words: str
    rules: tuple[str, ...] = ()
    partly: str = ""
    false_on: Mapping[str, Any] | None = None
    true_on: Mapping[str, Any] | None = None
    reason: str = ""
    because: str = ""
    test: str = ""
    scenarios: tuple[str, ...] = ()

    @property
    def mutants(self) -> tuple[str, ...]:
        """The defects that the checks of its rules are known to notice."""
        return tuple(dict.fromkeys(ROWS[rule].mutant for rule in self.rules if ROWS[rule].mutant))

    @property
    def is_emulated(self) -> bool:
        """Whether the emulator behaves so: a rule that is judged on it, or a test, shows it."""
        return bool(self.test) or any(ROWS[rule].judge for rule in self.rules)


@cache
def load_sentences() -> tuple[Sentence, ...]:
    """Return all sentences. Raises ValueError for a line that is wrong, with its file and line."""
    texts = {f"sentences/{path.stem}": path.read_bytes() for path in sorted((FOLDER / "sentences").glob("*.yaml"))}
    return tuple(read_sentences(texts))


def read_sentences(texts: Mapping[str, bytes], rows: Mapping[str, RuleRow] = ROWS) -> Iterator[Sentence]:
    """Yield the sentences of some files; their rules are among `rows`. Raises ValueError for a wrong one."""
    sources = load_sources()
    seen: dict[str, str] = {}
    for name, text in texts.items():
        for source, document in parse_table(name, text, "documents").items():
            if source in seen:
                wrong = f"{seen[source]}.yaml has this document, too: keep one of them"
                raise make_table_error(name, text, [source], wrong)
            if source not in sources:
                wrong = f"sources.yaml has no {source!r}{did_you_mean(source, sources)}"
                raise make_table_error(name, text, [source], wrong)
            seen[source] = name
            for word, line in document["sentences"].items():
                for rule in line.get("rules", ()):
                    if rule not in rows:
                        wrong = f"{word}: names {rule!r}, which is not a rule{did_you_mean(rule, rows)}"
                        raise make_table_error(name, text, [source, "sentences", word], wrong)
                yield Sentence(
                    id=f"{source}.{word}",
                    page=sources[source]["title"],
                    section=line["section"],
                    url=sources[source].get("url", ""),
                    read=document["read"],
                    words=line["says"],
                    rules=tuple(line.get("rules", ())),
                    partly=line.get("partly", ""),
                    false_on=line.get("false_on"),
                    true_on=line.get("true_on"),
                    reason=line.get("not_judged", ""),
                    because=line.get("because", ""),
                    test=line.get("test", ""),
                    scenarios=tuple(line.get("scenario", ())),
                )


def sentences_of(rule: str) -> tuple[Sentence, ...]:
    """The sentences that a rule judges."""
    return tuple(sentence for sentence in load_sentences() if rule in sentence.rules)
