"""The table finds each of any number of secrets, and adding one costs the same however many there are."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cassette.placeholders import PlaceholderTable, apply_changes
from harness.wire import secret_texts, secrets
from harness.wire.mask import Mask
from harness.wire.secret_texts import KnownStretches, KnownTexts
from tests.cli.canary import KEY, spell
from tests.in_one_test import in_one_test


def test_a_new_secret_costs_the_same_in_a_long_session() -> None:
    """Each secret is built into few automata, and few are searched, however many there are."""
    known = PlaceholderTable(f"secret-number-{number:05}" for number in range(300))
    assert [one.rank for one in known._texts._automata] == [4, 2, 2, 1, 1, 1]
    assert len(known.changes("secret-number-00000 secret-number-00150 secret-number-00299")) == 3


def _take_time(secret: str) -> float:
    """The least time of the processor in which a table learns a secret and finds it, whole and cut, in seconds."""
    best = float("inf")
    for _ in range(3):
        begun = time.thread_time()
        table = PlaceholderTable()
        table.learn(secret, own=True)
        table.changes(f"x {secret} y {secret[:-9]}… z {secret[:-9]}! ")
        best = min(best, time.thread_time() - begun)
    return best


@pytest.mark.parametrize("unit", ["a", "ab", '"', "é", "%41"])
def test_a_secret_that_repeats_itself_takes_no_longer(unit: str) -> None:
    """A target or a recording chooses secrets: one of a repeated letter would hold a recorder for hours."""
    long, short = (unit * (length // len(unit)) for length in (8_000, 2_000))
    assert _take_time(long) < 10 * _take_time(short)


@pytest.mark.parametrize("step", [1, -1], ids=["shorter first", "longer first"])
@pytest.mark.parametrize("unit", [pytest.param("a", marks=pytest.mark.slow), "abcdefg"])
def test_secrets_that_overlap_everywhere_take_no_longer(unit: str, step: int) -> None:
    """A head may have a hundred secrets of one letter, and a body that letter: each is in a hundred of them."""
    text, times = unit * (60_000 // len(unit)), []
    for count in (16, 256):
        table = PlaceholderTable(["of-the-user"])
        for length in range(8, 8 + count)[::step]:
            table.learn((unit * length)[:length])
        begun = time.thread_time()
        shown = apply_changes(text, table.changes(text, cut=True, resumed=True))
        times.append(time.thread_time() - begun)
        assert unit not in shown
        assert len(table.find_places(text)) < 99
    assert times[1] < 6 * times[0]


@pytest.mark.parametrize("unit", ["", pytest.param("a", marks=pytest.mark.slow)])
def test_a_secret_of_megabytes_takes_little_memory(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response of 64 MB may be a secret: with a kilobyte for each character, no machine could hide it."""
    built, build = list[bytes](), secret_texts._Automaton.__init__

    def count(automaton: secret_texts._Automaton, rank: int, texts: Sequence[bytes]) -> None:
        built.extend(texts)
        build(automaton, rank, texts)

    monkeypatch.setattr(secret_texts._Automaton, "__init__", count)
    secret = unit * 160_000 or "".join(f"{number:07}Z" for number in range(20_000))
    tracemalloc.start()
    try:
        table = PlaceholderTable()
        table.learn(secret)
        found = [
            apply_changes(text, table.changes(text, cut=cut, resumed=resumed))
            for text, cut, resumed in (
                (f"x {secret} y", False, False),
                (f'{{"a": "{secret}abc"}}', False, False),
                (f"x {secret[:-9]}… y", False, False),
                (f"x {secret[:120_000]}", True, False),
                (f"{secret[-60_000:]} y", False, True),
                (f"{secret[-120_000:]} y", False, True),
            )
        ]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    name = table.placeholder(secret)
    assert found == [f"x {name} y", f'{{"a": "{name}abc"}}', f"x {name}… y", f"x {name}", f"{name} y", f"{name} y"]
    assert peak < 40_000_000
    assert built
    assert sum(map(len, built)) < 1_000  # each of these takes a hundred times its length, which is not traced


