"""Tests of `harness.checks.areas`."""
