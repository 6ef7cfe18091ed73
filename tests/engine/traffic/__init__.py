"""Tests of `harness.engine.traffic`."""
