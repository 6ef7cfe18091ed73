"""Tests of `harness.checks`."""
