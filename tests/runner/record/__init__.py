"""Tests of `harness.runner.record`."""
