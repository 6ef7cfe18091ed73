"""Tests of `harness.emulator.run`."""
