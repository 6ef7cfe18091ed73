"""The catalog of checks and the vocabulary for writing them. Never imports the emulator.

Importing this package is cheap; `harness.checks.catalogue` imports every area module.
"""
