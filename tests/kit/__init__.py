"""Tests of `harness.kit`."""
