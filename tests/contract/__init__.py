"""Tests of `harness.contract`."""
