"""Tests of `harness.engine`."""
