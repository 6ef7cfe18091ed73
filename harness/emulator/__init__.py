"""A stateful reference service for the Interactions API, scriptable, deterministic and strict. Layer 2."""

from harness.emulator.script.scripts import Script, ScriptFault
from harness.emulator.service import Emulator
from harness.emulator.values.settings import Settings

__all__ = ["Emulator", "Settings", "Script", "ScriptFault"]
