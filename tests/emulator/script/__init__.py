"""Tests of `harness.emulator.script`."""
