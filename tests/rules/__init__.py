"""Tests of `harness.rules`."""
