"""Tests of `harness.runner.torture`."""
