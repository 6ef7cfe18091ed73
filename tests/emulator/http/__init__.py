"""Tests of `harness.emulator.http`."""
