"""Tests of `harness.emulator.create`."""
