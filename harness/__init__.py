"""Contract tests, a reference emulator and record/replay for the Gemini Interactions API.

The package is layered; `harness/README.md` draws the layers and says where to add what.
Importing this module is cheap on purpose: everything heavy is imported where it is used.
"""

__version__ = "0.1.0"
