"""Tests of `harness.checks.gateway`."""
