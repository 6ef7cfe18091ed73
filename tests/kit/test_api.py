"""A function that its first call imports, from several threads at once."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from harness.kit.api import LateCall

MODULE = """
import threading

for thread in threading.enumerate():
    if thread.name == "second":
        thread.start_now.set()
        thread.join(0.2)

def late():
    return "whole"
"""
"""It lets a second thread ask for it while half of it is imported; that one waits, and is not waited for."""


class Second(threading.Thread):
    """Asks for the function once half of its module is imported."""

    def __init__(self, call: LateCall) -> None:
        super().__init__(name="second", daemon=True)
        self.start_now, self.found, self._call = threading.Event(), "", call

    def run(self) -> None:
        self.start_now.wait()
        self.found = self._call()


def test_a_module_that_another_thread_imports_is_awaited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy run once ended with an AttributeError, because two workers judged their first exercises at once."""
    (tmp_path / "half_imported.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    second = Second(call := LateCall("half_imported", "late"))
    second.start()
    assert call() == "whole"
    second.join()
    assert second.found == "whole"
    sys.modules.pop("half_imported")
