"""Tests of `harness.transport.tap`."""
