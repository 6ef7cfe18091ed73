"""Tests of `harness.emulator.values`."""
