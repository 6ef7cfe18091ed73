"""What commands that stand on a port share."""

from __future__ import annotations

import contextlib

import pytest

from harness.cli.standing import stand
from harness.outcome import UsageFault


def test_as_many_connections_as_the_system_allows() -> None:
    """The soft limit of open files, which a hundred clients of a recorder come near, is raised to the hard one."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = min(256, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
    try:
        with pytest.raises(UsageFault, match="cannot run"):
            stand(contextlib.nullcontext(), lambda: None, ["/nowhere/to/be/found"], dict)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > low
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
