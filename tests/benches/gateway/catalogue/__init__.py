"""Tests of `harness.benches.gateway.catalogue`."""
