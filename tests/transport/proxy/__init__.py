"""Tests of `harness.transport.proxy`."""
