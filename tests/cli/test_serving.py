"""What all commands that listen on a port have in common."""

from __future__ import annotations

import contextlib

import pytest

from harness.cli.serving import serve_until_done
from harness.outcome import UsageFault


def test_as_many_connections_as_the_system_allows() -> None:
    """The soft limit of open files is raised to the hard one; a hundred clients of a recorder come close to it."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = min(256, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
    try:
        with pytest.raises(UsageFault, match="cannot run"):
            serve_until_done(contextlib.nullcontext(), lambda: None, ["/nowhere/to/be/found"], dict)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > low
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
