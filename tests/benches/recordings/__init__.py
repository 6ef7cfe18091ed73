"""Tests of `harness.benches.recordings`."""
