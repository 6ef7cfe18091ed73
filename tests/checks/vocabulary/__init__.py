"""Tests of `harness.checks.vocabulary`."""
