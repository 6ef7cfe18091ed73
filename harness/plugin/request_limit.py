"""Stop a test whose code would run for ever, with an exception that ordinary handlers do not catch.

Layer 7. Retry loops catch `Exception`, so they are stopped by pytest's own failure, which is a `BaseException`. It
is raised where the code under test calls us: in an in-process request, or where it connects.
"""

from __future__ import annotations

from _pytest.outcomes import Failed  # raised by `pytest.fail`; its public alias is not a type


class RequestLimit(Failed):
    """The code under test exceeded the bound on requests."""
