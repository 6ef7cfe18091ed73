"""A test that never asks its fixture for the outcome gets a warning; a test that checks otherwise does not."""

from __future__ import annotations

import re

import pytest

from tests.plugin.toys import HEAD, run

pytestmark = pytest.mark.filterwarnings("ignore")

READS = """
dropped, lifecycle = pytest.mark.interactions_dropped_stream, pytest.mark.interactions_lifecycle
CUTS = ["event:9,rst", "event:9,end"]
read_events = read

def read(client, stream):
    texts = []
    try:
        for event in read_events(client, f"{PATH}/{stream.id}"):
            texts.append(text_of([event]))
    except httpx.HTTPError:
        pass
    return "".join(texts)

@pytest.fixture
def judged_late(interactions_dropped_stream, client):
    texts = []
    yield texts
    assert interactions_dropped_stream.text.startswith(texts[0])
"""

UNCHECKED = {
    "nothing": """
        @dropped(cuts=CUTS)
        def test_it(interactions_dropped_stream, client):
            read(client, interactions_dropped_stream)
    """,
    "a comparison that the fixture cannot see": """
        @dropped(cuts=["pass"], script={"text": "Short."})
        def test_it(interactions_dropped_stream, client):
            assert read(client, interactions_dropped_stream) == "Short."
    """,
    "a loop that judges some of its turns": """
        @dropped(cuts=CUTS, mode="loop")
        def test_it(interactions_dropped_stream, client):
            for number, stream in enumerate(interactions_dropped_stream):
                if not number:
                    stream.assert_seen_once(json.loads(client.get(f"{PATH}/{stream.id}").text))
    """,
    "an outcome that nobody wants to know": """
        def test_it(interactions_lifecycle, client):
            assert client.get(f"{PATH}/{interactions_lifecycle.id}") is not None
    """,
}

CHECKED = {
    "the assertion": """
        @dropped(cuts=["pass"])
        def test_it(interactions_dropped_stream, client):
            interactions_dropped_stream.assert_seen_once(read(client, interactions_dropped_stream))
    """,
    "its expected text": """
        @dropped(cuts=CUTS)
        def test_it(interactions_dropped_stream, client):
            assert interactions_dropped_stream.text.startswith(read(client, interactions_dropped_stream))
    """,
    "a fixture that checks when it is over": """
        @dropped(cuts=CUTS)
        def test_it(interactions_dropped_stream, client, judged_late):
            judged_late.append(read(client, interactions_dropped_stream))
    """,
    "what was sent": """
        @dropped(cuts=CUTS)
        def test_it(interactions_dropped_stream, interactions_emulator, client):
            read(client, interactions_dropped_stream)
            assert len(interactions_emulator.requests) == 1
    """,
    "only the first turn of a loop asks": """
        @dropped(cuts=CUTS, mode="loop")
        def test_it(interactions_dropped_stream, client):
            whole = None
            for stream in interactions_dropped_stream:
                whole = whole or stream.text
                assert whole.startswith(read(client, stream))
    """,
    "an outcome by the name of the route": """
        def test_it(interactions_lifecycle):
            assert interactions_lifecycle.route != "deleted"
    """,
    "ignored on purpose": """
        @pytest.mark.filterwarnings("ignore::harness.plugin.UncheckedResultWarning")
        @dropped(cuts=CUTS)
        def test_it(interactions_dropped_stream, client):
            read(client, interactions_dropped_stream)
    """,
    "a fixture that promises nothing": """
        def test_it(interactions_chain, interactions_emulator, client):
            interactions_chain.build(2)
    """,
}
SHOWN = ("-W", "default::harness.plugin.UncheckedResultWarning")


def toys(pytester: pytest.Pytester, cases: dict[str, str]) -> None:
    """Write a separate module for each case."""
    for name, source in cases.items():
        module = re.sub(r"\W", "_", name)
        pytester.makepyfile(**{f"test_{module}": HEAD + READS + "\n" + re.sub(r"(?m)^ {8}", "", source)})


@pytest.mark.slow
def test_who_is_warned(pytester: pytest.Pytester) -> None:
    """Every test that cannot notice a loss is named once, however many cuts it has, with what to write instead."""
    toys(pytester, UNCHECKED)
    result = run(pytester, *SHOWN)
    assert "failed" not in result.parseoutcomes()
    told = [line for line in result.outlines if "UncheckedResultWarning:" in line]
    warned = {re.search(r"test_(\w+)\.py::", line)[1] for line in told}  # type: ignore[index]
    assert warned == {re.sub(r"\W", "_", name) for name in UNCHECKED}
    assert len(told) == len(UNCHECKED)
    assert "call interactions_dropped_stream.assert_seen_once(result)" in str(result.stdout)
    assert "call interactions_lifecycle.assert_outcome(result)" in str(result.stdout)


@pytest.mark.slow
def test_who_is_not(pytester: pytest.Pytester) -> None:
    """A test that checks in any way, or that did not pass, gets no warning, which would be an error here."""
    toys(pytester, CHECKED)
    assert run(pytester).parseoutcomes().keys() == {"passed"}


def test_where_warnings_are_errors(pytester: pytest.Pytester) -> None:
    """If warnings are errors, such a test fails at teardown, without a traceback; a failed test does so once."""
    failing = UNCHECKED["nothing"].replace("read(", "assert not read(")
    toys(pytester, {"nothing": UNCHECKED["nothing"], "failing": failing})
    result = run(pytester)
    result.assert_outcomes(passed=2, errors=2, failed=2)
    result.stdout.fnmatch_lines(["test_nothing.py::test_it passed without checking what its client received*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.no_fnmatch_line("*unchecked.py*")


@pytest.mark.parametrize("asks", ["assert False", "interactions_dropped_stream.text"])
def test_before_the_first_turn(pytester: pytest.Pytester, asks: str) -> None:
    """A loop test that fails before any stream was dropped fails normally, and does not end the session."""
    source = f'@dropped(cuts=CUTS, mode="loop")\ndef test_it(interactions_dropped_stream):\n    {asks}\n'
    toys(pytester, {"early": source})
    result = run(pytester)
    result.assert_outcomes(failed=1)
    if "text" in asks:
        result.stdout.fnmatch_lines(["E *write `for stream in interactions_dropped_stream:`"])
