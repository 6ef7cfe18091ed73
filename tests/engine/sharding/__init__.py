"""Tests of `harness.engine.sharding`."""
