"""Tests of `harness.benches.server`."""
