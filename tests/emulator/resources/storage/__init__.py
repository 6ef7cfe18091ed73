"""Tests of harness.emulator.resources.storage."""
