"""Tests of `harness.benches.client`."""
