"""Tests of `harness.report`."""
