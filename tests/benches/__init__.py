"""Tests of `harness.benches`."""
