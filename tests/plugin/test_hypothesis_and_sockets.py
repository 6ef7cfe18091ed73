"""Beside Hypothesis, pytest-socket and failures of others: what a user reads there, and what works."""

from __future__ import annotations

import pytest

from tests.plugin.toys import run


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
