"""Tests of `harness.transport.inprocess`."""
