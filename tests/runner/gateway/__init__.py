"""Tests of `harness.runner.gateway`."""