@pytest.mark.parametrize("size", [200, 5_000, 60_000])
def test_many_secrets_take_little_memory(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response may hold many: once they have many characters together, each is hidden as it is and in JSON."""
    monkeypatch.setattr("harness.cassette.placeholders.MOST_SPELLED", 3 * size)
    built, build = list[int](), secret_texts._Automaton.__init__

    def count(automaton: secret_texts._Automaton, rank: int, texts: Sequence[bytes]) -> None:
        built.append(0 if rank else sum(map(len, texts)))
        build(automaton, rank, texts)

    monkeypatch.setattr(secret_texts._Automaton, "__init__", count)
    table, sums = PlaceholderTable(), list[int]()
    *_, few, many = hidden = [f'{number:03}"{number:x}' * (size // 5) for number in range(16)]
    for secret in hidden:
        table.learn(secret)
        sums.append(sum(built))
    assert sums[-1] - sums[2] < 13 * 3 * size < sums[2]
    table.learn(own := f'own"{few}', own=True)
    for secret in (*hidden, own):
        name = table.placeholder(secret)
        for text in (f"x {secret} y", f"x {json.dumps(secret)} y"):
            assert apply_changes(text, table.changes(text)) in (f"x {name} y", f'x "{name}" y')
    assert "6f776e" not in apply_changes(own.encode().hex(), table.changes(own.encode().hex()))
    cut = f"x {many[:-1]}"
    assert apply_changes(cut, table.changes(cut, cut=True)) == f"x {table.placeholder(many)}"


def test_texts_that_overlap_take_little_memory() -> None:
    """Of a hundred occurrences in each place, those in a small part of a text are kept at once."""
    known, text = KnownStretches(), "a" * 120_000
    for length in range(8, 24):
        known.add(["a" * length])
    tracemalloc.start()
    try:
        assert [place[:2] for place in known.find_stretches(text)] == [(0, len(text))]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize("left", [4_095, 4_096, 4_097, 6_000, 11_999])
@pytest.mark.parametrize("end", ["…", "! "])
def test_a_long_beginning_of_a_secret_is_hidden(left: int, end: str) -> None:
    """All of it that a text repeats; so many characters are no accident, whatever follows them."""
    secret = "".join(f"{number:05}x" for number in range(2_000))
    table = PlaceholderTable([secret])
    text = f"a {secret[:left]}{end}"
    shown = apply_changes(text, table.changes(text))
    is_hidden = end == "…" or left >= 4_096
    assert shown == (f"a {table.placeholder(secret)}{end}" if is_hidden else text)


@pytest.mark.parametrize("size", [40, 908, 4_000])
@pytest.mark.parametrize("end", [" is no", ", no", ".", "\nno", "! "])
def test_most_of_a_secret_is_hidden(size: int, end: str) -> None:
    """A server may leave out the last character, or half of them; fewer may be the start of another value."""
    secret = "gw-" + "".join(f"{number:03}x" for number in range(999))[: size - 3]
    table, mask = PlaceholderTable([secret]), Mask({"K": secret})
    for left in (size - 1, max(size // 2, 32)):
        text = f"token {secret[:left]}{end}"
        assert apply_changes(text, table.changes(text)) == f"token {table.placeholder(secret)}{end}"
        assert mask.hide_known(text) == f"token ***{end}"
    text = f"token {secret[: min(size // 2, 32) - 1]}{end}"
    assert apply_changes(text, table.changes(text)) == mask.hide_known(text) == text


def test_an_own_secret_that_is_written_in_two_ways() -> None:
    """A cookie and its values overlap: what is left once one is hidden is looked through, too."""
    table = PlaceholderTable()
    for secret in ("sid=abcd1234; tok=efgh5678", "abcd1234", "efgh5678"):
        table.learn(secret, own=True)
    text = r"x sid=abcd1234;\u0020tok=\u0065fgh5678 y"
    shown = apply_changes(text, table.own_changes(text))
    assert "abcd" not in shown
    assert "fgh" not in shown


def test_secrets_that_hold_each_other() -> None:
    """If one secret contains another, the longer one is replaced, in whichever order they were added."""
    known = PlaceholderTable(
        ["a-long-secret", *(f"other-secret-{number:03}" for number in range(100)), "a-long-secret-indeed"]
    )
    text = "x a-long-secret-indeed y"
    assert apply_changes(text, known.changes(text)) == f"x {known.placeholder('a-long-secret-indeed')} y"


_WORDS = st.text("aAbé🦊", min_size=1, max_size=7)


@given(st.lists(_WORDS, min_size=1, max_size=5), st.text("aAbé🦊 ", max_size=30), st.integers(1, 9))
def test_a_long_text_is_searched_part_by_part(words: list[str], text: str, size: int) -> None:
    """The same places are found, each once, wherever the parts of a long text end."""
    known = KnownTexts()
    known.add(words)
    at_once = sorted(known.find(text))
    with pytest.MonkeyPatch.context() as patch:
        for module in (secret_texts, secrets):
            patch.setattr(module, "PART", size)
        assert sorted(known.find(text)) == at_once


@given(
    st.lists(st.text("aAb", min_size=1, max_size=9), min_size=1, max_size=40, unique=True),
    st.text("aAbé", max_size=60),
    st.integers(1, 9),
)
def test_stretches_are_what_all_occurrences_cover(words: list[str], text: str, size: int) -> None:
    """They begin and end where any occurrence does, also of a text that others cover, wherever parts end."""
    known, stretches = KnownTexts(), KnownStretches()
    for word in words:
        known.add([word])
        stretches.add([word])
    covered: list[tuple[int, int]] = []
    for start, end in known.find(text):
        if covered and start < covered[-1][1]:
            start, end = covered[-1][0], max(end, covered.pop()[1])
        covered.append((start, end))
    with pytest.MonkeyPatch.context() as patch:
        for module in (secret_texts, secrets):
            patch.setattr(module, "PART", size)
        patch.setattr(secret_texts, "_AT_ONCE", size // 2 + 1)
        found = list(stretches.find_stretches(text))
    assert [(start, end) for start, end, _ in found] == covered
    assert {text[start:first].lower() for start, _, first in found} <= {word.lower() for word in words}


@in_one_test(name=spell(KEY))
def test_a_known_secret_that_somebody_cut(name: str) -> None:
    """What is left of a secret is replaced where somebody cut and quoted it, and where the text itself was cut."""
    spelled = spell(KEY)[name]
    for left in range(len(spelled) * 3 // 4, len(spelled)):
        table, head = PlaceholderTable([KEY]), spelled[:left]
        for text, cut in ((f"the id '{head}…' is none", False), (f"b {head}", True)):
            assert cut or table.may_change(text)
            assert head[-14:-6] not in apply_changes(text, table.changes(text, cut=cut))


def test_a_beginning_that_says_nothing() -> None:
    """The words with which a secret begins are no secret."""
    table = PlaceholderTable(["auth_tokens/abcdefgh0123", KEY])
    for text in ("see 'auth_tokens/' for more", f"{KEY[:13]} is not cut", f"'{KEY[:9]}'"):
        assert table.changes(text) == []
