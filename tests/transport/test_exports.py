"""The public names of the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness import transport


@pytest.mark.parametrize("name", transport.__all__)
def test_every_name_is_there(name: str) -> None:
    """Each exported name resolves; any other raises AttributeError."""
    assert getattr(transport, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        transport.nothing


def test_importing_it_is_cheap() -> None:
    """Importing the package imports no event loop, no TLS and no HTTP library."""
    code = "import sys, harness.transport; print({'asyncio', 'ssl', 'httpx', 'uvloop'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
