"""Beside Hypothesis, pytest-socket and failures of others: what a user reads there, and what works."""

from __future__ import annotations

import pytest

from tests.packages import NEEDS_GENAI
from tests.plugin.toys import run

EXAMPLES = """
import pytest
from hypothesis import HealthCheck, given, settings, strategies

@settings(suppress_health_check=[])
@given(strategies.text(min_size=1))
def test_refused(interactions_emulator, text):
    pass

@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5, deadline=None)
@given(strategies.text(min_size=1))
def test_examples(interactions_emulator, interactions_client, text):
    interactions_emulator.reset().reply(text)
    assert len(interactions_emulator.requests) == 0
    made = interactions_client.interactions.create(model="gemini-3.8-flash", input="Hi.")
    assert made.output_text == text

def test_reset(interactions_emulator):
    interactions_emulator.reply("Never.")
    interactions_emulator.fail(503)
    interactions_emulator.drop("event:5,rst")
    made = interactions_emulator.create()
    interactions_emulator.reset()
    assert interactions_emulator.look(made["id"]) is None
"""


@NEEDS_GENAI
def test_examples_share_an_emulator(pytester: pytest.Pytester) -> None:
    """`reset` begins again for each example; without the two lines that it takes, the failure names them."""
    pytest.importorskip("hypothesis")
    pytester.makepyfile(EXAMPLES)
    result = run(pytester, "-p", "_hypothesis_pytestplugin")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["one emulator answers all examples: write @settings(suppress_health_check=*"])
    assert "pytest_plugin.py" not in result.stdout.str()


def test_sockets_are_forbidden(pytester: pytest.Pytester) -> None:
    """A client without a socket works, and no test warns; a URL is refused with the option to write."""
    pytest.importorskip("pytest_socket")
    pytester.makepyfile(
        """
        def test_url(interactions_emulator):
            interactions_emulator.base_url

        def test_in_process(interactions_emulator):
            interactions_emulator.create()
        """
    )
    result = run(pytester, "--disable-socket", "-W", "error")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*write `--allow-hosts=127.0.0.1` in place of `--disable-socket`, or use*"])


def test_failures_of_others(pytester: pytest.Pytester) -> None:
    """A hook in which another plugin fails does not seem to fail in ours, nor does a loop that is stopped."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_call(item):
            if "other" in item.name:
                raise ValueError("theirs")
        """
    )
    pytester.makepyfile(
        """
        import httpx

        def test_other(interactions_emulator):
            pass

        def test_loop(interactions_emulator):
            interactions_emulator.limit_requests(3)
            with httpx.Client(transport=interactions_emulator.transport) as client:
                while True:
                    client.get("http://any.test/v1beta/interactions/x", headers={"x-goog-api-key": "k"})
        """
    )
    result = run(pytester, "--tb=short")
    result.assert_outcomes(failed=2)
    assert "harness/" not in result.stdout.str()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("interactions_no_sleep.assert_total(5)", "assert_total takes bounds by name: at_least=5, at_most=5"),
        ("interactions_emulator.requests.assert_created('v1_x')", "assert_created takes fields of each create"),
        ("InteractionsEmulator().base_url", "write `with InteractionsEmulator() as emulator:`"),
    ],
)
def test_wrong_calls(pytester: pytest.Pytester, line: str, words: str) -> None:
    """The message says what to write."""
    pytester.makepyfile(
        f"""
        from harness.plugin import InteractionsEmulator

        def test_it(interactions_emulator, interactions_no_sleep):
            {line}
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=1)
    assert words in result.stdout.str()


def test_a_blocking_call_in_a_failing_test(pytester: pytest.Pytester) -> None:
    """The call that blocks the loop is in the section of a test that failed for another reason."""
    pytester.makepyfile(
        """
        import asyncio, time, pytest

        async def work():
            time.sleep(0.5)

        async def main():
            await asyncio.create_task(work())
            assert False

        @pytest.mark.interactions_schedule(seed=1)
        def test_it(interactions_schedule):
            asyncio.run(main())
        """
    )
    result = run(pytester)
    result.stdout.fnmatch_lines(
        ["*`time.sleep(0.5)` blocks the event loop*in `work`*", "tasks were drawn with seed 1"]
    )
