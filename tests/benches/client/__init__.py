"""Tests of `harness.benches.client.drops_init`."""
