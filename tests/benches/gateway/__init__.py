"""Tests of `harness.benches.gateway`."""
