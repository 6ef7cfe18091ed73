"""What importing the package costs."""

from __future__ import annotations

import subprocess
import sys


def test_importing_it_is_cheap() -> None:
    """Importing the package imports no event loop, no TLS and no HTTP library."""
    code = "import sys, harness.transport; print({'asyncio', 'ssl', 'httpx', 'uvloop'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
