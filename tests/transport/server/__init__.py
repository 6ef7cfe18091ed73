"""Tests of `harness.transport.server`."""
