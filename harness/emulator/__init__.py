"""A stateful reference service for the Interactions API, scriptable, deterministic and strict."""

from harness.emulator.scripts import Script
from harness.emulator.service import Emulator
from harness.emulator.values.settings import Settings
from harness.errors import ScriptFault

__all__ = ["Emulator", "Settings", "Script", "ScriptFault"]
