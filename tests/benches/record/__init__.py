"""Tests of `harness.benches.record`."""
