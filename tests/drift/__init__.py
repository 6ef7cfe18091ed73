"""Tests of `harness.drift`."""
