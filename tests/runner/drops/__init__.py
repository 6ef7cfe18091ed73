"""Tests of `harness.runner.drops`."""
